"""Reports of scans that the tests of all formats share."""

from __future__ import annotations

from eightysix.model.finding import FileVerdict, Finding, ScannedFile, ScanReport, Severity
from tests.report.sample import HOSTILE

__all__ = ["crowd_report", "empty_report", "hostile_report", "mixed_report"]

DIGEST = "5f" * 32


def finding(
    path: str, rule: str, severity: Severity, why: str, member: str = "", offset: int | None = None
) -> Finding:
    return Finding(
        rule=rule,
        severity=severity,
        path=path,
        member=member,
        offset=offset,
        title={
            "critical": "Loading it calls what no data needs",
            "high": "A name that nobody vouches for",
        }.get(severity, "The file is larger inside than the scan may read"),
        why=why,
        names=("acme.models.Ranker",) if severity is Severity.HIGH else (),
    )


def mixed_report() -> ScanReport:
    """One file of each verdict, and one that a policy accepted."""
    files = (
        ScannedFile(
            path="models/tiny.safetensors", format="safetensors", verdict=FileVerdict.CLEAN, size=12_345
        ),
        ScannedFile(
            path="models/ranker.pkl",
            format="pickle",
            verdict=FileVerdict.SUSPICIOUS,
            digest=DIGEST,
            second="agreed",
        ),
        ScannedFile(
            path="models/bert.pt",
            format="torch-zip",
            verdict=FileVerdict.MALICIOUS,
            digest=DIGEST,
            second="agreed",
        ),
        ScannedFile(path="models/huge.tar", format="tar", verdict=FileVerdict.UNSCANNABLE),
        ScannedFile(
            path="models/old.pkl",
            format="pickle",
            verdict=FileVerdict.CLEAN,
            second="not run: too large",
            accepted=("acme.Old",),
        ),
    )
    findings = (
        finding(
            "models/ranker.pkl",
            "unknown-name",
            Severity.HIGH,
            "acme.models.Ranker would be imported",
            offset=12,
        ),
        finding(
            "models/bert.pt",
            "dangerous-call",
            Severity.CRITICAL,
            "os.system would be called with 'echo pwned'; it starts a process",
            "archive/data.pkl",
            1_057,
        ),
        finding(
            "models/bert.pt",
            "unknown-name",
            Severity.HIGH,
            "acme.models.Ranker would be imported",
            "archive/data.pkl",
            90,
        ),
        finding("models/huge.tar", "too-much", Severity.MEDIUM, "more than 1,073,741,824 unpacked"),
    )
    return ScanReport(findings=findings, files=files)


def empty_report() -> ScanReport:
    """Everything is clean."""
    return ScanReport(
        findings=(), files=(ScannedFile(path="a.npy", format="npy", verdict=FileVerdict.CLEAN),)
    )


def crowd_report() -> ScanReport:
    """More files and findings than are shown."""
    files = tuple(
        ScannedFile(path=f"models/{number:02}.pkl", format="pickle", verdict=FileVerdict.MALICIOUS)
        for number in range(30)
    )
    findings = tuple(
        finding(file.path, "dangerous-call", Severity.CRITICAL, f"call {number}", offset=number)
        for file in files
        for number in range(7)
    )
    return ScanReport(findings=findings, files=files)


def hostile_report() -> ScanReport:
    """Every text is an attack on whoever reads it."""
    file = ScannedFile(path=HOSTILE, format="pickle", verdict=FileVerdict.MALICIOUS, accepted=(HOSTILE,))
    return ScanReport(
        findings=(finding(HOSTILE, "dangerous-call", Severity.CRITICAL, HOSTILE, HOSTILE, 3),), files=(file,)
    )
