"""Falco's alerts as typed records, and the fields of one alert whatever form they come in.

Shapes follow Falco's `json_output` (falco.org/docs/concepts/outputs/formatting) and falcosidekick's payloads
(github.com/falcosecurity/falcosidekick, types/types.go), which add `uuid` and custom fields; some forwarders write
`outputFields`. `output_fields` holds what the rule's output names and nothing else, and any of it may be null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from eightysix.model.timestamps import to_ns

__all__ = ["MAX_TEXT", "Fields", "Record"]

MAX_TEXT = 4096
"""Longest text of a field that is looked at: PATH_MAX of include/uapi/linux/limits.h, and as much of a command line as is
read at all."""

_NULLS = frozenset({"", "<NA>", "null", "<nil>"})
"""How Falco, Go and forwarders write that a field has no value (falco.org/docs/troubleshooting/missing-fields)."""

_LONGEST_NUMBER = 20
_EARLIEST_NS, _LATEST_NS = 1_000_000_000_000_000_000, 1 << 63
"""From 2001 on: a smaller number is no time in nanoseconds."""


class Record(Struct, gc=False, rename={"camel_fields": "outputFields"}):
    """One line of Falco's output, or one payload of falcosidekick."""

    rule: str | None = None
    priority: str | int | None = None
    output: str | None = None
    source: str | None = None
    time: str | int | None = None
    hostname: str | None = None
    tags: object = None
    output_fields: dict[str, object] | None = None
    camel_fields: dict[str, object] | None = None

    @property
    def fields(self) -> Fields:
        """The fields of the alert."""
        return Fields(self.output_fields if self.output_fields is not None else self.camel_fields or {})


class Fields:
    """The fields of one alert. Text and numbers come as either, and no value in several forms."""

    __slots__ = ("_values", "call")

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values
        self.call = self.text("evt.type", longest=64)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, *names: str, longest: int = MAX_TEXT) -> str:
        """The first of `names` that has a value, as text; empty where none has or it is longer than `longest`."""
        values = self._values
        for name in names:
            value = values.get(name)
            if value is None:
                continue
            if type(value) is str:
                if value not in _NULLS:
                    return value if len(value) <= longest else ""
            elif type(value) is bool:
                return "true" if value else "false"
            elif type(value) is int and -_LATEST_NS <= value < _LATEST_NS:
                return str(value)
        return ""

    def number(self, *names: str) -> int:
        """The first of `names` that has a number, -1 where none has."""
        values = self._values
        for name in names:
            value = values.get(name)
            if value is None:
                continue
            if type(value) is int:
                if 0 <= value < _LATEST_NS:
                    return value
            elif type(value) is str and len(value) <= _LONGEST_NUMBER and value.isdigit() and value.isascii():
                return int(value)
        return -1

    def truth(self, *names: str) -> bool | None:
        """The first of `names` that says yes or no."""
        for name in names:
            value = self._values.get(name)
            if isinstance(value, bool):
                return value
            if value in ("true", "false"):
                return value == "true"
        return None

    def texts(self, name: str) -> Sequence[str]:
        """A list of texts, as one value or a list."""
        value = self._values.get(name)
        if isinstance(value, list):
            return [item for item in value[:32] if isinstance(item, str) and item not in _NULLS]
        found = self.text(name)
        return [found] if found else []

    def time_ns(self, *names: str) -> int:
        """The first of `names` that is a moment, in nanoseconds since 1970; 0 where none is. Falco writes a number or ISO
        8601, by version and configuration (`time_format_iso_8601`), under the same name."""
        for name in names:
            number = self.number(name)
            if _EARLIEST_NS <= number < _LATEST_NS:
                return number
            text = self.text(name, longest=64)
            if text:
                try:
                    return to_ns(text)
                except ValueError:
                    continue
        return 0
