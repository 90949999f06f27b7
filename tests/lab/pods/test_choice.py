"""Which tier is taken, and what is said of the others."""

from __future__ import annotations

import pytest

from eightysix.lab.interface import Tier
from eightysix.lab.pods import choice
from eightysix.model.errors import LabError

BOTH = (Tier.ROOT, Tier.ROOTLESS)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that can nothing, until a test says otherwise."""
    monkeypatch.setattr(choice, "root_refusal", lambda: "not root")
    monkeypatch.setattr(choice, "rootless_refusal", lambda: "no setpriv (util-linux)")


def test_root_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "root_refusal", lambda: "")
    monkeypatch.setattr(choice, "rootless_refusal", lambda: "")
    assert choice.choose(BOTH) == choice.Choice(Tier.ROOT)


def test_each_step_down_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choice.choose(BOTH) == choice.Choice(
        Tier.REPLAY, ("root: not root", "rootless: no setpriv (util-linux)")
    )
    monkeypatch.setattr(choice, "rootless_refusal", lambda: "")
    assert choice.choose(BOTH) == choice.Choice(Tier.ROOTLESS, ("root: not root",))


def test_a_scenario_that_is_not_made_for_a_tier_is_not_played_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "rootless_refusal", lambda: "")
    chosen = choice.choose((Tier.ROOT,))
    assert chosen == choice.Choice(
        Tier.REPLAY, ("root: not root", "rootless: the scenario is not made for it")
    )


def test_what_is_forced_and_impossible_says_why() -> None:
    with pytest.raises(LabError, match="root: not root"):
        choice.choose(BOTH, "root")
    with pytest.raises(LabError, match="no run of this scenario is recorded"):
        choice.choose(BOTH, "replay", recorded=False)


def test_nothing_possible_tells_every_reason() -> None:
    with pytest.raises(LabError, match=r"not root; .*setpriv.*; replay: no run"):
        choice.choose(BOTH, recorded=False)
