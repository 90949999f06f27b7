"""Files of JSON Lines for whatever picks them up: a log shipper, a SIEM's agent, a lake. One line a revision."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from eightysix.model.errors import UsageError
from eightysix.model.incident import Incident
from eightysix.report.incident_json import incident_line
from eightysix.report.ocsf import finding_line
from eightysix.serve.deliver.appending import append_lines
from eightysix.serve.deliver.interface import Delivery

__all__ = ["LinesSink", "open_sink"]


class LinesSink:
    """Appends to one file; on the disk when `send` returns."""

    batch = 256

    def __init__(self, kind: str, path: str, line: Callable[[Incident], str]) -> None:
        self.name = f"{kind}:{path}"
        self._path = path
        self._line = line

    def send(self, items: Sequence[Delivery]) -> None:
        """Write all `items` or none of them."""
        append_lines(self._path, [self._line(item.incident) for item in items], self.name)

    def close(self) -> None:
        """The file is closed after each write."""


def open_sink(kind: str, target: str, environment: Mapping[str, str]) -> LinesSink:  # noqa: ARG001  as all sinks
    """`jsonl:FILE` or `ocsf:FILE`; the folder must be there."""
    folder = os.path.dirname(target) or "."
    if not os.path.isdir(folder):
        raise UsageError(f"{kind}: there is no folder {folder}", "make it first")
    return LinesSink(kind, target, finding_line if kind == "ocsf" else incident_line)
