"""`eightysix reconstruct` as a user runs it: whole outputs, questions, formats, exit codes, and what it says of trouble.

EIGHTYSIX_UPDATE_SNAPSHOTS=1 writes the outputs anew.
"""

from __future__ import annotations

import html
import io
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from eightysix.cli.main import main
from eightysix.cli.reconstruct import FORMATS
from eightysix.lab.interface import Subset
from eightysix.lab.recorded import open_recording

SNAPSHOTS = Path(__file__).parent / "snapshots"
PRINCIPAL = "22222222-2222-4222-8222-222222222222"
"""The object id of the managed identity of all recorded runs."""


@pytest.fixture(autouse=True)
def _plain_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("EIGHTYSIX_") and "SNAPSHOTS" not in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


def write(name: str, folder: str = "logs", only: str = "") -> str:
    """A recorded run as files, in a folder of the current one; `only` those whose name has it."""
    place = Path(folder)
    place.mkdir(exist_ok=True)
    for file, text in open_recording(name).subset(Subset.ALL).items():
        if only in file:
            (place / file).write_bytes(text)
    return folder


def run(*arguments: str) -> int:
    try:
        return main(["reconstruct", *arguments])
    except SystemExit as stop:
        return int(stop.code or 0)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    run("--format", "json", *arguments)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def check_snapshot(name: str, text: str) -> None:
    file = SNAPSHOTS / f"reconstruct-{name}.txt"
    if os.environ.get("EIGHTYSIX_UPDATE_SNAPSHOTS") == "1":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


# --- whole outputs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "recording", "arguments", "code"),
    [
        ("attack", "attack-86s", (), 14),
        ("pod-without-alarm", "azure-identity-at-start", ("--pod", "ml/inference-0"), 0),
        ("identity-in-cloud", "azure-identity-at-start", ("--identity", PRINCIPAL), 0),
        ("service-account", "azure-identity-at-start", ("--identity", "ml/inference-sa"), 0),
        ("artifact", "azure-identity-at-start", ("--artifact", "azure_identity"), 0),
        ("nothing", "azure-identity-at-start", (), 0),
    ],
)
def test_what_people_read(
    capsys: pytest.CaptureFixture[str], name: str, recording: str, arguments: tuple[str, ...], code: int
) -> None:
    assert run(write(recording), *arguments) == code
    check_snapshot(name, capsys.readouterr().out)


# --- questions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "question",
    [
        ("--pod", "ml/inference-0"),
        ("--pod", "inference-0"),
        ("--identity", "ml/inference-sa"),
        ("--identity", PRINCIPAL),
        ("--identity", PRINCIPAL.upper()),
        ("--identity", "11111111-1111-4111-8111-111111111111"),
        ("--artifact", "torch-perf-utils"),
        ("--artifact", "Torch_Perf.Utils==1.4.3"),
        ("--since", "2026-11-23T16:00:00Z", "--until", "2026-11-23T18:00:00Z"),
    ],
)
def test_every_question_finds_the_breach(
    capsys: pytest.CaptureFixture[str], question: tuple[str, ...]
) -> None:
    place = write("attack-86s")
    plain = told(capsys, place)["stories"]
    asked = told(capsys, place, *question)["stories"]
    assert [story["id"] for story in asked] == [story["id"] for story in plain]
    assert run(place, *question) == 14


def test_by_uid_and_by_digest(capsys: pytest.CaptureFixture[str]) -> None:
    place = write("attack-86s")
    (story,) = told(capsys, place)["stories"]
    assert told(capsys, place, "--pod", story["pod"]["uid"])["stories"][0]["id"] == story["id"]
    image = story["image"].partition("@")[2]
    found, raised = told(capsys, place, "--artifact", image)["stories"]
    assert raised["id"] == story["id"]
    assert [(one["pod"], one["how"]) for one in found["elsewhere"]] == [("inference-0", "image")]


@pytest.mark.parametrize(
    ("question", "code", "words"),
    [
        (("--pod", "ml/nobody"), 10, "pod ml/nobody"),
        (("--identity", "ml/nobody"), 10, "identity ml/nobody"),
        (("--identity", "99999999-1111-4111-8111-111111111111"), 10, "identity 99999999-"),
        (("--artifact", "torch-perf-utils==9.9"), 10, "artifact torch-perf-utils==9.9"),
        (("--pod", "x\x1b]52;c;AAAA\x07/y"), 10, "pod x"),
    ],
)
def test_what_no_record_knows_is_said(
    capsys: pytest.CaptureFixture[str], question: tuple[str, ...], code: int, words: str
) -> None:
    """Nobody knows the pod: that is no "nothing found"."""
    assert run(write("attack-86s"), *question) == code
    errors = capsys.readouterr().err
    assert f"nothing that was read tells of {words}" in errors
    assert "\x1b" not in errors
    assert "Without --pod" in errors


def test_outside_of_the_time_there_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    place = write("attack-86s")
    assert run(place, "--since", "2026-11-24T00:00:00Z") == 0
    assert run(place, "--until", "2026-11-23T00:00:00Z") == 0
    capsys.readouterr()
    assert run(place, "--pod", "ml/inference-0", "--until", "2026-11-23T00:00:00Z") == 10
    assert "at the time that was asked for" in capsys.readouterr().err


def test_an_identity_that_only_cloud_logs_know(capsys: pytest.CaptureFixture[str]) -> None:
    """Its sign-ins are told, and that no pod is joined to them: nobody is accused, and nobody is cleared."""
    place = write("attack-86s", only="sign-ins")
    (story,) = told(capsys, place, "--identity", PRINCIPAL)["stories"]
    (identity,) = story["identities"]
    assert (identity["kind"], identity["state"], story["verdict"]) == ("managed-identity", "used", None)
    assert len(identity["uses"]) == 2
    assert {use["attribution"]["grade"] for use in identity["uses"]} == {"F"}
    assert identity["revocation"]["possible"] is False
    assert story["domains"] == []


def test_uses_of_an_identity_have_their_candidates(capsys: pytest.CaptureFixture[str]) -> None:
    place = write("azure-identity-at-start")
    (story,) = told(capsys, place, "--identity", PRINCIPAL)["stories"]
    (identity,) = story["identities"]
    assert identity["uses"]
    for use in identity["uses"]:
        assert [one["pod"] for one in use["attribution"]["candidates"]] == ["ml/inference-0"]
        assert use["attribution"]["grade"] == "E"


RESOURCE = "/SUBSCRIPTIONS/S/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/"


UIDS = {"east": "00000000-0000-4000-8000-00000000000e", "west": "00000000-0000-4000-8000-00000000000f"}


def request(cluster: str, name: str, second: int, pod: str = "") -> dict[str, Any]:
    """A read of a secret by `ml/trainer` as AKS exports it; `pod` where its token is bound to one."""
    user: dict[str, Any] = {"username": "system:serviceaccount:ml:trainer"}
    if pod:
        user["extra"] = {"authentication.kubernetes.io/pod-name": [pod]}
    moment = f"2026-11-23T09:00:{second:02}.000000Z"
    log = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "stage": "ResponseComplete",
        "auditID": f"{cluster}-{second}",
        "requestURI": f"/api/v1/namespaces/ml/secrets/{name}",
        "verb": "get",
        "user": user,
        "sourceIPs": ["10.0.0.4"],
        "objectRef": {"resource": "secrets", "namespace": "ml", "name": name, "apiVersion": "v1"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": moment,
        "stageTimestamp": moment,
    }
    where = {"category": "kube-audit", "resourceId": RESOURCE + cluster.upper()} if cluster else None
    return {**where, "time": moment, "properties": {"log": json.dumps(log)}} if where else log


def test_one_account_name_in_two_clusters_is_two_identities(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even where the requests are alike in everything else."""
    rows = [request(cluster, "key", second) for cluster in ("east", "west") for second in (1, 2)]
    rows += [request("west", "other", 3), request("", "third", 4)]
    for order in (rows, rows[::-1]):
        (tmp_path / "audit.jsonl").write_text("".join(json.dumps(row) + "\n" for row in order))
        stories = told(capsys, "audit.jsonl", "--identity", "ml/trainer")["stories"]
        found = {
            one["title"]: sorted((use["target"], use["count"]) for use in one["identities"][0]["uses"])
            for one in stories
        }
        assert found == {
            "Where ml/trainer of cluster east was used": [("ml/secrets/key", 2)],
            "Where ml/trainer of cluster west was used": [("ml/secrets/key", 2), ("ml/secrets/other", 1)],
            "Where ml/trainer of a cluster that no record names was used": [("ml/secrets/third", 1)],
        }
        assert len({one["id"] for one in stories}) == 3
    (tmp_path / "audit.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (rows[0], rows[-1])))
    (story,) = told(capsys, "audit.jsonl", "--identity", "ml/trainer")["stories"]
    assert story["title"] == "Where ml/trainer was used"


def test_a_pod_of_one_name_in_two_clusters_is_two_candidates_and_each_is_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def start(cluster: str) -> dict[str, Any]:
        container = {"id": f"containerd://{cluster * 16}", "name": "c"}
        pod = {"namespace": "ml", "name": "train-0", "uid": UIDS[cluster], "container": container}
        process = {
            "exec_id": cluster,
            "pid": 9,
            "binary": "/usr/bin/pip",
            "arguments": "install torch",
            "pod": pod,
        }
        body = {"process": {**process, "start_time": "2026-11-23T08:59:59Z"}}
        return {
            "process_exec": body,
            "node_name": f"node-{cluster}",
            "cluster_name": cluster,
            "time": "2026-11-23T08:59:59Z",
        }

    rows = [
        start("east"),
        start("west"),
        request("east", "key", 1, "train-0"),
        request("west", "key", 2, "train-0"),
    ]
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    stories = told(capsys, "all.jsonl", "--identity", "ml/trainer")["stories"]
    whose = {
        one["title"]: [
            c["uid"] for use in one["identities"][0]["uses"] for c in use["attribution"]["candidates"]
        ]
        for one in stories
        if one["title"].startswith("Where")
    }
    assert whose == {
        "Where ml/trainer of cluster east was used": [UIDS["east"]],
        "Where ml/trainer of cluster west was used": [UIDS["west"]],
    }


# --- inputs and outputs -----------------------------------------------------------------------------------------------


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    place = write("attack-86s")
    (expected,) = told(capsys, place)["stories"]
    everything = b"".join(file.read_bytes() for file in sorted(Path(place).iterdir()))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(everything)))
    (story,) = told(capsys, "-")["stories"]
    assert (story["id"], story["verdict"], len(story["marks"])) == (
        expected["id"],
        expected["verdict"],
        len(expected["marks"]),
    )


def test_a_store_tells_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("duckdb")
    place = write("attack-86s")
    assert main(["store", "ingest", "-q", "--store", "store", place]) == 0
    (expected,) = told(capsys, place)["stories"]
    for question in ((), ("--pod", "ml/inference-0"), ("--artifact", "torch-perf-utils")):
        (story,) = told(capsys, "--store", "store", *question)["stories"]
        assert (story["id"], story["verdict"]) == (expected["id"], "contain")
    assert run("--store", "store", "--pod", "ml/nobody") == 10


def test_read_all_tells_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    place = write("attack-86s")
    first = told(capsys, place, "--pod", "ml/inference-0")
    assert told(capsys, place, "--pod", "ml/inference-0", "--read-all") == first


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("recording", ["attack-86s", "azure-identity-at-start"])
def test_every_format_is_what_it_says(capsys: pytest.CaptureFixture[str], name: str, recording: str) -> None:
    """With a story, and with none."""
    place = write(recording)
    run(place, "--format", name)
    out = capsys.readouterr().out
    assert out.endswith("\n") or not out
    target = Path("told")
    run(place, "--format", name, "--output", str(target), "--color", "never")
    assert capsys.readouterr().out == ""
    assert target.read_bytes().decode() == out
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    _check(name, out)


def _check(name: str, out: str) -> None:
    if name in ("json", "sarif", "navigator"):
        assert isinstance(json.loads(out), dict)
    elif name in ("timesketch", "ocsf"):
        assert all(isinstance(json.loads(line), dict) for line in out.splitlines())
    elif name == "html":
        assert out.lower().startswith("<!doctype html>")
        assert "default-src 'none'" in html.unescape(out)
    else:
        assert out


def test_machine_formats_are_the_same_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    place = write("attack-86s")
    for name in FORMATS:
        outs = []
        for _ in range(2):
            run(place, "--format", name)
            outs.append(capsys.readouterr().out)
        assert outs[0] == outs[1], name


# --- exit codes and trouble -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recording", "code"),
    [("attack-86s", 14), ("metadata-denied", 13), ("notebook-upgrades-sdk", 11), ("mlflow", 0)],
)
def test_the_worst_verdict_is_the_exit_code(recording: str, code: int) -> None:
    place = write(recording)
    assert run(place) == code
    assert run(place, "--exit-zero") == 0


def test_what_could_not_be_read_exits_10(capsys: pytest.CaptureFixture[str]) -> None:
    place = write("mlflow")
    (Path(place) / "broken.jsonl").write_text('{"process_exec":{"process":{"pid":\n')
    assert run(place) == 10
    assert "broken.jsonl:1: malformed" in capsys.readouterr().err
    assert run(write("attack-86s")) == 14


def test_nothing_to_read_exits_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("absent") == 3
    assert "Name files or folders with telemetry" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "next_step"),
    [
        ((), "Name files or folders with telemetry, - or --store DIR"),
        (("x", "--store", "y"), "Read one or the other"),
        (("x", "--pod", "a/b/c"), "As in ml/inference-0."),
        (("x", "--pod", "ml/"), "As in ml/inference-0."),
        (("x", "--since", "yesterday"), "As in 2026-11-23T03:38:00Z."),
        (("x", "--until", "2026-13-01"), "As in 2026-11-23T03:38:00Z."),
        (("x", "--since", "2026-11-24T00:00:00Z", "--until", "2026-11-23T00:00:00Z"), "change one of them"),
        (("x", "--identity", "a/b", "--identity", "c/d"), "Ask for one after the other."),
        (("x", "--artifact", "==1.0"), "As in torch-perf-utils==1.4.3 or pkg:pypi/"),
        (("x", "--format", "nonsense"), "timesketch"),
        (("--store", "absent"), "eightysix store ingest --store DIR makes one"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_to_do(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], next_step: str
) -> None:
    assert run(*arguments) == 2
    assert next_step in capsys.readouterr().err


def test_questions_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = write("attack-86s")
    monkeypatch.setenv("EIGHTYSIX_ARTIFACT", "torch-perf-utils")
    (story,) = told(capsys, place)["stories"]
    assert story["asked"] == "artifact torch-perf-utils"


RELEASE = Path(__file__).parents[2] / "src/eightysix/rules/release-drift/fires/starts-binary"
EXCEPTION = Path(__file__).parents[2] / "docs/examples/gpu-tuned.exception.yml"


def test_an_exception_covers_a_story_as_it_covers_its_incident(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    baseline = tmp_path / "baseline.json"
    assert main(["baseline", "build", str(RELEASE / "baseline"), "-o", str(baseline)]) == 0
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d" / EXCEPTION.name).write_bytes(EXCEPTION.read_bytes())
    asked = ["reconstruct", str(RELEASE / "tetragon.jsonl"), "--baseline", str(baseline)]
    covered = [*asked, "--rules", str(tmp_path / "rules.d")]
    assert main(asked) == 13
    capsys.readouterr()
    assert main(covered) == 0
    assert "An exception covers it, so it raises nobody: gpu-tuned." in " ".join(
        capsys.readouterr().out.split()
    )
    for form in ("json", "sarif", "ocsf"):
        assert main([*covered, "--format", form]) == 0
    (story, sarif, finding) = (json.loads(text) for text in _documents(capsys.readouterr().out))
    assert story["stories"][0]["suppressed_by"] == "gpu-tuned"
    assert story["stories"][0]["verdict"] == "suspect"
    assert sarif["runs"][0]["results"][0]["suppressions"] == [
        {"kind": "external", "justification": "exception gpu-tuned"}
    ]
    assert (finding["status"], finding["is_alert"]) == ("Suppressed", False)


def _documents(text: str) -> list[str]:
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end])
        at = end + len(text[end:]) - len(text[end:].lstrip())
    return found


DIGEST = "5e" * 32


@pytest.fixture
def attack() -> Path:
    return Path(write("attack-86s")).absolute()


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("torch-perf-utils==v1.4.3", 14),
        ("torch-perf-utils==1.4.3.0", 14),
        ("torch-perf-utils@1.4.3", 14),
        ("pkg:pypi/Torch_Perf.Utils@1.4.3?extension=whl#x", 14),
        ("pkg:pypi/torch-perf-utils", 14),
        ("torch-perf-utils==1.4.4", 10),
        ("pkg:pypi/torch-perf-utils@1.4.30", 10),
        (f"sha256:{DIGEST}", 14),  # its image did not land there, and the pod is raised all the same
        (DIGEST, 14),
        (f"registry.example/ml/inference@sha256:{DIGEST}", 14),
        (f"pkg:oci/inference@sha256%3A{DIGEST}?repository_url=registry.example/ml/inference", 14),
        ("==1", 2),
        ("pkg:pypi", 2),
        ("@", 2),
    ],
)
def test_an_artifact_by_all_its_names(
    attack: Path, asked: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reconstruct", str(attack), "--artifact", asked, "--format", "json"]) == code
    told = capsys.readouterr()
    if code == 14:
        stories = json.loads(told.out)["stories"]
        assert stories[-1]["pod"]["name"] == "inference-0"
        if DIGEST in asked:
            assert (
                "was seen in 1 pod; rules raised 1 of them, for something else." in stories[0]["summary"][0]
            )
    else:
        assert "Traceback" not in told.err
        assert told.err


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--pod", "nobody"], "tells of pod nobody "),
        (["--pod", "/x"], "--pod takes NAMESPACE/NAME"),
        (["--pod", " "], "--pod takes NAMESPACE/NAME"),
        (["--identity", "/subscriptions/x/resourceGroups/y"], "its resource id needs an --inventory"),
        (["--until", "1970-01-01T00:00:00Z"], "no story reaches into the time"),
        (["--since", "2026-11-24T00:00:00Z"], "no story reaches into the time"),
        (["--until", "9999-12-31T00:00:00Z"], "1970 to 2261"),
    ],
)
def test_what_is_not_there_is_said(
    attack: Path, asked: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["reconstruct", str(attack), *asked])
    told = capsys.readouterr()
    assert words in " ".join(told.err.split()) + " "
    assert "contain" not in told.out


@pytest.mark.parametrize(
    "asked",
    [
        "system:serviceaccount:ml:inference-sa",
        "ml/inference-sa",
        "{22222222-2222-4222-8222-222222222222}",
        "/subscriptions/S/resourceGroups/ML/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi",
    ],
)
def test_an_identity_by_all_its_names(
    attack: Path, asked: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = {
        "id": "/subscriptions/s/resourcegroups/ml/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi",
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
        "name": "mi",
        "clientId": "11111111-1111-4111-8111-111111111111",
        "principalId": "22222222-2222-4222-8222-222222222222",
    }
    (tmp_path / "i.json").write_text(json.dumps([identity]))
    told = main(
        ["reconstruct", str(attack), "--identity", asked, "--inventory", str(tmp_path), "--format", "json"]
    )
    assert told == 14
    (story,) = json.loads(capsys.readouterr().out)["stories"]
    assert story["pod"]["name"] == "inference-0"


def test_files_that_are_named_count_before_a_store_of_the_environment(
    attack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EIGHTYSIX_STORE", "/nowhere")
    assert main(["reconstruct", str(attack)]) == 14


def test_records_that_cannot_be_read_are_a_gap_of_the_story(
    attack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = attack / "kubernetes-audit.jsonl"
    text = audit.read_bytes()
    audit.write_bytes(
        text.replace(b'"userAgent":"', b'"userAgent":"' + b"x" * (1 << 20), 1) + text[:200] + b"\n"
    )
    assert main(["reconstruct", str(attack), "--format", "json"]) == 14
    (story,) = json.loads(capsys.readouterr().out)["stories"]
    gaps = " | ".join(gap["text"] for gap in story["gaps"])
    assert "what stood in 2 records that could not be read, damaged or too large" in gaps
    assert "nothing of the activity log, Key Vault, storage, registries is among what was read" in gaps
