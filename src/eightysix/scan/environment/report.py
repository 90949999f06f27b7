"""Compares what is installed with the advisories."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from eightysix.model.errors import MissingExtraError
from eightysix.model.finding import Finding, ScannedFile, ScanReport
from eightysix.scan.catalog import rule
from eightysix.scan.environment.advisories import Advisory, Snapshot, snapshot
from eightysix.scan.environment.installed import Installed, Unread, installed
from eightysix.scan.texts.tree import shown
from eightysix.scan.verdict import verdict_of

__all__ = ["AGED", "scan_environment"]

AGED = 90
"""Days after which the snapshot's age is told: advisories about loaders came about monthly in 2025."""


def scan_environment(path: str, *, today: date, advisories: Snapshot | None = None) -> ScanReport:
    """Report on every distribution below `path`, each as a file of its own. `today` decides the snapshot's age.

    Raises `MissingExtraError` without the `packaging` library: versions are compared as PEP 440 says, by it.
    """
    known = advisories or snapshot()
    files: list[ScannedFile] = []
    findings: list[Finding] = []
    age = (today - known.made).days
    if age > AGED:
        findings.append(_finding("advisories-old", path, f"made on {known.made.isoformat()}, {age} days ago"))
    found = 0
    for one in installed(path):
        if isinstance(one, Unread):
            told = [_finding("environment-unread", one.path, one.why)]
        else:
            found += 1
            told = list(_about(one, known))
        place = one.path
        findings += told
        files.append(ScannedFile(path=place, format="distribution", verdict=verdict_of(told)))
    if not found and not files:
        told = [_finding("environment-unread", path, "no installed distribution was found below it")]
        findings += told
        files.append(ScannedFile(path=path, format="environment", verdict=verdict_of(told)))
    return ScanReport(findings=tuple(findings), files=tuple(files))


def _finding(name: str, path: str, why: str) -> Finding:
    about = rule(name)
    return Finding(rule=name, severity=about.severity, path=path, title=about.title, why=why)


def _about(one: Installed, known: Snapshot) -> Iterable[Finding]:
    for advisory in known.advisories:
        if advisory.package != one.name:
            continue
        answer = _affected(one.version, advisory)
        if answer is None:
            why = f"{one.name} has the version {shown(one.version, 40)}, which cannot be compared"
            yield _finding("environment-unread", one.path, why)
        elif answer:
            fixed = (
                f"fixed in {' and '.join(advisory.fixed)}" if advisory.fixed else "no fixed version is known"
            )
            ids = ", ".join(advisory.ids)
            yield _finding(
                "vulnerable-package", one.path, f"{one.name} {one.version}: {ids}: {advisory.what}; {fixed}"
            )
    if one.name in known.loaders:
        yield _finding(
            "loader-present", one.path, f"{one.name} {shown(one.version, 40)}: {known.loaders[one.name]}"
        )


def _affected(version: str, advisory: Advisory) -> bool | None:
    """None where the version is none of PEP 440. Pre-releases count: one of a fixed version is not the fixed version."""
    try:
        from packaging.specifiers import SpecifierSet
        from packaging.version import InvalidVersion, Version
    except ImportError as missing:
        raise MissingExtraError("comparing versions needs packaging", "scan") from missing
    try:
        this = Version(version)
    except InvalidVersion:
        return None
    # A local version (+cu124) is a build of the same release.
    public = Version(this.public)
    return any(SpecifierSet(one).contains(public, prereleases=True) for one in advisory.affected)
