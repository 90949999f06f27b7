"""Analytics rules and hunting queries of Sentinel, as they are written."""

from __future__ import annotations

from typing import Any

import jsonschema  # type: ignore[import-untyped]  # the stubs are not worth a dependency
import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.hunt.binder import Binder, Bound
from eightysix.hunt.interface import Analytics, Query
from eightysix.hunt.publish import Ready, line, publish, sentinel
from eightysix.hunt.publish.attack import ORDER, TECHNIQUES, of_enterprise, parent, tactics
from eightysix.hunt.publish.entities import IDENTIFIERS
from eightysix.hunt.publish.late import overlapped
from eightysix.model.table import Environment
from eightysix.rules.catalog import load_packaged
from tests.hunt.samples import ALL, BURST, CHAIN, HOSTILE, HUNT, SIGNINS

assert BURST.analytics is not None
HOURLY: Analytics = BURST.analytics

FIELDS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": "id name description severity requiredDataConnectors queryFrequency queryPeriod triggerOperator"
    " triggerThreshold tactics relevantTechniques query entityMappings version kind".split(),
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
        "name": {"type": "string", "minLength": 1, "maxLength": 256},
        "description": {"type": "string", "maxLength": 5_000},
        "severity": {"enum": ["Informational", "Low", "Medium", "High"]},
        "requiredDataConnectors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["connectorId", "dataTypes"],
                "additionalProperties": False,
                "properties": {
                    "connectorId": {"type": "string"},
                    "dataTypes": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                },
            },
        },
        "queryFrequency": {"type": "string", "pattern": "^[1-9][0-9]*[mhd]$"},
        "queryPeriod": {"type": "string", "pattern": "^[1-9][0-9]*[mhd]$"},
        "triggerOperator": {"enum": ["gt", "lt", "eq", "ne"]},
        "triggerThreshold": {"type": "integer", "minimum": 0, "maximum": 10_000},
        "tactics": {"type": "array", "minItems": 1, "items": {"enum": list(ORDER)}},
        "relevantTechniques": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "pattern": "^T[0-9]{4}([.][0-9]{3})?$"},
        },
        "query": {"type": "string", "minLength": 1, "maxLength": 10_000},
        "entityMappings": {
            "type": "array",
            "maxItems": 10,
            "items": {
                "type": "object",
                "required": ["entityType", "fieldMappings"],
                "additionalProperties": False,
                "properties": {
                    "entityType": {"enum": sorted(IDENTIFIERS)},
                    "fieldMappings": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 3,
                        "items": {
                            "type": "object",
                            "required": ["identifier", "columnName"],
                            "additionalProperties": False,
                            "properties": {
                                "identifier": {"type": "string"},
                                "columnName": {"type": "string"},
                            },
                        },
                    },
                },
            },
        },
        "eventGroupingSettings": {
            "type": "object",
            "properties": {"aggregationKind": {"enum": ["SingleAlert", "AlertPerResult"]}},
        },
        "incidentConfiguration": {
            "type": "object",
            "required": ["createIncident", "groupingConfiguration"],
            "properties": {
                "createIncident": {"type": "boolean"},
                "groupingConfiguration": {
                    "type": "object",
                    "required": ["enabled", "reopenClosedIncident", "lookbackDuration", "matchingMethod"],
                    "properties": {
                        "matchingMethod": {"enum": ["AllEntities", "AnyAlert", "Selected"]},
                        "lookbackDuration": {"type": "string", "pattern": "^P([0-9]+D|T[0-9]+[HM])$"},
                    },
                },
            },
        },
        "version": {"type": "string", "pattern": "^[0-9]+[.][0-9]+[.][0-9]+$"},
        "kind": {"const": "Scheduled"},
    },
}
"""Fields and limits of a scheduled rule, from learn.microsoft.com/azure/sentinel/sentinel-analytic-rules-creation."""

EXPECTED = """\
id: ba6f31bb-8d73-5e00-83c5-fa263b1f39f5
name: Secrets read in a burst
description: Which service account read many secrets within minutes?
severity: Medium
requiredDataConnectors: []
queryFrequency: 1h
queryPeriod: 75m
triggerOperator: gt
triggerThreshold: 0
tactics:
  - InitialAccess
  - CredentialAccess
relevantTechniques:
  - T1552.007
  - T1078
query: |
  let ingestion_delay = 15m;
  let rule_look_back = 60m;
  // Bursts of one identity
  let minimum = 5;
  AKSAudit
  | where TimeGenerated >= ago(ingestion_delay + rule_look_back)
  | where ingestion_time() > ago(rule_look_back)
  | where Stage == "ResponseComplete" and tostring(ObjectRef.resource) == "secrets"
  | extend Caller = tostring(User.username), SourceIp = tostring(SourceIps[0])
  | summarize Secrets = dcount(RequestUri), TimeGenerated = max(TimeGenerated) by Caller, SourceIp, _ResourceId
  | where Secrets >= minimum
entityMappings:
  - entityType: Account
    fieldMappings:
      - identifier: FullName
        columnName: Caller
  - entityType: IP
    fieldMappings:
      - identifier: Address
        columnName: SourceIp
  - entityType: AzureResource
    fieldMappings:
      - identifier: ResourceId
        columnName: _ResourceId
eventGroupingSettings:
  aggregationKind: AlertPerResult
incidentConfiguration:
  createIncident: true
  groupingConfiguration:
    enabled: true
    reopenClosedIncident: false
    lookbackDuration: PT75M
    matchingMethod: AllEntities
    groupByEntities: []
    groupByAlertDetails: []
    groupByCustomDetails: []
version: 1.0.0
kind: Scheduled
"""


@pytest.mark.tier("node")
def test_a_rule_is_written_as_sentinel_reads_it(binder: Binder) -> None:
    files = publish([BURST], "sentinel", binder).files
    assert list(files) == ["rules/secret-burst.yaml"]
    assert files["rules/secret-burst.yaml"].decode() == EXPECTED


@pytest.mark.tier("node")
def test_every_rule_has_the_documented_fields(binder: Binder) -> None:
    found = publish(ALL, "sentinel", binder)
    assert sorted(found.files) == [
        "hunting/lookups-by-pod.yaml",
        "rules/install-then-metadata.yaml",
        "rules/secret-burst.yaml",
    ]
    assert [(one.query, one.why) for one in found.left_out] == [(SIGNINS.id, "it is not for log-analytics")]
    for name, data in found.files.items():
        read = yaml.safe_load(data)
        if name.startswith("rules/"):
            jsonschema.validate(read, FIELDS)
        assert binder.bind(read["query"], Environment.LOG_ANALYTICS).ok


@pytest.mark.tier("node")
def test_ids_stay_the_same_and_differ_by_query(binder: Binder) -> None:
    first, second = (publish(ALL, "sentinel", binder).files for _ in range(2))
    assert first == second
    assert len({yaml.safe_load(data)["id"] for data in first.values()}) == len(first)


def ready(query: Query) -> Ready:
    return Ready(query, query.text, Bound((), ()))


@settings(max_examples=200)
@given(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=80)), st.text(max_size=120))
def test_no_title_or_text_gets_out_of_its_place(title: str, text: str) -> None:
    query = msgspec.structs.replace(HUNT, title=title, question=title, text=f"print 1 // {text}")
    made = sentinel.hunting(ready(query))
    data = sentinel._yaml(made)
    assert yaml.safe_load(data) == made
    assert list(yaml.safe_load(data)) == list(made)
    assert made["name"] == line(title, 256)
    assert "\n" not in str(made["name"])


@pytest.mark.parametrize(
    ("changes", "entities", "why"),
    [
        ({"every": 4}, {}, "it runs every 4 minutes, and 5 to 20,160 are taken"),
        ({"over": 30}, {}, "it looks back less than it waits between two runs"),
        ({"over": 30_000}, {}, "it looks back 30000 minutes, and 5 to 20,160 are taken"),
        ({"every": 30, "over": 2880}, {}, "it looks back two days or more, and runs more than hourly"),
        ({"severity": "terrible"}, {}, "there is no severity terrible"),
        ({"late": -1}, {}, "its delay is negative"),
        ({}, {"Pod": {"Name": "Caller"}}, "there is no entity Pod"),
        ({}, {"IP": {"Addr": "SourceIp"}}, "IP has no identifier Addr"),
        ({}, {"IP": {"Address": "Nope"}}, "IP is to be in the column Nope, which the query does not give"),
        ({}, {"IP": {}}, "IP has 0 identifiers, and 1 to 3 are taken"),
    ],
)
@pytest.mark.tier("node")
def test_what_sentinel_would_refuse_is_left_out_with_the_reason(
    changes: dict[str, Any], entities: dict[str, dict[str, str]], why: str, binder: Binder
) -> None:
    analytics = msgspec.structs.replace(HOURLY, **changes)
    if entities:
        analytics = msgspec.structs.replace(analytics, entities=entities)
    found = publish([msgspec.structs.replace(BURST, analytics=analytics)], "sentinel", binder)
    assert not found.files
    assert [one.why for one in found.left_out] == [why]


@pytest.mark.tier("node")
def test_other_reasons_to_leave_a_query_out(binder: Binder) -> None:
    odd = (
        msgspec.structs.replace(BURST, id="../../etc/passwd"),
        msgspec.structs.replace(BURST, text="AKSAudit | where Nope"),
        msgspec.structs.replace(BURST, attack=("T9999",)),
        msgspec.structs.replace(BURST, attack=()),
        msgspec.structs.replace(BURST, analytics=None),
        msgspec.structs.replace(BURST, text=BURST.text + "//" + "x" * 10_000),
    )
    found = publish(odd, "sentinel", binder)
    assert not found.files
    assert [one.why for one in found.left_out] == [
        "its id is not made of small letters, digits and '-'",
        "it does not bind there: 1:18 KS142 The name 'Nope' does not refer to any known column, table, variable or function.",
        "no tactic is known for T9999",
        "it names no technique of ATT&CK",
        "it has no schedule",
        "its text has 10,513 characters, and a rule may have 10,000",
    ]


@pytest.mark.parametrize(
    "text",
    [
        CHAIN.text,
        "let a = AKSAudit | where Verb == 'get'; a | join a on AuditId",
        "let a = AKSAudit; let b = a | take 1; b | where AuditId in (a)",
        "AKSAudit | where AuditId in ((AKSAudit | project AuditId))",
        "union AKSAudit",
        "let ingestion_delay = 1; AKSAudit | take ingestion_delay",
        "print 1",
    ],
)
def test_rows_that_are_put_together_are_not_cut_by_their_arrival(text: str) -> None:
    window = overlapped(text, HOURLY)
    assert window.text == text
    assert window.period == 75
    assert not window.exact


def test_a_let_that_is_used_once_is_still_one_table() -> None:
    window = overlapped("let rows = AKSAudit; rows | where Verb == 'get'", HOURLY)
    assert window.exact
    assert window.text.splitlines()[2:] == [
        "let rows = AKSAudit",
        "| where TimeGenerated >= ago(ingestion_delay + rule_look_back)",
        "| where ingestion_time() > ago(rule_look_back); rows | where Verb == 'get'",
    ]


def test_a_rule_that_counts_over_days_is_not_cut(binder: Binder) -> None:
    """What it counts was ingested before; rows that it takes one by one were not."""
    daily = Analytics(every=60, over=1440, severity="low")
    counted = overlapped("AKSAudit | summarize count() by Verb", daily)
    assert (counted.text, counted.period, counted.exact) == (
        "AKSAudit | summarize count() by Verb",
        1455,
        False,
    )
    single = overlapped("AKSAudit | where Verb == 'get'", daily)
    assert single.exact
    assert "let rule_look_back = 60m;" in single.text
    assert binder.bind(single.text, Environment.LOG_ANALYTICS).ok


def test_a_period_is_two_weeks_at_most() -> None:
    assert overlapped("AKSAudit", Analytics(every=60, over=20_160, severity="low")).period == 20_160


def test_tactics_are_those_that_techniques_serve() -> None:
    assert tactics(["T1552.005", "T1078"]) == ("CredentialAccess",) or "CredentialAccess" in tactics(
        ["T1552.005"]
    )
    assert tactics(["T1195.002", "T1552.005"]) == ("InitialAccess", "CredentialAccess")
    assert tactics(["T1610"]) == ("Execution",)
    assert tactics(["T9999"]) == ()


def test_every_technique_of_the_packaged_rules_has_a_tactic() -> None:
    named = {parent(one) for rule in load_packaged() for one in of_enterprise(rule.attack)}
    assert named
    assert named <= TECHNIQUES.keys()


def test_atlas_is_left_to_itself() -> None:
    assert of_enterprise(("AML.T0010", "T1195.002")) == ("T1195.002",)
