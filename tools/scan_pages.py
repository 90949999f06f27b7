"""Writes a page for each rule of the scan, and their list, under docs/scan-rules, and docs/scan-formats.md.

python -m tools.scan_pages            write what is out of date
python -m tools.scan_pages --check    write nothing, exit 1 where something is out of date
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from eightysix.scan.catalog import ScanRule, rules
from eightysix.scan.recognise import kinds
from tools.generated import write_or_check

ROOT = Path(__file__).resolve().parent.parent
PAGES = "docs/scan-rules"
FORMATS_PAGE = "docs/scan-formats.md"
GENERATED = "<!-- Written by tools/scan_pages.py; change the rule, not this page. -->"
VERDICTS = {
    "malicious": "the file is **malicious**: exit code 14",
    "suspicious": "the file is **suspicious**: exit code 13",
    "unscannable": "the file is **unscannable**, never clean: exit code 10",
    "malformed": "the file is **malformed**, never clean: exit code 10",
    "clean": "nothing: it only informs, exit code 11",
}


def pages() -> Mapping[str, str]:
    """Every generated file: path below the repository, and text."""
    found = {f"{PAGES}/{rule.id}.md": "\n".join(_page(rule)) + "\n" for rule in rules().values()}
    found[f"{PAGES}/README.md"] = "\n".join(_overview()) + "\n"
    return {**found, FORMATS_PAGE: "\n".join(_formats()) + "\n"}


def _page(rule: ScanRule) -> Iterator[str]:
    yield from (GENERATED, f"# {rule.title}", "")
    yield f"`{rule.id}` · severity {rule.severity} · since {rule.since}"
    yield from ("", f"A finding makes of the file: {VERDICTS[rule.verdict]}.")
    for heading, text in (
        ("What it finds", rule.what),
        ("Why that is bad", rule.why),
        ("What to do", rule.fix),
        ("What it cannot see", rule.blind),
    ):
        if text:
            yield from ("", f"## {heading}", "", text)
    if rule.references:
        yield from ("", "## References", "")
        yield from (f"- {reference}" for reference in rule.references)


def _overview() -> Iterator[str]:
    yield from (GENERATED, "# Rules of the scan", "")
    yield from ("| rule | verdict | finds |", "|---|---|---|")
    for rule in rules().values():
        yield f"| [{rule.id}]({rule.id}.md) | {rule.verdict} | {rule.title} |"


def _formats() -> Iterator[str]:
    read, unread, nothing = (dict[str, None]() for _ in range(3))
    for kind in kinds():
        module = kind.reader.partition(":")[0].rpartition(".")[2]
        where = unread if module == "unread" else nothing if module == "nothing" else read
        where[kind.name] = None
    yield from (GENERATED.replace("the rule", "the formats"), "# Formats that the scan recognises", "")
    yield "By content alone. The name is what `format` says in the output; a file that is several things is read as each."
    for title, names, text in (
        ("Read", read, "Every part of these is read, and judged."),
        ("Recognised and not read", unread, "There is no reader yet: `unscannable`, never clean."),
        (
            "Nothing to load",
            nothing,
            "Told by their name, and clean: nothing that loads models or state reads them.",
        ),
    ):
        yield from (
            "",
            f"## {title}",
            "",
            text,
            "",
            ", ".join(f"`{name}`" for name in names if name not in read or names is read),
        )


def main(arguments: Sequence[str]) -> int:
    """Write or check."""
    return write_or_check(ROOT, pages(), arguments, tool="scan_pages", folder=PAGES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
