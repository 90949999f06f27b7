"""incidents/v1: lossless, deterministic, harmless."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.model.errors import UsageError
from eightysix.model.incident import Report
from eightysix.report.interface import RenderOptions, get_format
from tests.report.hostile import hostile_text, poison
from tests.report.sample import (
    breach,
    breach_report,
    broken_report,
    crowd_report,
    hostile_report,
    quiet_report,
)


def rendered(report: Report, options: RenderOptions | None = None) -> str:
    return "".join(get_format("json").write(report, options or RenderOptions()))


def loaded(report: Report) -> Any:
    return json.loads(rendered(report))


@pytest.mark.parametrize("make", [breach_report, broken_report, crowd_report, quiet_report])
def test_what_was_written_reads_back_as_the_same_report(make: Any) -> None:
    report = make()
    again = msgspec.json.decode(rendered(report), type=Report)
    assert replace(again, incidents=()) == replace(report, incidents=())
    assert sorted(again.incidents, key=lambda item: item.id) == sorted(
        report.incidents, key=lambda item: item.id
    )


def test_the_document_has_the_keys_of_the_contract_in_order() -> None:
    document = loaded(breach_report())
    assert list(document) == ["schema", "incidents", "coverage", "counts", "activity"]
    assert document["schema"] == "eightysix/incidents/v1"
    assert list(document["counts"]) == [
        "records",
        "events",
        "malformed",
        "oversized",
        "unrecognised",
        "duplicate",
    ]
    incident = document["incidents"][0]
    assert {
        "id",
        "revision",
        "aliases",
        "rule",
        "verdict",
        "score",
        "pod",
        "t0",
        "stages",
        "identities",
    } <= set(incident)
    assert list(incident["pod"]) == ["cluster", "node", "namespace", "name", "uid"]
    assert list(incident["stages"][0])[:7] == [
        "stage",
        "at",
        "offset_s",
        "title",
        "grade",
        "origin",
        "evidence",
    ]
    assert incident["stages"][0]["evidence"] == [
        {"source": "tetragon", "file": "telemetry/attack-86s/tetragon.jsonl", "line": 38}
    ]
    assert incident["identities"][2] == {
        "kind": "service-account",
        "name": "ml/inference-sa",
        "state": "used",
        "domain": "cluster",
    }
    assert incident["why"][0]["basis"] == "judged"


def test_a_rollout_has_no_pod() -> None:
    report = replace(breach_report(), incidents=(replace(breach(), pod=None),))
    assert loaded(report)["incidents"][0]["pod"] is None


def test_incidents_come_by_verdict_then_time_then_id() -> None:
    incidents = loaded(crowd_report())["incidents"]
    severity = {"contain": 0, "suspect": 1, "watch": 2}
    keys = [(severity[item["verdict"]], item["t0"], item["id"]) for item in incidents]
    assert keys == sorted(keys)
    assert len(keys) == 65


def test_the_order_in_which_things_were_found_does_not_show() -> None:
    report = crowd_report()
    other = replace(
        report,
        incidents=report.incidents[::-1],
        activity=dict(reversed(report.activity.items())),
        coverage=replace(
            report.coverage,
            sources=tuple(
                replace(source, kinds=dict(reversed(source.kinds.items())))
                for source in report.coverage.sources
            ),
        ),
    )
    assert rendered(other) == rendered(report)


def test_it_is_pretty_printed_and_ends_with_a_newline() -> None:
    text = rendered(quiet_report())
    assert text.startswith('{\n  "schema": "eightysix/incidents/v1",\n  "incidents": [],\n')
    assert text.endswith("}\n")


def test_options_change_nothing() -> None:
    loud = RenderOptions(width=40, colour=True, verbose=2)
    assert rendered(breach_report(), loud) == rendered(breach_report())


def test_hostile_text_is_harmless_and_still_there() -> None:
    report = poison(breach_report(), lambda: "\x1b[2J\x9b\x7f \u202e \u2028 \U000e0041 漢")
    text = rendered(report)
    assert not set(text) & set("\x1b\x9b\x7f\u202e\u2028\U000e0041")
    assert "漢" in text
    assert msgspec.json.decode(text, type=Report) == report


def test_a_lone_surrogate_becomes_visible_text() -> None:
    report = replace(
        breach_report(), incidents=(replace(breach(), title="a\ud800b"),), activity={"\udcff": 1}
    )
    document = loaded(report)
    assert document["incidents"][0]["title"] == "a\\ud800b"
    assert document["activity"] == {"\\udcff": 1}
    assert document["incidents"][0]["stages"][0]["offset_s"] == 0.0


@given(st.data())
def test_any_text_makes_valid_harmless_json(data: st.DataObject) -> None:
    report = poison(hostile_report(), lambda: data.draw(hostile_text))
    text = rendered(report)
    text.encode()
    json.loads(text)
    assert all(character == "\n" or character.isprintable() for character in text)
    assert rendered(report) == text


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no output format 'xml'") as raised:
        get_format("xml")
    assert raised.value.advice == "Choose one of: plain, json, ocsf"
