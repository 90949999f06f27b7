"""`incidents/v1` as JSON: the whole report, lossless, the same bytes for the same report.

Characters that could act on a terminal or reorder its lines are written as `\\uXXXX`, which means the same to every
JSON parser. A lone surrogate has no UTF-8 and no parser agrees on its escape, so it becomes the visible text `\\udc80`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from eightysix.model.errors import StateError
from eightysix.model.incident import Counts, Coverage, Incident, Report
from eightysix.report.inert import is_harmless
from eightysix.report.interface import RenderOptions, worst_first

__all__ = ["FORMAT", "JsonFormat", "decode_incident", "encode_incident"]


class _Document(msgspec.Struct, frozen=True):
    """The order of the keys at the top: what it is, what was found, what could be seen."""

    schema: str
    incidents: list[Incident]
    coverage: Coverage
    counts: Counts
    activity: dict[str, int]


class JsonFormat:
    """Pretty-printed JSON, two spaces deep, ending with a newline. `options` change nothing."""

    name = "json"

    def write(self, report: Report, options: RenderOptions) -> Iterator[str]:
        """One piece, because the encoder needs the whole document."""
        document = _Document(
            report.schema, worst_first(report.incidents), report.coverage, report.counts, report.activity
        )
        text = msgspec.json.format(_encode(document), indent=2).decode()
        yield _harmless(text) + "\n"


FORMAT = JsonFormat()


def encode_incident(incident: Incident) -> bytes:
    """One incident on one line, as in the list of the document."""
    try:
        data = msgspec.json.encode(incident, order="deterministic")
    except UnicodeEncodeError:
        data = msgspec.json.encode(_without_surrogates(msgspec.to_builtins(incident, order="deterministic")))
    return _harmless(data.decode()).encode()


def decode_incident(data: bytes) -> Incident:
    """Read what `encode_incident` wrote; raises `StateError` where it is something else."""
    try:
        return _decode_incident(data)
    except msgspec.MsgspecError as error:
        raise StateError(
            f"a stored incident cannot be read: {error}", "move the state away; it is rebuilt"
        ) from error


_decode_incident = msgspec.json.Decoder(Incident).decode


def _encode(document: _Document) -> bytes:
    # NOTE: "deterministic" sorts dictionaries and leaves the fields of structs in the order of the contract.
    try:
        return msgspec.json.encode(document, order="deterministic")
    except UnicodeEncodeError:
        builtins = msgspec.to_builtins(document, order="deterministic")
        return msgspec.json.encode(_without_surrogates(builtins))


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _harmless(text: str) -> str:
    """JSON `text` with what is not harmless escaped: such characters occur only inside of its strings."""
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(
        character if character == "\n" or is_harmless(character) else _json_escape(character)
        for character in text
    )


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
