"""Writes the tables that the package ships: the same roles always give the same bytes."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

import msgspec

from eightysix.scan.index.role import Role
from eightysix.scan.index.tables import Directory, Header
from tools.mine.judge import ReleaseRoles

__all__ = ["pack", "worse", "write"]

#: A part holds modules until their names make this many bytes: small enough to inflate in a millisecond.
_PART = 40_000


def pack(roles: ReleaseRoles) -> bytes:
    """One table, as eightysix.scan.index.tables reads it."""
    every = sorted(
        {role for names in roles.values() for role in names.values()},
        key=msgspec.structs.astuple,
    )
    numbers = {role: number for number, role in enumerate(every)}
    parts: list[tuple[str, int, int]] = []
    body = b""
    held: dict[str, dict[int, str]] = {}
    size = 0

    def close() -> None:
        nonlocal body, held, size
        if held:
            packed = zlib.compress(msgspec.msgpack.encode(held), 9)
            parts.append((next(iter(held)), len(body), len(packed)))
            body += packed
        held, size = {}, 0

    for module in sorted(roles):
        groups: dict[int, list[str]] = {}
        for name, role in roles[module].items():
            groups.setdefault(numbers[role], []).append(name)
        held[module] = {number: " ".join(sorted(groups[number])) for number in sorted(groups)}
        size += sum(len(text) for text in held[module].values())
        if size > _PART:
            close()
    close()
    header = zlib.compress(msgspec.msgpack.encode(Header(every, parts)), 9)
    return len(header).to_bytes(4, "big") + header + body


def write(
    folder: Path, tables: dict[str, ReleaseRoles], releases: dict[str, list[tuple[str, str]]], tops: dict[str, str],
    standard: frozenset[str], before: str, miner: str,
) -> Directory:  # fmt: skip
    """Write all tables and the directory into `folder`, and remove tables that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    total = hashlib.sha256()
    for name in sorted(tables):
        content = pack(tables[name])
        total.update(content)
        (folder / f"{name}.idx").write_bytes(content)
    for path in folder.glob("*.idx"):
        if path.stem not in tables:
            path.unlink()
    ordered = {name: releases[name] for name in sorted(releases)}
    listed = dict(sorted(tops.items()))
    total.update(msgspec.msgpack.encode([ordered, listed, sorted(standard), before, miner]))
    made = Directory(total.hexdigest()[:16], miner, before, listed, standard, ordered)
    encoded = msgspec.msgpack.Encoder(order="deterministic").encode(made)
    (folder / "directory.msgpack").write_bytes(encoded)
    return made


def worse(one: Role, other: Role) -> Role:
    """Of two releases' roles for a name, the one that allows less; `one` is of the newer release."""
    rank = {"gadget": 3, "denied": 3, "function": 2, "construct": 1, "value": 0, "unknown": 0}
    if one.kind is not other.kind:
        return one if rank[one.kind] > rank[other.kind] else other
    if one.predicate != other.predicate:
        both = dict.fromkeys([*one.predicate.split(","), *other.predicate.split(",")])
        return Role(one.kind, ",".join(part for part in both if part), one.effect, one.via, one.library)
    return one
