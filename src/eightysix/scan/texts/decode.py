"""From bytes to text: which encodings the loaders of text formats accept, and what is no text at all."""

from __future__ import annotations

__all__ = ["as_utf8", "is_json", "looks_text", "start_of"]

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),  # before UTF-16, whose mark it begins with
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_PRINTED = frozenset(range(0x20, 0x7F)) | frozenset(b"\t\n\r\f\x1b\b")
"""ASCII that occurs in text; escape and backspace do in recorded terminals (notebooks, logs)."""

_TEXT = bytes(_PRINTED) + bytes(range(0x7F, 0x100))
"""Everything but control characters, for `bytes.translate`."""

_SPACE = b" \t\r\n\f"


def _encoding(head: bytes) -> tuple[str, int]:
    """The encoding and how many bytes its mark takes. Without a mark as `json.loads` guesses: by where the zeros are."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name, len(mark)
    if len(head) >= 4 and head[0] and not any(head[1:4]):
        return "utf-32-le", 0
    if len(head) >= 4 and head[3] and not any(head[0:3]):
        return "utf-32-be", 0
    if len(head) >= 4 and not head[1] and not head[3] and head[0] in _PRINTED and head[2] in _PRINTED:
        return "utf-16-le", 0
    if len(head) >= 4 and not head[0] and not head[2] and head[1] in _PRINTED and head[3] in _PRINTED:
        return "utf-16-be", 0
    return "utf-8", 0


def start_of(head: bytes) -> str:
    """What the first bytes say as text, without mark and leading white space; empty where they are no text."""
    name, skip = _encoding(head)
    width = {"utf-8": 1, "utf-16-le": 2, "utf-16-be": 2}.get(name, 4)
    body = head[skip:]
    body = body[: len(body) - len(body) % width]
    if name == "utf-8" and body.translate(None, _TEXT):
        return ""
    try:
        # A character may be cut at the end of the head: three bytes less are tried before it is called no text.
        text = _cut(body, name)
    except UnicodeDecodeError:
        return body.decode("latin-1").lstrip() if name == "utf-8" else ""
    if name != "utf-8" and any(ord(one) < 0x20 and ord(one) not in _PRINTED for one in text):
        return ""
    return text.lstrip()


def _cut(body: bytes, name: str) -> str:
    for less in range(3):
        try:
            return body[: len(body) - less].decode(name)
        except UnicodeDecodeError as error:
            if error.start < len(body) - 4:
                raise
    return body[: max(0, len(body) - 3)].decode(name)


def looks_text(head: bytes) -> bool:
    """Whether the first bytes are text in one of the encodings that are read here."""
    return bool(head) and (bool(start_of(head)) or not head.strip(_SPACE))


def as_utf8(data: bytes) -> bytes | None:
    """The text as UTF-8 without a mark, the same object where it is that already; None where it is no text.

    Lone surrogates of UTF-16 are kept as what they are: JSON loaders accept them.
    """
    name, skip = _encoding(data[:4])
    if name == "utf-8":
        body = data[skip:] if skip else data
        try:
            body.decode("utf-8")
        except UnicodeDecodeError:
            return _eight_bit(body)
        return None if b"\0" in body else body
    try:
        return data[skip:].decode(name, "surrogatepass").encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None


def _eight_bit(body: bytes) -> bytes | None:
    """Text of an older 8-bit encoding, read as Latin-1; None for what holds control characters as well."""
    if body.translate(None, _TEXT):
        return None
    return body.decode("latin-1").encode()


def is_json(head: bytes) -> bool:
    """Whether text starts as JSON objects and lists do: an attribute, an element or the end of it follows."""
    start = start_of(head)
    if not start.startswith(("{", "[")):
        return False
    after = start[1:].lstrip()
    if not after:
        return True
    if start[0] == "{":
        return after[0] in '"}'
    # `[section]` of a settings file begins as a list does.
    return after[0] in '"{[]-0123456789' or after.startswith(("true", "false", "null", "NaN", "Infinity"))
