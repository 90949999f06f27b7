"""What an operator vouches for: exactly that, until that day, and nothing malicious by its name."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.errors import RuleError, UsageError
from eightysix.model.finding import FileVerdict, Finding, ScannedFile, Severity
from eightysix.scan.catalog import ScanRule, rules, table
from eightysix.scan.policy import Policy, acceptance_line, check_outside
from eightysix.scan.policy_file import parse_policy
from eightysix.scan.scanner import Result
from eightysix.scan.settle import read_known, settle
from eightysix.scan.verdict import verdict_of

DIGEST = "ab" * 32
OTHER = "cd" * 32
TODAY = date(2026, 11, 23)


@pytest.fixture(autouse=True)
def two_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suspicious rule about names, and a malicious one."""
    made = dict(rules())
    for name, verdict in (("odd-name", FileVerdict.SUSPICIOUS), ("bad-name", FileVerdict.MALICIOUS)):
        made[name] = ScanRule(id=name, verdict=verdict, title="t", what="w", why="y", fix="f")
    monkeypatch.setattr(table, "rules", lambda: made)
    monkeypatch.setattr("eightysix.scan.policy_file.rules", lambda: made)


def found(rule: str = "odd-name", *names: str, why: str = "it is there") -> Finding:
    return Finding(rule=rule, severity=Severity.HIGH, path="x", title="t", why=why, names=names)


def result(*findings: Finding, digest: str = DIGEST) -> Result:
    file = ScannedFile(path="x", format="f", verdict=verdict_of(findings), digest=digest)
    return Result(file=file, findings=findings)


def policy(*lines: str) -> Policy:
    return parse_policy(("accept:\n" + "".join(f"  - {line}\n" for line in lines)).encode(), "p.yml")


def verdict(made: Policy, *findings: Finding, digest: str = DIGEST, today: date = TODAY) -> FileVerdict:
    return settle(result(*findings, digest=digest), made, frozenset(), today).file.verdict


def test_every_name_must_be_accepted() -> None:
    one = policy("{names: [a.B], until: 2026-12-01}")
    assert verdict(one, found("odd-name", "a.B")) is FileVerdict.CLEAN
    assert verdict(one, found("odd-name", "a.B", "a.C")) is FileVerdict.SUSPICIOUS
    both = policy("{names: [a.B], until: 2026-12-01}", "{names: [a.C], until: 2026-12-01}")
    assert verdict(both, found("odd-name", "a.B", "a.C")) is FileVerdict.CLEAN


def test_a_digest_accepts_these_bytes_alone() -> None:
    made = policy(f"{{digest: 'blake3:{DIGEST}', names: [a.B], until: 2026-12-01}}")
    assert verdict(made, found("odd-name", "a.B")) is FileVerdict.CLEAN
    assert verdict(made, found("odd-name", "a.B"), digest=OTHER) is FileVerdict.SUSPICIOUS
    assert verdict(made, found("odd-name", "a.B"), digest="") is FileVerdict.SUSPICIOUS


def test_it_holds_through_its_last_day() -> None:
    made = policy("{names: [a.B], until: 2026-11-23}")
    assert verdict(made, found("odd-name", "a.B")) is FileVerdict.CLEAN
    assert verdict(made, found("odd-name", "a.B"), today=date(2026, 11, 24)) is FileVerdict.SUSPICIOUS


def test_a_name_never_accepts_what_is_malicious() -> None:
    made = policy(f"{{digest: {DIGEST}, names: [a.B], until: 2026-12-01}}")
    assert verdict(made, found("bad-name", "a.B")) is FileVerdict.MALICIOUS
    by_rule = policy(f"{{digest: {DIGEST}, rules: [bad-name], until: 2026-12-01}}")
    assert verdict(by_rule, found("bad-name", "a.B")) is FileVerdict.CLEAN
    assert verdict(by_rule, found("bad-name", "a.B"), digest=OTHER) is FileVerdict.MALICIOUS


def test_what_is_accepted_is_told() -> None:
    made = policy("{names: [a.B], until: 2026-12-01}")
    left = settle(result(found("odd-name", "a.B"), found("bad-name")), made, frozenset(), TODAY)
    assert left.file.accepted == ("a.B",)
    assert [finding.rule for finding in left.findings] == ["bad-name"]


@given(
    st.lists(
        st.from_regex(r"\A[a-zA-Z_]\w{0,9}(\.[a-zA-Z_]\w{0,9}){1,3}\Z", fullmatch=True),
        min_size=1,
        unique=True,
    )
)
def test_the_line_that_is_printed_accepts_what_it_was_printed_for(names: list[str]) -> None:
    line = acceptance_line([found("odd-name", *names), found("expansion")], DIGEST, TODAY)
    if not all(name.isascii() for name in names):
        assert line == ""
        return
    made = parse_policy(f"accept:\n{line}\n".encode(), "p.yml")
    assert made.acceptances[0].names == frozenset(names)
    assert verdict(made, found("odd-name", *names), found("expansion")) is FileVerdict.CLEAN


@pytest.mark.parametrize(
    "name", ["\u0430.B", "a.B\u202e", "a b", "a.", "", 'a.B"]', "x: y", "<locals>.f", "yes\n", "yes"]
)
def test_no_line_is_printed_for_a_name_that_could_look_like_another(name: str) -> None:
    assert acceptance_line([found("odd-name", name), found("odd-name", "a.B")], DIGEST, TODAY) == ""


def test_no_line_is_printed_where_none_would_help() -> None:
    assert acceptance_line([found("bad-name")], DIGEST, TODAY) == ""
    assert acceptance_line([found("odd-name", "a.B")], "", TODAY) == ""


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("accept: [{names: [a], until: 2026-12-01, wehn: x}]", "1:42", "unknown key 'wehn'"),
        ("accept: [{names: [a]}]", "1:10", "until is missing"),
        ("accept: [{names: [a], until: soon}]", "1:30", "'soon' is no day"),
        ("accept: [{until: 2026-12-01}]", "1:10", "nothing is accepted here"),
        ("accept: [{rules: [bomb], until: 2026-12-01}]", "1:10", "a rule is accepted for one digest only"),
        (
            f"accept: [{{digest: {DIGEST}, rules: [nope], until: 2026-12-01}}]",
            "1:10",
            "there is no rule 'nope'",
        ),
        ("accept: [{digest: 12, names: [a], until: 2026-12-01}]", "1:19", "no BLAKE3 digest"),
        ("accept: [{names: a, until: 2026-12-01}]", "1:18", "names is a list of texts"),
        ("accept: [a]", "1:10", "a line of a policy is a map"),
        ("allow: []", "1:1", "unknown key 'allow'"),
        ("[]", "1:1", "a policy is a map"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, place: str, what: str) -> None:
    with pytest.raises(RuleError) as told:
        parse_policy(text.encode(), "p.yml")
    error = told.value
    assert (f"{error.line}:{error.column}", what in error.what) == (place, True), str(error)


def test_a_policy_in_what_is_scanned_is_refused() -> None:
    check_outside("/etc/p.yml", ["models"], ["/srv/models"])
    check_outside("/srv/models-policy.yml", ["models"], ["/srv/models"])
    for scanned in ("/srv", "/srv/models", "/", "/srv/models/p.yml"):
        with pytest.raises(UsageError):
            check_outside("/srv/models/p.yml", ["given"], [scanned])


def test_a_baseline_knows_bytes_wherever_they_lie() -> None:
    text = b'{"schema":"eightysix/findings/v1","findings":[{"rule":"expansion","path":"old","why":"it is there"}],'
    known = read_known(text + b'"files":[{"path":"old","digest":"' + DIGEST.encode() + b'"}]}', "b.json")
    assert settle(result(found("expansion")), Policy(), known, TODAY).file.accepted == ("known: expansion",)
    assert settle(result(found("expansion"), digest=OTHER), Policy(), known, TODAY).findings
    assert settle(result(found("expansion", why="another")), Policy(), known, TODAY).findings
    assert settle(result(found("expansion"), digest=""), Policy(), known, TODAY).findings


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"schema":"x","findings":[],"files":[]}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_baseline_is_told(data: bytes) -> None:
    with pytest.raises(UsageError):
        read_known(data, "b.json")
