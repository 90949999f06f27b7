"""Twins: names change with the environment, nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.hunt.binder import Binder
from eightysix.hunt.lexer import tokens
from eightysix.hunt.twins import differs, renames, tables_of, twin
from eightysix.model.errors import QueryError
from eightysix.model.table import Environment

LOG_ANALYTICS = Environment.LOG_ANALYTICS
DEFENDER = Environment.DEFENDER

CHAIN = """\
// Timestamp stays in a comment
let installs = CloudProcessEvents
| where Timestamp > ago(1d) and ProcessCommandLine has "Timestamp of pip"
| project InstallTime = Timestamp, KubernetesPodName, AzureResourceId;
installs
| join kind=inner (AADManagedIdentitySignInLogs | where TimeGenerated > ago(1d) | project UseTime = TimeGenerated, Pod = Identity)
    on $left.KubernetesPodName == $right.Pod
| where UseTime between (InstallTime .. (InstallTime + 86s))
"""


def test_time_is_renamed_in_code_alone() -> None:
    other = twin(CHAIN, LOG_ANALYTICS)
    assert other == CHAIN.replace("where Timestamp >", "where TimeGenerated >").replace(
        "InstallTime = Timestamp", "InstallTime = TimeGenerated"
    )


def test_a_query_over_tables_of_a_workspace_is_its_own_twin() -> None:
    query = "AKSAudit | where TimeGenerated > ago(1d) | project TimeGenerated, Verb"
    assert twin(query, LOG_ANALYTICS) == twin(query, DEFENDER) == twin(query, Environment.LOCAL) == query


def test_there_and_back_is_the_same_text() -> None:
    query = "CloudDnsEvents | where Timestamp > ago(1d) | summarize arg_max(Timestamp, *) by DnsQuery"
    other = twin(query, LOG_ANALYTICS)
    assert "Timestamp" not in other
    assert twin(other, DEFENDER) == query


def test_a_field_of_a_dynamic_value_keeps_its_name() -> None:
    query = "CloudAuditEvents | where tostring(RawEventData.Timestamp) != '' | project Timestamp, RawEventData.ResourceId"
    assert twin(query, LOG_ANALYTICS) == query.replace("project Timestamp", "project TimeGenerated")


def test_sides_of_a_join_are_renamed() -> None:
    query = "CloudProcessEvents | join CloudDnsEvents on $left.Timestamp == $right.Timestamp"
    assert twin(query, LOG_ANALYTICS).endswith("on $left.TimeGenerated == $right.TimeGenerated")


def test_columns_of_a_table_are_renamed() -> None:
    query = "CloudAuditEvents | project Timestamp, ResourceId, Isp"
    assert twin(query, LOG_ANALYTICS) == "CloudAuditEvents | project TimeGenerated, AzureResourceId, ISP"


def test_a_name_that_another_table_has_there_stays() -> None:
    query = "CloudAuditEvents | join CloudProcessEvents on AzureResourceId"
    assert twin(query, DEFENDER) == query
    assert (
        twin("CloudAuditEvents | project AzureResourceId", DEFENDER)
        == "CloudAuditEvents | project ResourceId"
    )


@pytest.mark.parametrize(
    ("query", "environment", "construct"),
    [
        ("EntraIdSpnSignInEvents | take 1", LOG_ANALYTICS, "EntraIdSpnSignInEvents"),
        (
            "CloudProcessEvents | extend t = column_ifexists('Timestamp', now()), Timestamp",
            LOG_ANALYTICS,
            "'Timestamp'",
        ),
        ("CloudAuditEvents | join AzureDiagnostics on ResourceId", LOG_ANALYTICS, "ResourceId"),
        (
            "CloudProcessEvents | where TimeGenerated > ago(1d) | join AKSAudit on TimeGenerated",
            DEFENDER,
            "TimeGenerated",
        ),
    ],
)
def test_what_has_no_twin_is_named(query: str, environment: Environment, construct: str) -> None:
    with pytest.raises(QueryError) as refused:
        twin(query, environment)
    assert refused.value.construct == construct


@given(st.text(alphabet=st.sampled_from("Timestamp TimeGenerated\"'@`/\n|.()=,CloudDnsEvents"), max_size=200))
def test_texts_and_comments_are_never_touched(rest: str) -> None:
    query = f"CloudDnsEvents | where Timestamp > ago(1d) {rest}"
    try:
        other = twin(query, LOG_ANALYTICS)
    except QueryError:
        return
    kept = [one.text for one in tokens(query) if one.kind in {"text", "space"}]
    assert [one.text for one in tokens(other) if one.kind in {"text", "space"}] == kept


def test_tables_are_those_that_code_names() -> None:
    assert [table.name for table in tables_of(CHAIN)] == [
        "AADManagedIdentitySignInLogs",
        "CloudProcessEvents",
    ]
    assert tables_of("print 'AKSAudit' // StorageBlobLogs") == ()


@pytest.mark.tier("node")
def test_a_twin_binds_and_means_the_same(binder: Binder) -> None:
    there = binder.bind(CHAIN, DEFENDER)
    here = binder.bind(twin(CHAIN, LOG_ANALYTICS), LOG_ANALYTICS)
    assert there.ok
    assert here.ok
    assert differs(there, here, renames(CHAIN, LOG_ANALYTICS)) == ""


@pytest.mark.tier("node")
def test_a_name_that_moves_to_another_table_is_seen(binder: Binder) -> None:
    """Both sides have TimeGenerated in Log Analytics: the second is TimeGenerated1 there, and TimeGenerated the first."""
    query = """\
CloudProcessEvents
| join kind=inner AKSAudit on $left.KubernetesPodName == $right.PodName
| where Timestamp < TimeGenerated
| project KubernetesPodName"""
    there = binder.bind(query, DEFENDER)
    here = binder.bind(twin(query, LOG_ANALYTICS), LOG_ANALYTICS)
    assert there.ok
    assert here.ok
    assert (
        differs(there, here, renames(query, LOG_ANALYTICS))
        == "TimeGenerated is of CloudProcessEvents, not TimeGenerated of AKSAudit"
    )
