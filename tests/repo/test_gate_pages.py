"""What the pages about the gate show and list is what the code has."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from eightysix.cli.gate import EPILOG
from eightysix.gate.decide import FACT_NAMES, decide
from eightysix.gate.policy.form import Policy
from eightysix.gate.policy.predicates import evaluate
from eightysix.gate.policy.reading import parse_policy
from eightysix.gate.profiles import LEVELS
from eightysix.model.gate import Decision, Ruling
from tests.gate.signers import REPOSITORY, signed
from tests.report.gate.sample import PICKLE, facts

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
EXAMPLE = ROOT / "examples" / "gate" / "policy.yml"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def judged(policy: Policy, **changes: object) -> Decision:
    given = replace(facts(pushers=("release-bot",)), **changes)
    return decide(given, policy, lambda rules, seen: [evaluate(rule.when, seen) for rule in rules])


@pytest.mark.parametrize("name", ["gate.md", "gate-policy.md"])
def test_what_is_shown_is_the_file_that_it_names(name: str) -> None:
    lines = page(name).splitlines()
    shown = [at for at, line in enumerate(lines) if line.startswith(("<!-- snapshot ", "<!-- file "))]
    assert shown
    for at in shown:
        assert lines[at + 1].startswith("```")
        end = lines.index("```", at + 2)
        text = (ROOT / lines[at].split()[2]).read_text(encoding="utf-8")
        assert "\n".join(lines[at + 2 : end]) + "\n" == text, lines[at]


def test_every_fact_and_key_has_a_place() -> None:
    text = page("gate-policy.md")
    for name in (
        *FACT_NAMES,
        "mode",
        "watch",
        "promotion",
        "approvers",
        "trust",
        "signers",
        "require",
        "rules",
    ):
        assert f"`{name}`" in text, name


def test_every_level_has_its_fields() -> None:
    rows = {
        line.split("|")[1].strip(): line
        for line in page("gate-drift.md").splitlines()
        if line.startswith("| L")
    }
    for level, names in LEVELS.items():
        told = set(rows[level.value].split("|")[2].replace("`", "").replace(" ", "").split(","))
        assert told == set(names), level


def test_every_exit_code_is_told() -> None:
    text = page("gate-check.md")
    for code in (0, 1, 2, 3, 11, 13, 14):
        assert f"\n| {code} |" in text
        assert str(code) in EPILOG


def test_the_example_allows_the_release_and_holds_what_it_says() -> None:
    policy = parse_policy(EXAMPLE.read_bytes(), "policy.yml")
    assert judged(policy).ruling is Ruling.ALLOW
    elsewhere = judged(policy, signatures=(signed(run=9, runner="self-hosted"),))
    assert [each.rule for each in elsewhere.findings if each.holds] == ["signer-drift"]
    assert judged(policy, content=(PICKLE,)).ruling is Ruling.HOLD
    by_hand = judged(policy, pushers=("eve",))
    assert by_hand.ruling is Ruling.ALLOW
    assert "policy-by-robot" in {each.rule for each in by_hand.findings}
    other = signed(run=9, workflow=f"{REPOSITORY}/.github/workflows/hotfix.yml")
    assert judged(policy, signatures=(other,)).ruling is Ruling.HOLD
