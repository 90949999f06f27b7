"""Documents of YAML as plain values: manifests and rendered charts, which anybody may have written.

Documents are cut at lines that begin with `---`, as kubectl cuts them, so that a broken one costs itself alone. They are
read from the parser's events: composing recurses in C, and nested brackets cost it minutes. Anchors and aliases are
allowed, as charts have them; what an alias stands for counts as often as it is named, so a bomb meets the bound before
anything grows. Tags construct nothing: a document with one other than YAML's own is refused.

Scalars mean what YAML 1.1 and Kubernetes' own reader make of them, in so far as objects have them: texts, numbers, true and
false in their many spellings. A null member is left out, as the API server does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml

__all__ = ["MAX_DEPTH", "MAX_NODES", "MAX_TEXT", "Document", "read_documents"]

MAX_DEPTH: Final = 64
"""Deepest nesting. A CronJob's deepest member is at 16; schemas of custom resources reach 50."""

MAX_NODES: Final = 1_000_000
"""Values of one document, those behind aliases counted each time. 1,000 pods as one list have some 200,000."""

MAX_TEXT: Final = 64 << 20
"""Characters of one document, those behind aliases counted each time: twice the largest file that is read."""

_MAX_DIGITS: Final = 18  # fits in 64 bits
_TRUE: Final = frozenset({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})
_FALSE: Final = frozenset({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OWN_TAGS: Final = "tag:yaml.org,2002:"
_PLAIN_TAGS: Final = frozenset({"str", "int", "float", "bool", "null", "map", "seq"})
_MERGE: Final = "<<"
_UNRENDERED: Final = "a template that is not rendered yet: helm template, then give what it prints"


class Document(NamedTuple):
    """One document: its first line, and its value or why there is none. `begins` is the line where it says something, after
    separators and comments."""

    line: int
    value: Any
    fault: str = ""
    begins: int = 0


class _Refused(Exception):  # noqa: N818 - ends a document
    pass


def read_documents(data: bytes, line: int = 1) -> Iterator[Document]:
    """The documents in `data`; those with nothing in them are left out. Never raises."""
    for first, part in _parts(data, line):
        try:
            text = part.decode("utf-8-sig")
        except UnicodeDecodeError:
            yield Document(first, None, "not UTF-8")
            continue
        try:
            value = _Builder().document(text)
        except _Refused as refused:
            yield Document(first, None, _UNRENDERED if b"{{" in part else str(refused))
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            yield Document(first, None, _UNRENDERED if b"{{" in part else _why(error))
        else:
            if value is not None:
                yield Document(first, value, begins=first + _before(part))


def _parts(data: bytes, line: int) -> Iterator[tuple[int, bytes]]:
    """Parts between lines that begin with `---`, with the number of the line that each begins in."""
    start = position = 0
    first = line
    while position >= 0:
        if data.startswith(b"---", position) and data[position + 3 : position + 4] in (
            b"",
            b" ",
            b"\t",
            b"\n",
            b"\r",
        ):
            if not _empty(data[start:position]):
                yield first, data[start:position]
            first += data.count(b"\n", start, position)
            start = position
        after = data.find(b"\n---", position)
        position = after + 1 if after >= 0 else -1
    if not _empty(data[start:]):
        yield first, data[start:]


def _before(part: bytes) -> int:
    """How many lines of comments and separators stand before what the document says."""
    passed = position = 0
    while position >= 0:
        end = part.find(b"\n", position)
        words = part[position : end if end >= 0 else None].strip()
        if words and words != b"---" and not words.startswith((b"#", b"%")):
            return passed
        passed, position = passed + 1, end + 1 if end >= 0 else -1
    return 0


def _empty(part: bytes) -> bool:
    """Whether there are only comments, directives and separators."""
    if len(part) > 1 << 16:
        return False
    return all(
        not (words := row.strip()) or words.startswith((b"#", b"%")) or words == b"---"
        for row in part.split(b"\n")
    )


def _why(error: Exception) -> str:
    """What is wrong and where, without what is written there."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark
        place = f" at line {mark.line + 1} of the document" if mark is not None else ""
        problem = str(error.problem or "damaged")[:80]
        return f"not YAML{place}: {problem}"
    return (
        "not YAML: a character that YAML does not allow" if isinstance(error, yaml.YAMLError) else "not YAML"
    )


class _Builder:
    """Values of one document. A stack instead of recursion: what is open, with the key that waits for its value."""

    def __init__(self) -> None:
        self._count = 0
        self._text = 0
        self._anchors: dict[str, tuple[Any, int, int]] = {}
        self._open: list[tuple[dict[str, Any] | list[Any], str | None, int, int]] = []
        self._keys: list[Any] = []
        self._found: Any = None

    def document(self, text: str) -> Any:
        events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        for event in events:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._weigh(1, len(event.value))
                value = _scalar(event)
                if event.anchor:
                    self._anchors[event.anchor] = (value, 1, len(event.value))
                self._put(value, event.value)
            elif kind in (yaml.MappingStartEvent, yaml.SequenceStartEvent):
                self._begin(event, kind is yaml.MappingStartEvent)
            elif kind in (yaml.MappingEndEvent, yaml.SequenceEndEvent):
                self._end()
            elif kind is yaml.AliasEvent:
                if event.anchor not in self._anchors:
                    raise _Refused("an alias without its anchor, or within it")
                value, weight, text_in_it = self._anchors[event.anchor]
                self._weigh(weight, text_in_it)
                self._put(value, value if isinstance(value, str) else None)
            elif kind is yaml.DocumentEndEvent:
                break
        return self._found

    def _weigh(self, more: int, text: int = 0) -> None:
        self._count += more
        self._text += text
        if self._text > MAX_TEXT:
            raise _Refused(f"more than {MAX_TEXT >> 20} MiB of text, that behind aliases among it")
        if self._count > MAX_NODES:
            raise _Refused(f"more than {MAX_NODES} values, those behind aliases among them")

    def _begin(self, event: Any, mapping: bool) -> None:
        _check_tag(event.tag)
        self._weigh(1)
        if len(self._open) >= MAX_DEPTH:
            raise _Refused(f"nested more than {MAX_DEPTH} deep")
        if self._keys and self._keys[-1] is _WAITING:
            raise _Refused("a key that is no text")
        self._open.append(({} if mapping else [], event.anchor, self._count, self._text))
        self._keys.append(_WAITING if mapping else None)

    def _end(self) -> None:
        value, anchor, before, text_before = self._open.pop()
        self._keys.pop()
        if isinstance(value, dict):
            _merge(value)
        if anchor:
            self._anchors[anchor] = (value, self._count - before + 1, self._text - text_before)
        self._put(value, None)

    def _put(self, value: Any, as_key: str | None) -> None:
        if not self._open:
            self._found = value
            return
        container = self._open[-1][0]
        if isinstance(container, list):
            container.append(value)
            return
        key = self._keys[-1]
        if key is _WAITING:
            if as_key is None:
                raise _Refused("a key that is no text")
            if as_key in container:
                raise _Refused("a key that stands twice in one map")
            self._keys[-1] = as_key
            return
        container[key] = value
        self._keys[-1] = _WAITING


_WAITING: Final = object()


def _merge(value: dict[str, Any]) -> None:
    """Resolve `<<`, whose members give way to the map's own; and leave nulls out."""
    merged = value.pop(_MERGE, None)
    for other in merged if isinstance(merged, list) else [merged]:
        if isinstance(other, dict):
            for key, member in other.items():
                value.setdefault(key, member)
        elif other is not None:
            raise _Refused("`<<` with something that is no map")
    for key in [key for key, member in value.items() if member is None]:
        del value[key]


def _check_tag(tag: str | None) -> None:
    if tag and tag != "!" and not (tag.startswith(_OWN_TAGS) and tag.removeprefix(_OWN_TAGS) in _PLAIN_TAGS):
        raise _Refused("a tag, which objects of Kubernetes never have")


def _scalar(event: Any) -> Any:
    """The value of a scalar. What is quoted, or has the tag of texts, is a text."""
    _check_tag(event.tag)
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    return _number(text)


def _number(text: str) -> int | float | str:
    digits = text[1:] if text[:1] in ("-", "+") else text
    if digits.isdecimal() and digits.isascii():
        if len(digits) > _MAX_DIGITS:
            return text
        octal = digits[0] == "0" and len(digits) > 1
        if octal and not set(digits) <= set("01234567"):
            return text
        return int(text, 8 if octal else 10)
    if digits[:2] in ("0x", "0o", "0b") and len(digits) <= _MAX_DIGITS:
        try:
            return int(text, 0)
        except ValueError:
            return text
    if (
        digits[:1].isdecimal()
        and digits.isascii()
        and set(digits) <= set("0123456789.eE+-")
        and len(digits) <= 32
    ):
        try:
            number = float(text)
        except ValueError:
            return text
        return number if abs(number) < 1e300 else text
    return text
