"""The closures that compare one fact with the values of a rule. They allocate nothing but a folded copy of a text.

Facts hold text, number, bool, None or a tuple of texts (any of which may match); a fact of another type than its field
says matches nothing.
"""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, cast

from eightysix.detect.fieldnames import Field
from eightysix.detect.rule import Facts
from eightysix.detect.sigma import glob
from eightysix.detect.sigma.parts import Matcher

__all__ = ["Network", "allowed", "compared", "every", "inside", "number", "same", "text", "told"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_LONGEST_ADDRESS: Final = 64  # an IPv6 address has at most 45 characters, and then a zone


def told(name: str, *, wanted: bool) -> Matcher:
    """Whether the record tells the field at all."""

    def matches(facts: Facts) -> bool:
        value = facts.get(name)
        return (value is not None and value != "" and value != ()) is wanted

    return matches


def same(name: str, values: Sequence[object]) -> Matcher:
    """One of True, False and None, by identity."""

    def matches(facts: Facts) -> bool:
        value = facts.get(name)
        for one in values:  # noqa: SIM110 - any() would build a generator at each call
            if value is one:
                return True
        return False

    return matches


def number(name: str, values: Sequence[object]) -> Matcher:
    """One of the numbers, or None."""
    known = frozenset(values)

    def matches(facts: Facts) -> bool:
        value = facts.get(name)
        return value in known and value is not True and value is not False  # True equals 1

    return matches


def compared(name: str, how: str, bound: object) -> Matcher:
    """A number above or below `bound`; `how` is `gt`, `gte`, `lt` or `lte`."""
    compare = _COMPARE[how]
    limit = bound if isinstance(bound, int | float) else 0

    def matches(facts: Facts) -> bool:
        value = facts.get(name)
        kind = type(value)  # exact: bool is an int, too
        return (kind is int or kind is float) and compare(cast(float, value), limit)

    return matches


def inside(name: str, networks: Sequence[Network]) -> Matcher:
    """An address in one of the networks."""
    known = tuple((one.version, int(one.network_address), int(one.netmask)) for one in networks)

    def matches(facts: Facts) -> bool:
        value = facts.get(name)
        address = _address(value) if isinstance(value, str) and len(value) <= _LONGEST_ADDRESS else None
        if address is None:
            return False
        for version, base, mask in known:  # noqa: SIM110 - any() would build a generator at each call
            if version == address[0] and address[1] & mask == base:
                return True
        return False

    return matches


@lru_cache(maxsize=4096)
def _address(value: str) -> tuple[int, int] | None:
    """Version and number of an address; an IPv4 address written as IPv6 (`::ffff:169.254.169.254`) counts as IPv4."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.version, int(address)


def every(tests: Sequence[Matcher]) -> Matcher:
    """All of `tests`."""
    fixed = tuple(tests)

    def matches(facts: Facts) -> bool:
        for test in fixed:  # noqa: SIM110 - all() would build a generator at each call
            if not test(facts):
                return False
        return True

    return matches


def allowed(field: Field, pattern: glob.Pattern, *, cased: bool) -> frozenset[str]:
    """The values of a closed set that fit `pattern`."""
    if cased:
        test = glob.compile_pattern(pattern)
        return frozenset(value for value, _ in field.values if test(value))
    test = glob.compile_pattern(glob.fold(pattern))
    return frozenset(value for value, _ in field.values if test(value.casefold()))


def text(field: Field, patterns: Sequence[glob.Pattern | None], *, cased: bool) -> Matcher:
    """One of the patterns; None among them stands for "not told"."""
    untold = None in patterns
    given = [pattern for pattern in patterns if pattern is not None]
    if field.values:
        known = frozenset[str]().union(*(allowed(field, pattern, cased=cased) for pattern in given))
        return _member(field.name, known, untold=untold)
    if not cased:
        given = [glob.fold(pattern) for pattern in given]
    exact = frozenset(glob.show(pattern) for pattern in given if glob.is_literal(pattern))
    tests = tuple(glob.compile_pattern(pattern) for pattern in given if not glob.is_literal(pattern))
    return _any_text(field.name, _fitter(exact, tests, cased=cased), untold=untold)


def _member(name: str, known: frozenset[str], *, untold: bool) -> Matcher:
    """For closed sets, whose facts are spelled exactly as the list says: nothing is folded."""

    def matches(facts: Facts) -> bool:
        value = facts.get(name)
        if not value:
            return untold
        if isinstance(value, tuple):
            return not known.isdisjoint(value)
        return value in known

    return matches


def _fitter(exact: frozenset[str], tests: tuple[glob.TextTest, ...], *, cased: bool) -> glob.TextTest:
    def fits(value: str) -> bool:
        folded = value if cased else value.casefold()
        if folded in exact:
            return True
        for test in tests:  # noqa: SIM110 - any() would build a generator at each call
            if test(folded):
                return True
        return False

    return fits


def _any_text(name: str, fits: glob.TextTest, *, untold: bool) -> Matcher:
    def matches(facts: Facts) -> bool:
        value = facts.get(name)
        if not value:
            return untold
        if isinstance(value, str):
            return fits(value)
        if isinstance(value, tuple):
            for one in value:
                if fits(one):
                    return True
        return False

    return matches
