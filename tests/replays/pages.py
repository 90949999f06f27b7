"""Writes the table of docs/replays.md from the truth about the replays: `python -m tests.replays.pages` (or `--check`)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.replays.label import REPLAYS, SUBSETS, Replay

__all__ = ["PAGE", "table_of"]

ROOT = Path(__file__).resolve().parents[2]
PAGE = "docs/replays.md"
BEGIN, END = "<!-- replays:begin -->\n", "<!-- replays:end -->\n"


def table_of(replays: Mapping[str, Replay]) -> str:
    """The table: a breach a line, what landed, and the verdict of each subset."""
    lines = [
        "| breach | what landed | " + " | ".join(SUBSETS) + " |",
        "|---|---|" + "---|" * len(SUBSETS),
    ]
    for name in sorted(replays):
        story = replays[name]().story
        verdicts = " | ".join(
            f"`{story.verdicts[subset]}`" if story.verdicts[subset] != "none" else "nothing"
            for subset in SUBSETS
        )
        lines.append(f"| [{name}](../examples/replays/{name}/README.md) | {story.landed} | {verdicts} |")
    lines.append("")
    lines += [
        f"- **{name}**: {story.short}." for name in sorted(replays) if (story := replays[name]().story).short
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write, or with `--check` exit with 1 where the page is not as it would be written."""
    path = ROOT / PAGE
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    wanted = before + BEGIN + table_of(REPLAYS) + END + rest.partition(END)[2]
    if text != wanted and "--check" in arguments:
        print(PAGE, file=sys.stderr)
        return 1
    path.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    import tests.replays  # noqa: F401 - registers them

    sys.exit(main(sys.argv[1:]))
