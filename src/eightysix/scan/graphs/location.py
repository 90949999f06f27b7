"""Says whether a path inside of a model leads out of the model's folder."""

from __future__ import annotations

__all__ = ["ODD", "leaves"]

ODD = ("goes up and down again", "holds a variable or escapes that some programs replace")
"""Answers about paths that stay in the folder, as long as nobody rewrites them."""


def leaves(location: str) -> str:
    """Why `location` does not stay below the model's folder; empty where it does.

    Both separators count, on every system: the file may be loaded on another one.
    """
    if "\0" in location:
        return "holds a NUL character"
    path = location.replace("\\", "/")
    scheme, mark, _ = path.partition("://")
    if mark and scheme.isalnum():
        return f"is a URL ({scheme})"
    if path.startswith("/"):
        return "is absolute"
    if path.startswith("~"):
        return "leads into a home folder"
    if path[1:2] == ":" and path[:1].isalpha():
        return "names a drive"
    depth = 0
    for part in path.split("/"):
        if part.strip() == "..":
            depth -= 1
        elif part not in ("", "."):
            depth += 1
        if depth < 0:
            return "leads out of the model's folder"
    if ".." in path.split("/"):
        return ODD[0]
    if path.startswith(("$", "%")) or not path.isprintable():
        return ODD[1]
    return ""
