"""OpenSSF model signatures (sigstore/model-transparency): every file of a model, by name and digest, in a signed statement.

Own verifier. model-signing 1.1.1 takes any certificate of an authority, expired ones too, leaves `.git*` out, and leaves out what
the signer wrote into `ignore_paths`. Here a file that is there and was not signed is unsigned, whoever would rather not look;
what needs no signature is the operator's choice (`Trust.ignore_paths`).
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from eightysix.gate.attest.context import Task
from eightysix.gate.attest.dsse import envelope_of
from eightysix.gate.attest.material import Draft, FileKind, ModelFile
from eightysix.gate.attest.statement import Statement, statement_of
from eightysix.gate.attest.strict import (
    Refusal,
    as_list,
    as_map,
    as_text,
    is_hex,
    load_json,
    shown,
    unverifiable,
    wrong,
)

__all__ = ["ALGORITHMS", "MAX_FILES", "HashPlan", "check_model", "plan_of", "safe_path"]

ALGORITHMS: Final = {"sha256": 64, "blake2b": 128, "blake3": 64}
"""Digests that model-signing writes, with their digits."""

MAX_FILES: Final = 100_000
_MAX_PATH: Final = 4096
_MIN_SHARD: Final = 1 << 16
"""Smaller shards would let a signer ask for millions of digests."""

_V1: Final = "https://model_signing/signature/v1.0"
_DECLARED: Final = frozenset({".git", ".gitattributes", ".github", ".gitignore"})
"""Paths that model-signing writes into every signature as ignored. They may be named; files there are unsigned all the same."""


class HashPlan(Struct, frozen=True):
    """What must be computed of a model's files before its signature can be judged. Read before anything is verified: a hint."""

    algorithm: str = "sha256"
    shard_size: int = 0

    @property
    def label(self) -> str:
        """How model-signing calls the digests of such a plan."""
        return f"{self.algorithm}-sharded-{self.shard_size}" if self.shard_size else self.algorithm


class Resource(Struct, frozen=True):
    """One signed thing: a file, or the part of it from `start` to `end`."""

    path: str
    algorithm: str
    digest: str
    part: str = ""


def plan_of(data: bytes) -> HashPlan:
    """What the signature in these bytes would need; the plan of a plain one where they cannot be read."""
    try:
        bundle = as_map(load_json(data, "the bundle"), "the bundle")
        envelope = envelope_of(bundle.get("dsseEnvelope"))
        statement = statement_of(envelope.payload_type, envelope.payload)
        if statement.predicate_type != _V1:
            return HashPlan()
        fields = as_map(statement.predicate.get("serialization"), "the serialization")
        return _plan(fields)
    except Refusal:
        return HashPlan()


def _plan(fields: Mapping[str, object]) -> HashPlan:
    algorithm = as_text(fields.get("hash_type"), "the model's hash_type")
    if algorithm not in ALGORITHMS:
        raise unverifiable(f"files are signed by {shown(algorithm)}, which nobody here computes")
    method = fields.get("method")
    if method == "files":
        return HashPlan(algorithm)
    if method != "shards":
        raise unverifiable(f"the model is signed by {shown(method)}, which nobody here knows")
    size = fields.get("shard_size")
    if isinstance(size, float) and size.is_integer():  # protobuf's JSON has no whole numbers
        size = int(size)
    if isinstance(size, bool) or not isinstance(size, int) or size < _MIN_SHARD:
        raise wrong(f"the model is signed in parts of {shown(size)} bytes")
    return HashPlan(algorithm, size)


def safe_path(name: str) -> bool:
    """Whether the name is a relative path that stays within its folder and is the same on every system."""
    if not name or len(name) > _MAX_PATH or "\\" in name or ":" in name or not name.isprintable():
        return False
    return all(part not in {"", ".", ".."} for part in name.split("/"))


def check_model(draft: Draft, statement: Statement, task: Task) -> None:
    """Refuse a statement that is not about exactly the files that are there; fills subject and claims."""
    resources, plan, declared = _signed(statement)
    root = hashlib.sha256(b"".join(bytes.fromhex(r.digest) for r in resources)).hexdigest()
    draft.subject = f"sha256:{root}"
    draft.claims = {
        "model": statement.subjects[0].name[:1000] if statement.predicate_type == _V1 else "",
        "files": str(len({r.path for r in resources})),
        "algorithm": plan.algorithm,
    }
    if statement.predicate_type == _V1:
        if len(statement.subjects) != 1:
            raise wrong(f"the statement is about {len(statement.subjects)} models, and one is expected")
        told = statement.subjects[0].digests.get("sha256", "")
        if told != root:
            raise wrong(f"it says that the model is sha256:{told}, and its files make sha256:{root}")
    allowed = {path.rstrip("/") for path in task.trust.ignore_paths} | task.signature_files
    if beyond := [path for path in declared if not _within(path, allowed | _DECLARED)]:
        raise wrong(f"the signer left out what nobody here allowed: {_some(beyond)}")
    if task.files is None:
        raise unverifiable("it signs the files of a model, and they were not given")
    ignored = _compare(resources, plan, task.files, allowed)
    if ignored:
        draft.claims["ignored"] = "\n".join(sorted(ignored)[:100])


def _within(path: str, allowed: Iterable[str]) -> bool:
    plain = path.rstrip("/").removeprefix("./")
    return safe_path(plain) and any(plain == one or plain.startswith(one + "/") for one in allowed)


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - 5:,} more" if len(listed) > 5 else ""
    return ", ".join(shown(name) for name in listed[:5]) + more


def _signed(statement: Statement) -> tuple[list[Resource], HashPlan, list[str]]:
    """What was signed, how, and what the signer says to have left out."""
    if statement.predicate_type != _V1:
        found = [
            Resource(subject.name, "sha256", subject.digests.get("sha256", ""))
            for subject in statement.subjects
        ]
        return _checked(found, HashPlan()), HashPlan(), []
    fields = as_map(statement.predicate.get("serialization"), "the serialization")
    plan = _plan(fields)
    listed = as_list(statement.predicate.get("resources"), "the list of resources", most=MAX_FILES)
    ignore = as_list(fields.get("ignore_paths", []), "the list of ignore_paths", most=MAX_FILES)
    found = [_resource(item, plan) for item in listed]
    return _checked(found, plan), plan, [as_text(path, "an ignored path") for path in ignore]


def _resource(value: object, plan: HashPlan) -> Resource:
    fields = as_map(value, "a resource")
    name = as_text(fields.get("name"), "a resource's name")
    path, part = name, ""
    if plan.shard_size:
        path, _, part = name.partition(":")
        start, _, end = part.partition(":")
        if not (start.isascii() and start.isdigit() and end.isascii() and end.isdigit() and len(part) < 44):
            raise wrong(f"the resource {shown(name)} is no part of a file")
        if part != f"{int(start)}:{int(end)}":
            raise wrong(f"the resource {shown(name)} is no part of a file")
    return Resource(
        path,
        as_text(fields.get("algorithm"), "a resource's algorithm"),
        as_text(fields.get("digest"), "a resource's digest").lower(),
        part,
    )


def _checked(found: list[Resource], plan: HashPlan) -> list[Resource]:
    """The resources; refuses where a name is unsafe, stands twice, or is another's on a system that folds case."""
    if not found:
        raise wrong("it signs no file at all")
    folded: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    for one in found:
        if one.algorithm != plan.label or not is_hex(one.digest, ALGORITHMS[plan.algorithm]):
            raise wrong(f"the resource {shown(one.path)} has no digest by {plan.label}")
        if not safe_path(one.path) and not (one.path == "." and len({r.path for r in found}) == 1):
            raise wrong(f"{shown(one.path)} is no path within a model")
        if (one.path, one.part) in seen:
            raise wrong(f"{shown(one.path)} is signed twice")
        seen.add((one.path, one.part))
        key = unicodedata.normalize("NFC", one.path).casefold()
        if folded.setdefault(key, one.path) != one.path:
            raise wrong(f"{shown(one.path)} and {shown(folded[key])} are one file on other systems")
    for key, path in folded.items():
        parent = key.rpartition("/")[0]
        while parent:
            if parent in folded:
                raise wrong(f"{shown(folded[parent])} is signed as a file and as the folder of {shown(path)}")
            parent = parent.rpartition("/")[0]
    return found


def _compare(
    resources: list[Resource], plan: HashPlan, files: Mapping[str, ModelFile], allowed: set[str]
) -> list[str]:
    """Refuse where the files are not what was signed; the files that the operator lets pass without a signature."""
    signed = {one.path for one in resources}
    here = dict(files)
    if signed == {"."} and len(here) == 1:
        here = {".": next(iter(here.values()))}
    ignored = [path for path in here if path not in signed and _within(path, allowed)]
    let_pass = set(ignored)
    if odd := [p for p, f in here.items() if f.kind is not FileKind.FILE and p not in let_pass]:
        raise wrong(f"links and special files are not taken in a model: {_some(odd)}")
    if extra := [path for path in here if path not in signed and path not in let_pass]:
        raise wrong(f"not signed: {_some(extra)}")
    if gone := [path for path in signed if path not in here]:
        raise wrong(f"signed, and not there: {_some(gone)}")
    if plan.shard_size:
        _compare_parts(resources, plan, here)
        return ignored
    unknown = [one.path for one in resources if plan.algorithm not in here[one.path].digests]
    if unknown:
        raise unverifiable(f"{plan.algorithm} was not computed of {_some(unknown)}")
    if other := [one.path for one in resources if here[one.path].digests[plan.algorithm] != one.digest]:
        raise wrong(f"not what was signed: {_some(other)}")
    return ignored


def _compare_parts(resources: list[Resource], plan: HashPlan, here: Mapping[str, ModelFile]) -> None:
    """Each file must be signed from its first byte to its last, in parts of the size that was said."""
    parts: dict[str, dict[str, str]] = {}
    for one in resources:
        parts.setdefault(one.path, {})[one.part] = one.digest
    for path, told in parts.items():
        file = here[path]
        count = max(1, -(-file.size // plan.shard_size))
        if count != len(told):
            raise wrong(f"not signed from its first byte to its last: {shown(path)}")
        for index in range(count):
            start = index * plan.shard_size
            part = f"{start}:{min(start + plan.shard_size, file.size)}"
            if part not in told:
                raise wrong(f"not signed from its first byte to its last: {shown(path)}")
            if part not in file.shards:
                raise unverifiable(f"{plan.algorithm} of parts was not computed of {shown(path)}")
            if file.shards[part] != told[part]:
                raise wrong(f"not what was signed: {shown(path)}")
