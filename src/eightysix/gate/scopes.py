"""Which history an artifact is held against: one repository and one class of its tags.

`prod` moves and is signed by a release; `1.4.2` never moves and is signed by the same; `pr-17` is signed by whatever a pull
request runs. Held against one another they would either alarm all day or let the third teach the first. So a scope is a
repository and a class: a tag that names one thing for ever is of class `version`, one with such an ending is of its
beginning's class (`main-3f9a1c2` is `main-*`), any other is a class of its own.
"""

from __future__ import annotations

from functools import lru_cache

from eightysix.model.gate import Reference

__all__ = ["ANY", "BY_DIGEST", "MAX_TAG", "scope_of", "tag_class"]

ANY = "*"
"""The class of a declaration for all tags of a repository."""

BY_DIGEST = "by-digest"
"""The class of what is named by its digest alone."""

MAX_TAG = 128
"""Longest tag, OCI distribution specification 1.1: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`."""

_VERSION = "version"
_TAKEN = frozenset({_VERSION, BY_DIGEST})
"""Classes that a tag could be called like; `=` begins no tag, so that such a tag is a class of its own."""

_SEPARATORS = "-_."
_MIN_HEX = 7  # the shortest commit that git prints by itself


def scope_of(reference: Reference) -> str:
    """`registry/repository:class`, by which history and baseline are kept."""
    kind = tag_class(reference.tag) if reference.tag else BY_DIGEST
    return f"{reference.registry}/{reference.repository}:{kind}"


@lru_cache(maxsize=4_096)  # a move is judged with thousands of rows, of a few tags
def tag_class(tag: str) -> str:
    """The class of a tag. A rule of spelling, not of trust: whoever names a tag chooses its class, which is why a class without a
    baseline is never taken for one that has it."""
    if _names_one_thing(tag):
        return _VERSION
    for at in range(1, min(len(tag), MAX_TAG)):
        if tag[at] in _SEPARATORS and _names_one_thing(tag[at + 1 :]):
            return tag[:at].rstrip(_SEPARATORS) + "-*"
    return f"={tag}" if tag in _TAKEN else tag


def _names_one_thing(text: str) -> bool:
    """Whether a text is a version (`1.2`, `v3`, `1.2.3-rc.1`), a date, a number or a commit."""
    rest = text[1:] if text[:1] in {"v", "V"} else text
    if not rest:
        return False
    if _is_commit(rest):
        return True
    head = rest
    for at, letter in enumerate(rest):
        if letter in "-_+":
            head = rest[:at]
            break
    parts = head.split(".")
    if not parts[0].isdecimal() or not parts[0].isascii():
        return False
    return all(part.isascii() and part.isalnum() for part in parts)


def _is_commit(text: str) -> bool:
    """Hexadecimal with a digit in it, as long as git shows one: `deadbee` is a word until a digit says otherwise."""
    return (
        _MIN_HEX <= len(text) <= 64
        and all(letter in "0123456789abcdef" for letter in text)
        and any(letter.isdecimal() for letter in text)
    )
