"""Decisions in every format: whole outputs, schemas, and texts that were written to harm whoever reads them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.report.gate.interface import FORMATS
from tests.report.checks import check_quiet, check_sarif
from tests.report.gate.sample import DECISIONS, HELD, rendered
from tests.report.hostile import HARMS, assert_inert, hostile_text, plant, poison

SNAPSHOTS = Path(__file__).parent / "snapshots"


def compared(name: str, text: str) -> None:
    file = SNAPSHOTS / name
    if os.environ.get("EIGHTYSIX_UPDATE_SNAPSHOTS") == "1":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DECISIONS)
def test_what_people_read(name: str) -> None:
    compared(f"{name}.txt", rendered([DECISIONS[name]]))


@pytest.mark.parametrize("name", ["json", "github"])
def test_what_pipelines_read(name: str) -> None:
    compared(f"hold-drift.{name}", rendered([HELD], name))


def test_verbose_names_each_file() -> None:
    text = rendered([HELD], verbose=1)
    assert "malicious extra.pkl (pickle)" in text
    assert "clean model.safetensors (safetensors)" in text


def test_a_command_stays_whole_on_a_narrow_terminal() -> None:
    text = rendered([HELD], width=40)
    for finding in HELD.findings:
        if finding.approval:
            assert f"      {finding.approval}\n" in text


def test_json_has_everything_and_is_the_same_twice() -> None:
    text = rendered(list(DECISIONS.values()), "json")
    told = json.loads(text)
    assert told["schema"] == "eightysix/gate/v1"
    assert [each["id"] for each in told["decisions"]] == [each.id for each in DECISIONS.values()]
    assert text == rendered(list(DECISIONS.values()), "json")


def test_sarif_is_valid_and_its_fingerprints_stay() -> None:
    document = check_sarif(rendered(list(DECISIONS.values()), "sarif"))
    (run,) = document["runs"]
    assert [each["ruling"] for each in run["invocations"][0]["properties"]["decisions"]] == [
        each.ruling.value for each in DECISIONS.values()
    ]
    again = check_sarif(rendered([HELD], "sarif"))["runs"][0]["results"]
    assert {each["partialFingerprints"]["gate/v1"] for each in again} <= {
        each["partialFingerprints"]["gate/v1"] for each in run["results"]
    }
    assert len(again) == len({each["partialFingerprints"]["gate/v1"] for each in again}) == len(HELD.findings)


def test_colour_adds_nothing_but_colour() -> None:
    text = rendered([HELD], colour=True)
    for code in ("0", "1", "2", "1;31", "1;33", "1;34", "36"):
        text = text.replace(f"\x1b[{code}m", "")
    assert "\n".join(line.rstrip() for line in text.split("\n")) == rendered([HELD])


@given(st.sampled_from(sorted(HARMS)).map(HARMS.__getitem__) | hostile_text, st.sampled_from((40, 80, 100)))
@settings(max_examples=40, deadline=None)
def test_no_text_harms_who_reads_it(harm: str, width: int) -> None:
    decision = poison(HELD, lambda: harm)
    for verbose in (0, 1):
        text = rendered([decision], width=width, verbose=verbose)
        for line in text.split("\n"):
            assert_inert(line)
        check_quiet(text)


@given(st.sampled_from(sorted(HARMS)).map(HARMS.__getitem__) | hostile_text)
@settings(max_examples=40, deadline=None)
def test_no_text_becomes_a_command_of_a_pipeline(harm: str) -> None:
    decision = poison(HELD, lambda: harm)
    lines = rendered([decision], "github").splitlines()
    assert len(lines) == len(decision.findings) + 1
    for line in lines:
        assert line.startswith(("::error title=", "::warning title=", "::notice title="))
        assert_inert(line)
        head, _, rest = line[2:].partition("::")
        assert "," not in head
        assert "::" not in head
        assert "##" not in rest


@given(st.sampled_from(sorted(HARMS)).map(HARMS.__getitem__) | hostile_text)
@settings(max_examples=25, deadline=None)
def test_machine_formats_stay_valid_and_quiet(harm: str) -> None:
    decision = poison(HELD, lambda: harm)
    check_sarif(rendered([decision], "sarif"))
    check_quiet(rendered([decision], "sarif"))
    told = json.loads(rendered([decision], "json"))
    assert len(told["decisions"][0]["findings"]) == len(decision.findings)


@pytest.mark.parametrize("harm", HARMS)
def test_each_harm_is_seen_and_inert(harm: str) -> None:
    decision, fields = plant(HELD, HARMS[harm])
    for name in FORMATS:
        text = rendered([decision], name, width=100, verbose=1)
        seen = [path for mark, path in fields.items() if mark in text]
        assert ".findings[0].why" in seen
        if name == "github":
            text = "".join(line.removeprefix("::") + "\n" for line in text.splitlines())
        if name != "json":
            check_quiet(text)
