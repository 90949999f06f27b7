"""Custom detections of Defender, as Microsoft Graph takes them."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # the stubs are not worth a dependency
import msgspec
import pytest

from eightysix.hunt.binder import Binder
from eightysix.hunt.interface import Analytics
from eightysix.hunt.publish import publish
from eightysix.hunt.publish.attack import ORDER
from eightysix.hunt.publish.entities import DEFENDER
from eightysix.model.table import Environment
from tests.hunt.samples import ALL, BURST, CHAIN, HOSTILE, SIGNINS

pytestmark = pytest.mark.tier("node")

FIELDS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "@odata.type",
        "id",
        "displayName",
        "status",
        "queryCondition",
        "schedule",
        "detectionAction",
    ],
    "properties": {
        "@odata.type": {"const": "#microsoft.graph.security.detectionRule"},
        "id": {"type": "string", "pattern": "^[a-z0-9-]+$"},
        "displayName": {"type": "string", "minLength": 1},
        "description": {"type": "string"},
        "status": {"enum": ["enabled", "disabled"]},
        "queryCondition": {
            "type": "object",
            "additionalProperties": False,
            "required": ["queryText"],
            "properties": {"queryText": {"type": "string", "minLength": 1}},
        },
        "schedule": {
            "type": "object",
            "additionalProperties": False,
            "required": ["frequency"],
            "properties": {"frequency": {"enum": ["PT1H", "PT3H", "PT12H", "P1D"]}},
        },
        "detectionAction": {
            "type": "object",
            "additionalProperties": False,
            "required": ["alertTemplate"],
            "properties": {
                "alertTemplate": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["title", "description", "severity", "entityMappings", "tactics"],
                    "properties": {
                        "title": {"type": "string", "minLength": 1},
                        "description": {"type": "string"},
                        "severity": {"enum": ["informational", "low", "medium", "high"]},
                        "recommendedActions": {"type": "string"},
                        "entityMappings": {
                            "type": "object",
                            "minProperties": 1,
                            "additionalProperties": False,
                            "properties": {
                                place: {
                                    "type": "array",
                                    "minItems": 1,
                                    "items": {
                                        "type": "object",
                                        "minProperties": 1,
                                        "additionalProperties": False,
                                        "properties": {name: {"type": "string"} for name in names.values()},
                                    },
                                }
                                for place, names in DEFENDER.values()
                            },
                        },
                        "tactics": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 1,
                            "items": {
                                "type": "object",
                                "additionalProperties": False,
                                "required": ["tactic", "techniques"],
                                "properties": {
                                    "tactic": {"enum": list(ORDER)},
                                    "techniques": {
                                        "type": "array",
                                        "items": {
                                            "type": "object",
                                            "additionalProperties": False,
                                            "required": ["technique", "subTechniques"],
                                            "properties": {
                                                "technique": {"type": "string", "pattern": "^T[0-9]{4}$"},
                                                "subTechniques": {
                                                    "type": "array",
                                                    "items": {
                                                        "type": "string",
                                                        "pattern": "^T[0-9]{4}[.][0-9]{3}$",
                                                    },
                                                },
                                            },
                                        },
                                    },
                                },
                            },
                        },
                    },
                }
            },
        },
    },
}
"""The properties that learn.microsoft.com/graph/api/resources/security-detectionrule documents and has not retired."""


def test_a_rule_is_written_as_graph_takes_it(binder: Binder) -> None:
    files = publish([CHAIN], "defender", binder).files
    assert list(files) == ["install-then-metadata.json"]
    assert json.loads(files["install-then-metadata.json"]) == {
        "@odata.type": "#microsoft.graph.security.detectionRule",
        "id": "eightysix-install-then-metadata",
        "displayName": "A package was installed, and the metadata service asked",
        "description": "Which pod asked the metadata service soon after an install?",
        "status": "disabled",
        "queryCondition": {"queryText": CHAIN.text.rstrip()},
        "schedule": {"frequency": "PT12H"},
        "detectionAction": {
            "alertTemplate": {
                "title": "A package was installed, and the metadata service asked",
                "description": "Which pod asked the metadata service soon after an install?",
                "severity": "high",
                "recommendedActions": "Stop the pod.",
                "entityMappings": {"azureResources": [{"resourceIdColumn": "AzureResourceId"}]},
                "tactics": [
                    {
                        "tactic": "CredentialAccess",
                        "techniques": [
                            {"technique": "T1552", "subTechniques": ["T1552.005"]},
                            {"technique": "T1195", "subTechniques": ["T1195.002"]},
                        ],
                    }
                ],
            }
        },
    }


def test_every_rule_has_the_documented_fields_and_binds(binder: Binder) -> None:
    found = publish(ALL, "defender", binder)
    assert sorted(found.files) == [
        "install-then-metadata.json",
        "secret-burst.json",
        "signins-of-applications.json",
    ]
    assert not found.left_out
    for data in found.files.values():
        read = json.loads(data)
        jsonschema.validate(read, FIELDS)
        bound = binder.bind(read["queryCondition"]["queryText"], Environment.DEFENDER)
        assert bound.ok
        columns = {one.name for one in bound.columns}
        assert "Timestamp" in columns
        for mappings in read["detectionAction"]["alertTemplate"]["entityMappings"].values():
            assert columns.issuperset(column for mapping in mappings for column in mapping.values())


def test_a_table_of_a_workspace_gives_its_time_as_timestamp(binder: Binder) -> None:
    read = json.loads(publish([BURST], "defender", binder).files["secret-burst.json"])
    assert read["queryCondition"]["queryText"].endswith("\n| extend Timestamp = TimeGenerated")


@pytest.mark.parametrize(
    ("end", "time"),
    [
        ("summarize Seen = max(Timestamp) by IPAddress", "Seen"),
        ("summarize First = min(Timestamp), Last = max(Timestamp) by IPAddress", "max_of(First, Last)"),
    ],
)
def test_an_alert_has_the_latest_time_of_its_row(end: str, time: str, binder: Binder) -> None:
    query = msgspec.structs.replace(SIGNINS, text=f"{SIGNINS.text}\n| {end}\n")
    read = json.loads(publish([query], "defender", binder).files["signins-of-applications.json"])
    text = read["queryCondition"]["queryText"]
    assert text == f"{SIGNINS.text}\n| {end}\n| extend Timestamp = {time}"
    assert binder.bind(text, Environment.DEFENDER).ok


@pytest.mark.parametrize(
    ("text", "analytics", "why"),
    [
        ("SIGNINS | summarize N = count() by IPAddress", {}, "it gives no time"),
        (
            "SIGNINS",
            {"entities": {"Process": {"CommandLine": "ServicePrincipalId"}}},
            "it gives no entity that Defender knows",
        ),
        ("SIGNINS", {"over": 60 * 24 * 31}, "it looks back further than any custom detection does, 30 days"),
        ("SIGNINS", {"severity": "critical"}, "there is no severity critical"),
    ],
)
def test_what_defender_would_refuse_is_left_out_with_the_reason(
    text: str, analytics: dict[str, Any], why: str, binder: Binder
) -> None:
    assert SIGNINS.analytics is not None
    schedule: Analytics = msgspec.structs.replace(SIGNINS.analytics, **analytics)
    query = msgspec.structs.replace(SIGNINS, text=text.replace("SIGNINS", SIGNINS.text), analytics=schedule)
    found = publish([query], "defender", binder)
    assert not found.files
    assert [one.why for one in found.left_out] == [why]


@pytest.mark.parametrize("title", HOSTILE[:-1], ids=range(len(HOSTILE) - 1))
def test_no_title_gets_out_of_its_place(title: str, binder: Binder) -> None:
    query = msgspec.structs.replace(SIGNINS, title=title, question=title, next=(title,))
    read = json.loads(publish([query], "defender", binder).files["signins-of-applications.json"])
    jsonschema.validate(read, FIELDS)
    assert all(one.isprintable() for one in read["displayName"])
    assert read["queryCondition"]["queryText"] == SIGNINS.text
