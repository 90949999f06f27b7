"""The names that templates may use, and those that lead out of a template into Python."""

from __future__ import annotations

import types
from collections.abc import Iterator

__all__ = [
    "ATTRIBUTE_FIRST",
    "ATTRIBUTE_NAMED",
    "COMPARED",
    "FILTERS",
    "FUNCTIONS",
    "LOADING",
    "METHODS",
    "OWN_METHODS",
    "SPECIAL",
    "TESTS",
    "dunders",
    "fields",
    "internal",
    "spelled",
]

_DATA = (str, bytes, list, tuple, dict, set, frozenset, int, float, bool)
METHODS = frozenset(name for kind in _DATA for name in dir(kind) if not name.startswith("_"))
"""Methods of plain values."""

INTERNAL = (
    frozenset(
        name
        for kind in (
            *(
                type,
                object,
                types.FunctionType,
                types.MethodType,
                types.BuiltinFunctionType,
                types.GeneratorType,
            ),
            *(
                types.CoroutineType,
                types.AsyncGeneratorType,
                types.CodeType,
                types.FrameType,
                types.TracebackType,
            ),
            types.ModuleType,
        )
        for name in dir(kind)
    )
    | frozenset(
        "func_closure func_code func_defaults func_globals im_class im_func im_self".split()
    )  # Python 2
    | {"__globals__", "__builtins__", "__subclasses__", "__import__", "__base__", "__bases__", "__mro__"}
) - METHODS
"""Attributes of functions, types, frames and code."""

REACHING = frozenset(name for name in INTERNAL if name.startswith("_") or "_" in name or name == "mro")

FUNCTIONS = frozenset(
    "range dict namespace cycler joiner raise_exception strftime_now caller loop super".split()
)
"""What may be called by name: Jinja's own (docs, "List of Global Functions", without lipsum) and the two that Hugging
Face transformers adds (chat_template_utils)."""

SPECIAL = frozenset("lipsum cycler joiner namespace self range dict request config".split())
"""Names behind which objects with a way out stand: only ever called, never looked into."""

OWN_METHODS = frozenset({"cycle", "changed", "next", "reset", "strftime", "isoformat"})
"""Methods of `loop`, `cycler` and dates."""

FILTERS = frozenset(
    "abs attr batch capitalize center count d default dictsort e escape filesizeformat first float forceescape format "
    "groupby indent int items join last length list lower map max min pprint random reject rejectattr replace reverse "
    "round safe select selectattr slice sort string striptags sum title tojson trim truncate unique upper urlencode "
    "urlize wordcount wordwrap xmlattr from_json fromjson".split()
)
"""Jinja's documentation, "List of Builtin Filters"; the last two are offered by chat servers."""

TESTS = frozenset(
    "boolean callable defined divisibleby eq equalto escaped even false filter float ge greaterthan gt in integer iterable "
    "le lessthan lower lt mapping ne none None number odd sameas sequence string test true upper undefined".split()
)
"""Jinja's documentation, "List of Builtin Tests"."""

ATTRIBUTE_FIRST = frozenset({"selectattr", "rejectattr", "groupby"})
ATTRIBUTE_NAMED = frozenset({"map", "sort", "sum", "unique", "min", "max", "groupby", "join"})
LOADING = frozenset({"include", "import", "extends", "from"})

COMPARED = frozenset({"==", "!=", "<", ">", "<=", ">="})
"""Tests that are named by an operator."""


def internal(name: str) -> bool:
    """True for a name that leads into Python."""
    if name in REACHING or (len(name) > 4 and name.startswith("__") and name.endswith("__")):
        return True
    return (
        name.startswith("_") and "__" in name[1:-1]
    )  # `_TemplateReference__context`: a class's private name


def dunders(text: str) -> Iterator[str]:
    """The words in `text` that begin with two underscores or are frames' and code's attributes."""
    word: list[str] = []
    if "_" not in text and "mro" not in text:
        return
    for letter in text + " ":
        if letter.isalnum() or letter == "_":
            word.append(letter)
        elif word:
            name = "".join(word)
            word = []
            if name in REACHING and (name.startswith("__") or name[2:3] == "_"):
                yield name


def fields(text: str) -> Iterator[str]:
    """The parts of a format between braces."""
    for piece in text.split("{")[1:]:
        yield piece.partition("}")[0]


def spelled(source: str) -> bool:
    """Whether an escape in a string's source stands for a letter, a digit or an underscore of ASCII."""
    place = source.find("\\")
    while 0 <= place < len(source) - 1:
        mark = source[place + 1]
        width = {"x": 2, "u": 4, "U": 8}.get(mark, 0)
        digits = source[place + 2 : place + 2 + width]
        if mark == "N":
            return True
        if mark in "01234567":
            digits, base = source[place + 1 : place + 4], 8
        else:
            base = 16
        if width or mark in "01234567":
            number = _whole(digits, base)
            if 0 < number < 128 and (chr(number).isalnum() or chr(number) == "_"):
                return True
        place = source.find("\\", place + 2)
    return False


def _whole(digits: str, base: int) -> int:
    while digits:
        try:
            return int(digits, base)
        except ValueError:
            digits = digits[:-1]
    return 0
