"""A signer as a baseline keeps it: the fields that stay from run to run, each at its level.

The levels and what a difference at each means are ours (docs/gate-drift.md); the fields are Fulcio's
(sigstore/fulcio, docs/oid-info.md). Fields of L4 differ in every run and are no part of a profile.
"""

from __future__ import annotations

from hashlib import sha256

from eightysix.model.gate import DriftLevel, Signature, SignatureKind, SigningMethod

__all__ = [
    "CLAIMS",
    "LEVELS",
    "MAX_VALUE",
    "entry_id",
    "level_of",
    "of_signature",
    "profile_of",
    "ref_class",
    "run_of",
    "words",
]

MAX_VALUE = 512
"""Longest value that is kept, in characters; GitHub's longest path of a workflow with its repository is below 400. A longer one
keeps its digest, so that two that differ at their end still differ."""

LEVELS: dict[DriftLevel, tuple[str, ...]] = {
    DriftLevel.TRUST: ("method", "issuer", "key"),
    DriftLevel.OWNER: ("owner_id", "repository_id", "owner", "repository", "claim_source"),
    DriftLevel.WORKFLOW: ("workflow", "build_config", "subject", "claim_builder", "claim_build_type"),
    DriftLevel.CONTEXT: ("ref", "runner", "trigger", "environment", "visibility"),
}
"""Fields by level, in the order in which differences are told."""

CLAIMS = {"source": "claim_source", "builder": "claim_builder", "build_type": "claim_build_type"}
"""What a verified statement says of its making and stays the same from run to run. Whoever signs writes it: it can betray a
build that differs, it never excuses a signer."""

_LEVEL = {name: level for level, names in LEVELS.items() for name in names}

_WORDS = {
    "method": "signing method",
    "issuer": "issuer",
    "key": "key",
    "owner_id": "owner's number",
    "repository_id": "repository's number",
    "owner": "owner",
    "repository": "repository",
    "claim_source": "source in the provenance",
    "workflow": "workflow",
    "build_config": "calling workflow",
    "subject": "certificate's subject",
    "claim_builder": "builder in the provenance",
    "claim_build_type": "build type in the provenance",
    "ref": "ref",
    "runner": "runner",
    "trigger": "trigger",
    "environment": "deployment environment",
    "visibility": "visibility of the repository",
}


def level_of(field: str) -> DriftLevel:
    """The level of a profile's field; an unknown one is judged as the context, not forgotten."""
    return _LEVEL.get(field, DriftLevel.CONTEXT)


def words(field: str) -> str:
    """What people call a field."""
    return _WORDS.get(field, field)


def of_signature(signature: Signature) -> str:
    """What a signature is a baseline of: `signature`, or an attestation's predicate type."""
    if signature.kind in {SignatureKind.ATTESTATION, SignatureKind.PROVENANCE, SignatureKind.PYPI}:
        return signature.predicate_type or signature.kind.value
    return "signature"


def profile_of(signature: Signature) -> dict[str, str]:
    """The fields of a valid signature's signer that a baseline keeps, empty ones left out; {} where it has no signer."""
    signer = signature.signer
    if signer is None:
        return {}
    found = {
        "method": signer.method.value,
        "issuer": signer.issuer,
        # A keyless certificate's key lives for minutes: what stays is the authority, and that is the trust root's matter.
        "key": "" if signer.method in {SigningMethod.KEYLESS, SigningMethod.PUBLISHER} else signer.key,
        "owner_id": signer.owner_id,
        "repository_id": signer.repository_id,
        "owner": signer.owner,
        "repository": signer.repository,
        "workflow": _within(signer.workflow, signer.repository),
        "build_config": _within(_without_ref(signer.build_config), signer.repository),
        "subject": _within(_without_ref(signer.subject), signer.repository),
        "ref": ref_class(signer.ref),
        "runner": signer.runner,
        "trigger": signer.trigger,
        "environment": signer.environment,
        "visibility": signer.visibility,
    }
    for claim, field in CLAIMS.items():
        found[field] = signature.claims.get(claim, "")
    return {name: _bounded(value) for name, value in found.items() if value}


def run_of(signature: Signature) -> str:
    """What makes one run of a signer different from the next: the run's address, else the trusted time, else the artifact."""
    signer = signature.signer
    run = signer.run if signer is not None else ""
    return _bounded(run or (f"at {signature.at_ns}" if signature.at_ns else signature.subject))


def ref_class(ref: str) -> str:
    """A ref as a baseline keeps it. Each release has a tag of its own and each pull request a number: they are one class. A
    branch is itself, because the branch is what a review protects."""
    for prefix, kind in (
        ("refs/tags/", "refs/tags/*"),
        ("refs/pull/", "refs/pull/*"),
        ("refs/merge-requests/", "refs/pull/*"),
    ):
        if ref.startswith(prefix):
            return kind
    return ref


def entry_id(scope: str, of: str, profile: dict[str, str]) -> str:
    """Name of a baseline's entry: 16 hexadecimal digits from scope, what it is of, and profile in any order."""
    parts = [scope, of, *(f"{name}={profile[name]}" for name in sorted(profile))]
    told = b"".join(
        len(raw).to_bytes(8, "big") + raw for raw in (part.encode("utf-8", "surrogatepass") for part in parts)
    )
    return sha256(told).hexdigest()[:16]


def _within(path: str, repository: str) -> str:
    """A workflow's path inside of its own repository, so that a repository that was renamed, its number unchanged, keeps it. One
    from elsewhere (a reusable workflow) stays whole."""
    if repository and path.startswith(repository.rstrip("/") + "/"):
        return "./" + path[len(repository.rstrip("/")) + 1 :]
    return path


def _without_ref(path: str) -> str:
    """`https://.../release.yml@refs/heads/main` without its ref. A mail address keeps its `@`."""
    before, at, after = path.rpartition("@")
    return before if at and (after.startswith("refs/") or "/" in before) else path


def _bounded(value: str) -> str:
    if len(value) <= MAX_VALUE:
        return value
    digest = sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{value[: MAX_VALUE - 80]}… sha256:{digest}"
