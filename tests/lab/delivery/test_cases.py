"""Every attack is held by the rules that its page names; every honest change passes, or names the approval that lets it pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from eightysix.lab.delivery.book import Case
from eightysix.lab.delivery.cases import ATTACKS, CHANGES
from eightysix.model.gate import Decision, Ruling
from tests.lab.delivery.player import Beginning


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Beginning:
    return Beginning(tmp_path_factory.mktemp("deliveries"))


def held_by(decision: Decision) -> tuple[str, ...]:
    return tuple(sorted({finding.rule for finding in decision.findings if finding.holds}))


def named(case: Case) -> str:
    return case.name


def test_there_are_enough() -> None:
    assert len(ATTACKS) >= 25
    assert len(CHANGES) >= 25
    assert all(case.rules for case in ATTACKS)
    names = [case.name for case in (*ATTACKS, *CHANGES)]
    assert len(set(names)) == len(names)
    assert all(case.story.endswith(".") for case in (*ATTACKS, *CHANGES))


@pytest.mark.parametrize("case", ATTACKS, ids=named)
def test_an_attack_is_held(case: Case, beginning: Beginning, tmp_path: Path) -> None:
    with beginning.stage_in(tmp_path) as stage:
        told = case.play(stage)
        decisions = [told] if isinstance(told, Decision) else list(told)
        for decision in decisions:
            assert (decision.ruling, held_by(decision)) == (Ruling.HOLD, case.rules), decision.findings


@pytest.mark.parametrize("case", CHANGES, ids=named)
def test_an_honest_change_passes_or_says_what_would_let_it(
    case: Case, beginning: Beginning, tmp_path: Path
) -> None:
    with beginning.stage_in(tmp_path) as stage:
        told = case.play(stage)
        assert isinstance(told, Decision)
        assert held_by(told) == case.rules, told.findings
        if told.ruling is Ruling.ALLOW:
            return
        for finding in told.findings:
            if finding.holds:
                assert stage.gate.approve(finding.approval, "ana") == 0
        again = stage.gate.check(f"{stage.host}/{told.reference.repository}:{told.reference.tag}")
        assert (again.ruling, again.digest) == (Ruling.ALLOW, told.digest), again.findings
