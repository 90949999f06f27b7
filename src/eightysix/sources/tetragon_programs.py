"""What the start of a program needs: to be left out, or a look at its arguments. Written for speed: it runs for each."""

from __future__ import annotations

from eightysix.context.commands import program_kind
from eightysix.context.credentials import TEMPORARY
from eightysix.sources.tetragon_events import NODE_ROOT
from eightysix.sources.tetragon_noise import LEAVES

__all__ = ["LEAF", "LOOK", "MAYBE", "NOISE", "may_matter", "program_class"]

NOISE, LOOK, MAYBE, LEAF = 0, 1, 2, 3
"""Nothing; a look in any case; a look at its arguments only when they hold a telling word; not even a place in the tree."""

_FLAGS = 8
"""Longest arguments of a shell that a terminal starts: `-l`, `--login`, `-i`."""


def program_class(binary: str) -> int:
    """What an exec of `binary` needs: nothing, not even a place in the tree; nothing; a look at its arguments only when
    they hold a telling word; a look in any case."""
    if binary in LEAVES:
        return LEAF
    if binary.startswith((*TEMPORARY, NODE_ROOT)):
        return LOOK
    # A wrapper (env, timeout) starts the installer as a process of its own.
    return {"tool": LOOK, "interpreter": MAYBE, "shell": MAYBE, "host": LOOK}.get(program_kind(binary), NOISE)


def may_matter(arguments: str) -> bool:
    """A first look at the arguments of an interpreter or shell, written out because it runs for every start of one:
    could it install something, or run a script that may have landed?"""
    return (
        "install" in arguments
        or "download" in arguments
        or "upload" in arguments
        or "publish" in arguments
        or "setup.py" in arguments
        or "_in_process" in arguments
        or "pip" in arguments
        or "npm" in arguments
        or "conda" in arguments
        or "poetry" in arguments
        or "pdm" in arguments
        or "yarn" in arguments
        or "clone" in arguments
        or not arguments
        or (len(arguments) <= _FLAGS and arguments.startswith("-"))
        or (("/tmp/" in arguments or "/dev/shm/" in arguments) and not arguments.startswith("-c"))  # noqa: S108
    )
