"""Recorded runs of the lab's scenarios, as they ship: one folder each with telemetry, truth and label.

They were made by `eightysix lab record` on a real machine and scrubbed by `lab.record`; nobody edits them by hand.
"""

from __future__ import annotations

import gzip
from datetime import datetime
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec

from eightysix.lab.interface import TELEMETRY, Label, Subset
from eightysix.model.errors import UsageError

__all__ = ["SUBSETS", "TRUTH", "Recording", "names", "open_recording"]

SUBSETS: dict[Subset, tuple[str, ...]] = {
    Subset.ALL: TELEMETRY,
    Subset.KERNEL_AUDIT: ("tetragon.jsonl", "kubernetes-audit.jsonl"),
    Subset.SENSOR_AUDIT: ("sensor.jsonl", "kubernetes-audit.jsonl"),
    Subset.KERNEL: ("tetragon.jsonl",),
    Subset.SENSOR: ("sensor.jsonl",),
}
"""Which files each subset of telemetry has."""

TRUTH = "truth.jsonl"

_STAMPED = ("tetragon.jsonl", "sensor.jsonl", "kubernetes-audit.jsonl")
"""Files that say what workloads do: those that a baseline is built from."""

_MAX_TEXT = 64 << 20


class _Stamped(msgspec.Struct):
    """When a record of any of these files was made."""

    t_ns: int = 0
    time: str = ""
    request: str = msgspec.field(default="", name="requestReceivedTimestamp")


class _Mark(msgspec.Struct):
    t_ns: int
    mark: str


def _first(truth: bytes, wanted: str) -> int:
    """When a mark was first made; 0 where it never was."""
    marks = msgspec.json.Decoder(_Mark).decode_lines(truth)
    return min((mark.t_ns for mark in marks if mark.mark == wanted), default=0)


def _stamp(name: str, line: bytes) -> int:
    record = msgspec.json.decode(line, type=_Stamped)
    if name == "sensor.jsonl":
        return record.t_ns
    text = record.time or record.request
    return int(datetime.fromisoformat(text).timestamp() * 1e9)


class Recording(msgspec.Struct, frozen=True):
    """One recorded run: `files` by name as they were written, `label` beside."""

    name: str
    label: Label
    files: dict[str, bytes]

    def subset(self, subset: Subset) -> dict[str, bytes]:
        """The files that a cluster with this telemetry has."""
        return {name: text for name, text in self.files.items() if name in SUBSETS[subset]}

    def before(self, subset: Subset) -> dict[str, bytes]:
        """Of these files, what was recorded until the mark that ends the time before; empty where the label names none."""
        if not self.label.before:
            return {}
        end = _first(self.files.get(TRUTH, b""), self.label.before)
        parts = {}
        for name, text in self.subset(subset).items():
            lines = [
                line
                for line in text.splitlines(keepends=True)
                if name in _STAMPED and _stamp(name, line) < end
            ]
            if lines:
                parts[name] = b"".join(lines)
        return parts


def _folder() -> Traversable:
    return files("eightysix.lab") / "recorded"


def names() -> tuple[str, ...]:
    """The recorded scenarios, in order of their names."""
    return tuple(
        sorted(one.name for one in _folder().iterdir() if one.is_dir() and (one / "label.json").is_file())
    )


def open_recording(name: str) -> Recording:
    """Read one; raises `UsageError` where there is none of this name."""
    if name not in names():
        raise UsageError(f"no recorded run is called {name}", "`eightysix lab list` names them.")
    folder = _folder() / name
    label = msgspec.json.decode((folder / "label.json").read_bytes(), type=Label)
    texts = {}
    for one in sorted(folder.iterdir(), key=lambda one: one.name):
        if one.name.endswith(".jsonl.gz"):
            with one.open("rb") as raw, gzip.open(raw) as file:
                texts[one.name.removesuffix(".gz")] = file.read(_MAX_TEXT)
    return Recording(name, label, texts)
