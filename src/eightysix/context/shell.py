"""Command lines for people to copy, out of words that an attacker may have chosen.

`line` quotes for POSIX shells (XCU 2.2, with the dollar-single-quotes that Issue 8 of 2024 took over from ksh; bash, zsh,
ksh and busybox have had them for long, dash has not). Whatever it returns is printable ASCII on one line, without two
blanks in a row, so that nothing which makes text harmless for a terminal has a reason to touch it. PowerShell and
cmd.exe quote otherwise: a line with a quote in it is not for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["MAX_WORD", "fold", "line", "option"]

MAX_WORD = 4096
"""Characters of a word: sixteen times the longest name of Kubernetes (253) and more than any id of a cloud."""

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:@_")
"""Characters that no shell reads as anything but themselves: those of `shlex.quote` without `=`, which zsh expands at the
start of a word."""
_OPTION = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_IN_QUOTES = {"\\": "\\\\", "'": "\\'", "!": "\\041"}  # `!`: history of an interactive bash


def line(*words: str, operands: Iterable[str] = ()) -> str:
    """`words` as one line, each of them one word for the shell; `operands` come after `--`, so none is taken for an option.

    `words` are our own, or made by `option`; what telemetry told goes into `operands` or through `option`. Empty where a
    word is longer than `MAX_WORD`: a shortened name could be somebody else's. NUL, which no argument can hold, becomes
    U+FFFD.
    """
    told = list(operands)
    every = [*words, "--", *told] if told else [*words]
    if any(len(word) > MAX_WORD for word in every):
        return ""
    return " ".join(_word(word, first=not index) for index, word in enumerate(every))


def option(name: str, value: str) -> str:
    """`--name=value` as one word, whatever `value` begins with."""
    return f"{name}={value}"


def _word(word: str, first: bool = False) -> str:
    # `a=b` sets a variable where a command begins, and zsh expands `=a`
    bare = word if first or word.startswith("=") else word.replace("=", "")
    if word and bare and all(character in _BARE for character in bare):
        return word
    name, mark, value = word.partition("=")
    if mark and name.startswith("--") and all(character in _OPTION for character in name):
        return f"{name}={_word(value)}" if value else f"{name}="
    if word.isascii() and word.isprintable() and "'" not in word and "  " not in word:
        return f"'{word}'"
    return "$'" + "".join(_inside(word)) + "'"


def _inside(word: str) -> Iterator[str]:
    before = ""
    for character in word.replace("\0", "\ufffd"):
        if character in _IN_QUOTES:
            yield _IN_QUOTES[character]
        elif " " < character <= "~" or (character == " " and before != " "):
            yield character
        else:  # three digits of octal always: a digit that follows is never taken in
            yield "".join(f"\\{byte:03o}" for byte in _bytes(character))
        before = character


def _bytes(character: str) -> bytes:
    """UTF-8, or the byte that a lone surrogate stands for in text that was no UTF-8 (PEP 383)."""
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return bytes([code - 0xDC00])
    return character.encode("utf-8", "surrogatepass")


def fold(command: str, width: int, indent: str = "    ") -> list[str]:
    """A line of ours on several lines of at most `width` columns where words allow it: ` \\` at the end continues it, so a
    copy of all of them is the same command. A word that is longer stays whole."""
    lines: list[str] = []
    current = ""
    for word in _split(command):
        room = width - (len(indent) if lines else 0) - 2
        if current and len(current) + 1 + len(word) > room:
            lines.append((indent if lines else "") + current + " \\")
            current = word
        else:
            current = f"{current} {word}" if current else word
    return [*lines, (indent if lines else "") + current]


def _split(command: str) -> Iterator[str]:
    """`command` at the blanks that are outside of quotes."""
    start, quoted, dollar, at = 0, False, False, 0
    while at < len(command):
        character = command[at]
        if quoted and dollar and character == "\\":
            at += 1
        elif character == "'":
            dollar = not quoted and at > 0 and command[at - 1] == "$"
            quoted = not quoted
        elif character == " " and not quoted:
            yield command[start:at]
            start = at + 1
        at += 1
    yield command[start:]
