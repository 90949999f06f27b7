"""What is known of programs that install, download, interpret or hold cloud credentials: words and flags, as data.

A word that is not in these tables is never repeated from a command line. The grammars follow each tool's own reference:
pip.pypa.io/en/stable/cli, docs.astral.sh/uv/reference/cli, pipx.pypa.io, python-poetry.org/docs/cli, pdm-project.org,
hatch.pypa.io/latest/cli/reference, docs.conda.io/projects/conda/en/stable/commands, pixi.sh/latest/reference/cli,
docs.npmjs.com/cli/commands, pnpm.io/cli, yarnpkg.com/cli, bun.sh/docs/cli, the manual pages of apt-get(8), apk(8),
dnf(8), zypper(8), rpm(8), dpkg(1), git(1), curl(1), wget(1), and the command references of the cloud tools.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["CLOUD", "DOWNLOAD", "HOOK", "INSTALL", "PUBLISH", "TOOLS", "Grammar"]

INSTALL, DOWNLOAD, CLOUD, HOOK, PUBLISH = "install", "download", "cloud-cli", "build-hook", "publish"
_NONE: frozenset[str] = frozenset()


class Grammar(Struct, frozen=True, kw_only=True):
    """How one tool's arguments read.

    `verbs` maps subcommands (one or more words) to an activity; `bare` is the activity without any, `otherwise` that of
    other subcommands. `reader` reads the words after the verb: only the first one for verbs in `first`, after which
    another program's words begin, none for verbs in `unread` or when a flag of `named` gave the package. `switches`
    stand alone, `values` take a word that is never repeated, `files` a list of requirements, `urls` an index of which
    the host is told. For verbs in `copies` only a remote first word makes a download; a verb in `conditional` (or none)
    installs only with a flag of `wanted`; with a flag of `idle` nothing lands. `words` are harmless further words.
    """

    tool: str
    reader: str = ""
    verbs: Mapping[str, str] = MappingProxyType({})
    bare: str = ""
    otherwise: str = ""
    first: frozenset[str] = _NONE
    unread: frozenset[str] = _NONE
    named: frozenset[str] = _NONE
    switches: frozenset[str] = _NONE
    values: frozenset[str] = _NONE
    files: frozenset[str] = _NONE
    urls: frozenset[str] = _NONE
    copies: frozenset[str] = _NONE
    conditional: frozenset[str] = _NONE
    wanted: frozenset[str] = _NONE
    idle: frozenset[str] = _NONE
    words: frozenset[str] = _NONE


_TOOLS = """
pip
  reads pypi
  install install
  download download wheel
  files -r --requirement --requirements
  urls -i --index-url --extra-index-url --pypi-url -f --find-links
  switches -q --quiet -v --verbose -U --upgrade --user --no-user --pre --no-deps --no-dependencies -I --ignore-installed
  switches --force-reinstall --no-index --no-cache-dir --no-build-isolation --break-system-packages --isolated --compile
  switches --disable-pip-version-check --require-hashes --prefer-binary --no-input --no-compile --no-warn-script-location
  switches --no-warn-conflicts --dry-run --use-pep517 --no-use-pep517 --no-clean --no-color --require-virtualenv --debug
  switches --require-venv --ignore-requires-python --check-build-dependencies --no-python-version-warning
  values -e --editable -t --target --platform --python-version --implementation --abi --root --prefix --src -b --build
  values --build-dir --upgrade-strategy -C --config-settings --config-setting --global-option --install-option --only-binary
  values --build-option --no-binary --progress-bar --root-user-action --report --group --python --log --proxy --retries
  values --timeout --exists-action --trusted-host --cert --client-cert --cache-dir --use-feature --use-deprecated --dest
  values --keyring-provider -d -w --wheel-dir -c --constraint --constraints
  words list freeze show config check cache uninstall inspect index debug search hash completion help lock
pipx
  like pip
  install install inject upgrade upgrade-all reinstall run runpip
  first run
pipenv
  like pip
  install install update sync upgrade
rye
  like pip
  install add sync install tools+install
easy_install
  like pip
  bare install
uv
  reads pypi
  install pip+install pip+sync add sync tool+install tool+upgrade tool+run python+install
  publish publish
  interpreter run
  conditional run
  wanted --with --with-editable --with-requirements
  unread run
  first tool+run
  named --from
  files -r --requirement --requirements
  urls -i --index-url --extra-index-url --default-index --index -f --find-links
  switches -q --quiet -v --verbose -U --upgrade --system --pre --no-deps --no-cache -n --no-cache-dir --frozen --locked
  switches --no-dev --dev --all-extras --all-groups --reinstall --force-reinstall --compile-bytecode --break-system-packages
  switches --no-build-isolation --require-hashes --isolated --no-sync --offline --no-index --no-progress --no-config --raw
  switches --managed-python --no-managed-python --active --no-project --inexact --exact --force --no-editable --no-build
  switches --dry-run
  values -p --python -C --config-setting --directory --project --cache-dir --config-file --color --link-mode --resolution
  values --prerelease --exclude-newer --index-strategy --keyring-provider --target --prefix --group --only-group --no-group
  values --extra --package --with --with-editable --with-requirements --from --env-file --no-binary --only-binary -e
  values --editable -b --build-constraints --override --overrides --upgrade-package -P --refresh-package --rev --tag --branch
  values --reinstall-package --optional --allow-insecure-host --script -m --module -s -w -c --constraint --constraints
  words pip tool list freeze show check compile tree lock venv build publish cache version init remove uninstall python
uvx
  like uv
  bare install
  first *
hatch
  install env+create dep+sync
  publish publish
  words run build publish version env shell
poetry
  reads pypi
  install install add update sync self+add self+update self+install
  publish publish
  switches -q --quiet -v -vv -vvv --verbose -n --no-interaction --no-root --no-dev --sync --dev -D --all-extras --all-groups
  switches --no-ansi --dry-run --lock
  values -C --directory -P --project -G --group --with --without --only -E --extras --source --python --platform --markers
  values -e --editable
  words run show build publish config lock remove shell version init self
pdm
  reads pypi
  install install add sync update self+add plugin+add
  publish publish
  switches -q --quiet -v --verbose -d --dev --prod --production --no-self --no-lock --no-editable --frozen-lockfile --check
  switches --no-isolation
  values -p --project -G --group -c --config -L --lockfile --venv --without -e --editable -x --exclude
  words run list show build publish config lock remove info init self plugin
conda mamba micromamba
  reads conda
  install install create update upgrade env+create env+update
  files -f --file
  switches -y --yes -q --quiet -v --verbose --json --offline --override-channels --no-deps --only-deps --freeze-installed
  switches --force-reinstall --strict-channel-priority --no-channel-priority --update-all --all --dry-run -d --copy --prune
  switches --no-pin --no-rc --no-env
  values -n --name -p --prefix -c --channel -r --root-prefix --solver --platform --subdir --clone --rc-file --log-level
  values --repo
  words list info run activate config clean search remove init env export shell
pixi
  reads conda
  install add install update upgrade global+install global+add
  switches -q --quiet -v --verbose --pypi --frozen --locked --no-install --no-progress
  values --manifest-path -p --platform -f --feature -e --environment -c --channel --color
  words run shell list info init global
npm
  reads npm
  install install i in ins add ci clean-install install-clean ic install-ci-test cit install-test it update up upgrade exec
  install x create init innit
  download pack
  publish publish
  first exec x create init innit
  named -p --package -c --call
  urls --registry
  switches -g --global -D --save-dev -S --save -E --save-exact -O --save-optional --no-save --legacy-peer-deps --force -f
  switches --production --ignore-scripts --no-audit --no-fund --silent -s --quiet -q --verbose --prefer-offline --offline
  switches --no-package-lock --frozen-lockfile --immutable -P --prod --dev -y --yes -w --no-optional
  values --prefix -C --dir --cwd --cache --userconfig --loglevel --omit --include --tag --workspace -c --call -p --package
  values --otp --modules-folder --cache-folder --network-timeout --filter --store-dir
  words run run-script start test build list ls config login publish view audit uninstall remove
npx pnpx bunx
  like npm
  bare install
  first *
pnpm
  like npm
  install install i add update up ci dlx import fetch create
  publish publish
  first dlx create
yarn
  like npm
  install install add upgrade up dlx create global+add
  publish publish npm+publish
  bare install
  first dlx create
  idle -v
bun
  like npm
  install install i add a update x create ci
  publish publish
  bare interpreter
  first x create
deno
  like npm
  install install add i
  bare interpreter
apt apt-get aptitude
  reads deb
  install install reinstall upgrade dist-upgrade full-upgrade build-dep
  download download source
  switches -y --yes --assume-yes -q -qq --quiet --no-install-recommends --no-install-suggests --allow-unauthenticated -f
  switches --allow-downgrades --fix-broken --fix-missing -m --only-upgrade --reinstall --force-yes -d --download-only -u
  values -o --option -t --target-release --default-release -c --config-file -a --host-architecture
  words update remove purge autoremove clean list show search policy
dnf dnf5 yum microdnf tdnf zypper
  reads rpm
  install install localinstall groupinstall reinstall update upgrade in up dup dist-upgrade builddep
  download download
  switches -y --assumeyes -q --quiet -v --nogpgcheck --no-gpg-checks --nodocs --best --allowerasing -n --non-interactive
  switches --refresh --no-refresh --no-recommends
  values -c --config --releasever --installroot --enablerepo --disablerepo --repo --setopt -x --exclude -d -e
  words makecache clean list info search remove repolist ref refresh
apk
  reads apk
  install add upgrade
  download fetch
  urls -X --repository
  switches -q --quiet -v --verbose -U --update-cache --no-cache --no-progress --allow-untrusted -u --upgrade -f --force
  switches --initdb --no-scripts --no-network
  values -t --virtual -p --root --arch --repositories-file --keys-dir --cache-dir --cache-max-age --wait
  words update del info list search cache index fix policy
rpm
  reads rpm
  conditional *
  wanted -i --install -U --upgrade -F --freshen
  idle -q --query -e --erase -V --verify
  switches -i --install -U --upgrade -F --freshen --nodeps --force --nosignature --nodigest --noscripts -h -v -q --query -a
  switches -l -e --erase -V --verify --import --quiet
dpkg
  reads deb
  conditional *
  wanted -i --install --unpack
  switches -i --install --unpack --force-all --force-depends --configure -a -l -s -L
  values --root --admindir --status-fd
gem
  reads gem
  install install i update
  publish push
  download fetch
  urls -s --source
  switches -N --no-document -f --force --user-install --local -l --quiet -q --conservative --prerelease
  values -v --version -i --install-dir -n --bindir -P -p
bundle
  install install update add
  words exec config
cargo
  reads cargo
  install install binstall add
  publish publish
  download fetch
  urls --index
  switches -q --quiet -v --verbose --locked --frozen --offline -f --force --all-features --no-default-features -y
  values --version --vers --git --branch --tag --rev --path --root --registry --features -F --target --bin --profile -j --jobs
  words build run test check
go
  reads golang
  install install get
  interpreter run
  download mod+download
  unread run
  switches -u -v -x -t -d -insecure
  values -C -mod -modfile -tags -ldflags -p -o -gcflags
  words build test vet version env mod list
cpan cpanm
  bare install
hf huggingface-cli
  reads model
  download download
  publish upload upload-large-folder
  first download
  switches -q --quiet --force-download --resume-download --local-dir-use-symlinks
  values --repo-type --revision --include --exclude --cache-dir --local-dir --token --max-workers
  words login logout whoami auth upload scan-cache env repo cache repo-files
git
  reads url
  download clone pull fetch lfs+pull lfs+fetch lfs+clone submodule+update submodule+add
  publish push lfs+push
  switches -q --quiet -v --verbose --recursive --recurse-submodules --init --no-checkout -n --bare --mirror --single-branch
  switches --no-tags --no-pager --progress --shallow-submodules --all
  values -c -C --git-dir --work-tree --namespace --depth -b --branch -o --origin -j --jobs --config --filter --reference
  values --template --separate-git-dir --exec-path -I -X --include --exclude
  words status log diff show add commit push checkout config init rev-parse describe remote ls-remote branch tag lfs submodule
git-lfs
  download pull fetch clone
  publish push
  words smudge filter-process install track
dvc
  reads url
  download pull fetch get get-url import import-url update
  publish push
  switches -q --quiet -v --verbose -f --force
  values -r --remote -j --jobs -o --out --rev
  words push repro status add
modelscope
  reads model
  download download
  publish upload
  first download
  values --model --dataset --revision --cache_dir --local_dir --include --exclude --token
ollama
  reads oci
  download pull run
  first pull run
  words serve list show ps stop
mlflow
  download artifacts+download
  words server ui run models artifacts
wandb
  download artifact+get pull restore
  words login sync agent artifact
aws
  reads url
  download s3+cp s3+sync s3+mv s3api+get-object
  copies s3+cp s3+sync s3+mv
  otherwise cloud-cli
  bare cloud-cli
  switches -q --quiet -m -r -R --recursive --no-progress --debug --only-show-errors --no-clobber --all --all-namespaces -A
  switches --no-sign-request --delete --follow-symlinks --no-follow-symlinks --exact-timestamps --size-only --no-paginate
  switches --no-verify-ssl --dryrun --force-glacier-transfer
  values --profile --region --output -o --query --endpoint-url --subscription --project --account --namespace -n --context
  values --kubeconfig --token --username -u --password -p --server -s --name --file -f --destination -d --source --platform
  words account acr activate ad aks apply artifacts assume-role attach auth blob bucket build can-i cat cluster clusters cm
  words competitions config configmap configmaps configure container container-registry containers copy cp create
  words credential credentials daemonset datasets delete deployment deployments describe docker download ec2 ecr edit eks
  words exec files get get-caller-identity get-credentials get-login-password get-object get-parameter get-secret-value
  words get-token iam identity images info install job jobs keyvault kms list list-keys list-secrets login logout logs ls
  words ml model mv namespace namespaces network node nodes object pod pods port-forward print-access-token ps pull push
  words print-identity-token query registry repo resource role rollout rsync run s3 s3api scale secret secrets
  words secretsmanager service serviceaccount serviceaccounts services set show ssm sts storage svc sync template token top
  words uninstall update upgrade upload upload-batch use-context version vm wait whoami
kaggle
  like aws
  reads model
  download datasets+download competitions+download models+instances+versions+download kernels+output d+download c+download
  values -c --competition --dataset --path
az
  like aws
  publish acr+build artifacts+universal+publish
  download storage+blob+download storage+blob+download-batch storage+file+download storage+fs+file+download acr+import
  download artifacts+universal+download ml+model+download
gcloud
  like aws
  download storage+cp storage+rsync artifacts+files+download artifacts+generic+download
  copies storage+cp storage+rsync
gsutil
  like aws
  download cp rsync mv
  copies cp rsync mv
azcopy s5cmd rclone
  like aws
  download copy cp sync c
  copies copy cp sync c
docker podman nerdctl crictl ctr
  like aws
  reads oci
  download pull image+pull images+pull
  publish push image+push images+push manifest+push
  first pull image+pull images+pull
oras crane
  like aws
  reads oci
  download pull export copy cp
  publish push append attach
  first pull export copy cp
helm
  like aws
  download pull fetch
  publish push
gh
  like aws
  publish release+create release+upload
  download release+download run+download repo+clone
buildah
  like aws
  download pull
  publish push
skopeo
  like aws
  publish copy sync
twine flit maturin
  publish upload publish
  words check register build
kubectl oc terraform vault databricks eksctl kubelogin oci aliyun
  like aws
"""
"""One tool (or several names that read alike) a paragraph; keys are the fields of `Grammar`, save that `install`, `download`,
`publish` (of which no words are read) and `interpreter` list verbs of that activity, `like` takes everything but verbs,
`bare`, `first`, `unread`, `conditional` and `copies` from another tool, `+` joins the words of a verb, and `*` is the empty
verb."""


def _parse(text: str) -> dict[str, Grammar]:
    """Read `_TOOLS`. Our own text: a mistake in it raises at import."""
    tools: dict[str, Grammar] = {}
    for paragraph in text.strip().replace("\n  ", "\t").splitlines():
        names, *lines = paragraph.split("\t")
        fields: dict[str, list[str]] = {}
        for line in lines:
            key, *words = line.split()
            fields.setdefault(key, []).extend(words)
        for name in names.split():
            tools[name] = _grammar(name, fields, tools)
    return tools


def _grammar(name: str, fields: Mapping[str, list[str]], tools: Mapping[str, Grammar]) -> Grammar:
    base = tools[fields["like"][0]] if "like" in fields else Grammar(tool=name)
    grammar = replace(base, tool=name, verbs={}, first=_NONE, unread=_NONE, conditional=_NONE, copies=_NONE)
    if "like" in fields and not base.otherwise:
        grammar = replace(grammar, bare="")
    verbs = {
        verb.replace("+", " "): activity
        for activity in (INSTALL, DOWNLOAD, PUBLISH, "interpreter")
        for verb in fields.get(activity, ())
    }
    changes: dict[str, object] = {"verbs": MappingProxyType(verbs)}
    for key, words in fields.items():
        if key in ("like", INSTALL, DOWNLOAD, PUBLISH, "interpreter"):
            continue
        if key in ("bare", "otherwise"):
            changes[key] = words[0]
        elif key == "reads":
            changes["reader"] = words[0]
        elif key in ("first", "unread", "conditional", "copies"):
            changes[key] = frozenset(word.replace("+", " ").replace("*", "") for word in words)
        else:
            changes[key] = getattr(grammar, key) | frozenset(words)
    told = frozenset(verb for verb, activity in verbs.items() if activity == PUBLISH)
    grammar = replace(grammar, **changes)
    return replace(grammar, unread=grammar.unread | told)


TOOLS: Mapping[str, Grammar] = _parse(_TOOLS)
"""By program name. What is missing here is no installer, as far as this project knows: a gap, not a proof."""
