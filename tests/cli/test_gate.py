"""`eightysix gate ...` as a user runs it: paths, arguments, exit codes, what judges must lie outside of what is judged."""

from __future__ import annotations

import json
import os
import pickle
import socket
import struct
from pathlib import Path

import pytest

from eightysix.cli.main import main

DIGEST = "sha256:" + "0" * 64


@pytest.fixture(autouse=True)
def _plain_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("EIGHTYSIX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> int:
    try:
        return main(["gate", *arguments])
    except SystemExit as stop:
        return int(stop.code or 0)


def tensors(count: int = 4) -> bytes:
    head = json.dumps({"w": {"dtype": "F32", "shape": [count], "data_offsets": [0, 4 * count]}}).encode()
    return struct.pack("<Q", len(head)) + head + b"\0" * 4 * count


class _Acts:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("inert",)


def model(name: str = "model") -> Path:
    folder = Path(name)
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(tensors())
    return folder


def check(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object], str]:
    code = run("check", *arguments, "--format", "json")
    out, err = capsys.readouterr()
    return code, json.loads(out)["decisions"][0] if out else {}, err


def held_for(decision: dict[str, object]) -> set[str]:
    findings = decision["findings"]
    assert isinstance(findings, list)
    return {each["rule"] for each in findings if each["holds"]}


def test_a_clean_folder_is_allowed_and_says_what_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    code, decision, err = check(capsys, str(model()))
    assert (code, err) == (0, "")
    assert decision["ruling"] == "allow"
    assert any("no history" in each for each in decision["not_seen"])  # type: ignore[attr-defined]
    assert any("--as REF" in each for each in decision["not_seen"])  # type: ignore[attr-defined]


def test_a_pickle_that_acts_is_held_and_nothing_can_approve_a_path(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (model() / "extra.pkl").write_bytes(pickle.dumps(_Acts()))
    code, decision, _ = check(capsys, "model")
    assert code == 14
    assert held_for(decision) == {"content-malicious"}
    assert all(not each["approval"] for each in decision["findings"])  # type: ignore[attr-defined]
    assert run("check", "model", "--audit") == 11
    assert "(audit: told, not enforced)" in capsys.readouterr().out
    assert run("check", "model", "--exit-zero") == 0


def test_a_folder_with_what_cannot_be_read_is_held_and_nothing_waits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = model()
    os.mkfifo(folder / "weights.pkl")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s.pkl"))
        (folder / "gone.pkl").symlink_to("/nowhere/at-all")
        code, decision, _ = check(capsys, "model")
    assert code in (13, 14)
    assert decision["ruling"] == "hold"
    content = {each["path"]: each["verdict"] for each in decision["content"]}  # type: ignore[attr-defined]
    assert content["weights.pkl"] == content["s.pkl"] == "unscannable"


@pytest.mark.parametrize("name", ["model.sig", "model.sigstore.json"])
@pytest.mark.parametrize("what", ["pipe", "device", "nowhere", "folder"])
def test_a_signature_that_is_no_file_is_told_and_not_waited_for(
    capsys: pytest.CaptureFixture[str], name: str, what: str
) -> None:
    place = model() / name
    if what == "pipe":
        os.mkfifo(place)
    elif what == "folder":
        place.mkdir()
    else:
        place.symlink_to("/dev/zero" if what == "device" else "/nowhere/at-all")
    code, decision, _ = check(capsys, "model")
    states = [each["state"] for each in decision["signatures"]]  # type: ignore[attr-defined]
    assert states
    assert "unsigned" not in states
    assert "valid" not in states
    assert code in (13, 14)


@pytest.mark.parametrize("kind", ["pipe", "nowhere", "socket"])
def test_a_path_that_is_no_file_is_no_artifact(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        if kind == "pipe":
            os.mkfifo("it.pkl")
        elif kind == "socket":
            listener.bind("it.pkl")
        else:
            Path("it.pkl").symlink_to("/nowhere/at-all")
        code, decision, _ = check(capsys, "it.pkl")
    assert code != 0
    assert not decision or decision["ruling"] == "hold"


def test_what_judges_may_not_lie_in_what_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    folder = model()
    outside = Path("outside")
    outside.mkdir()
    (folder / "policy.yml").write_text("mode: audit\n")
    (folder / "key.pem").write_text("no key\n")
    (outside / "policy.yml").write_text("trust: {keys: [../model/key.pem]}\n")
    (outside / "link.yml").symlink_to(folder.resolve() / "policy.yml")
    (outside / "key.pem").symlink_to("../model/key.pem")
    Path("same").symlink_to("model")
    for arguments in (
        ("model", "--policy", "model/policy.yml"),
        ("model", "--policy", "outside/link.yml"),
        ("same", "--policy", "model/policy.yml"),
        ("model", "--policy", "same/policy.yml"),
        ("./model", "--history", "model/h.db"),
        ("model", "--history", "same/h.db"),
        ("model", "--key", "outside/key.pem"),
        ("model", "--root", "model/key.pem"),
        ("model", "--authority", "model/key.pem"),
        ("model/policy.yml", "--policy", "model/policy.yml"),
    ):
        assert run("check", *arguments) == 2, arguments
        assert "which it is to judge" in capsys.readouterr().err
        assert not (folder / "h.db").exists()


def test_a_key_that_the_policy_names_in_the_tree_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    folder = model()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (folder / "key.pem").write_bytes(public.public_bytes(serialization.Encoding.PEM, form))
    Path("policy.yml").write_text("trust: {keys: [model/key.pem]}\n")
    assert run("check", "model", "--policy", "policy.yml") == 2
    assert "the key model/key.pem lies in model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("check",), "REF|PATH"),
        (("check", "acme.example/ml/llm"), "names a repository and no artifact"),
        (("check", "UPPER/case:prod"), ""),
        (("check", "$(id)"), ""),
        (("check", "a/b:c\n::error::x"), ""),
        (("check", "x/y:z", "--as", "x/y"), "names no tag"),
        (("check", "x/y:z", "--policy", "nothing.yml"), "cannot be read"),
        (("check", "x/y:z", "--format", "html"), "invalid choice"),
        (("history", "x/y:z"), "no history was named"),
        (("history", "x/y:z", "--limit", "0"), "--limit takes a number of rows"),
        (("approve", "x/y:z", "--rule", "r"), "--why"),
        (("revoke", "e", "--why", "x"), "no history was named"),
        (("lint", "nothing.yml"), "cannot be read"),
        (("watch",), "gate watch needs a history"),
        (("watch", "--history", "h.db"), "nothing is watched"),
    ],
)
def test_what_is_wrong_is_said(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.strip()
    assert "Traceback" not in err
    assert "\n::" not in err


@pytest.mark.parametrize("arguments", [("history", "x/y:z"), ("why", "abc")])
def test_a_history_that_is_not_there_is_a_failure(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert run(*arguments, "--history", "nothing.db") == 1
    assert "there is no history" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["127.0.0.1:1/ml/llm:prod", f"127.0.0.1:1/ml/llm@{DIGEST}"])
def test_a_folder_called_like_a_reference_is_not_judged_in_its_place(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    Path(name).mkdir(parents=True)
    (Path(name) / "model.safetensors").write_bytes(tensors())
    code, decision, _ = check(capsys, name)
    assert (code, decision) == (1, {})
    code, decision, _ = check(capsys, f"./{name}")
    assert (code, decision["ruling"]) == (0, "allow")


def test_a_path_that_is_not_there_is_nothing_to_judge(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "./nothing") == 3
    assert "./nothing is not there" in capsys.readouterr().err


def test_lint_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    Path("policy.yml").write_text(
        "mode: audit\n"
        "signers:\n"
        "  - {scope: 'a.example/m:prod', issuer: x}\n"
        "  - {scope: 'a.example/n:prod', issuer: x, expires: 2020-01-01}\n"
        "rules:\n"
        "  - {id: odd, when: 'signatures[0].signer.nothing == 1', why: w}\n"
    )
    assert run("lint", "policy.yml") == 2
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert any(
        line.startswith("policy.yml: line 6, column 5: the rule odd cannot be evaluated") for line in lines
    )
    assert any(line.startswith("policy.yml: line 1, column 7: mode is audit") for line in lines)
    assert any(
        line.startswith("policy.yml: line 4, column 5: the signer of a.example/n:prod has expired")
        for line in lines
    )
    assert out == "policy.yml: audit, 0 watched, 2 signers, 0 requirements, 1 rule, 0 promotions\n"


def test_lint_tells_each_fault_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    Path("policy.yml").write_text("mode: maybe\nwhatever: 1\nrules:\n  - {id: r, when: 'tag ==', why: w}\n")
    Path("good.yml").write_text("approvers: [ana]\ntrust: {public_sigstore: true}\n")
    assert run("lint", "policy.yml", "good.yml") == 2
    out, err = capsys.readouterr()
    for place in ("line 1, column 7", "line 2, column 1", "line 4, "):
        assert place in err
    assert out.startswith("good.yml: enforce")


POLICY = "watch:\n  - {repository: 127.0.0.1:1/ml/llm, tags: [prod]}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--webhook", "nonsense=secret"), "names no channel"),
        (("--webhook", "acr"), "names no channel"),
        (("--webhook", "acr@=secret"), "names no channel"),
        (("--webhook", "acr=open"), "others may read the secret open"),
        (("--webhook", "acr=nothing"), "cannot be read"),
        (("--webhook", "acr=secret"), "webhooks have secrets and no address"),
        (("--listen", "127.0.0.1:0"), "nobody may send webhooks"),
        (("--listen", "127.0.0.1:0", "--webhook", "acr=secret", "--tls-key", "k"), "belong together"),
        (("--webhook", "acr=short", "--listen", "127.0.0.1:0"), "16"),
    ],
)
def test_watch_says_what_it_lacks(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    Path("policy.yml").write_text(POLICY)
    for name, text, mode in (("open", "s" * 40, 0o644), ("secret", "s" * 40, 0o600), ("short", "s", 0o600)):
        Path(name).write_text(text)
        Path(name).chmod(mode)
    assert run("watch", "--policy", "policy.yml", "--history", "h.db", "--once", *arguments) == 2
    err = capsys.readouterr().err
    assert says in err
    assert "s" * 40 not in err


def test_watch_once_fails_where_a_registry_does_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    Path("policy.yml").write_text(POLICY)
    assert run("watch", "--policy", "policy.yml", "--history", "h.db", "--once", "--events", "e.jsonl") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "127.0.0.1:1 does not answer, moves of its tags are not seen" in err
    assert Path("e.jsonl").read_bytes() == b""
    assert Path("e.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_registry_that_does_not_answer_allows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "127.0.0.1:1/ml/llm:prod", "--format", "json") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "127.0.0.1:1" in err
