"""Files that vouch for signatures, read as the operator named them: in the policy, by paths beside it, or by options."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from eightysix.gate.attest import Authority, Key, Root, Trust, public_good
from eightysix.gate.policy.form import Policy
from eightysix.gate.policy.reading import parse_policy
from eightysix.model.errors import RuleError, UsageError

__all__ = ["MAX_FILE", "check_outside", "read_policy", "read_trust", "trust_files"]

MAX_FILE = 4 << 20
"""Bytes of one root or key: the public sigstore root has 7 kB."""


def read_policy(path: str) -> Policy:
    """The policy in a file. Raises `RuleError` with the places of all that is wrong."""
    return parse_policy(_read(Path(path), "policy"), path)


def read_trust(
    policy: Policy,
    folder: Path,
    *,
    roots: Sequence[str] = (),
    keys: Sequence[str] = (),
    authorities: Sequence[str] = (),
) -> Trust:
    """Everything that is believed: what the policy names, by paths from its `folder`, and what options name besides."""
    wanted = policy.trust
    found_roots = [Root(name, _read(folder / name, "root")) for name in wanted.sigstore]
    found_roots += [Root(name, _read(Path(name), "root")) for name in roots]
    if wanted.public_sigstore:
        found_roots.append(public_good())
    found_keys = [Key(name, _read(folder / name, "key")) for name in wanted.keys]
    found_keys += [Key(name, _read(Path(name), "key")) for name in keys]
    found = [Authority(name, _read(folder / name, "authority")) for name in wanted.authorities]
    found += [Authority(name, _read(Path(name), "authority")) for name in authorities]
    return Trust(
        roots=tuple(found_roots),
        keys=tuple(found_keys),
        authorities=tuple(found),
        model_authorities=tuple(found),
        ignore_paths=wanted.ignore,
    )


def trust_files(policy: Policy, folder: Path) -> list[tuple[str, str]]:
    """What the policy trusts, each with what it is and its path."""
    wanted = policy.trust
    return [
        *(("root", str(folder / name)) for name in wanted.sigstore),
        *(("key", str(folder / name)) for name in wanted.keys),
        *(("authority", str(folder / name)) for name in wanted.authorities),
    ]


def check_outside(judged: str, named: Sequence[tuple[str, str]]) -> None:
    """Raise `UsageError` where a file that judges (what it is, its path) lies in the tree that is judged: who writes the tree
    would write its own verdict (DESIGN decision 17). Links are followed first."""
    tree = Path(judged).resolve()
    for what, path in named:
        place = Path(path).resolve()
        if place == tree or tree in place.parents:
            raise UsageError(
                f"the {what} {path} lies in {judged}, which it is to judge",
                "keep it where whoever makes the artifact cannot write",
            )


def _read(path: Path, what: str) -> bytes:
    try:
        # Without waiting: a pipe that nobody writes to would hold the decision for ever.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"the {what} {path} cannot be read: it is no file", "name a file")
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise UsageError(f"the {what} {path} cannot be read: {error.strerror}", "check the path") from None
    if len(data) > MAX_FILE:
        raise RuleError(
            f"the {what} is larger than {MAX_FILE >> 20} MiB", "give one file for one", file=str(path)
        )
    return data
