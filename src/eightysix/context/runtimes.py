"""What is known of interpreters, shells, wrappers and file transfers: how each finds what it runs or fetches, as data."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from eightysix.context.programs import DOWNLOAD, HOOK, INSTALL

__all__ = [
    "BUILD_HOOKS",
    "HOST_ENTRY",
    "INTERPRETERS",
    "INTERPRETER_NAMES",
    "MODULES",
    "MULTIPROCESSING",
    "SCRIPTS",
    "SETUP_COMMANDS",
    "SHELLS",
    "TRANSFERS",
    "WRAPPERS",
    "Interpreter",
    "Transfer",
]

_NONE: frozenset[str] = frozenset()


class Interpreter(Struct, frozen=True, kw_only=True):
    """How an interpreter finds its program: letters and long flags for `code`, for a `module`, and others with a value
    (in the same word or the next); `attached` letters take only the rest of their word. `markers` are substrings of
    the arguments that tell what code does."""

    tool: str
    code: frozenset[str]
    module: frozenset[str] = _NONE
    values: frozenset[str] = _NONE
    attached: frozenset[str] = _NONE
    markers: tuple[tuple[str, str], ...] = ()


class Transfer(Struct, frozen=True, kw_only=True):
    """How curl and wget read: `output` flags write to a file, `upload` flags send data, `idle` ones transfer nothing,
    `switches` take no value, any other flag does."""

    tool: str
    output: frozenset[str]
    upload: frozenset[str]
    idle: frozenset[str]
    switches: frozenset[str]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_PYTHON_MARKERS = (
    ("<pip-setuptools-caller>", HOOK),  # pip, src/pip/_internal/utils/setuptools_build.py
    ("setuptools, tokenize", HOOK),  # pip before 22
    ("get_requires_for_build_", HOOK),  # uv, crates/uv-build-frontend
    ("prepare_metadata_for_build_", HOOK),
    ("build_wheel(", HOOK),
    ("pip._internal", INSTALL),
    ("pip.main", INSTALL),
    ("-m pip install", INSTALL),
    ("'pip', 'install'", INSTALL),
    ("'pip','install'", INSTALL),
    ('"pip", "install"', INSTALL),
    ('"pip","install"', INSTALL),
    ("snapshot_download(", DOWNLOAD),  # huggingface.co/docs/huggingface_hub/guides/download
    ("hf_hub_download(", DOWNLOAD),
)
MULTIPROCESSING = (
    "from multiprocessing.spawn import spawn_main; spawn_main(",
    "from multiprocessing.resource_tracker import main;main(",
    "from multiprocessing.semaphore_tracker import main;main(",
    "from multiprocessing.forkserver import main; main(",
)
"""How `python -c` begins where `multiprocessing` starts a process of its own (CPython, Lib/multiprocessing/spawn.py,
resource_tracker.py and forkserver.py; joblib's loky has it from there)."""

_R_MARKERS = (("install.packages(", INSTALL), ("::install", INSTALL), ("install_github(", INSTALL))
_JULIA_MARKERS = (("Pkg.add", INSTALL), ("Pkg.instantiate", INSTALL))

INTERPRETERS: Mapping[str, Interpreter] = {
    "python": Interpreter(
        tool="python", code=_set("c"), module=_set("m"), values=_set("W X Q"), markers=_PYTHON_MARKERS
    ),
    "node": Interpreter(
        tool="node",
        code=_set("e p --eval --print"),
        values=_set("r C --require --import --loader --experimental-loader --env-file"),
    ),
    "ruby": Interpreter(tool="ruby", code=_set("e"), values=_set("r I C")),
    "perl": Interpreter(
        tool="perl",
        code=_set("e E"),
        values=_set("I"),
        attached=_set("M m i l 0 x"),
        markers=(("MCPAN", INSTALL), ("CPAN::", INSTALL)),
    ),
    "php": Interpreter(tool="php", code=_set("r B R E"), values=_set("d c z")),
    "lua": Interpreter(tool="lua", code=_set("e"), values=_set("l")),
    "julia": Interpreter(
        tool="julia", code=_set("e E --eval --print"), values=_set("L J t p"), markers=_JULIA_MARKERS
    ),
    "R": Interpreter(tool="R", code=_set("e"), values=_set("f g"), markers=_R_MARKERS),
}
"""By program name without its version; the letters are those of each interpreter's manual page."""

INTERPRETER_NAMES: Mapping[str, str] = {
    "nodejs": "node",
    "pypy": "python",
    "ipython": "python",
    "Rscript": "R",
    "luajit": "lua",
    "jruby": "ruby",
}
"""Other names of `INTERPRETERS`."""

SHELLS = _set("sh bash dash zsh ash ksh mksh fish rbash tcsh csh")

WRAPPERS: Mapping[str, frozenset[str]] = {
    "env": _set("-u --unset -C --chdir -S --split-string"),
    "sudo": _set("-u --user -g --group -C -D -h --host -p --prompt -r --role -t --type -T -U"),
    "doas": _set("-u -C"),
    "nice": _set("-n --adjustment"),
    "ionice": _set("-c -n -p"),
    "timeout": _set("-s --signal -k --kill-after"),
    "stdbuf": _set("-i -o -e"),
    "nohup": _NONE,
    "setsid": _NONE,
    "time": _set("-f -o"),
    "tini": _set("-p -e"),
    "dumb-init": _set("-r --rewrite"),
    "gosu": _NONE,
    "su-exec": _NONE,
    "xargs": _set("-I -n -P -L -d -a -s -E"),
    "strace": _set("-e -o -p -s -u -E -P"),
    "busybox": _NONE,
}
"""Programs that run another one, with their flags that take a value (their manual pages)."""

HOST_ENTRY = frozenset({"nsenter", "chroot"})
"""Programs that leave a container's own namespaces or root (util-linux, coreutils)."""

_WGET = Transfer(
    tool="wget",
    idle=_set("V h --version --help --spider"),
    output=_set("O P --output-document --directory-prefix"),
    upload=_set("--post-data --post-file --body-data --body-file"),
    switches=_set(
        """q v nv b c N S 4 6 r k p m H L nc nd nH x E n --quiet --verbose --no-verbose --no-check-certificate --continue
        --recursive --mirror --no-parent --no-clobber --no-directories --timestamping --show-progress --server-response
        --inet4-only --https-only"""
    ),
)
TRANSFERS: Mapping[str, Transfer] = {
    "curl": Transfer(
        tool="curl",
        idle=_set("V h I M --version --help --head --manual"),
        output=_set("o O J --output --output-dir --remote-name --remote-name-all --remote-header-name"),
        upload=_set(
            """d F T --data --data-raw --data-binary --data-ascii --data-urlencode --form --form-string --upload-file
            --json"""
        ),
        switches=_set(
            """# : 0 1 2 3 4 6 B G J L N O R S Z f g i j k l n p q s v a --compressed --fail --fail-with-body --silent
            --fail-early --globoff --include --insecure --ipv4 --ipv6 --location --location-trusted --no-buffer --verbose
            --no-progress-meter --parallel --progress-bar --remote-name --remote-name-all --remote-header-name --netrc
            --remote-time --retry-connrefused --retry-all-errors --show-error --tlsv1.2 --http1.1 --http2 --create-dirs
            --next --get --no-keepalive"""
        ),
    ),
    "wget": _WGET,
    "wget2": _WGET,
}

MODULES: Mapping[str, str] = {
    **{
        name: name
        for name in "pip uv pipx pipenv poetry pdm hatch conda mamba easy_install dvc mlflow wandb kaggle twine flit".split()
    },
    "pip.__main__": "pip",
    "pip._internal": "pip",
    "pip._internal.cli.main": "pip",
    "setuptools.command.easy_install": "easy_install",
    "awscli": "aws",
    "azure.cli": "az",
    "huggingface_hub.commands.huggingface_cli": "hf",
    "huggingface_hub.cli.hf": "hf",
    "kaggle.cli": "kaggle",
}
"""`python -m NAME` that is one of `TOOLS`; `/usr/bin/az` is a script that runs `python -Im azure.cli`
(github.com/Azure/azure-cli)."""

SCRIPTS: Mapping[str, str] = {
    "__pip-runner__.py": "pip",
    "pip.pyz": "pip",
    "npm-cli.js": "npm",
    "npx-cli.js": "npx",
    "yarn.js": "yarn",
    "yarn.cjs": "yarn",
    "pnpm.cjs": "pnpm",
    "pnpx.cjs": "pnpx",
    "gcloud.py": "gcloud",
}
"""Script names that are one of `TOOLS` beside those of the same name; `__pip-runner__.py` is pip's own build isolation
(github.com/pypa/pip, src/pip/__pip-runner__.py)."""

SETUP_COMMANDS: Mapping[str, str] = {
    **dict.fromkeys(("install", "develop", "easy_install"), INSTALL),
    **dict.fromkeys(
        """egg_info bdist_wheel bdist_egg bdist build build_py build_ext sdist dist_info editable_wheel""".split(),
        HOOK,
    ),
}
"""Commands of `setup.py` (setuptools.pypa.io, deprecated/commands) that run a package's own code."""

BUILD_HOOKS: Mapping[str, str] = dict.fromkeys(
    """build_wheel build_sdist build_editable get_requires_for_build_wheel get_requires_for_build_sdist
    get_requires_for_build_editable prepare_metadata_for_build_wheel prepare_metadata_for_build_editable
    _supported_features""".split(),
    HOOK,
)
"""Arguments of `_in_process.py` (github.com/pypa/pyproject-hooks): the hooks of PEP 517 and PEP 660."""
