"""What the records of one place show that its sources can see: nothing counts that no record showed."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from eightysix.model.visibility import Witness
from eightysix.reconstruct.coverage.estate import Counted

__all__ = ["FILE_HOOKS", "Shown", "hooks_of", "shown"]


class Shown(StrEnum):
    """One kind of evidence."""

    PROGRAMS = "programs that start"
    CONNECTIONS = "connections"
    FILES = "files"
    CODE = "whose code runs"


FILE_HOOKS = (
    "security_file_",
    "security_mmap_file",
    "fd_install",
    "security_path_",
    "security_inode_",
    "vfs_",
)
"""Beginnings of kernel functions whose records tell of files (deploy/tetragon, tetragon.io/docs/policy-library)."""

_BY_KIND = {
    Shown.PROGRAMS: ("exec",),
    Shown.CONNECTIONS: ("connect",),
    Shown.FILES: ("file",),
}
_BY_SENSOR = {
    Shown.CODE: (
        "import",
        "start",
        "pickle",
        "revive",
        "connect",
        "http",
        "file",
        "spawn",
    ),  # each has its chain of code
    Shown.CONNECTIONS: ("connect", "http"),
    Shown.FILES: ("file", "start", "import"),
}


def shown(counted: Iterable[Counted]) -> frozenset[Shown]:
    """The kinds of evidence of which at least one record came."""
    found: set[Shown] = set()
    for one in counted:
        kinds = one.tally.kinds
        wanted = _BY_SENSOR if one.tally.witness is Witness.SENSOR else _BY_KIND
        found.update(what for what, names in wanted.items() if any(kinds.get(name) for name in names))
        if kinds.get("probe") and any(_is_of_files(hook) for hook in one.tally.hooks):
            found.add(Shown.FILES)
    return frozenset(found)


def hooks_of(counted: Iterable[Counted]) -> frozenset[tuple[str, str]]:
    """Policies and functions of the probes that told anything."""
    found = set()
    for one in counted:
        for hook in one.tally.hooks:
            policy, slash, function = hook.rpartition("/")
            if slash:
                found.add((policy, function))
    return frozenset(found)


def _is_of_files(hook: str) -> bool:
    return hook.rpartition("/")[2].startswith(FILE_HOOKS)
