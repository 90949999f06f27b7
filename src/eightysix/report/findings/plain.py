"""Findings for people: the worst file first, what it would do, where, and the line that would accept it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from eightysix.model.finding import FileVerdict, Finding, ScannedFile, ScanReport, Severity
from eightysix.report.findings.interface import Setting, by_path, place
from eightysix.report.inert import inert
from eightysix.report.interface import RenderOptions
from eightysix.report.layout import Ink, Line, flow, paint, row

__all__ = ["FORMAT", "PlainFormat"]

_NARROWEST, _WIDEST = 40, 100
_FILES = 20
_FINDINGS = 5
"""Files and findings of one file that are told unless `-v` asks for all."""

_INK = {
    FileVerdict.MALICIOUS: Ink.RED,
    FileVerdict.SUSPICIOUS: Ink.YELLOW,
    FileVerdict.UNSCANNABLE: Ink.BLUE,
    FileVerdict.MALFORMED: Ink.BLUE,
    FileVerdict.CLEAN: Ink.DIM,
}
_SEVERITY_INK = {
    Severity.CRITICAL: Ink.RED,
    Severity.HIGH: Ink.YELLOW,
    Severity.MEDIUM: Ink.BLUE,
    Severity.LOW: Ink.DIM,
}
_MARGIN = ("  ", Ink.PLAIN)


class PlainFormat:
    """Plain text, laid out for at least 40 columns and at most 100. Paths and the line for a policy may run further: they
    are to be copied in one piece."""

    def write(self, report: ScanReport, setting: Setting) -> Iterator[str]:
        """One piece a line."""
        width = min(max(setting.render.width, _NARROWEST), _WIDEST)
        options = replace(setting.render, width=width)
        for line in _lines(report, setting, options):
            yield paint(line, options.colour) + "\n"


FORMAT = PlainFormat()


def _lines(report: ScanReport, setting: Setting, options: RenderOptions) -> Iterator[Line]:
    found = by_path(report.findings)
    files = sorted(report.files, key=lambda file: -file.verdict.rank)
    told = [
        file
        for file in files
        if file.verdict is not FileVerdict.CLEAN or file.path in found or options.verbose
    ]
    shown = told if options.verbose else told[:_FILES]
    for file in shown:
        yield from _file(file, found.get(file.path, ()), setting, options)
    if len(told) > len(shown):
        yield from row(
            (), f"… and {len(told) - len(shown)} more files (-v tells all)", options.width, Ink.DIM
        )
        yield ()
    yield from _tally(report, options)


def _file(
    file: ScannedFile, findings: Sequence[Finding], setting: Setting, options: RenderOptions
) -> Iterator[Line]:
    # NOTE: a path is to be copied: it stays whole, and only the line with it may be wider than the terminal.
    path = inert(file.path, limit=4_096)
    verdict = (str(file.verdict), _INK[file.verdict])
    yield (verdict, (" ", Ink.PLAIN), (path, Ink.BOLD), ("  ", Ink.PLAIN), (inert(file.format), Ink.DIM))
    shown = findings if options.verbose else findings[:_FINDINGS]
    for finding in shown:
        yield from _finding(finding, options)
    if len(findings) > len(shown):
        rest = f"… and {len(findings) - len(shown)} more findings (-v tells all)"
        yield from row((_MARGIN,), rest, options.width, Ink.DIM)
    if file.accepted:
        yield from row(
            (_MARGIN,), f"accepted: {', '.join(map(inert, file.accepted))}", options.width, Ink.DIM
        )
    if options.verbose and (file.second != "not needed"):
        yield from row((_MARGIN,), f"second engine: {inert(file.second)}", options.width, Ink.DIM)
    if options.verbose and file.digest:
        yield from row((_MARGIN,), f"blake3:{inert(file.digest)}", options.width, Ink.DIM)
    if line := setting.accept.get(file.path, ""):
        yield from row((_MARGIN,), "if you vouch for it, this line in your policy accepts it:", options.width)
        yield (_MARGIN, _MARGIN, (inert(line, limit=4_000), Ink.CYAN))
    if findings or file.accepted:
        yield ()


def _finding(finding: Finding, options: RenderOptions) -> Iterator[Line]:
    label = f"{finding.severity}[{inert(finding.rule)}]"
    prefix: Line = (_MARGIN, (label, _SEVERITY_INK[finding.severity]), (" ", Ink.PLAIN))
    yield from row(prefix, inert(finding.title), options.width)
    yield from row((_MARGIN, _MARGIN), inert(finding.why), options.width, Ink.BOLD)
    if where := place(finding):
        yield from row((_MARGIN, _MARGIN, ("at ", Ink.DIM)), inert(where), options.width, Ink.DIM)


def _tally(report: ScanReport, options: RenderOptions) -> Iterator[Line]:
    """The last line: everything, counted."""
    ordered = sorted(FileVerdict, key=lambda verdict: -verdict.rank)
    counts = {verdict: sum(file.verdict is verdict for file in report.files) for verdict in ordered}
    parts = [f"{number:,} {verdict}" for verdict, number in counts.items() if number]
    accepted = sum(bool(file.accepted) for file in report.files)
    files = f"{len(report.files):,} file{'s' * (len(report.files) != 1)}"
    text = f"{files}: {', '.join(parts)}" if parts else files
    if accepted:
        text += f" ({accepted:,} with something accepted)"
    yield from flow([text, *_second(report)], options.width, ink=Ink.BOLD)


def _second(report: ScanReport) -> list[str]:
    """What the second engine did, where there was something for it."""
    words = [file.second for file in report.files if file.second != "not needed"]
    if not words:
        return []
    agreed = sum(word == "agreed" for word in words)
    missing = sum(word.startswith("not run") for word in words)
    said = f"two engines agree on {agreed:,} of {len(words):,} with pickles"
    return [said + (f", the second was not run on {missing:,}" if missing else "")]
