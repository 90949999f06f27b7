"""Rules about the scan itself: what could not be read, and what wanted to cost too much."""

from __future__ import annotations

from eightysix.model.finding import FileVerdict
from eightysix.scan.catalog.rule import ScanRule

__all__ = ["RULES"]

RULES = (
    ScanRule(
        id="unreadable",
        verdict=FileVerdict.UNSCANNABLE,
        title="The file could not be read",
        what="Opening or reading the file failed.",
        why="What was not read was not judged.",
        fix="Make the file readable and scan again.",
    ),
    ScanRule(
        id="changed",
        verdict=FileVerdict.UNSCANNABLE,
        title="The file changed while it was read",
        what="Size or time of change differ between the start and the end of the scan.",
        why="What was judged is not what lies there now.",
        fix="Scan a copy, or when nobody writes; load it through `guard`, which loads the bytes that were scanned.",
    ),
    ScanRule(
        id="reader-died",
        verdict=FileVerdict.UNSCANNABLE,
        title="The process that read the file died",
        what="A worker of the scan ended in the middle of the file: for its memory, or because the file was cut short.",
        why="A file that ends a scanner may have been made to.",
        fix="Scan it alone, on a copy, with more memory; treat it as not scanned until then.",
    ),
    ScanRule(
        id="unknown-format",
        verdict=FileVerdict.UNSCANNABLE,
        title="No reader knows this format",
        what="The content matches no format that is known here, and it is not text.",
        why="A loader that knows the format may do anything with it.",
        fix="Name the format in an issue of this project, or leave the file out of what is scanned.",
    ),
    ScanRule(
        id="no-reader",
        verdict=FileVerdict.UNSCANNABLE,
        title="The format is known, and there is no reader for it yet",
        what="The content was recognised, and nothing here reads that format.",
        why="What was not read was not judged.",
        fix="Convert it to a format that holds data alone, such as safetensors, or review it by hand.",
    ),
    ScanRule(
        id="reader-failed",
        verdict=FileVerdict.UNSCANNABLE,
        title="A reader failed",
        what="A reader of this project ended with an error that it did not expect.",
        why="A file that breaks a scanner may have been made to.",
        fix="Report it to this project with the message; treat the file as not scanned.",
    ),
    ScanRule(
        id="missing-extra",
        verdict=FileVerdict.UNSCANNABLE,
        title="A reader needs an optional dependency",
        what="The format needs a library that is not installed.",
        why="What was not read was not judged.",
        fix="Install it: pip install 'eightysix[scan]'.",
    ),
    ScanRule(
        id="too-much",
        verdict=FileVerdict.UNSCANNABLE,
        title="The file is larger inside than the scan may read",
        what="Unpacked bytes, members or steps reached the limit of one file.",
        why="What lies behind the limit was not judged.",
        fix="Unpack the file yourself and scan its parts.",
    ),
    ScanRule(
        id="expansion",
        verdict=FileVerdict.SUSPICIOUS,
        title="The file unpacks to far more than data does",
        what="A compressed stream gave back more than 2,000 times what it took, or archives lie within each other too deep.",
        why="A small file that takes a loader's memory or time stops a server, and blinds scanners that give up.",
        fix="Unpack it yourself with a limit, and scan what comes out.",
        blind="Data that is all zeros compresses as well: that is why this is no proof.",
    ),
    ScanRule(
        id="bomb",
        verdict=FileVerdict.MALICIOUS,
        title="The file is made to exhaust whoever reads it",
        what="It nests, shares, repeats or announces far beyond anything that a program writes.",
        why="A small file that takes a loader's memory or time stops a server, and blinds scanners that give up.",
        fix="Do not load it.",
    ),
)
