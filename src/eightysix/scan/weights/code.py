"""Says whether a text that nobody runs reads like program code: worth a word, never a verdict."""

from __future__ import annotations

__all__ = ["looks_like_code"]

_READ = 64 << 10


def looks_like_code(text: str) -> bool:
    """True for HTML script elements and for calls of names with two underscores on both sides."""
    text = text[:_READ].lower()
    if "<script" in text:
        return True
    place = text.find("__(")
    while place >= 0:
        start = place
        while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
            start -= 1
        if text.startswith("__", start) and place > start:
            return True
        place = text.find("__(", place + 3)
    return False
