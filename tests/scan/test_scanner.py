"""One file, whatever it is: a result, never an exception, and never clean without having been read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.model.errors import MissingExtraError
from eightysix.model.finding import FileVerdict
from eightysix.scan import recognise, session
from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Limits
from eightysix.scan.digest import digest_bytes
from eightysix.scan.interface import Kind, Scan
from eightysix.scan.scanner import MAPPED_FROM, Options, scan_bytes, scan_file


def given_kind(
    monkeypatch: pytest.MonkeyPatch, reader: object, *, name: str = "test", magic: bytes = b"TEST"
) -> None:
    """Only one format is known, and `reader` reads it."""
    kind = Kind(name, lambda artifact, head: head.startswith(magic), "nowhere:nothing")
    monkeypatch.setattr(recognise, "kinds", lambda: (kind,))
    monkeypatch.setattr(session, "reader_of", lambda asked: reader)


@given(st.binary(max_size=2000))
def test_any_bytes_give_a_result(data: bytes) -> None:
    result = scan_bytes(data)
    assert result.file.size == len(data)
    assert (result.file.verdict is FileVerdict.CLEAN) == all(f.severity == "low" for f in result.findings)


@given(st.binary(max_size=300), st.text(max_size=30))
def test_the_name_decides_nothing(data: bytes, name: str) -> None:
    # But for one rule: a program is suspicious under the name of a model (tests/scan/graphs/test_others.py).
    one, two = scan_bytes(data, "a.so"), scan_bytes(data, name)
    assert replace(one.file, path="") == replace(two.file, path="")
    assert [(f.rule, f.why) for f in one.findings] == [(f.rule, f.why) for f in two.findings]


def test_what_no_reader_knows_is_not_clean() -> None:
    result = scan_bytes(b"\x07\x99\x00\x01" * 100)
    assert result.file.verdict is FileVerdict.UNSCANNABLE
    assert [finding.rule for finding in result.findings] == ["unknown-format"]


@pytest.mark.parametrize("size", [0, 1, MAPPED_FROM - 1, MAPPED_FROM, MAPPED_FROM + 1])
def test_read_and_mapped_files_are_the_same_bytes(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\x07" * size)
    result = scan_file(str(path), Options(digest=True))
    assert result.file.size == size
    assert result.file.digest == digest_bytes(b"\x07" * size)
    assert result.stamp is not None
    assert result.stamp.size == size


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "gone", tmp_path):
        result = scan_file(str(path))
        assert result.file.verdict is FileVerdict.UNSCANNABLE
        assert [finding.rule for finding in result.findings] == ["unreadable"]


def test_a_reader_that_fails_is_no_clean_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(artifact: Artifact, scan: Scan) -> None:
        raise ValueError("text of the file: \x1b[2J")

    given_kind(monkeypatch, reader)
    result = scan_bytes(b"TEST")
    assert result.file.verdict is FileVerdict.UNSCANNABLE
    assert [(f.rule, f.why) for f in result.findings] == [("reader-failed", "ValueError in the reader")]


def test_a_sniffer_that_fails_is_no_clean_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def sniff(artifact: Artifact, head: bytes) -> bool:
        raise IndexError

    monkeypatch.setattr(recognise, "kinds", lambda: (Kind("bad", sniff, "nowhere:nothing"),))
    assert scan_bytes(b"TEST").file.verdict is FileVerdict.UNSCANNABLE


def test_a_missing_extra_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(artifact: Artifact, scan: Scan) -> None:
        raise MissingExtraError("needs seven", "pip install 'eightysix[scan]'")

    given_kind(monkeypatch, reader)
    (finding,) = scan_bytes(b"TEST").findings
    assert (finding.rule, finding.why) == (
        "missing-extra",
        "test: needs seven. pip install 'eightysix[scan]'",
    )


def test_depth_ends_in_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def reader(artifact: Artifact, scan: Scan) -> None:
        seen.append(artifact.depth)
        scan.descend(artifact.window("in", 0, 4))

    given_kind(monkeypatch, reader)
    result = scan_bytes(b"TEST", options=Options(limits=Limits(depth=5)))
    assert seen == [0, 1, 2, 3, 4, 5]
    assert [f.rule for f in result.findings] == ["expansion"]
    assert result.findings[0].member == "in!in!in!in!in!in"


@pytest.mark.parametrize("limit", ["unpacked", "members", "steps"])
def test_a_spent_budget_is_a_finding(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    def reader(artifact: Artifact, scan: Scan) -> None:
        while True:
            scan.budget.unpack(1 << 20)
            scan.budget.step(1 << 20)
            scan.budget.member()

    given_kind(monkeypatch, reader)
    (finding,) = scan_bytes(b"TEST", options=Options(limits=replace(Limits(), **{limit: 7}))).findings
    assert (finding.rule, finding.why) == ("too-much", f"more than 7 {limit}")


def test_findings_are_bounded_and_the_worst_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(artifact: Artifact, scan: Scan) -> None:
        for number in range(10):
            scan.report("too-much", artifact, f"part {number}")
        scan.report("expansion", artifact, "at the end")

    given_kind(monkeypatch, reader)
    result = scan_bytes(b"TEST", options=Options(limits=Limits(findings=3)))
    assert [f.why for f in result.findings] == ["part 0", "part 1", "part 2", "at the end"]
    assert result.file.verdict is FileVerdict.SUSPICIOUS


def test_no_text_of_a_finding_breaks_an_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(artifact: Artifact, scan: Scan) -> None:
        scan.report("bomb", artifact.window("\udc80", 0, 1), "\ud800", names=["\udfff"])

    given_kind(monkeypatch, reader)
    (finding,) = scan_bytes(b"TEST", "\udcff").findings
    told = finding.path + finding.member + finding.why + "".join(finding.names)
    assert told.encode() == b"\\udcff\\udc80\\ud800\\udfff"


def test_a_file_that_changes_meanwhile_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"TEST")

    def reader(artifact: Artifact, scan: Scan) -> None:
        path.write_bytes(b"TEST and more")

    given_kind(monkeypatch, reader)
    result = scan_file(str(path), Options(digest=True))
    assert result.file.verdict is FileVerdict.UNSCANNABLE
    assert [finding.rule for finding in result.findings] == ["changed"]
    assert result.file.digest == ""


def test_windows_never_reach_beyond_their_artifact() -> None:
    whole = Artifact(b"0123456789", "x", start=2, end=8)
    assert whole.head(99) == b"234567"
    assert (whole.at(-1, 3), whole.at(99, 3), whole.tail(2)) == (b"", b"", b"67")
    inner = whole.window("a", 4, 99)
    assert (inner.head(9), inner.member, inner.depth) == (b"67", "a", 1)
    assert whole.window("a", 99, 9).head(9) == b""
    assert (whole.find(b"8"), whole.find(b"7"), whole.find(b"6", 0, 4)) == (-1, 5, -1)
    assert bytes(whole.view()) == b"234567"
    assert inner.unpacked("b", b"xyz").member == "a!b"


def test_a_file_that_holds_more_than_it_tells_is_not_clean() -> None:
    """Files of /proc have a size of 0, and content."""
    result = scan_file("/proc/self/status")
    assert result.file.verdict is FileVerdict.UNSCANNABLE
    assert [finding.rule for finding in result.findings] == ["unreadable"]
