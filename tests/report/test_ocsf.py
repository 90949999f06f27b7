"""OCSF Detection Findings against the published schema of their version."""

from __future__ import annotations

import json
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from msgspec.structs import replace
from ocsf_json_schema import (  # type: ignore[import-untyped]
    OcsfJsonSchemaEmbedded,
    get_ocsf_schema,
)

from eightysix.model.incident import Incident
from eightysix.model.words import Verdict
from eightysix.report.interface import RenderOptions, get_format
from eightysix.report.ocsf import OCSF_VERSION, finding_line
from tests.report.hostile import hostile_text, poison
from tests.report.sample import breach, crowd_report, hostile_report, quiet_report


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    """The class with all objects in it; what it does not know is an error."""
    embedded = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=OCSF_VERSION))
    return Draft202012Validator(embedded.get_class_schema(class_name="detection_finding", profiles=[]))


def problems(schema: Draft202012Validator, incident: Incident) -> list[str]:
    event = json.loads(finding_line(incident))
    return [f"{error.json_path}: {error.message}" for error in schema.iter_errors(event)]


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("silenced", ["", "rebuild-notebooks"])
def test_findings_are_valid(schema: Draft202012Validator, verdict: Verdict, silenced: str) -> None:
    incident = replace(breach(), verdict=verdict, suppressed_by=silenced, aliases=("0" * 16,))
    assert problems(schema, incident) == []
    assert problems(schema, replace(incident, pod=None)) == []
    assert problems(schema, replace(incident, stages=(), identities=(), why=(), next_steps=(), t0="")) == []


def test_the_schema_is_strict(schema: Draft202012Validator) -> None:
    event = json.loads(finding_line(breach()))
    for broken in (
        {**event, "severity_id": 77},
        {**event, "pod": "x"},
        {key: value for key, value in event.items() if key != "finding_info"},
        {**event, "resources": [{"type": "Pod"}]},
    ):
        assert not schema.is_valid(broken)


@settings(max_examples=40)
@given(st.lists(hostile_text, min_size=1, max_size=7))
def test_any_text_makes_a_valid_finding(schema: Draft202012Validator, texts: list[str]) -> None:
    pool = cycle(texts)
    incident = poison(breach(), lambda: next(pool))
    assert problems(schema, incident) == []


def test_one_line_an_incident_worst_first() -> None:
    report = crowd_report()
    text = "".join(get_format("ocsf").write(report, RenderOptions(colour=True, verbose=2)))
    events: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    assert len(events) == len(report.incidents)
    severities = [event["severity_id"] for event in events]
    assert severities == sorted(severities, reverse=True)
    assert "".join(get_format("ocsf").write(quiet_report(), RenderOptions())) == ""


def test_what_it_says() -> None:
    event = json.loads(finding_line(breach()))
    assert (event["class_uid"], event["type_uid"], event["severity"]) == (2004, 200401, "Critical")
    assert event["is_alert"] is True
    assert event["status"] == "New"
    assert event["start_time"] == 1795405134947
    assert event["end_time"] == event["time"] == 1795405222511
    assert event["finding_info"]["uid"] == breach().id
    assert event["metadata"]["uid"] == f"{breach().id}/{breach().revision}"
    (resource,) = event["resources"]
    assert (resource["type"], resource["namespace"], resource["name"]) == ("Pod", "ml", "inference-0")
    leave = event["evidences"][-1]
    assert leave["dst_endpoint"] == {
        "ip": "203.0.113.10",
        "port": 80,
        "hostname": "telemetry.perf-utils.example",
    }
    assert leave["data"]["grade"] == "B"
    values = {observable["value"] for observable in event["observables"]}
    assert values == {"169.254.169.254", "203.0.113.10", "telemetry.perf-utils.example"}


def test_a_silenced_incident_is_no_alert_and_contain_cannot_be_silenced() -> None:
    silenced = replace(breach(), suppressed_by="x")
    event = json.loads(finding_line(replace(silenced, verdict=Verdict.SUSPECT)))
    assert (event["is_alert"], event["status"]) == (False, "Suppressed")
    event = json.loads(finding_line(silenced))
    assert (event["is_alert"], event["status"]) == (True, "New")


@pytest.mark.parametrize(
    ("destination", "endpoint"),
    [
        ("203.0.113.10:443", {"ip": "203.0.113.10", "port": 443}),
        ("2001:db8::1:443", {"ip": "2001:db8::1", "port": 443}),
        ("model.example:443", {"hostname": "model.example", "port": 443}),
        ("203.0.113.10:0", {"ip": "203.0.113.10"}),
        ("/var/run/secrets/token", None),
        ("get ml/secrets/a:1", None),
        ("list ml/secrets", None),
        ("a:99999999", None),
        ("", None),
    ],
)
def test_a_destination_becomes_an_endpoint_where_it_is_one(destination: str, endpoint: object) -> None:
    step = replace(breach().stages[0], destination=destination)
    event = json.loads(finding_line(replace(breach(), stages=(step,))))
    assert event["evidences"][0].get("dst_endpoint") == endpoint


def test_hostile_text_is_there_and_harmless() -> None:
    text = finding_line(hostile_report().incidents[0])
    assert not set(text) & set("\x1b\x9b\x7f\u202e\u2028\n")
    assert "gpj.exe" in text
