"""Installed distributions against advisories: nothing is imported, nothing unreadable is clean."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from eightysix.model.finding import ScanReport
from eightysix.scan.environment import scan_environment
from eightysix.scan.environment.advisories import snapshot

TODAY = snapshot().made


def install(folder: Path, name: str, version: str, kind: str = "dist-info") -> None:
    place = folder / f"{name.replace('-', '_')}-{version}.{kind}"
    place.mkdir(parents=True)
    (place / ("METADATA" if kind == "dist-info" else "PKG-INFO")).write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: other\n"
    )


def told(path: Path, **more: object) -> ScanReport:
    return scan_environment(str(path), today=TODAY, **more)  # type: ignore[arg-type]


def ids(report: ScanReport) -> set[str]:
    return {finding.rule for finding in report.findings}


@pytest.mark.parametrize(
    ("name", "version"),
    [("langchain-core", "0.3.80"), ("langchain-core", "1.0.0"), ("langchain_core", "1.2.4"), ("langgraph-checkpoint", "2.1.2"),
     ("torch", "2.5.1+cu124"), ("PyYAML", "5.3"), ("keras", "3.11.2"), ("joblib", "1.1.1"), ("torch", "2.6.0rc1")],
)  # fmt: skip
def test_vulnerable_versions_are_told(tmp_path: Path, name: str, version: str) -> None:
    install(tmp_path / "lib/python3.11/site-packages", name, version)
    report = told(tmp_path)
    assert "vulnerable-package" in ids(report)
    assert {file.verdict for file in report.files} == {"suspicious"}


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("langchain-core", "0.3.81"),
        ("langchain-core", "1.2.5"),
        ("langgraph-checkpoint", "3.0.0"),
        ("PyYAML", "6.0.2"),
        ("requests", "2.0"),
    ],
)
def test_mended_versions_are_clean(tmp_path: Path, name: str, version: str) -> None:
    install(tmp_path, name, version)
    report = told(tmp_path)
    assert ids(report) <= {"loader-present"}
    assert [file.verdict for file in report.files] == ["clean"]


def test_a_whole_file_system_and_older_metadata(tmp_path: Path) -> None:
    install(tmp_path / "opt/venv/lib/python3.12/site-packages", "torch", "2.4.0")
    install(tmp_path / "usr/lib/python3/dist-packages", "PyYAML", "5.3.1", "egg-info")
    (tmp_path / "usr/lib/python3/dist-packages/joblib-1.0.0.egg-info").write_text(
        "Name: joblib\nVersion: 1.0.0\n"
    )
    install(tmp_path / "proc/1/root", "torch", "2.4.0")
    report = told(tmp_path)
    assert len(report.files) == 3
    assert len({f.path for f in report.findings if f.rule == "vulnerable-package"}) == 3


def test_what_cannot_be_read_is_not_clean(tmp_path: Path) -> None:
    assert ids(told(tmp_path / "gone")) == {"environment-unread"}
    assert ids(told(tmp_path)) == {"environment-unread"}
    (tmp_path / "empty-1.dist-info").mkdir()
    install(tmp_path, "torch", "not a version")
    report = told(tmp_path)
    assert sorted(file.verdict for file in report.files) == ["unscannable", "unscannable"]


def test_links_out_of_the_environment_are_not_followed(tmp_path: Path) -> None:
    install(tmp_path / "outside", "torch", "2.4.0")
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv/lib").symlink_to(tmp_path / "outside")
    assert ids(told(tmp_path / "venv")) == {"environment-unread"}


def test_the_age_of_the_snapshot_is_told_after_90_days(tmp_path: Path) -> None:
    install(tmp_path, "requests", "2.0")
    for days, expected in ((90, set()), (91, {"advisories-old"})):
        report = scan_environment(str(tmp_path), today=TODAY + timedelta(days=days))
        assert ids(report) == expected


def test_the_snapshot_holds_what_can_be_compared() -> None:
    known = snapshot()
    assert known.made <= date.max
    for advisory in known.advisories:
        assert advisory.ids
        assert advisory.source.startswith("https://")
        assert all(SpecifierSet(one) for one in advisory.affected)
