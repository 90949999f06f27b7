"""Functions of Kusto that the translator lacks, or gives otherwise than Kusto, as rows of its own tables.

duckdb-kql keeps what it knows as data (`translate/functions.py`); what is added here is the same kind of row, for the pinned
version. Each template is one expression of DuckDB over the SQL of its arguments. An argument that is needed twice is bound
once, by a lambda: templates inside of templates would grow without bound else. Meanings are those of
learn.microsoft.com/kusto/query, on the page of each name; tests/hunt/kusto.py has the examples of those pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from duckdb_kql import translate
from duckdb_kql.translate import _numeric_bin
from duckdb_kql.translate.functions import (
    AGGREGATE_FUNCTIONS,
    SCALAR_FUNCTIONS,
    AggregateSpec,
    FunctionSpec,
)

from eightysix.model.errors import QueryError

__all__ = ["ADDED", "MAX_EXPRESSION", "add"]

_LONGEST = 2_000
"""Characters of an argument that may stand twice in a template."""


def _once(argument: str, body: str) -> str:
    """`body` over `x`, which is the argument."""
    return f"list_transform([{argument}], lambda x: {body})[1]"


class _ParseJson(FunctionSpec):
    """What is no JSON is a text: "an object of type dynamic that holds the original string value"."""

    def render(self, args: list[str]) -> str:
        if len(args) != 1:
            raise ValueError("parse_json() takes one argument")
        body = "coalesce(TRY_CAST({0} AS JSON), CASE WHEN CAST({0} AS VARCHAR) <> '' THEN to_json({0}) END)"
        return body.format(args[0]) if len(args[0]) <= _LONGEST else _once(args[0], body.format("x"))


class _Split(FunctionSpec):
    """With a third argument an array with that one part."""

    def render(self, args: list[str]) -> str:
        if len(args) == 2:
            return f"str_split({args[0]}, {args[1]})"
        if len(args) != 3:
            raise ValueError("split() takes two or three arguments")
        return _once(f"struct_pack(p := str_split({args[0]}, {args[1]}), n := {args[2]})", _PART)


_PART = "list_slice(x.p, x.n + 1, x.n + 1)"


class _BinAt(FunctionSpec):
    """`bin_at(value, size, fixed)`: of moments and spans where the size is written as a span, else of numbers."""

    def render(self, args: list[str]) -> str:
        if len(args) != 3:
            raise ValueError("bin_at() takes three arguments")
        value, size, fixed = args
        if size.startswith("INTERVAL '"):
            s = f"nullif(epoch_us({size}), 0)"
            rest = f"((epoch_us(x.v) - epoch_us(x.f)) % {s} + {s}) % {s}"
            return _once(f"struct_pack(v := {value}, f := {fixed})", f"x.v - to_microseconds({rest})")
        binned = _numeric_bin("(x.v - x.f)", "x.s")
        return _once(f"struct_pack(v := {value}, s := {size}, f := {fixed})", f"x.f + {binned}")


_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_ADDRESS = r"^\s*" + r"\.".join([_OCTET] * 4) + r"(/(3[0-2]|[12]?[0-9]))?\s*$"


def _network(text: str) -> str:
    """The address in a text as `{n: number, p: bits of its prefix}`; null for what is none."""
    number = " + ".join(
        f"TRY_CAST(split_part(split_part(trim(t), '/', 1), '.', {place}) AS BIGINT) * {256 ** (4 - place)}"
        for place in range(1, 5)
    )
    bits = "coalesce(TRY_CAST(split_part(trim(t), '/', 2) AS BIGINT), 32)"
    found = f"CASE WHEN regexp_matches(t, '{_ADDRESS}') THEN struct_pack(n := {number}, p := {bits}) END"
    return f"list_transform([CAST({text} AS VARCHAR)], lambda t: {found})[1]"


_PRIVATE = ((10 << 24, 8), ((172 << 24) + (16 << 16), 12), ((192 << 24) + (168 << 16), 16))
"""RFC 1918."""


class _IsPrivate(FunctionSpec):
    def render(self, args: list[str]) -> str:
        if len(args) != 1:
            raise ValueError("ipv4_is_private() takes one argument")
        tests = " OR ".join(f"(x.n >> {32 - bits}) = {start >> (32 - bits)}" for start, bits in _PRIVATE)
        return _once(_network(args[0]), f"CASE WHEN x IS NOT NULL THEN ({tests}) END")


_IN_RANGE = "(x.a.n >> (32 - x.b.p)) = (x.b.n >> (32 - x.b.p))"


class _InRange(FunctionSpec):
    def render(self, args: list[str]) -> str:
        if len(args) != 2:
            raise ValueError("ipv4_is_in_range() takes two arguments")
        pair = f"struct_pack(a := {_network(args[0])}, b := {_network(args[1])})"
        return _once(pair, f"CASE WHEN x.a IS NOT NULL AND x.b IS NOT NULL THEN {_IN_RANGE} END")


class _InAnyRange(FunctionSpec):
    """Ranges are texts, or a dynamic array of texts; one that is none is passed over."""

    def render(self, args: list[str]) -> str:
        if len(args) < 2:
            raise ValueError("ipv4_is_in_any_range() takes an address and ranges")
        texts = ", ".join(
            _once(one, "coalesce(TRY_CAST(to_json(x) AS VARCHAR[]), [CAST(x AS VARCHAR)])")
            for one in args[1:]
        )
        ranges = f"list_filter(list_transform(flatten([{texts}]), lambda r: {_network('r')}), lambda r: r IS NOT NULL)"
        inside = "list_transform(x.b, lambda r: (x.a.n >> (32 - r.p)) = (r.n >> (32 - r.p)))"
        pair = f"struct_pack(a := {_network(args[0])}, b := {ranges})"
        return _once(pair, f"CASE WHEN x.a IS NOT NULL THEN coalesce(list_bool_or({inside}), false) END")


class _IsMatch(FunctionSpec):
    """Both are compared in the shortest of their prefixes and the one that is given."""

    def render(self, args: list[str]) -> str:
        if len(args) not in (2, 3):
            raise ValueError("ipv4_is_match() takes two addresses and perhaps a prefix")
        given = args[2] if len(args) == 3 else "32"
        pair = f"struct_pack(a := {_network(args[0])}, b := {_network(args[1])}, p := {given})"
        bits = "(32 - least(x.a.p, x.b.p, x.p))"
        same = f"(x.a.n >> {bits}) = (x.b.n >> {bits})"
        return _once(pair, f"CASE WHEN x.a IS NOT NULL AND x.b IS NOT NULL THEN {same} END")


class _Sets(FunctionSpec):
    """Sets of all arguments: each an array, and null where one is none."""

    def render(self, args: list[str]) -> str:
        if len(args) < 2:
            raise ValueError(f"{self.name}() takes two arrays or more")
        made = _array(args[0])
        for one in args[1:]:
            made = _once(f"struct_pack(a := {made}, b := {_array(one)})", self.template)
        return f"to_json(list_distinct({made}))"


def _array(argument: str) -> str:
    return f"TRY_CAST(to_json({argument}) AS JSON[])"


_BOTH = "CASE WHEN x.a IS NOT NULL AND x.b IS NOT NULL THEN {} END"
_SETS = {
    "set_union": _BOTH.format("list_concat(x.a, x.b)"),
    "set_intersect": _BOTH.format("list_filter(x.a, lambda m: list_contains(x.b, m))"),
    "set_difference": _BOTH.format("list_filter(x.a, lambda m: NOT list_contains(x.b, m))"),
}

_UNIX = {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1}


def _scalars() -> Iterator[FunctionSpec]:
    yield _ParseJson("parse_json", "template", "", (1,))
    yield _ParseJson("todynamic", "template", "", (1,))
    yield _Split("split", "template", "", (2, 3))
    yield _BinAt("bin_at", "template", "", (3,))
    yield _IsPrivate("ipv4_is_private", "template", "", (1,))
    yield _InRange("ipv4_is_in_range", "template", "", (2,))
    yield _InAnyRange("ipv4_is_in_any_range", "template", "")
    yield _IsMatch("ipv4_is_match", "template", "", (2, 3))
    for name, body in _SETS.items():
        yield _Sets(name, "template", body)
    keys = "CASE WHEN json_type(x) = 'OBJECT' THEN to_json(json_keys(x)) END"
    yield FunctionSpec("bag_keys", "template", _once("{0}", keys), (1,))
    for unit, factor in _UNIX.items():
        # What is out of range is null, not the end of the query.
        made = f"TRY(make_timestamp(CAST(({{0}}) * {factor} AS BIGINT)))"
        yield FunctionSpec(f"unixtime_{unit}_todatetime", "template", made, (1,))
    # What is no base64 or no UTF-8 is empty: who writes a command line could end the query else. (A cast of bytes to text
    # writes \\xC3 for each that is not ASCII.)
    decoded = "coalesce(TRY(decode(from_base64({0}))), '')"
    for name in ("base64_decode_tostring", "base64_decodestring"):
        yield FunctionSpec(name, "template", decoded, (1,))
    yield FunctionSpec("string_size", "native", "strlen({0})", (1,))  # DuckDB's strlen counts bytes
    yield FunctionSpec("url_decode", "template", "TRY(url_decode({0}))", (1,))


class _If(AggregateSpec):
    """An aggregate of the rows for which the second argument holds; a third bounds how many members it keeps."""

    def render(self, args: list[str]) -> str:
        if len(args) not in self.arities:
            raise ValueError(f"{self.name}() takes {self.arities} arguments")
        made = self.template.format(*args)
        return made if len(args) == 2 else f"list_slice({made}, 1, {args[2]})"


def _aggregates() -> Iterator[AggregateSpec]:
    where = "FILTER (WHERE {0} IS NOT NULL AND ({1}))"
    yield _If("make_list_if", f"coalesce(list({{0}}) {where}, [])", (2, 3), "list")
    # As make_set: an array is taken apart, every other value is one member.
    members = (
        "CASE WHEN json_type(TRY_CAST({0} AS JSON)) = 'ARRAY' THEN CAST(to_json({0}) AS JSON[])"
        " ELSE [to_json({0})] END"
    )
    yield _If("make_set_if", f"coalesce(list_distinct(flatten(list({members}) {where})), [])", (2, 3), "set")
    for name in ("min", "max"):
        yield AggregateSpec(f"{name}if", f"{name}({{0}}) FILTER (WHERE {{1}})", (2,))
    yield AggregateSpec("take_anyif", "any_value({0}) FILTER (WHERE {1})", (2,), name_is_argument=True)
    yield AggregateSpec("count_distinct", "count(DISTINCT {0})", (1,))
    yield AggregateSpec("count_distinctif", "count(DISTINCT {0}) FILTER (WHERE {1})", (2,))
    yield AggregateSpec("stdevp", "coalesce(stddev_pop({0}), 0.0)", (1,))
    yield AggregateSpec("variancep", "coalesce(var_pop({0}), 0.0)", (1,))


ADDED: Sequence[str] = (*(one.name for one in _scalars()), *(one.name for one in _aggregates()))
"""Names of all that is added or changed."""


MAX_EXPRESSION = 1 << 19
"""Characters of the SQL of one expression. The translator's own templates repeat their arguments, `tostring()` eight times:
ten calls within calls would be gigabytes. The largest of the pack has 76,216; a text of 64 KiB holds no more than some 200 MB of
such."""


def _bounded(render: Callable[[Any], str]) -> Callable[[Any], str]:
    def rendered(node: Any) -> str:
        made = render(node)
        if len(made) > MAX_EXPRESSION:
            raise QueryError(
                "the query is too large where calls stand within calls",
                "Give the inner ones names: extend A = ...",
            )
        return made

    return rendered


_render = _bounded(translate.render_expr)


def add() -> None:
    """Put them into the translator's tables, and a bound around what writes expressions. Again is harmless."""
    setattr(translate, "render_expr", _render)  # noqa: B010 - its own type is narrower than what it is called with
    SCALAR_FUNCTIONS.update({one.name: one for one in _scalars()})
    AGGREGATE_FUNCTIONS.update({one.name: one for one in _aggregates()})
