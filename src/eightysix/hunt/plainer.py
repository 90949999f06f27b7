"""Translated SQL with the choices by type made that its text decides, and tests that DuckDB can hand to its scans.

The translator does not know types, so it writes every way that a value could go. Here the types of the tables are known, and
are followed from step to step (`Shapes`); where one is not sure, the choice stays. In a filter, what is unknown counts as
false, so `coalesce(x = 'a', FALSE)` is `x = 'a'`, which a scan tests on the blocks that it reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from eightysix.hunt.dispatch import EMPTY, SOME, TEXT, choice
from eightysix.hunt.kinds import Names, kind_of
from eightysix.hunt.sqltext import bare, closing, end_of_quoted, find_code, split, words

__all__ = ["filtered", "plain"]

_TYPEOF = "CASE WHEN typeof("
_KINDS = (" = '", " <> '")
_MEMBERS = "list_contains(CAST(CAST('"
_MEMBERS_END = " AS JSON) AS VARCHAR[]), CAST("
_ITEM = "json_extract("
_ITEM_END = " ->> '$'"
_MAX_MEMBERS = 1_000

_FALSE = ", FALSE)"
_BOTH_NULL = " THEN NULL ELSE coalesce("


def plain(text: str, names: Names) -> str:
    """The expression (or list of them) `text`, with what its types decide decided."""
    for rewrite in (_calls, _choices, _members, _items, _patterns):
        text = rewrite(text, names)
    return text


_Change = Callable[[str, int, Names], tuple[str, int] | None]
"""What stands instead of the code that begins at a place, and the place behind that code."""


def _replaced(text: str, opening: str, names: Names, change: _Change) -> str:
    """`text` with what `change` makes of each place where `opening` stands."""
    out: list[str] = []
    at = 0
    while True:
        start = find_code(text, opening, at)
        if start < 0:
            out.append(text[at:])
            return "".join(out)
        out.append(text[at:start])
        made = change(text, start, names)
        if made is None:
            out.append(opening)
            at = start + len(opening)
        else:
            out.append(made[0])
            at = made[1]


def _calls(text: str, names: Names) -> str:
    for call in (EMPTY, SOME, TEXT):
        text = _replaced(text, call, names, _call)
    return text


def _call(text: str, start: int, names: Names) -> tuple[str, int] | None:
    call = next(one for one in (EMPTY, SOME, TEXT) if text.startswith(one, start))
    end = closing(text, start + len(call))
    value = plain(text[start + len(call) : end], names)
    kind = kind_of(value, names)
    if kind == "VARCHAR":
        said = value if _never_null(value) else f"coalesce({value}, '')"
    elif kind == "JSON":
        said = f"coalesce({value} ->> '$', '')"
    else:
        said = choice(value)
    if call != TEXT:
        said = f"({said} {'=' if call == EMPTY else '<>'} '')"
    return said, end + 1


def _never_null(value: str) -> bool:
    value = bare(value)
    if value.startswith("'"):
        return end_of_quoted(value, 0) == len(value)
    if value.startswith("concat("):
        return closing(value, len("concat(")) == len(value) - 1
    end = closing(value, len("coalesce(")) if value.startswith("coalesce(") else -1
    return end == len(value) - 1 and value.endswith(", '')")


def _choices(text: str, names: Names) -> str:
    return _replaced(text, _TYPEOF, names, _choice)


def _choice(text: str, start: int, names: Names) -> tuple[str, int] | None:
    """`CASE WHEN typeof(X) = 'JSON' THEN A ELSE B END` as A or B."""
    first = start + len(_TYPEOF)
    end = closing(text, first)
    if end < 0:
        return None
    sign = next((one for one in _KINDS if text.startswith(one, end + 1)), None)
    kind = kind_of(text[first:end], names)
    if sign is None or kind is None:
        return None
    quote = end + len(sign)
    stop = end_of_quoted(text, quote)
    found = _case(text, start)
    if found is None:
        return None
    then, other, whole = found
    same = (text[quote:stop] == f"'{kind}'") is (sign == _KINDS[0])
    if same and text.startswith(" THEN ", stop):
        taken = then
    elif not same and (text.startswith(" THEN ", stop) or text.startswith(" AND ", stop)):
        taken = other
    else:
        return None
    return plain(taken, names), whole


def _case(text: str, start: int) -> tuple[str, str, int] | None:
    """The two values of the CASE that begins at `start`, and the place behind it; None where it has more."""
    inside = start + len("CASE ")
    found = [one for one in words(text, inside, to_end=True) if one[0] in ("WHEN", "THEN", "ELSE", "END")]
    if [word for word, _, _ in found] != ["WHEN", "THEN", "ELSE", "END"]:
        return None
    _, (_, _, then), (_, other, other_end), (_, last, end) = found
    return text[then:other].strip(), text[other_end:last].strip(), end


def _members(text: str, names: Names) -> str:
    return _replaced(text, _MEMBERS, names, _member)


def _member(text: str, start: int, names: Names) -> tuple[str, int] | None:
    """Membership in a written list of texts as IN: a scan knows that."""
    quote = start + len(_MEMBERS) - 1
    stop = end_of_quoted(text, quote)
    if not text.startswith(_MEMBERS_END, stop):
        return None
    first = stop + len(_MEMBERS_END)
    end = closing(text, first)
    value = text[first:end].removesuffix(" AS VARCHAR")
    if not text.startswith("))", end) or kind_of(value, names) != "VARCHAR":
        return None
    try:
        listed = json.loads(text[quote + 1 : stop - 1].replace("''", "'"))
    except ValueError:
        return None
    if not isinstance(listed, list) or not 0 < len(listed) <= _MAX_MEMBERS:
        return None
    if not all(isinstance(one, str) and one.isprintable() for one in listed):
        return None
    written = ", ".join("'" + one.replace("'", "''") + "'" for one in listed)
    return f"({value} IN ({written}))", end + 2


def _items(text: str, names: Names) -> str:
    return _replaced(text, _ITEM, names, _item)


def _item(text: str, start: int, names: Names) -> tuple[str, int] | None:
    """`json_extract(D, '$.a') ->> '$'` as `D ->> '$.a'`: read once instead of twice."""
    end = closing(text, start + len(_ITEM))
    if end < 0 or not text.startswith(_ITEM_END, end + 1):
        return None
    value, comma, path = text[start + len(_ITEM) : end].rpartition(", ")
    whole = path.startswith("'$") and end_of_quoted(path, 0) == len(path)
    if not comma or not whole or "*" in path or kind_of(value, names) != "JSON" or not value.startswith('"'):
        return None
    return f"({value} ->> {path})", end + 1 + len(_ITEM_END)


def _patterns(text: str, names: Names) -> str:
    return _replaced(text, _ESCAPING, names, _pattern)


def _pattern(text: str, start: int, _: Names) -> tuple[str, int] | None:
    """`LIKE '%' || (the text, escaped) || '%' ESCAPE ...` as `LIKE '%text%'`, where it holds nothing to escape: DuckDB has
    a fast way for that. The same of ILIKE."""
    opening = next((one for one in _LIKES if text.startswith(one, start)), "")
    if not opening:
        return None
    quote = start + len(opening) - 1
    stop = end_of_quoted(text, quote)
    written = text[quote + 1 : stop - 1]
    if any(letter in written for letter in "%_\\") or not text.startswith(_ESCAPED, stop):
        return None
    at = stop + len(_ESCAPED)
    for tail, added in ((" || '%' ESCAPE '\\'", "%"), (" ESCAPE '\\'", "")):
        if text.startswith(tail, at):
            lead = "%" if opening is _LIKES[0] else ""
            return f"LIKE '{lead}{written}{added}'", at + len(tail)
    return None


_ESCAPING = "LIKE "
_LIKES = ("LIKE '%' || replace(replace(replace('", "LIKE replace(replace(replace('")
_ESCAPED = r", '\', '\\'), '%', '\%'), '_', '\_')"


def filtered(text: str) -> str:
    """The condition `text` of a filter, where unknown is as good as false."""
    inside = bare(text)
    found = {word for word, _, _ in words(inside)}
    if "BETWEEN" not in found:
        for joint in ("OR", "AND"):
            if joint in found:
                return "(" + f" {joint} ".join(map(filtered, split(inside, joint))) + ")"
    if inside.startswith("coalesce(") and inside.endswith(_FALSE) and _whole(inside, "coalesce("):
        return filtered(inside[len("coalesce(") : -len(_FALSE)])
    if inside.startswith("CASE WHEN ") and inside.endswith(f"{_FALSE} END"):
        asked, found_both, test = inside[len("CASE WHEN ") :].partition(_BOTH_NULL)
        test = test[: -len(f"{_FALSE} END")]
        left, sign, right = bare(test).partition(" = ")
        if found_both and sign and asked == f"{left} IS NULL AND {right} IS NULL":
            return f"({left} = {right})"
    return _guard(inside) or _not_empty(inside) or text


_GUARD = " IS NULL THEN NULL ELSE FALSE END"


def _guard(inside: str) -> str | None:
    """A test behind a cheaper one (`prefilter`) as an AND, whose parts DuckDB orders by what they cost."""
    if not inside.startswith("CASE WHEN ") or not inside.endswith(_GUARD):
        return None
    parts = [place for place in words(inside[len("CASE ") : -len(" END")]) if place[0] in ("WHEN", "THEN")]
    if [word for word, _, _ in parts] != ["WHEN", "THEN", "WHEN", "THEN"]:
        return None
    (_, _, test), (_, then, call), (_, when, _), _ = parts
    shift = len("CASE ")
    first, second = inside[test + shift : then + shift].strip(), inside[call + shift : when + shift].strip()
    return f"({first} AND {second})"


_SOME = ", '') <> ''"


def _not_empty(inside: str) -> str | None:
    """`coalesce(X, '') <> ''` as `X <> ''`."""
    if not inside.startswith("coalesce(") or not inside.endswith(_SOME):
        return None
    end = closing(inside, len("coalesce("))
    if inside[end + 1 :] != " <> ''":
        return None
    value = inside[len("coalesce(") : end].removesuffix(", ''")
    return f"(({value}) <> '')" if len(split(value, ",")) == 1 else None


def _whole(text: str, call: str) -> bool:
    return closing(text, len(call)) == len(text) - 1
