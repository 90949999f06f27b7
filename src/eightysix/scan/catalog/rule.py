"""What a rule of the scan is."""

from __future__ import annotations

from msgspec import Struct

from eightysix.model.finding import FileVerdict, Severity

__all__ = ["ScanRule"]

_SEVERITY = {
    FileVerdict.CLEAN: Severity.LOW,
    FileVerdict.MALFORMED: Severity.MEDIUM,
    FileVerdict.UNSCANNABLE: Severity.MEDIUM,
    FileVerdict.SUSPICIOUS: Severity.HIGH,
    FileVerdict.MALICIOUS: Severity.CRITICAL,
}


class ScanRule(Struct, frozen=True, kw_only=True):
    """One kind of finding.

    `verdict` is what one finding of it makes of the file (`clean`: nothing, it only informs). `title` is one line.
    `what` says what was seen, `why` what an attacker gains by it, `fix` what to do, `blind` what it cannot see; each
    is prose in plain words, `since` the version that brought it. `references` are public pages (CVE, GHSA, papers).
    """

    id: str
    verdict: FileVerdict
    title: str
    what: str
    why: str
    fix: str
    blind: str = ""
    references: tuple[str, ...] = ()
    since: str = "0.3.0"

    @property
    def severity(self) -> Severity:
        """Follows from the verdict, so that the two never disagree."""
        return _SEVERITY[self.verdict]
