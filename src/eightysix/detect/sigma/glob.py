"""Sigma's text patterns (`*`, `?`, backslash) as closures whose cost is linear in the text, whatever the text is."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from itertools import groupby

__all__ = [
    "ANY_ONE",
    "ANY_RUN",
    "Pattern",
    "TextTest",
    "compile_pattern",
    "fold",
    "is_literal",
    "parse",
    "show",
    "squeeze",
]


class Wildcard(Enum):
    """What Sigma writes for characters that it leaves open."""

    ONE = "?"
    RUN = "*"


ANY_ONE = Wildcard.ONE
"""`?`: one character."""

ANY_RUN = Wildcard.RUN
"""`*`: any number of characters, none included."""

Pattern = tuple["str | Wildcard", ...]
"""Characters and wildcards, one an item; two `*` never follow each other."""

TextTest = Callable[[str], bool]

_SHARED = 2048
"""Patterns that are kept: rules repeat each other's words, and reading them is most of what one more rule costs."""


@lru_cache(maxsize=_SHARED)
def parse(text: str) -> Pattern:
    r"""Split `text` as Sigma does: `\*`, `\?` and `\\` stand for the second character, any other backslash for itself.

    Source: Sigma Rules Specification 2.0.0, "Escaping": a backslash needs escaping only before a wildcard, and `\\`
    is the same plain backslash as a single one.
    """
    items: list[str | Wildcard] = []
    position = 0
    while position < len(text):
        character = text[position]
        following = text[position + 1 : position + 2]
        if character == "\\" and following in ("*", "?", "\\"):
            items.append(following)
            position += 2
            continue
        items.append(Wildcard(character) if character in "*?" else character)
        position += 1
    return squeeze(tuple(items))


def squeeze(items: Pattern) -> Pattern:
    """`items` with runs of `*` made one."""
    kept: list[str | Wildcard] = []
    for item, run in groupby(items):
        kept.extend([item] if item is ANY_RUN else run)
    return tuple(kept)


def is_literal(pattern: Pattern) -> bool:
    """Whether no wildcard is in it."""
    return not any(isinstance(item, Wildcard) for item in pattern)


def show(pattern: Pattern) -> str:
    """The pattern for people: wildcards as they are written, everything else as it stands."""
    return "".join(item.value if isinstance(item, Wildcard) else item for item in pattern)


@lru_cache(maxsize=_SHARED)
def fold(pattern: Pattern) -> Pattern:
    """The pattern for texts that were case-folded: `?` then stands for one character of the folded text, so a German
    sharp s counts as two."""
    return tuple(
        folded for item in pattern for folded in (item.casefold() if isinstance(item, str) else (item,))
    )


@lru_cache(maxsize=_SHARED)
def compile_pattern(pattern: Pattern) -> TextTest:
    """A test of a whole text against `pattern`, case and all; without case, give it `fold(pattern)` and folded texts.

    Pieces between `*` are looked for from left to right and never tried again: the leftmost place of a piece leaves
    the most room for the next. A piece without `?` is found by `str.find`; one with `?` by the bit-parallel method of
    Baeza-Yates and Gonnet (CACM 35(10), 1992), which reads each character once.
    """
    pieces = [tuple(run) for wild, run in groupby(pattern, lambda item: item is ANY_RUN) if not wild]
    if not pieces:
        accepts_text = bool(pattern)
        return lambda text: accepts_text or not text
    return _anchored(pieces, from_start=pattern[0] is not ANY_RUN, to_end=pattern[-1] is not ANY_RUN)


_Fits = Callable[[str, int], bool]
_Seek = Callable[[str, int, int], int]


def _anchored(pieces: list[tuple[str | Wildcard, ...]], *, from_start: bool, to_end: bool) -> TextTest:
    if from_start and to_end and len(pieces) == 1:
        size, fits = len(pieces[0]), _fitter(pieces[0])
        return lambda text: len(text) == size and fits(text, 0)
    head = pieces.pop(0) if from_start else ()
    tail = pieces.pop() if to_end else ()
    head_size, tail_size = len(head), len(tail)
    head_fits, tail_fits = _fitter(head), _fitter(tail)
    middle = tuple((len(piece), _seeker(piece)) for piece in pieces)

    def test(text: str) -> bool:
        end = len(text) - tail_size
        if end < head_size or not head_fits(text, 0) or not tail_fits(text, end):
            return False
        position = head_size
        for size, seek in middle:
            found = seek(text, position, end)
            if found < 0:
                return False
            position = found + size
        return True

    return test


def _fitter(piece: tuple[str | Wildcard, ...]) -> _Fits:
    """Whether a piece stands in a text at a position; the caller has made sure that the text is long enough."""
    runs: list[tuple[int, str]] = []
    offset = 0
    for wild, group in groupby(piece, lambda item: item is ANY_ONE):
        run = tuple(group)
        if not wild:
            runs.append((offset, "".join(str(item) for item in run)))
        offset += len(run)
    if len(runs) == 1:
        (skip, only) = runs[0]
        return lambda text, position: text.startswith(only, position + skip)
    fixed = tuple(runs)

    def fits(text: str, position: int) -> bool:
        for skip, run in fixed:  # noqa: SIM110 - a generator would allocate at each call
            if not text.startswith(run, position + skip):
                return False
        return True

    return fits


def _seeker(piece: tuple[str | Wildcard, ...]) -> _Seek:
    """Where a piece stands first in `text[start:end]`, or -1."""
    if is_literal(piece):
        literal = "".join(str(item) for item in piece)
        return lambda text, start, end: text.find(literal, start, end)
    anywhere = sum(1 << index for index, item in enumerate(piece) if item is ANY_ONE)
    masks: dict[str, int] = {}
    for index, item in enumerate(piece):
        if isinstance(item, str):
            masks[item] = masks.get(item, anywhere) | 1 << index
    size = len(piece)
    last = 1 << size - 1

    def seek(text: str, start: int, end: int) -> int:
        state = 0
        for position in range(start, end):
            state = (state << 1 | 1) & masks.get(text[position], anywhere)
            if state & last:
                return position - size + 1
        return -1

    return seek
