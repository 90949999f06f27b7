"""What people and machines read of a scan, as whole texts; EIGHTYSIX_UPDATE_SNAPSHOTS=1 writes them anew."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sarif_pydantic import Sarif  # type: ignore[import-untyped]

from eightysix.model.errors import UsageError
from eightysix.model.finding import ScanReport
from eightysix.report.findings.interface import FORMATS, Setting, get_findings_format
from eightysix.report.interface import RenderOptions
from eightysix.scan.catalog import rules
from tests.report.findings.sample import crowd_report, empty_report, hostile_report, mixed_report
from tests.report.hostile import assert_inert, hostile_text, poison

SNAPSHOTS = Path(__file__).parent / "snapshots"
REPORTS: list[Callable[[], ScanReport]] = [mixed_report, empty_report, crowd_report, hostile_report]
ACCEPT = {
    "models/ranker.pkl": '- {digest: "blake3:'
    + "5f" * 32
    + '", names: [acme.models.Ranker], until: 2027-02-21}'
}


def rendered(name: str, report: ScanReport, width: int = 80, verbose: int = 0, colour: bool = False) -> str:
    setting = Setting(
        render=RenderOptions(width, colour, verbose), rules=rules(), accept=ACCEPT, version="1.2.3"
    )
    return "".join(get_findings_format(name).write(report, setting))


@pytest.mark.parametrize(
    ("snapshot", "name", "make", "width", "verbose"),
    [
        ("mixed", "plain", mixed_report, 80, 0),
        ("mixed-narrow", "plain", mixed_report, 40, 0),
        ("mixed-verbose", "plain", mixed_report, 80, 1),
        ("empty", "plain", empty_report, 80, 0),
        ("crowd", "plain", crowd_report, 80, 0),
        ("hostile", "plain", hostile_report, 80, 0),
        ("mixed-json", "json", mixed_report, 80, 0),
        ("mixed-sarif", "sarif", mixed_report, 80, 0),
        ("mixed-github", "github", mixed_report, 80, 0),
        ("hostile-github", "github", hostile_report, 80, 0),
    ],
)
def test_whole_texts(
    snapshot: str, name: str, make: Callable[[], ScanReport], width: int, verbose: int
) -> None:
    text = rendered(name, make(), width, verbose)
    file = SNAPSHOTS / f"{snapshot}.txt"
    if os.environ.get("EIGHTYSIX_UPDATE_SNAPSHOTS") == "1":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("make", REPORTS)
@pytest.mark.parametrize("name", FORMATS)
def test_the_same_report_gives_the_same_bytes(name: str, make: Callable[[], ScanReport]) -> None:
    assert rendered(name, make()) == rendered(name, make())


@settings(max_examples=25)
@given(st.data())
def test_hostile_text_is_inert_in_every_format(data: st.DataObject) -> None:
    report = poison(mixed_report(), lambda: data.draw(hostile_text))
    for name in ("plain", "github"):
        for line in rendered(name, report, verbose=1).split("\n"):
            assert_inert(line)
    for name in ("json", "sarif"):  # lossless: marks stay, and nothing that could act on a terminal
        text = rendered(name, report)
        assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {unicodedata.category(c) for c in text if c != "\n"}


@settings(max_examples=25)
@given(st.data())
def test_a_workflow_command_stays_one_command(data: st.DataObject) -> None:
    report = poison(mixed_report(), lambda: data.draw(hostile_text))
    for line in rendered("github", report).splitlines():
        head, _, _ = line.removeprefix("::").partition("::")
        assert line.startswith(("::error file=", "::warning file=", "::notice file="))
        assert head.count(",") == 1


def test_json_lists_every_file() -> None:
    told: dict[str, Any] = json.loads(rendered("json", mixed_report()))
    assert told["schema"] == "eightysix/findings/v1"
    assert [file["path"] for file in told["files"]] == [file.path for file in mixed_report().files]
    assert told["counts"] == {"clean": 2, "malformed": 0, "malicious": 1, "suspicious": 1, "unscannable": 1}


@pytest.mark.parametrize("make", REPORTS)
def test_sarif_is_what_the_standard_says(make: Callable[[], ScanReport]) -> None:
    report = make()
    read = Sarif.model_validate_json(rendered("sarif", report))
    results = read.runs[0].results or []
    assert len(results) == len(report.findings)
    assert not any(result.model_extra or result.message.model_extra for result in results)


def test_colour_adds_nothing_but_colour() -> None:
    coloured = rendered("plain", mixed_report(), colour=True)
    for code in ("0", "1", "2", "1;31", "1;33", "1;34", "36"):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == rendered("plain", mixed_report())


def test_a_format_that_does_not_exist_is_told() -> None:
    with pytest.raises(UsageError, match="no output format 'xml'"):
        get_findings_format("xml")
