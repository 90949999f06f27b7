"""Writes docs/hunt-language.md from the cases that tests run: what of Kusto runs here, and what is refused.

python -m tools.language_page            write it
python -m tools.language_page --check    write nothing, exit 1 where it is out of date
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.hunt.kusto import CASES, PAGES, Case

__all__ = ["page"]

ROOT = Path(__file__).resolve().parent.parent
FILE = "docs/hunt-language.md"

HEAD = """\
<!-- Written by tools/language_page.py; change tests/hunt/kusto.py, not this page. -->
# What of Kusto runs here

Counted over 1,265 queries of two public collections (reprise99/Sentinel-Queries, Bert-JanP/Hunting-Queries-Detection-Rules): \
every operator, aggregate and function of Kusto that four or more of them use, and its neighbours, each with the query that a \
test runs here. \
`right`: it gives what Kusto's page of it says, and the columns that Microsoft's own binder says (of whole numbers, `int` \
and `long` are one). `refused`: `hunt run` says so, by name and place, and gives no row. What stands in neither list is \
translated and right as far as duckdb-kql knows it, or refused as well; nothing is guessed. Where a right answer still \
differs is told beside it and in [hunt.md](hunt.md#where-it-differs-from-kusto). No case was run in Azure: there was no \
workspace.
"""


def page(cases: Sequence[Case] = CASES) -> str:
    """The page."""
    return "\n".join((HEAD, *_groups(cases))) + "\n"


def _groups(cases: Sequence[Case]) -> Iterator[str]:
    right = sum(one.rows is not None for one in cases)
    yield f"{right} of {len(cases)} are right, {len(cases) - right} are refused."
    for group in dict.fromkeys(one.group for one in cases):
        yield from ("", f"## {group}", "", "| | here | tested with |", "|---|---|---|")
        for one in cases:
            if one.group == group:
                here = "refused" if one.rows is None else "right"
                note = f": {one.note}" if one.note else ""
                yield f"| [{_cell(one.name)}]({PAGES}{one.page}) | {here}{note} | {_code(one.query)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("[", "\\[").replace("]", "\\]")


def _code(text: str) -> str:
    return f"`{text.removeprefix('print X = ').replace('|', chr(92) + '|')}`"


def main(arguments: Sequence[str]) -> int:
    """Write or check."""
    path = ROOT / FILE
    if path.is_file() and path.read_text(encoding="utf-8") == page():
        return 0
    print(FILE)
    if "--check" in arguments:
        return 1
    path.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
