"""Ids of ATT&CK for each signal of each rule."""

from __future__ import annotations

import pytest

from eightysix.context.techniques import _BY_SIGNAL, NAMES, TACTICS, technique_url, techniques
from eightysix.model.words import Stage
from eightysix.rules.catalog import load_packaged

SIGNALS = sorted(
    {(signal.stage, signal.name) for rule in load_packaged() for signal in rule.signals.values()}
)


@pytest.mark.parametrize(("stage", "signal"), SIGNALS)
def test_each_signal_of_the_rules_has_techniques_with_names(stage: Stage, signal: str) -> None:
    told = techniques(stage, signal)
    assert set(told) <= NAMES.keys()
    assert bool(told) != (signal in ("load_begins", "unknown_loads"))


def test_the_table_names_signals_that_exist() -> None:
    assert _BY_SIGNAL.keys() <= {name for _, name in SIGNALS}


def test_rules_and_table_know_the_same_techniques() -> None:
    told = {item for rule in load_packaged() for item in rule.attack if item.startswith("T")}
    assert told <= NAMES.keys()


def test_the_kind_of_identity_says_more_than_the_stage() -> None:
    assert techniques(Stage.REACH, "first_credential", "managed-identity") == ("T1552.005",)
    assert techniques(Stage.PIVOT, "second_domain", "service-account") == ("T1528",)
    assert techniques(Stage.REACH, "first_credential", "docker-config") == ("T1552.001",)
    assert techniques(Stage.REACH, "any_credential") == ("T1552",)
    assert techniques(Stage.PIVOT, "api_use", "service-account") == ("T1550.001",)
    assert techniques(Stage.PIVOT, "api_use", "secret") == ("T1552.007",)
    assert techniques(Stage.USE, "secret_read") == ("T1555.006",)
    assert techniques(None, "install") == ()


def test_each_stage_has_a_tactic_and_each_technique_a_page() -> None:
    assert set(TACTICS) == set(Stage)
    assert technique_url("T1552.005") == "https://attack.mitre.org/techniques/T1552/005/"
