"""`findings/v1` as JSON: every finding and every file, the same bytes for the same report."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from eightysix.model.finding import SCHEMA, FileVerdict, Finding, ScannedFile, ScanReport
from eightysix.report.findings.interface import Setting
from eightysix.report.json_text import encode, harmless

__all__ = ["FORMAT", "JsonFormat"]


class _Document(msgspec.Struct, frozen=True):
    """The order of the keys at the top: what it is, what was found, what was read."""

    schema: str
    findings: tuple[Finding, ...]
    files: tuple[ScannedFile, ...]
    counts: dict[str, int]


class JsonFormat:
    """Pretty-printed JSON, two spaces deep, ending with a newline."""

    def write(self, report: ScanReport, setting: Setting) -> Iterator[str]:
        """One piece, because the encoder needs the whole document."""
        counts = {str(verdict): 0 for verdict in FileVerdict}
        for file in report.files:
            counts[file.verdict] += 1
        document = _Document(SCHEMA, report.findings, report.files, counts)
        yield harmless(msgspec.json.format(encode(document), indent=2).decode()) + "\n"


FORMAT = JsonFormat()
