"""Canaries planted where secrets stand in telemetry come out nowhere: no output, no file, no state."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eightysix.cli.main import main
from eightysix.detect import encode_state
from eightysix.lab.generate.falco_form import FALCO
from eightysix.reconstruct.selection import selection
from eightysix.report.interface import RenderOptions
from eightysix.report.reconstruction.interface import FORMATS, get_reconstruction_format
from eightysix.rules.catalog import load_packaged
from eightysix.serve.reconstruction import Reconstructing
from eightysix.serve.replay import ReplayOptions
from eightysix.sources.raw import Redactor
from eightysix.sources.tables import tabulate
from eightysix.store.tables import load as load_tables
from tests.streams import ATTACKS, FULL, KERNEL_AND_AUDIT, LOOK_ALIKES, SENSOR_AND_AUDIT, Streams

Json = Any

MARK = "zqcanaryqz"
"""In every canary, whatever its form; looked for in any letter case, so that cut canaries are found too."""

TOKENS = {
    "github": "ghp_16C7eZqCaNaRyQz42Uss2Ol8hXDlVc4Qd7",
    "jwt": "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiZqCaNaRyQz86IiJ9.ZqCaNaRyQz5JgQ2bLx7YwMeJf36POk6yJV_adQssw5c",
    "openai": "sk-proj-ZqCaNaRyQz0T3BlbkFJ86aQb9Xx1Yv2Zu3Wt4Vs5Ur6",
    "azure": "ZqCaNaRyQz8Q~J7pX9vB3nM5kL1hG6fD2sA0wE4r",
    "sas": "ZqCaNaRyQz%2Bk3b9Yx%2F86Tn2Lw7Qp5Rv8Jd1Hf4Gs6%3D",
    "slack": "xoxb-8600000000-ZqCaNaRyQz24Kd83Jf92Ls",
    "aws": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYZqCaNaRyQzKEY86",
    "password": "ZqCaNaRyQz!86-Pa$$w0rd",
    "long": "a1b2c3d4e5f60718" * 3 + "ZqCaNaRyQz" + "9f8e7d6c5b4a3928" * 3,
}
"""What secrets look like; they may stand anywhere and must never come out."""

RECOGNISABLE = tuple(TOKENS[name] for name in ("github", "jwt", "openai", "long"))
"""Those that can be told from the name of a file or a program."""

WORD = "zqcanaryqz"
"""A secret that looks like any other word: it must not come out of the places where secrets stand."""

TABLES = load_tables()

BASE: Streams = ATTACKS["breach-86s"](KERNEL_AND_AUDIT).streams


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("EIGHTYSIX_")]:
        monkeypatch.delenv(name)


def command(*arguments: str) -> tuple[int, str]:
    """Exit code, and standard output and error together."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 2
    return code, out.getvalue()


def assert_clean(text: str | bytes, where: str) -> None:
    """No canary in `text`, nor a piece of one."""
    data = text.lower() if isinstance(text, str) else text.decode("latin-1").lower()
    at = data.find(MARK)
    assert at < 0, f"{where}: …{data[max(0, at - 150) : at + 60]}…"


def examine(folder: Path, *, incidents: bool = True) -> None:
    """Run everything that reads telemetry over `folder`, and look for canaries wherever something was written."""
    telemetry = str(folder / "telemetry")
    written = folder / "written"
    written.mkdir()
    for arguments in (
        ("-v",),
        ("--format", "json"),
        ("-v", "--output", str(written / "plain.txt")),
        ("--format", "json", "--output", str(written / "report.json")),
    ):
        code, text = command("detect", telemetry, *arguments)
        assert code in (0, 10, 11, 13, 14), text
        assert not incidents or code in (11, 13, 14)
        assert_clean(text, " ".join(arguments))
    code, text = command("baseline", "build", telemetry, "--output", str(written / "baseline"))
    assert code == 0, text
    assert_clean(text, "baseline build")
    _, text = command("baseline", "build", telemetry)
    assert_clean(text, "baseline build to standard output")
    _, text = command("detect", telemetry, "-v", "--baseline", str(written / "baseline"))
    assert_clean(text, "detect with a baseline")
    report = json.loads((written / "report.json").read_text())
    for incident in report["incidents"][:3]:
        found = incident["id"]
        _, text = command(
            "exception", "propose", found, telemetry, "--reason", "a test", "--author", "the tests"
        )
        assert_clean(text, "exception propose")
    for file in written.iterdir():
        assert file.stat().st_mode & 0o077 == 0 or file.name == "baseline"
        assert_clean(file.read_bytes(), file.name)
        assert_clean(file.name, "a file's name")
    for table, row in tabulate([telemetry], TABLES):
        assert_clean(repr(row), f"a row of {table}")
    run = Reconstructing(load_packaged(), ReplayOptions())
    story = run.read([telemetry], io.BytesIO(), selection())
    for name in FORMATS:
        text = "".join(get_reconstruction_format(name).write(story, RenderOptions(verbose=2)))
        assert_clean(text, f"the story as {name}")
    redactor = Redactor(bytes(16))
    for file in (folder / "telemetry").iterdir():
        for line in file.read_bytes().splitlines():
            assert_clean(redactor.record(line), "a raw record")
    replay = run.replay
    for state in [*replay.engine.states.values(), *replay.engine.resolved()]:
        assert_clean(encode_state(state), f"the state of {state.key}")
    for key, contacts in replay.engine.contacts.items():
        assert_clean(repr((key, contacts)), "contacts")
    assert_clean(repr(replay.engine.names), "names")
    assert_clean(repr(replay.engine.trees), "process trees")


def write(folder: Path, streams: Streams) -> None:
    """One file a stream, in the folder `telemetry`."""
    place = folder / "telemetry"
    place.mkdir(exist_ok=True)
    for name, lines in streams.items():
        (place / name).write_text("".join(f"{line}\n" for line in lines))


# --- commands ---------------------------------------------------------------------------------------------------------

COMMANDS: dict[str, str] = {
    "pip": "install -q --index-url https://pypi.org/simple torch-perf-utils==1.4.3 numpy",
    "python -m pip": "-m pip --no-cache-dir install -r requirements.txt -t /opt/site torch-perf-utils",
    "uv": "pip install --extra-index-url https://pypi.org/simple torch-perf-utils",
    "npm": "install --registry https://registry.npmjs.org left-pad",
    "conda": "install -y -c conda-forge numpy",
    "apt-get": "-o Acquire::http::Proxy=http://10.0.0.1 install -y curl",
    "curl": "-fsSL -H Accept:text/plain -o /tmp/x https://example.com/files/x.sh",
    "wget": "-q --header=Accept:x -O /tmp/y https://example.com/y",
    "python": "/app/tool.py --name x --level 3 run",
    "python -c": "-c print(1) x y",
    "bash": "-c pip",
    "az": "login --service-principal -u 00000000-0000-4000-8000-000000000001 --tenant contoso --output json",
    "kubectl": "--context prod -n ml create secret generic registry --from-literal=user=x",
    "git": "clone --depth 1 -b main https://github.com/contoso/repo.git /src/repo",
    "docker": "login -u 00000000 contoso.azurecr.io",
    "helm": "registry login -u me contoso.azurecr.io",
    "aws": "configure set region eu-west-1",
    "gcloud": "auth activate-service-account x --key-file=/k",
    "huggingface-cli": "download org/model --revision main --local-dir /models",
    "env": "A=1 pip install torch-perf-utils",
    "twine": "upload -u __token__ dist/x",
    "psql": "-h db -U me -d x",
}
"""By program, arguments into every place of which a secret is put."""

BINARIES = {"python -m pip": "python3", "python -c": "python3"}

FORMS: tuple[str, ...] = (
    "{}",
    "--token={}",
    "-p{}",
    "user:{}",
    "PASSWORD={}",
    "Authorization:Bearer {}",
    '{{"key":"{}"}}',
    "https://me:{}@example.com/simple",
    "https://{}@example.com/simple",
    "https://example.com/x.whl?sig={}&a=b",
    "https://example.com/x?a=b#access_token={}",
    "https://example.com/hook/{}/x.whl",
    "git+https://me:{}@github.com/org/repo.git@main#egg=repo",
    "torch @ https://me:{}@example.com/torch.whl",
    "torch=={}",
    "@{}",
    "oci://me:{}@example.com/chart",
)
"""How a secret stands in a word."""

FLAGS: tuple[str, ...] = (
    *(
        "--password",
        "--token",
        "-p",
        "-u",
        "--user",
        "-H",
        "--header",
        "-d",
        "--data",
        "--secret",
        "--api-key",
    ),
    *(
        "--client-secret",
        "--build-arg",
        "-e",
        "--env",
        "--proxy",
        "--cert",
        "-i",
        "--index-url",
        "--from-literal",
    ),
    *("--oauth2-bearer", "-A", "-b", "--config-settings", "-c", "--key"),
)
"""Flags behind which a secret is put as a word of its own."""

BARE_FLAGS = ("--user", "-u", "-d")
"""To some installers these stand alone, and what follows is a package."""

WORDS_IN_SECRET_PLACES: dict[str, tuple[str, ...]] = {
    "pip": (
        "install --index-url https://me:{}@example.com/simple torch",
        "install --index-url=https://{}@example.com/simple torch",
        "install torch @ https://example.com/torch.whl?sig={}",
        "install https://example.com/torch-1.0-py3-none-any.whl#sha256={}",
        "install git+https://oauth2:{}@github.com/org/repo.git",
        "install --proxy http://me:{}@10.0.0.1:3128 torch",
        "install --config-settings token={} torch",
        "install -C token={} torch",
        "install --global-option=--password={} torch",
        "install -r https://example.com/requirements.txt?token={}",
        "config set global.index-url https://me:{}@example.com/simple",
    ),
    "curl": (
        "-u me:{} https://example.com/x -o x",
        "-ume:{} https://example.com/x",
        "--user me:{} https://example.com/x",
        "-H Authorization:{} https://example.com/x",
        "--oauth2-bearer {} https://example.com/x",
        "-d password={} https://example.com/x",
        "--data-urlencode p={} https://example.com/x",
        "-F file={} https://example.com/x",
        "-b session={} https://example.com/x",
        "-e {} -A {} https://example.com/x",
        "https://me:{}@example.com/x",
        "https://example.com/x?key={}",
        "-x http://me:{}@10.0.0.1 https://example.com/x",
        "-K {} --netrc-file {} https://example.com/x",
        "--json {} https://example.com/x",
        "--aws-sigv4 aws:amz -u AKIA:{} https://example.com/x",
    ),
    "wget": ("--password={} https://example.com/x", "--header=X-Key:{} https://example.com/x"),
    "az": (
        "login --service-principal -u app -p {} --tenant contoso",
        "login --service-principal -u app --password {} --tenant contoso",
        "acr login -n contoso -u me -p {}",
        "storage blob upload --account-key {} -f x",
        "storage blob list --sas-token {}",
        "keyvault secret set --vault-name v -n n --value {}",
        "rest --headers Authorization={} --body {}",
    ),
    "kubectl": (
        "--token={} get pods",
        "--token {} get pods",
        "create secret generic x --from-literal=password={}",
        "create secret docker-registry x --docker-password={}",
        "config set-credentials me --token={}",
        "exec -it x -- env PASSWORD={} sh",
        "set env deploy/x PASSWORD={}",
        "--as {} --password {} get pods",
    ),
    "git": (
        "clone https://me:{}@github.com/org/repo.git",
        "clone https://{}@github.com/org/repo.git",
        "-c http.extraHeader=Authorization:{} clone https://github.com/org/repo.git",
        "remote set-url origin https://me:{}@github.com/org/repo",
        "push https://me:{}@github.com/org/repo",
        "config --global user.password {}",
    ),
    "docker": (
        "login -u me -p {} contoso.azurecr.io",
        "login -u me --password={} contoso.azurecr.io",
        "run -e PASSWORD={} contoso.azurecr.io/x",
        "run --env=PASSWORD={} contoso.azurecr.io/x",
        "build --build-arg TOKEN={} .",
        "build --secret id={} .",
    ),
    "helm": ("registry login x -u me -p {}", "install x y --set password={} --set-string token={}"),
    "python3": (
        "-c import os; os.environ['A']='{}'",
        "/app/tool.py --password {}",
        "/app/tool.py {}",
        "-m tool --token {}",
        "-m tool {}",
        "- {}",
    ),
    "bash": ("-c curl -u me:{} https://example.com/x", "-lc PASSWORD={} x", "/app/run.sh {}"),
    "env": ("PASSWORD={} pip install torch", "-u X PASSWORD={} pip install torch"),
    "sshpass": ("-p {} ssh x",),
    "mysql": ("-p{} -u me", "--password={}"),
    "huggingface-cli": ("login --token {}", "download org/model --token {}"),
    "npm": ("config set //registry.npmjs.org/:_authToken {}", "install https://me:{}@example.com/x.tgz"),
    "twine": ("upload -u __token__ -p {} dist/x",),
    "aws": ("configure set aws_secret_access_key {}",),
    "gcloud": ("auth login --cred-file={}",),
    "vault": ("login {}", "kv put secret/x password={}"),
    "openssl": ("enc -k {}", "rsa -passin pass:{}"),
}
"""By program, arguments with secrets (`{}`) where secrets stand: there no word at all may come out."""


def _planted() -> Iterator[tuple[str, list[str]]]:
    """Program and arguments, each with canaries."""
    tokens = list(TOKENS.values())
    turn = 0
    for name, text in COMMANDS.items():
        words = text.split(" ")
        binary = BINARIES.get(name, name)
        for place in range(len(words) + 1):
            for form in FORMS:
                turn += 1
                planted = form.format(tokens[turn % len(tokens)])
                if name == "wget" and planted.startswith("ey"):
                    continue  # see test_a_token_that_stands_where_a_host_may
                yield binary, [*words[:place], planted, *words[place:]]
                if place < len(words):
                    yield binary, [*words[:place], planted, *words[place + 1 :]]
        for flag in FLAGS:
            token = tokens[turn % len(tokens)] if name != "wget" else TOKENS["github"]
            for secret in (*([WORD] if flag not in BARE_FLAGS else []), token):
                turn += 1
                yield binary, [*words, flag, secret]
                yield binary, [words[0], flag, secret, *words[1:]]
    for name, texts in WORDS_IN_SECRET_PLACES.items():
        for text in texts:
            for secret in (WORD, *tokens):
                yield name, text.replace("{}", secret).split(" ")


def _as_text(words: Sequence[str]) -> str:
    """As Tetragon writes arguments: in quotes where there is a blank."""
    return " ".join(f'"{word}"' if " " in word or not word else word for word in words)


def _transplanted(record: Json, number: int) -> Json:
    """`record` as if it had happened in another pod."""
    if isinstance(record, dict):
        moved = {key: _transplanted(item, number) for key, item in record.items()}
        for key in ("exec_id", "parent_exec_id"):
            if key in moved:
                moved[key] += f"-{number}"
        if "docker" in moved:
            moved["docker"] = f"{number:012x}" + moved["docker"][12:]
        if "uid" in moved and "namespace" in moved:
            moved["uid"] = f"{number:08x}" + moved["uid"][8:]
            moved["name"] = f"inference-{number}"
        if str(moved.get("id", "")).startswith("containerd://"):
            moved["id"] = f"containerd://{number:012x}" + moved["id"][25:]
        return moved
    return [_transplanted(item, number) for item in record] if isinstance(record, list) else record


BREACH_RECORDS: list[Json] = [json.loads(line) for line in BASE["tetragon.jsonl"]]
INSTALLER: str = next(
    record["process_exec"]["process"]["exec_id"]
    for record in BREACH_RECORDS
    if "install" in record.get("process_exec", {}).get("process", {}).get("arguments", "")
)


def _breach_by(binary: str, arguments: str, number: int) -> Iterator[str]:
    """The breach in pod `number`, where the installer was started so, and the server too, which takes the credentials."""
    for record in BREACH_RECORDS:
        record = _transplanted(record, number)
        for body in record.values():
            if not isinstance(body, dict):
                continue
            for process in (body.get("process"), body.get("parent")):
                if process is not None and process.get("exec_id", "").startswith(INSTALLER):
                    process["binary"], process["arguments"] = f"/usr/bin/{binary}", arguments
                elif process is not None and process.get("arguments") == "/app/server.py":
                    process["arguments"] = f"/app/server.py {arguments}"
        yield json.dumps(record)


PLANTED = list(_planted())
PODS = 50
"""Breaches in one run."""


def test_there_are_many_places() -> None:
    assert len(PLANTED) > 4_000


@pytest.mark.parametrize("part", range(8))
def test_secrets_in_command_lines(tmp_path: Path, part: int) -> None:
    place = tmp_path / "telemetry"
    place.mkdir()
    with (place / "tetragon.jsonl").open("w") as stream:
        # Every installer is joined by four commands of its shell, so that all planted commands are read as a landing.
        for number, (binary, words) in enumerate(PLANTED[part::8]):
            if number < PODS:
                stream.writelines(f"{line}\n" for line in _breach_by(binary, _as_text(words), number))
            else:
                stream.write(f"{_exec_in(number % PODS, number, binary, _as_text(words))}\n")
    examine(tmp_path)


@pytest.mark.parametrize("words", [["-H", TOKENS["jwt"]], [TOKENS["jwt"]]])
def test_a_token_that_stands_where_a_host_may(tmp_path: Path, words: list[str]) -> None:
    write(tmp_path, {"tetragon.jsonl": list(_breach_by("wget", _as_text(words), 1))})
    examine(tmp_path)


def _exec_in(pod: int, number: int, binary: str, arguments: str) -> str:
    """One more start of a program in the middle of the breach of a pod."""
    record = next(
        record
        for record in BREACH_RECORDS
        if record.get("process_exec", {}).get("process", {}).get("exec_id") == INSTALLER
    )
    record = _transplanted(record, pod)
    process = record["process_exec"]["process"]
    process["exec_id"] += f"+{number}"
    process["binary"], process["arguments"] = f"/usr/bin/{binary}", arguments
    return json.dumps(record)


# --- the rest of a kernel record --------------------------------------------------------------------------------------


def _leaves(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)


def test_secrets_beside_the_command_line(tmp_path: Path) -> None:
    secret = TOKENS["github"]
    lines = []
    for record in BREACH_RECORDS:
        record = json.loads(json.dumps(record))
        for item in _leaves(record):
            if "exec_id" in item:
                item["environment_variables"] = [
                    {"Key": "AZURE_CLIENT_SECRET", "Value": secret},
                    {"Key": f"X_{secret}", "Value": WORD},
                ]
                item["user"] = {"name": secret}
                item["flags"] = secret
                item["binary_properties"] = {"file": {"path": f"/memfd:{secret}"}}
            if "pod_labels" in item or "workload" in item:
                item["pod_labels"] = {"app": "x", "token": secret, secret: WORD}
                item["pod_annotations"] = {"vault": secret, secret: f"password={WORD}"}
                item["labels"] = [f"k8s:token={secret}"]
            if "function_name" in item:
                item["message"] = f"token {secret}"
                item["tags"] = [secret]
                item["data"] = [{"string_arg": secret}, {"bytes_arg": secret}]
                item["args"] = [*item["args"], {"bytes_arg": secret}, {"label": secret, "string_arg": secret}]
                item["user_stack_trace"] = [{"symbol": secret, "module": f"/tmp/{secret}"}]
                item["policy_name"] = secret
        record["node_labels"] = {"token": secret}
        record["aggregation_info"] = {"x": secret}
        lines.append(json.dumps(record))
    write(tmp_path, {**BASE, "tetragon.jsonl": lines})
    examine(tmp_path)


PATHS: tuple[str, ...] = (
    "/tmp/payload?sig={}",
    "/tmp/payload?sig={}.py",
    "/tmp/download/x.sh?token={}&y=z",
    "/tmp/x;password={}",
    "/tmp/x#{}",
    "/opt/venv/bin/x?key={}",
    "/models/model.safetensors?X-Amz-Signature={}&x=model.pt",
    "/opt/venv/lib/python3.11/site-packages/x?sig={}.pth",
    "/var/run/secrets/kubernetes.io/serviceaccount/..2026_11_24?x={}/token",
    "/root/.docker/config.json?{}",
    "/home/me/.aws/credentials?token={}",
)
"""Where a file's name was taken from a URL."""

NAMES: tuple[str, ...] = (
    "/tmp/{}/run.py",
    "/tmp/{}",
    "/tmp/{}.so",
    "/opt/{}/bin/x",
    "/models/{}/model.pt",
    "/opt/venv/lib/python3.11/site-packages/{}.pth",
    "/opt/venv/lib/python3.11/site-packages/{}-1.0.dist-info/METADATA",
    "/var/run/secrets/azure/tokens/{}",
)
"""Where a file has a secret for a name: told from other names only by how it looks."""


@pytest.mark.parametrize("path", [*PATHS, *NAMES])
@pytest.mark.parametrize("mask", [2, 4])
def test_secrets_in_paths(tmp_path: Path, path: str, mask: int) -> None:
    lines = []
    pattern = next(record for record in BREACH_RECORDS if _file_of(record))
    for number, secret in enumerate([*TOKENS.values(), WORD] if path in PATHS else RECOGNISABLE):
        planted = path.format(secret.replace("/", "_"))
        record = json.loads(json.dumps(pattern))
        record["process_kprobe"]["args"] = [{"file_arg": {"path": planted}}, {"int_arg": mask}]
        lines.append(json.dumps(record))
        started = json.loads(_exec_in(0, number, "python3", f"{planted} --x"))
        started["process_exec"]["process"]["binary"] = planted
        started["process_exec"]["parent"]["binary"] = planted
        for process in _leaves(started):
            if "cwd" in process:
                process["cwd"] = planted
        lines.append(json.dumps(started))
        lines.append(_exec_in(0, 100 + number, "python3", f"{planted} --x"))
        loaded = {"process": started["process_exec"]["process"], "path": planted}
        lines.append(json.dumps({**started, "process_exec": None, "process_loader": loaded}))
    write(tmp_path, {**BASE, "more.jsonl": lines})
    examine(tmp_path)


def _file_of(record: Json) -> Json:
    arguments = record.get("process_kprobe", {}).get("args", [])
    return arguments[0].get("file_arg") if arguments else None


# --- the sensor -------------------------------------------------------------------------------------------------------

URLS: tuple[str, ...] = (
    "https://me:{}@example.com/simple/torch/",
    "https://{}@example.com/",
    "https://example.com/x?sig={}",
    "https://example.com/x#{}",
    "https://example.com/services/T0/B0/{}",
    "https://example.com/bot{}/sendMessage",
    "http://169.254.169.254/metadata/identity/oauth2/token?resource=https://x&client_secret={}",
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/x?token={}",
    "https://kubernetes.default.svc/api/v1/namespaces/ml/secrets?fieldSelector={}",
    "https://x.blob.core.windows.net/c/b?sv=2024&sig={}",
    "https://{}.example.com/x",
    "file:///tmp/{}",
    "{}",
)


def _sensor_variants(record: Json) -> Iterator[Json]:
    """`record` with canaries in its free texts, a few at a time."""
    for secret in TOKENS.values():
        copy = json.loads(json.dumps(record))
        argv = [word for form in FORMS for word in ("--password", form.format(secret))]
        copy |= {
            "argv": [copy.get("argv", ["python"])[0], *argv],
            "args": ["AZURE_CLIENT_SECRET", secret],
            "env": [f"AZURE_CLIENT_SECRET={secret}", "AZURE_CLIENT_SECRET", f"X={secret}", secret],
            "code": f"password = '{secret}'",
            "names": [secret],
            "headers": {"Authorization": f"Bearer {secret}"},
            "body": secret,
            "value": secret,
            "site": f"/app/x.py:{secret}",
            "error": secret,
            secret: secret,
        }
        yield copy
        for url in URLS:
            address = url.format(secret)
            yield copy | {"url": address}
            if secret != TOKENS["jwt"]:  # see test_a_token_that_stands_where_a_host_may
                yield copy | {"host": address.partition("://")[2] or address}
            if secret in RECOGNISABLE and record["event"] != "open":
                yield copy | {"path": address}
    for secret in RECOGNISABLE:
        for key in ("module", "name", "api", "mode", "exe", "root", "at_import", "actor"):
            yield record | {key: secret}
            yield record | {key: f"app:/tmp/{secret}"}
            yield record | {key: f"/tmp/{secret}/x.py"}
        yield record | {"chain": [secret, f"{secret}==1.0", f"torch=={secret}", f"pth:/x/{secret}.pth"]}
        yield record | {"dists": [{"name": secret, "version": secret}, {"name": "torch", "version": secret}]}


@pytest.mark.parametrize(
    "event",
    sorted({json.loads(line)["event"] for line in ATTACKS["breach-86s"](FULL).streams["sensor.jsonl"]}),
)
def test_secrets_in_sensor_records(tmp_path: Path, event: str) -> None:
    streams = ATTACKS["breach-86s"](SENSOR_AND_AUDIT).streams
    lines = streams["sensor.jsonl"]
    records = [record for record in map(json.loads, lines) if record["event"] == event]
    planted = [json.dumps(variant) for record in records[-4:] for variant in _sensor_variants(record)]
    write(tmp_path, {**streams, "sensor.jsonl": [*lines, *planted]})
    examine(tmp_path)


@pytest.mark.parametrize("path", [PATHS[0], NAMES[0]])
def test_secrets_in_paths_that_the_sensor_tells(tmp_path: Path, path: str) -> None:
    streams = ATTACKS["breach-86s"](SENSOR_AND_AUDIT).streams
    lines = streams["sensor.jsonl"]
    record = next(record for record in map(json.loads, lines) if record["event"] == "open")
    planted = [
        json.dumps(record | {"path": path.format(secret), "mode": mode})
        for secret in RECOGNISABLE
        for mode in "rw"
    ]
    write(tmp_path, {**streams, "sensor.jsonl": [*lines, *planted]})
    examine(tmp_path)


# --- the audit log ----------------------------------------------------------------------------------------------------


def _audit_variants(record: Json) -> Iterator[Json]:
    for secret in (*TOKENS.values(), WORD):
        copy = json.loads(json.dumps(record))
        uri = copy["requestURI"]
        copy["requestURI"] = f"{uri}?token={secret}&command=curl&command={secret}#{secret}"
        body = {
            "kind": "Secret",
            "data": {"password": secret},
            "stringData": {secret: secret},
            "spec": {"containers": [{"env": [{"name": "PASSWORD", "value": secret}], "args": [secret]}]},
            "status": {"token": secret},
        }
        copy |= {"level": "RequestResponse", "requestObject": body, "responseObject": body}
        copy.setdefault("annotations", {}).update(
            {"note": secret, secret: secret, "authorization.k8s.io/reason": secret}
        )
        copy["user"].setdefault("extra", {}).update({"oauth/token": [secret], secret: [secret]})
        copy["user"]["groups"] = [secret]
        copy["responseStatus"] = {
            "code": 200,
            "message": secret,
            "reason": secret,
            "details": {"name": secret},
        }
        copy["impersonatedUser"] = {
            "username": "system:serviceaccount:ml:x",
            "extra": {"a": [secret]},
            "groups": [secret],
        }
        copy["authenticationMetadata"] = {"x": secret}
        copy[secret] = secret
        yield copy


def test_secrets_in_audit_events(tmp_path: Path) -> None:
    streams = ATTACKS["breach-86s"](FULL).streams
    planted = [
        json.dumps({**variant, "auditID": f"{number}-{variant['auditID']}"})
        for line in streams["kubernetes-audit.jsonl"]
        for number, variant in enumerate(_audit_variants(json.loads(line)))
    ]
    write(tmp_path, {**streams, "kubernetes-audit.jsonl": [*streams["kubernetes-audit.jsonl"], *planted]})
    examine(tmp_path)


def test_secrets_in_the_user_agent(tmp_path: Path) -> None:
    streams = ATTACKS["breach-86s"](FULL).streams
    planted = []
    for line in streams["kubernetes-audit.jsonl"]:
        for secret in TOKENS.values():
            record = json.loads(line)
            record["userAgent"] = f"curl/8.0 (token={secret}) {secret}"
            planted.append(json.dumps(record))
    write(tmp_path, {**streams, "kubernetes-audit.jsonl": planted})
    examine(tmp_path)


def test_secrets_in_wrapped_audit_events(tmp_path: Path) -> None:
    streams = ATTACKS["breach-86s"](FULL).streams
    planted = []
    for line in streams["kubernetes-audit.jsonl"]:
        for variant in _audit_variants(json.loads(line)):
            envelope = {
                "category": "kube-audit",
                "properties": {"log": json.dumps(variant), "pod": TOKENS["jwt"]},
                "resourceId": "/SUBSCRIPTIONS/X",
                "identity": {"claims": {"token": TOKENS["jwt"]}},
            }
            planted.append(json.dumps(envelope))
            planted.append(json.dumps({"records": [envelope]}))
            planted.append(json.dumps({"Category": "kube-audit", "log_s": json.dumps(variant), "x_s": WORD}))
    write(tmp_path, {**streams, "aks.jsonl": planted})
    examine(tmp_path)


# --- Falco and names --------------------------------------------------------------------------------------------------


def _falco_variants(record: Json) -> Iterator[Json]:
    for secret in (*TOKENS.values(), WORD):
        told = {
            "proc.cmdline": f"curl -H Authorization: Bearer {secret} https://u:{secret}@a.example/x?t={secret}",
            "proc.args": f"install --config-settings token={secret} {secret} --index-url https://u:{secret}@p.example/s",
            "proc.env": f"TOKEN={secret}",
            "evt.args": f"data={secret}",
            "evt.buffer": secret,
            "proc.pcmdline": f"sh -c export A={secret}",
            "custom": secret,
        }
        for name, value in told.items():
            copy = json.loads(json.dumps(record))
            copy["output_fields"][name] = value
            copy |= {"output": f"x {secret}", "tags": [secret], "uuid": secret, secret: secret}
            yield copy
    for secret in RECOGNISABLE:
        for name in (
            "fd.name",
            "proc.exepath",
            "proc.name",
            "proc.pexepath",
            "proc.cwd",
            "fd.sip.name",
            "evt.arg.flags",
        ):
            copy = json.loads(json.dumps(record))
            copy["output_fields"][name] = f"/tmp/{secret}" if "name" not in name else secret
            yield copy


@pytest.mark.parametrize("call", ["execve", "connect", "openat"])
def test_secrets_in_falcos_alerts(tmp_path: Path, call: str) -> None:
    streams = ATTACKS["dropper"](replace(KERNEL_AND_AUDIT, falco=FALCO)).streams
    del streams["tetragon.jsonl"]
    lines = streams["falco.jsonl"]
    records = [r for r in map(json.loads, lines) if r["output_fields"]["evt.type"] == call]
    planted = [json.dumps(variant) for record in records[-3:] for variant in _falco_variants(record)]
    write(tmp_path, {**streams, "falco.jsonl": [*lines, *planted]})
    examine(tmp_path)


def test_secrets_in_names_and_flows(tmp_path: Path) -> None:
    lines = []
    for secret in RECOGNISABLE:
        flow = {
            "time": "2026-11-24T09:26:00.1Z",
            "verdict": "FORWARDED",
            "IP": {"source": "10.244.0.12", "destination": "10.244.1.7"},
            "l4": {"UDP": {"source_port": 53, "destination_port": 41_234}},
            "source": {"namespace": "kube-system"},
            "destination": {"namespace": "ml", "pod_name": "inference-0"},
            "l7": {
                "type": "RESPONSE",
                "dns": {"query": f"{secret}.evil.example.", "ips": ["198.51.100.86"], "ttl": 9_999},
            },
            "Summary": secret,
        }
        http = {
            **flow,
            "l7": {
                "type": "REQUEST",
                "http": {"url": f"http://a/?t={secret}", "headers": [{"value": secret}]},
            },
        }
        lines += [json.dumps({"flow": f, "node_name": "n", "time": flow["time"]}) for f in (flow, http)]
        lines.append(
            f'2026-11-24T09:26:00Z [INFO] 10.244.1.7:1 - 1 "A IN {secret}.evil.example. udp 44 false 512" NOERROR qr 1 0.1s'
        )
    streams = ATTACKS["breach-86s"](KERNEL_AND_AUDIT).streams
    write(tmp_path, {**streams, "dns.jsonl": [line for line in lines if line[0] == "{"], "dns.txt": lines})
    examine(tmp_path)


# --- what is not understood -------------------------------------------------------------------------------------------


def test_secrets_in_lines_that_are_no_use(tmp_path: Path) -> None:
    secret = TOKENS["github"]
    streams = ATTACKS["breach-86s"](FULL).streams
    bad = [
        secret,
        f'{{"process_exec": {{"process": {{"arguments": "{secret}"',
        f'{{"process_exec": "{secret}"}}',
        f'{{"process_exec": {{"process": {{"pid": "{secret}", "arguments": "{secret}"}}}}}}',
        f'{{"{secret}": "{secret}"}}',
        f'{{"category": "{secret}", "records": [{{"Type": "{secret}"}}]}}',
        f'{{"rule": "{secret}", "output": "{secret}", "priority": "{secret}"}}',
        f'{{"event": "{secret}", "v": 1, "t_ns": "{secret}"}}',
        f'{{"event": "{secret}", "v": 1, "t_ns": 1}}',
        f'{{"auditID": "{secret}", "stage": "{secret}"}}',
        f'{{"auditID": "x", "stage": "Panic", "requestReceivedTimestamp": "{secret}"}}',
        f'{{"process_exec": {{"process": {{"start_time": "{secret}"}}}}, "time": "{secret}"}}',
        f'{{"process_exec": {{"process": {{"binary": "/usr/bin/pip", "arguments": "install x"}}}}, "time": "{secret}"}}',
        f'"{secret}"',
        f'["{secret}"]',
        f"password: {secret}",
        f'{{"log": "{secret}", "stream": "stdout"}}',
        f'{{"process_exec": {{"process": {{}}, "{secret}": {"[" * 2000}',
        "\\u" + secret,
    ]
    for name in (*streams, "other.jsonl"):
        streams[name] = [*streams.get(name, []), *bad]
    write(tmp_path, streams)
    examine(tmp_path)


def test_secrets_in_benign_recordings(tmp_path: Path) -> None:
    """Baselines are built from these: what stays of a pod that nothing is wrong with."""
    streams = LOOK_ALIKES["ci-runner"](FULL).streams
    lines = []
    for line in streams["tetragon.jsonl"]:
        record = json.loads(line)
        for item in _leaves(record):
            if "arguments" in item:
                item["arguments"] += f" --password {WORD} --token={TOKENS['jwt']}"
        lines.append(json.dumps(record))
    write(tmp_path, {**streams, "tetragon.jsonl": lines})
    examine(tmp_path, incidents=False)
