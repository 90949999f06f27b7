"""Which plan of Log Analytics the tables of a query must have."""

from __future__ import annotations

import pytest

from eightysix.hunt.plans import Plan, least_plan
from eightysix.hunt.twins import tables_of


@pytest.mark.parametrize(
    ("text", "scheduled", "plan"),
    [
        ("AKSAudit | where Verb == 'get' | summarize count() by Verb", False, Plan.AUXILIARY),
        ("AKSAudit | where Verb == 'get'", True, Plan.ANALYTICS),
        ("ContainerLogV2 | take 1", False, Plan.BASIC),
        ("AzureActivity | take 1", False, Plan.ANALYTICS),
        ("let rows = AKSAudit; rows | join kind=inner rows on Verb", False, Plan.ANALYTICS),
        ("union AKSAudit, CloudProcessEvents", False, Plan.ANALYTICS),
        ("// join\nAKSAudit | where Verb != 'join' | extend union_ = 1", False, Plan.AUXILIARY),
        ("let f = (x: string) { strcat(x, 'a') }; AKSAudit | extend f(Verb)", False, Plan.ANALYTICS),
        ("let f = (1 + 2); AKSAudit | take f", False, Plan.AUXILIARY),
        ("EntraIdSpnSignInEvents | take 1", False, None),
    ],
)
def test_the_least_plan(text: str, scheduled: bool, plan: Plan | None) -> None:
    assert least_plan(text, tables_of(text), scheduled=scheduled) is plan
