"""Signers for the tests of the baseline: the release of one repository, and how an attacker's differ."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from eightysix.model.gate import Signature, SignatureKind, SignatureState, Signer, SigningMethod

REPOSITORY = "https://github.com/acme/ml"
SCOPE = "acme.azurecr.io/ml/llm:prod"

RELEASE = Signer(
    method=SigningMethod.KEYLESS,
    issuer="https://token.actions.githubusercontent.com",
    key="aa" * 32,
    owner_id="99",
    repository_id="1234",
    owner="https://github.com/acme",
    repository=REPOSITORY,
    workflow=f"{REPOSITORY}/.github/workflows/release.yml",
    build_config=f"{REPOSITORY}/.github/workflows/release.yml@refs/heads/main",
    subject=f"{REPOSITORY}/.github/workflows/release.yml@refs/heads/main",
    ref="refs/heads/main",
    runner="github-hosted",
    trigger="push",
    environment="production",
    visibility="private",
    commit="a" * 40,
    builder_digest="a" * 40,
    config_digest="a" * 40,
    run=f"{REPOSITORY}/actions/runs/1/attempts/1",
)


def signed(signer: Signer = RELEASE, run: int = 1, *, digest: str = "", **changes: Any) -> Signature:
    """A valid signature by a signer in its run of that number."""
    who = replace(signer, run=f"{REPOSITORY}/actions/runs/{run}/attempts/1", commit=f"{run:040x}")
    who = replace(who, **changes)
    return Signature(
        kind=SignatureKind.SIGSTORE_BUNDLE,
        state=SignatureState.VALID,
        subject=digest or f"sha256:{run:064x}",
        signer=who,
        at_ns=run * 10**9,
        digest=f"sha256:{run + 1000:064x}",
    )


def attested(signer: Signer = RELEASE, run: int = 1, **changes: Any) -> Signature:
    """The same for SLSA provenance."""
    claims = {
        "builder": "https://github.com/actions/runner",
        "source": f"git+{REPOSITORY}",
        "commit": f"{run:040x}",
    }
    return replace(
        signed(signer, run, **changes),
        kind=SignatureKind.PROVENANCE,
        predicate_type="https://slsa.dev/provenance/v1",
        claims=claims,
    )
