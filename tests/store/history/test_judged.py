"""Artifacts, signatures, decisions, baselines and the chain of their changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from eightysix.model.finding import Severity
from eightysix.model.gate import (
    Artifact,
    BaselineEntry,
    BaselineState,
    Change,
    Decision,
    GateFinding,
    Reference,
    Ruling,
    Signature,
    SignatureKind,
    SignatureState,
)
from eightysix.store.history import GateHistory
from tests.store.history.made import PROD, REGISTRY, Clock, digest, opened

SCOPE = f"{REGISTRY}/ml/llm:prod"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(tmp_path: Path, clock: Clock) -> Iterator[GateHistory]:
    with opened(tmp_path, clock) as made:
        yield made


def test_what_is_known_of_a_digest_is_filled_and_never_changed(history: GateHistory, clock: Clock) -> None:
    started = clock.now
    history.learn([Artifact(digest=digest("a"), size=5, claims={"revision": "1"})])
    clock.now += 9
    history.learn(
        [
            Artifact(
                digest=digest("a"), size=6, media_type="m", kinds=("safetensors",), claims={"revision": "2"}
            )
        ]
    )
    history.learn([Artifact(digest=digest("a"), kinds=("pickle",))])
    assert history.artifacts([digest("a"), digest("b")]) == {
        digest("a"): Artifact(
            digest=digest("a"),
            media_type="m",
            size=5,
            kinds=("safetensors",),
            claims={"revision": "1"},
            first_ns=started,
        )
    }
    assert history.first_seen(digest("a")) == started


def test_many_artifacts_at_once(history: GateHistory) -> None:
    names = [digest(str(n)) for n in range(1_001)]
    history.learn(Artifact(digest=name) for name in names)
    assert len(history.artifacts(names)) == 1_001


def signature(name: str) -> Signature:
    return Signature(
        kind=SignatureKind.COSIGN, state=SignatureState.VALID, digest=digest(name), claims={"k": "\ud800"}
    )


def test_the_same_signature_twice_is_one_and_runs_know_their_first_digest(history: GateHistory) -> None:
    history.sign(
        SCOPE, digest("a"), [(signature("1"), "run-1"), (signature("2"), ""), (signature("1"), "run-1")]
    )
    history.sign(SCOPE, digest("b"), [(signature("1"), "run-1"), (signature("3"), "run-3")])
    assert [each.digest for each in history.signatures(digest("a"))] == [digest("1"), digest("2")]
    assert history.runs(SCOPE, ["run-1", "run-3", "run-9", ""]) == {
        "run-1": digest("a"),
        "run-3": digest("b"),
    }
    assert history.runs("another scope", ["run-1"]) == {}


def decision(name: str, ruling: Ruling = Ruling.ALLOW, reference: Reference = PROD) -> Decision:
    finding = GateFinding(rule="r", severity=Severity.HIGH, holds=True, title="t", why="w")
    return Decision(
        id=name, at_ns=1, reference=reference, digest=digest(name), previous="", ruling=ruling, mode="enforce",
        findings=(finding,) )  # fmt: skip


def test_decisions_are_kept_in_order_and_the_same_again_is_none(history: GateHistory) -> None:
    held = decision("b1", Ruling.HOLD)
    assert [history.decide(each) for each in (decision("a1"), held, held, decision("a1"))] == [
        True,
        True,
        False,
        True,
    ]
    assert [each.id for each in history.decisions()] == ["a1", "b1", "a1"]
    assert [each.id for each in history.decisions(PROD, limit=2)] == ["b1", "a1"]
    assert history.decisions(digest=digest("b1")) == (held,)
    assert history.decision("b") == (held,)
    assert history.decision("") == history.decision("x") == ()
    last = history.last_allowed(PROD)
    assert last is not None
    assert last.id == "a1"
    assert history.last_allowed(Reference(REGISTRY, "ml/llm", "stage")) is None


def entry(name: str, scope: str = SCOPE, state: BaselineState = BaselineState.LEARNING) -> BaselineEntry:
    return BaselineEntry(id=name, scope=scope, of="signature", profile={"issuer": name}, state=state)


def change(action: str, scope: str = SCOPE) -> Change:
    return Change(
        sequence=0, at_ns=0, scope=scope, action=action, by="eightysix", why="", detail={"b": "2", "a": "1"}
    )


class Edit(NamedTuple):
    entries: tuple[BaselineEntry, ...]
    changes: tuple[Change, ...]


def test_what_a_repository_is_judged_by(history: GateHistory) -> None:
    kept = (
        entry("a", state=BaselineState.ACTIVE),
        entry("b", f"{REGISTRY}/ml/llm:version", BaselineState.APPROVED),
    )
    others = (
        entry("c"),
        entry("d", state=BaselineState.REVOKED),
        entry("e", f"{REGISTRY}/ml/llm2:prod", BaselineState.ACTIVE),
        entry("f", f"{REGISTRY}/ml/llm/base:prod", BaselineState.ACTIVE),
        entry("g", f"{REGISTRY}/ml:prod", BaselineState.ACTIVE),
    )
    history.amend((), lambda _: Edit((*kept, *others), ()))
    assert history.judging(f"{REGISTRY}/ml/llm") == kept
    assert history.judging(f"{REGISTRY}/ml/none") == ()


def test_entries_and_their_changes_are_written_together(history: GateHistory) -> None:
    history.amend([SCOPE], lambda known: Edit((*known, entry("1")), (change("learn"),)))
    history.amend([SCOPE], lambda known: Edit((*known, entry("2")), (change("learn"),)))
    with pytest.raises(ZeroDivisionError):
        history.amend([SCOPE], lambda known: Edit((*known, entry(str(1 // 0))), (change("learn"),)))
    active = replace(entry("1"), state=BaselineState.ACTIVE)
    history.amend([SCOPE], lambda known: Edit((active, *known[1:]), (change("activate"),)))
    assert history.entries([SCOPE]) == history.entries() == (active, entry("2"))
    assert history.entries(["another"]) == ()
    assert [each.action for each in history.changes()] == ["learn", "learn", "activate"]


def test_each_change_carries_the_one_before(history: GateHistory, clock: Clock) -> None:
    first = history.append_change(change("approve"))
    clock.now -= 60 * 10**9
    second = history.append_change(change("revoke", "another"))
    assert (first.sequence, first.before) == (1, "")
    assert (second.sequence, second.before, second.at_ns) == (2, first.digest, first.at_ns)
    assert history.changes() == (first, second)
    assert history.changes("another") == (second,)
    assert history.changes(since=1, limit=5) == (second,)
    assert history.broken_change() == 0


@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        ("UPDATE change SET by = 'mallory' WHERE sequence = 700", 700),
        ("DELETE FROM change WHERE sequence = 1200", 1201),
        ("UPDATE change SET detail = CAST('{}' AS BLOB) WHERE sequence = 1", 1),
        ("DELETE FROM change WHERE sequence = 1", 2),
    ],
)
def test_a_change_that_was_tampered_with_shows(tmp_path: Path, sql: str, broken: int) -> None:
    with opened(tmp_path) as history:
        history.amend([SCOPE], lambda known: Edit((), tuple(change("approve") for _ in range(1_500))))
    with sqlite3.connect(tmp_path / "gate.sqlite") as database:
        database.execute("DROP TRIGGER change_no_update")
        database.execute("DROP TRIGGER change_no_delete")
        database.execute(sql)
    database.close()
    with opened(tmp_path) as history:
        assert history.broken_change() == broken
