"""The packaged rules on their recordings, as `eightysix rules test` runs them, each rule by itself."""

from __future__ import annotations

import pytest

from eightysix.detect.rule import Rule
from eightysix.rules.catalog import load_packaged, packaged_folder
from eightysix.serve.ruletest import run_rule_tests


@pytest.mark.parametrize("rule", load_packaged(), ids=lambda rule: rule.id)
def test_a_rule_fires_and_stays_quiet_where_it_must(rule: Rule) -> None:
    results = list(run_rule_tests((rule,), packaged_folder()))
    assert {result.expected for result in results} == {"fires", "quiet"}
    assert [(result.stream, result.expected, result.detail) for result in results if not result.passed] == []
