"""Archives that two unpackers take for two things, as files and as layers: `gate check` holds each of them and says why."""

from __future__ import annotations

import io
import json
import os
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from eightysix.cli.main import main
from tests.scan.containers.test_wheel import FILES, listed, wheel

BOMB = 1 << 26
"""Bytes that bzip2 packs a million times."""


@pytest.fixture(autouse=True)
def _plain_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("EIGHTYSIX_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def zipped(method: int = zipfile.ZIP_DEFLATED, **files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def tarred(*members: tarfile.TarInfo) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"\0" * member.size))
    return file.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, 4 if kind == tarfile.REGTYPE else 0
    return info


def two_ends() -> bytes:
    """A second end record in front of the true one, which counts no members."""
    data = zipped(a=b"1", b=b"2")
    end = data.rindex(b"PK\x05\x06")
    return data[:end] + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0, 0, 0, end, 0) + data[end:]


HOSTILE = {  # by the rule that tells of it
    "wheel-record": wheel({**FILES, "tiny.pth": b"import tiny\n"}, listed(FILES)),
    "zip-two-directories": two_ends(),
    "expansion": zipped(zipfile.ZIP_BZIP2, a=b"\0" * (2 * BOMB)),
    "archive-escape": tarred(member("ok"), member("../../etc/cron.d/x")),
    "archive-odd-path": tarred(member("ok"), member("/etc/cron.d/x")),
    "archive-escape through a link": tarred(member("lib", tarfile.SYMTYPE, "/usr/lib"), member("lib/x.so")),
    "zip-no-directory": zipped(a=b"1" * 100)[:-30],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_archive_of_two_minds_is_held(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("model").mkdir()
    Path("model/part.bin").write_bytes(HOSTILE[name])
    assert main(["scan", "model", "--format", "json", "--exit-zero"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert name.split(maxsplit=1)[0] in {each["rule"] for each in found}
    code = main(["gate", "check", "model", "--format", "json"])
    (decision,) = json.loads(capsys.readouterr().out)["decisions"]
    assert (code in (13, 14), decision["ruling"]) == (True, "hold")
    (content,) = decision["content"]
    assert content["verdict"] != "clean"
    assert content["why"]


def test_the_honest_ones_land(capsys: pytest.CaptureFixture[str]) -> None:
    Path("model").mkdir()
    for number, data in enumerate(
        [wheel(FILES, listed(FILES)), zipped(a=b"1", b=b"2"), tarred(member("ok"), member("a/b"))]
    ):
        Path(f"model/{number}.bin").write_bytes(data)
    assert main(["gate", "check", "model", "--format", "json"]) == 0
    (decision,) = json.loads(capsys.readouterr().out)["decisions"]
    assert decision["ruling"] == "allow"
