"""Timesketch JSON Lines: each mark and each use of an identity as one event.

Timesketch asks for `message`, `datetime` (ISO 8601) and `timestamp_desc` (timesketch.org, import from JSON or CSV);
`timestamp` is in microseconds since 1970, `tag` a list. Other fields are text or numbers, because its index guesses types
by the first value that it sees, and none begins with an underscore, which it keeps for itself. Save it as `.jsonl`.
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.model.story import Reconstruction
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import one_line
from eightysix.report.reconstruction.rows import Row, rows
from eightysix.report.reconstruction.telling import stories_of
from eightysix.report.sarif_text import unlogged_json
from eightysix.report.story import offset

__all__ = ["FORMAT", "TimesketchFormat"]

_DESCRIPTIONS = {"mark": "Observed", "use": "Identity used"}
_OWN = ("at_ns", "datetime", "title", "detail", "time_known", "techniques", "offset_s")


class TimesketchFormat:
    """One line a mark or use, stories worst first, each by time."""

    name = "timesketch"

    def write(self, reconstruction: Reconstruction, options: RenderOptions) -> Iterator[str]:
        """One piece a line; nothing where there is nothing to tell."""
        for row in rows(stories_of(reconstruction)):
            yield unlogged_json(one_line(_event(row))) + "\n"


FORMAT = TimesketchFormat()


def _event(row: Row) -> dict[str, object]:
    told = f": {row.detail}" if row.detail else ""
    event: dict[str, object] = {
        "message": f"{offset(row.offset_s)} {row.title}{told}",
        "datetime": row.datetime,
        "timestamp": row.at_ns // 1000,
        "timestamp_desc": _DESCRIPTIONS[row.what] if row.time_known else "Not told: time of the story",
        "tag": _tags(row),
        "data_type": f"eightysix:reconstruction:{row.what}",
        "offset_s": row.offset_s if abs(row.offset_s) < float("inf") else 0.0,
        "technique": row.techniques,
    }
    rest = {name: getattr(row, name) for name in row.__struct_fields__ if name not in _OWN}
    return event | {name: value for name, value in rest.items() if value != ""}


def _tags(row: Row) -> list[str]:
    """Words of ours alone: a tag is a button in Timesketch."""
    tags = ["eightysix", row.what, f"verdict-{row.verdict}"]
    tags += [f"stage-{row.stage}"] if row.stage else []
    tags += row.techniques.split()
    tags += ["foreign-address"] if row.foreign == "yes" else []
    tags += ["refused"] if row.outcome == "denied" else []
    return tags
