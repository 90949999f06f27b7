"""Formats for machines, each against its own schema or the importer's rules, with every field hostile."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import datetime
from functools import cache
from itertools import cycle
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from msgspec.structs import replace
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema  # type: ignore[import-untyped]
from sarif_pydantic import Sarif  # type: ignore[import-untyped]

from eightysix import __version__
from eightysix.context.techniques import NAMES
from eightysix.model.incident import Evidence
from eightysix.model.story import Reconstruction
from eightysix.report.interface import RenderOptions
from eightysix.report.ocsf import OCSF_VERSION
from eightysix.report.reconstruction.csv_format import plain_text, safe_text
from eightysix.report.reconstruction.interface import get_reconstruction_format
from tests.report.checks import check_quiet, check_sarif, problems, sarif
from tests.report.hostile import HARMS, hostile_text, plant, poison
from tests.report.reconstruction.layer_schema import LAYER
from tests.report.reconstruction.sample import asked_about, breach, breach_story, crowd, hostile, nothing
from tests.report.reconstruction.test_plain import check_snapshot

FORMATS = ["sarif", "ocsf", "navigator", "timesketch", "csv"]
FORMULAS = tuple("=+-@\t\r＝＋－＠")  # noqa: RUF001 - full-width forms begin formulas too
SAMPLES: list[Callable[[], Reconstruction]] = [breach, asked_about, nothing, crowd, hostile]


def rendered(name: str, told: Reconstruction) -> str:
    return "".join(get_reconstruction_format(name).write(told, RenderOptions(120, True, 2)))


@cache
def ocsf() -> Draft202012Validator:
    embedded = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=OCSF_VERSION))
    return Draft202012Validator(embedded.get_class_schema(class_name="detection_finding", profiles=[]))


def check_layer(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    assert problems(Draft202012Validator(LAYER), document) == []
    return document


def check_timesketch(text: str) -> list[dict[str, Any]]:
    """What Timesketch's own reader asks of each line (timesketch.org, guides, import from JSON or CSV)."""
    events: list[dict[str, Any]] = []
    for line in text.splitlines():
        event = json.loads(line)
        assert all(
            isinstance(event[name], str) and event[name] for name in ("message", "datetime", "timestamp_desc")
        )
        moment = datetime.fromisoformat(event["datetime"])
        assert len(event["datetime"]) == len("2026-11-23T16:55:38.532000+00:00")
        assert abs(moment.timestamp() * 1e6 - event["timestamp"]) < 2
        assert all(isinstance(tag, str) for tag in event["tag"])
        assert not any(name.startswith("_") for name in event)
        assert all(isinstance(value, str | int | float | list) for value in event.values())
        events.append(event)
    return events


def is_number(text: str) -> bool:
    try:
        return abs(float(text.rstrip('"'))) < float("inf")
    except ValueError:
        return False


def check_csv(text: str) -> list[dict[str, str]]:
    table = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    for delimiter in ",;\t":
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            for cell in row:
                bare = cell.lstrip(" \"'") if delimiter != "," else cell.lstrip(' "')
                assert not bare.startswith(FORMULAS) or is_number(bare), cell
    return table


@pytest.mark.parametrize("make", SAMPLES)
def test_each_sample_is_valid_in_each_format(make: Callable[[], Reconstruction]) -> None:
    told = make()
    check_sarif(rendered("sarif", told))
    read = Sarif.model_validate_json(rendered("sarif", told))
    assert len(read.runs[0].results or []) == len(told.stories)
    lines = rendered("ocsf", told).splitlines()
    assert len(lines) == len(told.stories)
    for line in lines:
        assert problems(ocsf(), json.loads(line)) == []
    check_layer(rendered("navigator", told))
    entries = sum(
        len(story.marks) + sum(len(item.uses) for item in story.identities) for story in told.stories
    )
    assert len(check_timesketch(rendered("timesketch", told))) == entries
    assert len(check_csv(rendered("csv", told))) == entries


@pytest.mark.parametrize("name", [*FORMATS, "markdown"])
@pytest.mark.parametrize("make", SAMPLES)
def test_the_same_story_gives_the_same_bytes(name: str, make: Callable[[], Reconstruction]) -> None:
    told = make()
    once = "".join(get_reconstruction_format(name).write(told, RenderOptions(40)))
    assert once == rendered(name, make())
    again = replace(told, stories=told.stories[::-1])
    assert once == "".join(get_reconstruction_format(name).write(again, RenderOptions()))


@pytest.mark.parametrize("name", ["sarif", "navigator", "timesketch", "csv", "ocsf"])
def test_the_whole_text(name: str) -> None:
    text = rendered(name, breach()).replace("\r\n", "\n")
    for version in (f'"version": "{__version__}"', f'"version":"{__version__}"'):
        text = text.replace(version, version.replace(__version__, "0"))
    check_snapshot(f"{name}-breach", text)


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_harm_in_every_field_stays_data(harm: str) -> None:
    told, _ = plant(breach(), harm)
    check_sarif(rendered("sarif", told))
    (line,) = rendered("ocsf", told).splitlines()
    assert problems(ocsf(), json.loads(line)) == []
    check_layer(rendered("navigator", told))
    check_timesketch(rendered("timesketch", told))
    check_csv(rendered("csv", told))
    for name in FORMATS:
        check_quiet(rendered(name, told))


@settings(max_examples=6, deadline=None)
@given(st.lists(hostile_text, min_size=1, max_size=9), st.floats() | st.integers(-(10**18), 10**18))
def test_any_text_in_any_field_is_valid(texts: list[str], offset: float) -> None:
    pool = cycle(text[:300] for text in texts)
    told = poison(breach(), lambda: next(pool))
    story = told.stories[0]
    marks = tuple(replace(mark, offset_s=float(offset), count=2**40) for mark in story.marks)
    told = replace(told, stories=(replace(story, marks=marks), replace(story, pod=None, verdict=None)))
    check_sarif(rendered("sarif", told))
    for line in rendered("ocsf", told).splitlines():
        assert problems(ocsf(), json.loads(line)) == []
    check_layer(rendered("navigator", told))
    check_timesketch(rendered("timesketch", told))
    check_csv(rendered("csv", told))
    for name in FORMATS:
        check_quiet(rendered(name, told))


def test_the_schemas_are_strict() -> None:
    document = json.loads(rendered("sarif", breach()))
    assert not sarif().is_valid({**document, "version": "2.0.0"})
    document["runs"][0]["results"][0]["codeFlows"][0]["threadFlows"][0]["locations"][0]["importance"] = "much"
    assert not sarif().is_valid(document)
    event = json.loads(rendered("ocsf", breach()))
    event["finding_info"]["attack_graph"]["edges"][0].pop("source")
    assert not ocsf().is_valid(event)
    layer = json.loads(rendered("navigator", breach()))
    for broken in ({**layer, "domain": "x"}, {**layer, "versions": {"layer": "4.4"}}, {**layer, "extra": 1}):
        assert not Draft202012Validator(LAYER).is_valid(broken)


def test_sarif_tells_the_chain() -> None:
    document = check_sarif(rendered("sarif", breach()))
    (run,) = document["runs"]
    (result,) = run["results"]
    assert (result["ruleId"], result["level"]) == ("story-contain", "error")
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "story-contain"
    assert result["partialFingerprints"] == result["fingerprints"] == {"story/v1": breach_story().id}
    names = [flow["message"]["text"] for flow in result["codeFlows"]]
    assert names == [
        "the whole story",
        *(f"stage {stage}" for stage in "land run reach pivot leave use".split()),
    ]
    whole = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [step["executionOrder"] for step in whole] == list(range(1, 12))
    assert whole[2]["executionTimeUtc"] == "2026-11-23T16:55:38.532000Z"
    place = whole[2]["location"]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "telemetry/attack-86s/tetragon.jsonl.gz"},
        "region": {"startLine": 42},
    }
    taxa = run["taxonomies"][0]["taxa"]
    assert [taxa[item["index"]]["id"] for item in result["taxa"]] == [item["id"] for item in result["taxa"]]
    assert "T1552.005" in {item["id"] for item in whole[4]["taxa"]}
    pivots = result["codeFlows"][4]["threadFlows"]
    assert [thread["id"] for thread in pivots] == ["identity", "control-plane"]
    (asked,) = check_sarif(rendered("sarif", asked_about()))["runs"][0]["results"]
    assert (asked["kind"], asked["level"]) == ("informational", "none")


def test_sarif_leaves_the_middle_of_a_long_chain_out_and_counts_it() -> None:
    story = crowd().stories[-1]
    marks = tuple(replace(story.marks[1], id=str(number), offset_s=float(number)) for number in range(3000))
    told = replace(breach(), stories=(replace(story, marks=marks, left_out=5),))
    (result,) = check_sarif(rendered("sarif", told))["runs"][0]["results"]
    assert result["properties"]["leftOut"] == 2505
    whole = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert whole[0]["properties"]["mark"] == "0"
    assert whole[-1]["properties"]["mark"] == "2999"


def test_a_path_in_sarif_reads_back() -> None:
    path = "/logs/a b#c?d=%41/é/\u202e//x:y.jsonl"
    story = breach_story()
    mark = replace(story.marks[2], evidence=(Evidence("tetragon", path, 7),))
    told = replace(breach(), stories=(replace(story, marks=(mark,)),))
    (result,) = json.loads(rendered("sarif", told))["runs"][0]["results"]
    assert unquote(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]) == path


def test_ocsf_says_what_the_story_says() -> None:
    event = json.loads(rendered("ocsf", breach()))
    assert (event["class_uid"], event["severity"], event["is_alert"]) == (2004, "Critical", True)
    assert len(event["evidences"]) == len(breach_story().marks)
    graph = event["finding_info"]["attack_graph"]
    ends = {end for edge in graph["edges"] for end in (edge["source"], edge["target"])}
    assert ends <= {node["uid"] for node in graph["nodes"]}
    assert event["finding_info"]["related_events"][0] == {"uid": "1b9c93e6489b21f7"}
    assert event["finding_info"]["attacks"][0]["technique"]["uid"] == "T1041"
    assert event["remediation"]["desc"].startswith("1. isolate pod ml/inference-0")
    assert "   az role assignment delete --assignee=11111111" in event["remediation"]["desc"]
    assert [item["name"] for item in event["resources"]] == ["inference-0", "inference-1", "notebook-7"]
    values = {item["value"] for item in event["observables"]}
    assert {"169.254.169.254", "203.0.113.10", "telemetry.perf-utils.example", "198.51.100.23"} <= values
    assert json.loads(rendered("ocsf", asked_about()))["is_alert"] is False


def test_a_layer_has_each_technique_of_the_marks() -> None:
    layer = check_layer(rendered("navigator", breach()))
    told = {item["techniqueID"]: item for item in layer["techniques"]}
    assert told.keys() == {item for mark in breach_story().marks for item in mark.techniques}
    assert told.keys() <= NAMES.keys()
    assert told["T1552.005"]["comment"] == "T+38.0 first credential after the install [A kernel]"
    assert told["T1195.002"]["score"] == 5
    assert told["T1552.007"]["comment"].count("\n") == 2
    bare = tuple(replace(mark, techniques=()) for mark in breach_story().marks)
    again = replace(breach(), stories=(replace(breach_story(), marks=bare),))
    assert check_layer(rendered("navigator", again)) == layer


def test_timesketch_has_marks_and_uses_by_time() -> None:
    events = check_timesketch(rendered("timesketch", breach()))
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)
    (push,) = (event for event in events if event["message"].startswith("T+2014.3 registry: push"))
    assert "foreign-address" in push["tag"]
    assert push["whose"] == "one of ml/inference-0 50%, ml/notebook-7 25%, 1 more"
    (reach,) = (event for event in events if "first credential" in event["message"])
    assert {"stage-reach", "T1552.005", "verdict-contain"} <= set(reach["tag"])
    story = replace(breach_story(), marks=(replace(breach_story().marks[4], at="when?"),), identities=())
    (event,) = check_timesketch(rendered("timesketch", replace(breach(), stories=(story,))))
    assert event["timestamp_desc"] == "Not told: time of the story"
    assert event["datetime"] == "2026-11-23T16:55:38.532000+00:00"


@given(hostile_text | st.text(st.sampled_from("=+-@;'\" \t\\#u0041x,＝"), max_size=12))  # noqa: RUF001
def test_a_cell_reads_back_and_is_no_formula(text: str) -> None:
    cell = safe_text(text)
    assert plain_text(cell) == text
    check_quiet(cell)
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerow(["a", cell, "b"])
    check_csv("x,y,z\r\n" + stream.getvalue())


def test_csv_has_what_the_rows_have() -> None:
    table = check_csv(rendered("csv", breach()))
    (push,) = (row for row in table if row["what"] == "use" and row["service"] == "registry")
    assert (push["foreign"], push["source_ip"], push["after_taken"]) == ("yes", "198.51.100.23", "yes")
    assert push["offset_s"] == "2014.3"
    (leave,) = (row for row in table if row["stage"] == "leave")
    assert plain_text(leave["detail"]) == breach_story().marks[9].detail


@pytest.mark.parametrize("name", [*FORMATS, "plain", "markdown"])
def test_raw_records_are_shown_nowhere(name: str) -> None:
    assert "RECORD-TEXT" not in rendered(name, breach())
