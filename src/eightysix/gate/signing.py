"""What an artifact's signatures count for: findings from their states and from the baseline's standing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from eightysix.gate.baseline import LEARNING_RUNS, Standing
from eightysix.gate.drift import Nearest
from eightysix.gate.profiles import run_of
from eightysix.model.finding import Severity
from eightysix.model.gate import DriftLevel, GateFinding, Signature, SignatureState

__all__ = ["approval", "replays", "signing_findings"]

_TECHNIQUES = ("T1195.002", "T1553", "MS-TA9002")
"""Supply chain compromise of software; subverting trust controls; compromised image in registry."""

_SEVERITY = {
    DriftLevel.TRUST: Severity.CRITICAL,
    DriftLevel.OWNER: Severity.CRITICAL,
    DriftLevel.WORKFLOW: Severity.HIGH,
    DriftLevel.CONTEXT: Severity.HIGH,
    DriftLevel.VOLATILE: Severity.LOW,
}

_MEANING = {
    DriftLevel.TRUST: "another root of trust",
    DriftLevel.OWNER: "another repository or owner",
    DriftLevel.WORKFLOW: "another workflow",
    DriftLevel.CONTEXT: "the usual workflow, in another setting",
    DriftLevel.VOLATILE: "another run",
}

_MAX_TOLD = 6
"""Differences that one sentence tells; the others are counted."""


def approval(name: str, rule: str, *, remember: bool = False) -> str:
    """The command that would let one finding about one artifact pass, for a person with the right to give it. The name may be a
    file's, which whoever made it chose: it is quoted, because people paste this into a shell."""
    kept = " --remember" if remember else ""
    return f"eightysix gate approve {shlex.quote(name)} --rule {rule}{kept} --by NAME --why REASON"


def signing_findings(
    signatures: Sequence[Signature], standing: Standing, name: str
) -> tuple[GateFinding, ...]:
    """Findings about an artifact's signatures; `name` is its reference with the digest, for the commands."""
    found = [
        *_states(signatures, standing, name),
        *(_drifted(of, signature, near, name) for of, signature, near in standing.unknown),
        *(_missing(of, signatures, name) for of in standing.missing),
    ]
    if not standing.active:
        found.append(_learning(standing))
    return tuple(found)


def replays(
    signatures: Sequence[Signature], seen: Mapping[str, str], digest: str, name: str
) -> tuple[GateFinding, ...]:
    """A run that signed another artifact of this scope before: a run is unique, so its proof was carried over.

    `seen` maps what `profiles.run_of` says to the digest that it was first seen with in this scope. Signers without a run
    of their own (keys) are not judged: their times and artifacts tell nothing.
    """
    found = {}
    for signature in signatures:
        signer = signature.signer
        if signature.state is not SignatureState.VALID or signer is None or not signer.run:
            continue
        first = seen.get(run_of(signature), digest)
        if first != digest:
            why = f"{signer.run} signed {first} before, in the same scope: one run, two artifacts"
            found[signer.run] = GateFinding(
                rule="run-replayed",
                severity=Severity.CRITICAL,
                holds=True,
                title="A run's proof is used for a second artifact",
                why=why,
                approval=approval(name, "run-replayed"),
                techniques=_TECHNIQUES,
            )
    return tuple(found[run] for run in sorted(found))


def _states(signatures: Sequence[Signature], standing: Standing, name: str) -> list[GateFinding]:
    """What is broken or could not be judged. Beside a signature that agrees it is told and holds nothing: whoever can attach a
    broken one to an artifact must not be able to keep it out."""
    found = []
    suffices = bool(standing.known) and not standing.unknown and not standing.missing
    for signature in signatures:
        if signature.state is SignatureState.INVALID:
            found.append(
                GateFinding(
                    rule="signature-invalid",
                    severity=Severity.MEDIUM if suffices else Severity.CRITICAL,
                    holds=not suffices,
                    title="A signature does not hold",
                    why=f"{signature.kind.value} in {signature.source or 'the artifact'}: {signature.why}",
                    techniques=_TECHNIQUES,
                )
            )
        elif signature.state is SignatureState.UNVERIFIABLE:
            found.append(
                GateFinding(
                    rule="signature-unverifiable",
                    severity=Severity.LOW if suffices else Severity.MEDIUM,
                    holds=standing.active and not suffices,
                    title="A signature could not be judged",
                    why=f"{signature.kind.value} in {signature.source or 'the artifact'}: {signature.why}",
                    approval="" if suffices else approval(name, "signature-unverifiable"),
                )
            )
    return found


def _drifted(of: str, signature: Signature, near: Nearest, name: str) -> GateFinding:
    level = near.deepest or DriftLevel.TRUST
    # A workflow that signs for itself stands in three fields: the same change is told once.
    changes = list({(drift.was, drift.now): drift.text for drift in reversed(near.drift)}.values())[::-1]
    told = changes[:_MAX_TOLD]
    if len(changes) > _MAX_TOLD:
        told.append(f"and {len(changes) - _MAX_TOLD} more differences")
    what = "signature" if of == "signature" else f"attestation {of}"
    why = "; ".join(told) or "every signer that was known here has expired or was revoked"
    runs = f" (known from {near.entry.runs} runs)" if near.entry is not None and near.entry.runs else ""
    who = signature.signer
    run = f"; run {who.run}" if who is not None and who.run else ""
    return GateFinding(
        rule="signer-drift",
        severity=_SEVERITY[level],
        holds=True,
        title=f"Valid {what}, wrong signer: {_MEANING[level]}",
        why=f"{level.value}: {why}{runs}{run}",
        approval=approval(name, "signer-drift", remember=True),
        techniques=_TECHNIQUES,
    )


def _missing(of: str, signatures: Sequence[Signature], name: str) -> GateFinding:
    """A kind of signature that this scope always has and this artifact has not."""
    broken = any(s.state in {SignatureState.INVALID, SignatureState.UNVERIFIABLE} for s in signatures)
    if of == "signature":
        state = "none that holds" if broken else "none"
        return GateFinding(
            rule="signature-missing",
            severity=Severity.CRITICAL,
            holds=True,
            title="Signed until now, and not this time",
            why=f"L0: every run of this scope carried a signature; here there is {state}",
            approval=approval(name, "signature-missing"),
            techniques=_TECHNIQUES,
        )
    return GateFinding(
        rule="attestation-missing",
        severity=Severity.CRITICAL,
        holds=True,
        title="Attested until now, and not this time",
        why=f"L0: every run of this scope carried {of}; here there is {'none that holds' if broken else 'none'}",
        approval=approval(name, "attestation-missing"),
        techniques=_TECHNIQUES,
    )


def _learning(standing: Standing) -> GateFinding:
    return GateFinding(
        rule="baseline-learning",
        severity=Severity.LOW,
        holds=False,
        title=f"No baseline yet: whoever alone signs the first {LEARNING_RUNS} runs becomes who may sign here",
        why=f"{standing.runs} of {LEARNING_RUNS} runs counted in this scope: make sure that the signer below is yours, or"
        " declare the scope's signers in the policy to judge at once",
    )
