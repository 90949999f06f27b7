"""One line of a Sigma selection (`field|modifier: values`): checked, then handed to the matcher of its kind.

The modifiers are those of Sigma's Modifiers Appendix 2.1.0 (2025-08-02) that compare: `contains`, `startswith`,
`endswith`, `all`, `cased`, `exists`, `neq`, `gt`, `gte`, `lt`, `lte`, `cidr`.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from typing import Final

from eightysix.detect.fieldnames import FIELD_BY_NAME, Field, FieldType, nearest
from eightysix.detect.rule import Possible
from eightysix.detect.sigma import glob, matchers
from eightysix.detect.sigma.parts import Matcher, Part, Truth

__all__ = ["MAX_TEXT", "MAX_VALUES", "ItemError", "compile_item"]

MAX_VALUES: Final = 2048
"""Most values of a detection. Plain texts become a set, patterns are tried one by one."""

MAX_TEXT: Final = 1024
"""Longest text value: Linux paths end at 4096, but no rule needs to spell one out."""

_MAX_WILDCARDS: Final = 16
_PLACES: Final = {"contains": "contains", "startswith": "starts with", "endswith": "ends with"}
_COMPARISONS: Final = {"gt": "is above", "gte": "is at least", "lt": "is below", "lte": "is at most"}
_OPERATORS: Final = frozenset({*_COMPARISONS, *_PLACES, "exists", "cidr"})
_ON_TEXT: Final = frozenset({*_PLACES, "all", "cased", "neq", "exists"})
_BY_TYPE: Final[Mapping[FieldType, frozenset[str]]] = {
    FieldType.TEXT: _ON_TEXT,
    FieldType.TEXTS: _ON_TEXT,
    FieldType.ADDRESS: _ON_TEXT | {"cidr"},
    FieldType.NUMBER: frozenset({*_COMPARISONS, "neq", "exists"}),
    FieldType.BOOL: frozenset({"exists"}),
}
_KNOWN: Final = frozenset().union(*_BY_TYPE.values())
_ENCODINGS: Final = ("base64", "base64offset", "utf16", "utf16le", "utf16be", "wide")
_DATE_PARTS: Final = ("minute", "hour", "day", "week", "month", "year")
_REFUSED: Final[Mapping[str, str]] = {
    "re": "a regular expression can take time that is not linear in the attacker's text: use wildcards or 'contains'",
    "windash": "it is about command lines of Windows",
    "expand": "there is nothing to fill placeholders from",
    "fieldref": "code computes such fields: compare one with a value",
    **dict.fromkeys(_ENCODINGS, "facts are already decoded: compare with the plain value"),
    **dict.fromkeys(_DATE_PARTS, "facts have no dates"),
}


class ItemError(Exception):
    """One line of a selection that is wrong; `index` is the place in a list of values, `at_key` blames the key."""

    def __init__(
        self, what: str, advice: str = "", *, index: int | None = None, at_key: bool = False
    ) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice
        self.index = index
        self.at_key = at_key


def compile_item(key: str, value: object) -> Part:
    """Compile `key: value` of a selection; raises `ItemError`."""
    name, *modifiers = key.split("|")
    field = FIELD_BY_NAME.get(name)
    if field is None:
        guess = nearest(name, FIELD_BY_NAME)
        what = (
            f"unknown field {name!r}" if name else "keyword search is not supported: facts have no full text"
        )
        raise ItemError(
            what, f"did you mean {guess!r}?" if guess else "FIELDS.md lists the fields", at_key=True
        )
    _check_modifiers(field, modifiers)
    line = _Line(field, modifiers, value)
    matches, words = line.compile()
    if "neq" in modifiers:
        matches, words = _opposite(matches), f"not ({words})"
    return Part(matches, _truth(name, field, matches), words)


def _truth(name: str, field: Field, matches: Matcher) -> Truth:
    """What the possible values of the field say about the test. A field of several texts holds any selection of them, so
    it is tried with none, with each alone and with all together; between those, every test of Sigma is monotone."""
    several = field.type is FieldType.TEXTS

    def truth(possible: Possible) -> bool | None:
        values = possible.get(name)
        if values is None:
            return None
        tried: list[object] = (
            [(), *((value,) for value in values), tuple(values)] if several else list(values)
        )
        found = {matches({name: value}) for value in tried}
        return found.pop() if len(found) == 1 else None

    return truth


def _opposite(matches: Matcher) -> Matcher:
    return lambda facts: not matches(facts)


def _check_modifiers(field: Field, modifiers: list[str]) -> None:
    for modifier in modifiers:
        if modifier in _REFUSED:
            raise ItemError(f"modifier {modifier!r} is not supported", _REFUSED[modifier], at_key=True)
        if modifier not in _KNOWN:
            guess = nearest(modifier, _KNOWN)
            advice = (
                f"did you mean {guess!r}?" if guess else f"it takes {', '.join(sorted(_BY_TYPE[field.type]))}"
            )
            raise ItemError(f"unknown modifier {modifier!r}", advice, at_key=True)
        if modifier not in _BY_TYPE[field.type]:
            what = f"modifier {modifier!r} does not fit {field.name!r}, which holds {field.type}"
            raise ItemError(what, f"it takes {', '.join(sorted(_BY_TYPE[field.type]))}", at_key=True)
    given = set(modifiers)
    if len(given) < len(modifiers):
        raise ItemError("a modifier is given twice", "remove one", at_key=True)
    clash = (
        len(given & _OPERATORS) > 1
        or ("exists" in given and len(given) > 1)
        or ("cidr" in given and bool(given - {"cidr", "neq"}))
        or {"neq", "all"} <= given
    )
    if clash:
        raise ItemError(
            f"modifiers {'|'.join(modifiers)!r} do not go together", "use a selection for each", at_key=True
        )


class _Line:
    """A line whose field and modifiers are sound; what is left to check are the values."""

    def __init__(self, field: Field, modifiers: list[str], value: object) -> None:
        self.field = field
        self.modifiers = modifiers
        self.listed = isinstance(value, list)
        self.values: list[object] = list(value) if isinstance(value, list) else [value]
        self.operator = next((modifier for modifier in modifiers if modifier in _OPERATORS), "")

    def compile(self) -> tuple[Matcher, str]:
        """The matcher and its words; `neq` is left to the caller."""
        self._check()
        name, values = self.field.name, self.values
        if self.operator == "exists":
            return matchers.told(
                name, wanted=bool(values[0])
            ), f"{name} is {'told' if values[0] else 'not told'}"
        if self.operator == "cidr":
            networks = [self._network(index, value) for index, value in enumerate(values)]
            return matchers.inside(name, networks), f"{name} is inside {_listed(values)}"
        if self.field.type is FieldType.NUMBER:
            return self._number()
        if self.field.type is FieldType.BOOL:
            self._expect(bool, "is true or false", "write true or false, without quotes")
            return matchers.same(name, values), f"{name} is {_listed(values)}"
        return self._text()

    def _fail(self, what: str, advice: str = "", index: int = 0) -> ItemError:
        return ItemError(what, advice, index=index if self.listed else None)

    def _check(self) -> None:
        if not self.values:
            raise ItemError("an empty list matches nothing", "give at least one value")
        if self.listed and (self.operator in _COMPARISONS or self.operator == "exists"):
            raise ItemError(f"{self.operator!r} takes one value, not a list")
        if "all" in self.modifiers and len(self.values) < 2:
            raise ItemError(
                "'all' needs at least two values", "remove it: one value needs no 'all'", at_key=True
            )
        for index, value in enumerate(self.values):
            if value is not None and not isinstance(value, str | int | float):
                raise self._fail(
                    "a text, number, bool or null is expected", "lists and maps do not nest here", index
                )
            if isinstance(value, str) and len(value) > MAX_TEXT:
                raise self._fail(
                    f"longer than {MAX_TEXT} characters", "use a shorter part with 'contains'", index
                )
            if value is None and set(self.modifiers) - {"neq", "cased"}:
                raise self._fail(
                    "null does not go with these modifiers", "put it in a selection of its own", index
                )
            if self.operator == "exists" and not isinstance(value, bool):
                raise ItemError("'exists' takes true or false")

    def _expect(self, kind: type, what: str, advice: str) -> None:
        for index, value in enumerate(self.values):
            if value is not None and not isinstance(value, kind):
                raise self._fail(f"{self.field.name!r} {what}", advice, index)

    def _number(self) -> tuple[Matcher, str]:
        for index, value in enumerate(self.values):
            if isinstance(value, bool | str) or (isinstance(value, float) and not math.isfinite(value)):
                raise self._fail(
                    f"{self.field.name!r} holds a number", "write it in digits, without quotes", index
                )
        if self.operator:
            words = f"{self.field.name} {_COMPARISONS[self.operator]} {self.values[0]}"
            return matchers.compared(self.field.name, self.operator, self.values[0]), words
        return matchers.number(self.field.name, self.values), f"{self.field.name} is {_listed(self.values)}"

    def _network(self, index: int, value: object) -> matchers.Network:
        try:
            return ipaddress.ip_network(str(value))
        except ValueError:
            pass
        try:
            advice = f"did you mean '{ipaddress.ip_network(str(value), strict=False)}'?"
        except ValueError:
            advice = "write it like 10.0.0.0/8 or fd00::/8"
        raise self._fail(f"{value!r} is no network", advice, index)

    def _text(self) -> tuple[Matcher, str]:
        field, cased = self.field, "cased" in self.modifiers
        patterns = [self._pattern(index, value) for index, value in enumerate(self.values)]
        verb = _PLACES.get(self.operator, "is")
        if "all" in self.modifiers:
            each = [matchers.text(field, [pattern], cased=cased) for pattern in patterns]
            return matchers.every(each), f"{field.name} {verb} all of ({', '.join(map(_shown, self.values))})"
        return matchers.text(field, patterns, cased=cased), f"{field.name} {verb} {_listed(self.values)}"

    def _pattern(self, index: int, value: object) -> glob.Pattern | None:
        """The pattern of one value, None for "not told"."""
        if value is None or (value == "" and not self.operator):
            return None
        name = self.field.name
        if not isinstance(value, str):
            raise self._fail(f"{name!r} holds text", f"put it in quotes: '{_shown(value)}'", index)
        before = (glob.ANY_RUN,) if self.operator in ("contains", "endswith") else ()
        after = (glob.ANY_RUN,) if self.operator in ("contains", "startswith") else ()
        pattern = glob.squeeze((*before, *glob.parse(value), *after))
        if pattern == (glob.ANY_RUN,):
            raise self._fail("matches every text", f"write '{name}|exists: true'", index)
        if sum(isinstance(item, glob.Wildcard) for item in pattern) > _MAX_WILDCARDS:
            raise self._fail(f"more than {_MAX_WILDCARDS} wildcards", "write several shorter values", index)
        if self.field.values and not matchers.allowed(self.field, pattern, cased="cased" in self.modifiers):
            known = [spelling for spelling, _ in self.field.values]
            guess = nearest(value, known)
            advice = f"did you mean {guess!r}?" if guess else f"it is one of {', '.join(known)}"
            raise self._fail(f"{name!r} is never {value!r}", advice, index)
        return pattern


def _listed(values: list[object]) -> str:
    return _shown(values[0]) if len(values) == 1 else f"one of ({', '.join(map(_shown, values))})"


def _shown(value: object) -> str:
    if value is None or value == "":
        return "not told"
    return str(value).lower() if isinstance(value, bool) else str(value)
