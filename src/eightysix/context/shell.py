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


def fold(command: str, width: int, indent: str = "    ", *, json: bool = False) -> list[str]:
    """A line of ours on several lines of at most `width` columns where words allow it: ` \\` at the end continues it, so a
    copy of all of them is the same command. A word that is longer stays whole, and an option stays with its value where both
    fit. With `json`, a word in single quotes that is JSON is broken at blanks between its values, too, where a line break is a
    blank: only for lines in which nothing is quoted that telemetry told."""
    lines: list[str] = []
    current = ""
    for unit, within in _units(command, width - len(indent) - 2, json=json):
        room = width - (len(indent) if lines else 0) - 2
        if current and len(current) + 1 + len(unit) > room:
            lines.append((indent if lines else "") + current + ("" if within else " \\"))
            current = unit
        else:
            current = f"{current} {unit}" if current else unit
    return [*lines, (indent if lines else "") + current]


def _units(command: str, room: int, *, json: bool) -> Iterator[tuple[str, bool]]:
    """Pieces, an option with its value as one of them where there is room."""
    held = ""
    for piece, within in _pieces(command, json=json):
        if held and not within and not piece.startswith("-") and len(held) + 1 + len(piece) <= room:
            yield f"{held} {piece}", False
            held = ""
            continue
        if held:
            yield held, False
            held = ""
        if piece.startswith("-") and piece != "--" and "=" not in piece and not within:
            held = piece
        else:
            yield piece, within
    if held:
        yield held, False


def _pieces(command: str, *, json: bool) -> Iterator[tuple[str, bool]]:
    """`command` at the blanks that are outside of quotes, and between the values of JSON; each piece with whether the blank
    before it is one of the latter."""
    start, at, within = 0, 0, False
    quote, is_json, in_text = "", False, False
    while at < len(command):
        character = command[at]
        if character == "\\" and (quote in ("$'", '"') or (quote and is_json)):
            at += 1
        elif character == "'" and quote != '"':
            if quote:
                quote = ""
            else:
                quote = "$'" if at > start and command[at - 1] == "$" else "'"
                is_json = is_json or (json and at == start and command[at + 1 : at + 2] in ("{", "["))
        elif character == '"' and quote != "$'":
            if quote == "'":
                in_text = not in_text
            else:
                quote = "" if quote else '"'
        elif character == " " and (not quote or (quote == "'" and is_json and not in_text)):
            yield command[start:at], within
            start, within = at + 1, bool(quote)
            if not quote:
                is_json = in_text = False
        at += 1
    yield command[start:], within
