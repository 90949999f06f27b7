"""A model or package on disk, judged before it is pushed: its files, and the signatures that lie beside or in it."""

from __future__ import annotations

import os
import stat
from hashlib import sha256

from msgspec.structs import replace

from eightysix.gate.attest import HashPlan, Material, MaterialKind, ModelFile, plan_of
from eightysix.model.errors import NothingToReadError
from eightysix.model.gate import Decision, Reference
from eightysix.scan.walk import walk
from eightysix.serve.gate.check import Judge
from eightysix.serve.gate.contents import scan_files
from eightysix.serve.modelfiles import read_model

__all__ = ["check_path", "reference_of"]

_IN_FOLDER = ("model.sig", "model.sigstore.json")
"""Names that model-signing and its documentation give the signature of a folder."""

_BESIDE = (".sig", ".sigstore", ".sigstore.json", ".bundle", ".publish.attestation", ".provenance")
"""Endings beside a file: cosign's, sigstore-python's, PEP 740's (`pypi-attestations sign`), npm's."""

_MAX_SIGNATURE = 64 << 20
"""A statement about 100,000 files has some 20 MB."""


def check_path(path: str, judge: Judge, *, landing: Reference | None = None) -> Decision:
    """Judge a file or folder. With `landing` it is held against that tag's history, as what it would become."""
    if not os.path.lexists(path):
        raise NothingToReadError(f"{path} is not there", "name a file, a folder or a reference")
    # The operator named it, so a link is followed here, and nowhere below.
    place = os.path.realpath(path)
    material, signatures = _material(place)
    plan = next((plan_of(each.data) for each in material if each.data), HashPlan())
    files = dict(read_model(place, plan))
    whole = os.path.isdir(place)
    digest = _tree_digest(files, signatures) if whole else _file_digest(path, next(iter(files.values())))
    content = scan_files(list(walk([place])), place, judge.scan) if judge.scan is not None else ()
    content = tuple(replace(each, rules=judge.scan_version) for each in content)
    target = replace(landing, digest="") if landing is not None else reference_of(path)
    without_memory = judge if landing is not None else replace(judge, history=None)
    decision = without_memory.settle(
        target,
        digest,
        material=material,
        content=content,
        files=files if whole else None,
        signature_files=frozenset(signatures),
        subject="" if whole else digest,
    )
    return decision if landing is not None else _unapproved(decision)


def _unapproved(decision: Decision) -> Decision:
    """Without the commands that approve: they are about a digest under a tag, and a path is under none."""
    found = tuple(replace(each, approval="") for each in decision.findings)
    told = "where it is to land was not named (--as REF): it is held against no tag, and nothing of it can be approved"
    return replace(decision, findings=found, not_seen=(*decision.not_seen, told))


def reference_of(path: str) -> Reference:
    """What a path is called in a decision: it is in no registry."""
    return Reference("file", os.path.basename(os.path.abspath(path)))


def _material(path: str) -> tuple[list[Material], list[str]]:
    """Signatures in a folder by their known names, or beside a file; and which files of the folder they are."""
    found: list[Material] = []
    names: list[str] = []
    if os.path.isdir(path):
        for name in _IN_FOLDER:
            place = os.path.join(path, name)
            if os.path.lexists(place):
                found.append(_one(place, name))
                names.append(name)
        return found, names
    for ending in _BESIDE:
        place = path + ending
        if os.path.lexists(place):
            found.append(_one(place, os.path.basename(place)))
    return found, names


def _one(place: str, name: str) -> Material:
    data = _read(place)
    if isinstance(data, str):
        return Material(kind=MaterialKind.UNKNOWN, source=name, broken=data)
    kind = MaterialKind.DETACHED
    if data.lstrip()[:1] == b"{":
        kind = MaterialKind.PYPI if name.endswith((".attestation", ".provenance")) else MaterialKind.BUNDLE
    return Material(kind=kind, data=data, source=name, name=name.removesuffix(".publish.attestation"))


def _tree_digest(files: dict[str, ModelFile], signatures: list[str]) -> str:
    """A digest of a folder's names and bytes, signatures left out: a re-signed model is the same model. Ours, no standard's."""
    made = sha256(b"eightysix tree 1\n")
    for name in sorted(files):
        if name not in signatures:
            one = files[name]
            made.update(f"{len(name.encode('utf-8', 'surrogatepass'))}:".encode())
            made.update(name.encode("utf-8", "surrogatepass"))
            made.update(f" {one.kind.value} {one.digests.get('sha256', 'unread')}\n".encode())
    return f"sha256:{made.hexdigest()}"


def _read(place: str) -> bytes | str:
    """The bytes of a signature, or why there are none. Whoever made the folder made this file too: a pipe would wait for ever, a
    link may lead to what has no end."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return "it is no file"
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(_MAX_SIGNATURE + 1)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    finally:
        os.close(descriptor)
    return data if len(data) <= _MAX_SIGNATURE else "it is larger than any signature"


def _file_digest(path: str, file: ModelFile) -> str:
    """What a file is called by its bytes; without them there is nothing to decide about."""
    if "sha256" not in file.digests:
        raise NothingToReadError(
            f"{path} cannot be read, or is no file", "name a file, a folder or a reference"
        )
    return f"sha256:{file.digests['sha256']}"
