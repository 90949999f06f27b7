"""Attacks by somebody whose signature is valid, or nearly: identities, runs, proofs and baselines."""

from __future__ import annotations

from functools import partial

from eightysix.lab.delivery.book import Case, Outcome, recorded_in
from eightysix.lab.delivery.stage import PICKLE, Stage, weights
from eightysix.lab.issuing import Flaws
from eightysix.lab.signers import gitlab, person
from eightysix.lab.signing import Box
from eightysix.model.errors import LabError
from eightysix.model.gate import Decision

__all__ = ["ATTACKS"]

ATTACKS: list[Case] = []
attack = partial(recorded_in, ATTACKS)


def _by(stage: Stage, **changes: str | int) -> Decision:
    stage.release(identity=stage.ci(**changes))
    return stage.check()


@attack("signer-drift")
def another_issuer(stage: Stage) -> Outcome:
    """L0. The attacker has no way into GitHub but a job in a GitLab project of the same name, whose tokens the same authority
    takes."""
    stage.release(identity=gitlab(job=stage.runs + 1, commit=f"{99:040x}"))
    return stage.check()


@attack("signer-drift")
def a_person_signs(stage: Stage) -> Outcome:
    """L0. A stolen browser session signs by hand what always a workload signed."""
    stage.release(identity=person(), commit=f"{99:040x}")
    return stage.check()


@attack("signer-drift")
def repository_made_anew(stage: Stage) -> Outcome:
    """L1. The repository was deleted and somebody else made one of the same name: name, workflow and branch agree, the
    repository's number does not."""
    return _by(stage, repository_id="5678")


@attack("signer-drift")
def owner_made_anew(stage: Stage) -> Outcome:
    """L1. The organisation gave its name up, and the name was taken by somebody else."""
    return _by(stage, owner_id="100")


@attack("signer-drift")
def new_workflow(stage: Stage) -> Outcome:
    """L2. A second workflow file in the same repository, which nobody reviewed, builds and signs."""
    return _by(stage, workflow="fast.yml")


@attack("signer-drift")
def reusable_workflow_from_elsewhere(stage: Stage) -> Outcome:
    """L2. The release workflow was changed to call a reusable workflow of another organisation, which signs in its stead."""
    return _by(stage, built_by="https://github.com/evil/actions/.github/workflows/build.yml@refs/heads/main")


@attack("signer-drift")
def from_a_branch(stage: Stage) -> Outcome:
    """L3. The release workflow runs from a branch that needs no review."""
    return _by(stage, ref="refs/heads/fix-typo")


@attack("signer-drift")
def pull_request_target(stage: Stage) -> Outcome:
    """L3. A pull request of a stranger runs with the rights of the base branch."""
    return _by(stage, trigger="pull_request_target")


@attack("signer-drift")
def self_hosted_runner(stage: Stage) -> Outcome:
    """L3. The job was sent to a machine that the attacker has registered as a runner."""
    return _by(stage, runner="self-hosted")


@attack("signer-drift")
def started_by_hand(stage: Stage) -> Outcome:
    """L3. Somebody with a stolen token starts the release workflow by hand."""
    return _by(stage, trigger="workflow_dispatch")


@attack("signer-drift")
def environment_dropped(stage: Stage) -> Outcome:
    """L3. The job does not run in the protected environment any more, so that nobody has to approve it."""
    return _by(stage, environment="")


@attack("signer-drift")
def repository_made_public(stage: Stage) -> Outcome:
    """L3. The repository became public over night: its pull requests are anybody's now."""
    return _by(stage, visibility="public")


@attack("signer-drift")
def owner_that_looks_alike(stage: Stage) -> Outcome:
    """L1. The organisation `acrne` looks like `acme`; its certificates are as good as anybody's."""
    return _by(stage, repository="acrne/ml", repository_id="7", owner_id="8")


@attack("run-replayed")
def run_replayed(stage: Stage) -> Outcome:
    """A runner that was taken over signs a second artifact with the identity of the run that it has: all fields agree, the run's
    number was seen before with another artifact."""
    first = stage.release()
    stage.check()
    stage.release(
        files={"model.safetensors": weights(9_000)},
        identity=first.identity,
        commit=f"{stage.runs + 500:040x}",
    )
    return stage.check()


@attack("signature-invalid", "signature-missing")
def signature_of_another_digest(stage: Stage) -> Outcome:
    """The signature of the last release is attached to an artifact that it does not speak of."""
    first = stage.release()
    stage.check()
    stage.runs += 1
    bad = stage.push("ml/llm", "prod", {"model.safetensors": weights(666)}, commit=f"{stage.runs:040x}")
    stage.attach("ml/llm", bad.digest, stage.box.sign(first.digest, first.identity))
    return stage.check()


@attack("signer-drift")
def signature_of_another_repository(stage: Stage) -> Outcome:
    """An artifact of another team of the same registry, with its own valid signature, is pushed under the name of this one."""
    other = stage.ci(repository="acme/vision", repository_id="4321")
    stage.release("ml/vision", "prod", identity=other)
    stage.release("ml/llm", "prod", files={"model.safetensors": weights(stage.runs)}, identity=other)
    return stage.check()


@attack("tag-rollback")
def rollback_to_a_signed_digest(stage: Stage) -> Outcome:
    """The tag is put back to a release of two weeks ago, signed by the right workflow, with the hole that was mended since."""
    old = stage.release(files={"model.safetensors": weights(1_000)})
    stage.check()
    stage.release()
    stage.check()
    stage.retag("ml/llm", "prod", old.pushed)
    return stage.check()


@attack("signature-missing")
def unsigned_after_signed(stage: Stage) -> Outcome:
    """The push has no signature at all, in the hope that nobody requires one."""
    stage.runs += 1
    stage.push("ml/llm", "prod", {"model.safetensors": weights(777)}, commit=f"{stage.runs:040x}")
    return stage.check()


@attack("attestation-missing")
def attestation_dropped(stage: Stage) -> Outcome:
    """The signature is there and agrees, the provenance that every release had is gone: it would have told the source."""
    stage.release("ml/attested")
    return stage.check("ml/attested")


@attack("signer-drift")
def provenance_by_another_builder(stage: Stage) -> Outcome:
    """The provenance is signed by the right identity and names a builder that never built here."""
    made = stage.release("ml/attested")
    proof = stage.provenance(made.digest, made.identity, builder="https://builder.evil.example/v1")
    stage.attach("ml/attested", made.digest, proof)
    return stage.check("ml/attested")


@attack("signer-drift")
def provenance_of_another_source(stage: Stage) -> Outcome:
    """The provenance is signed by the right identity and says that the source was a fork."""
    made = stage.release("ml/attested")
    proof = stage.provenance(made.digest, made.identity, source="https://github.com/evil/ml")
    stage.attach("ml/attested", made.digest, proof)
    return stage.check("ml/attested")


@attack("signature-invalid", "signature-missing")
def corrupt_signature(stage: Stage) -> Outcome:
    """One letter of the signature was changed, so that it might count as none where none is needed. It stays a broken one."""
    stage.runs += 1
    made = stage.push("ml/llm", "prod", {"model.safetensors": weights(88)}, commit=f"{stage.runs:040x}")
    good = stage.box.sign(made.digest, stage.ci())
    at = good.index(b'"signature":"') + 30
    stage.attach("ml/llm", made.digest, good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
    return stage.check()


def _flawed(stage: Stage, flaws: Flaws, box: Box | None = None) -> Decision:
    who = stage.ci()
    made = stage.push("ml/llm", "prod", {"model.safetensors": weights(stage.runs)}, commit=who.claims[13])
    stage.attach("ml/llm", made.digest, (box or stage.box).sign(made.digest, who, flaws=flaws))
    return stage.check()


@attack("signature-invalid", "signature-missing")
def expired_certificate(stage: Stage) -> Outcome:
    """A leaked key of a run is used an hour later: its certificate was over, as the log's time shows."""
    return _flawed(stage, Flaws(log_delay_s=3_600))


@attack("signature-invalid", "signature-missing")
def another_log(stage: Stage) -> Outcome:
    """The entry was signed by a log of the attacker's, so that nobody sees it in the real one."""
    return _flawed(stage, Flaws(log=Box("shadow", seed="shadow")))


@attack("signature-invalid", "signature-missing")
def no_certificate_log(stage: Stage) -> Outcome:
    """The certificate was never put into a log of certificates, where its owner would have seen it."""
    return _flawed(stage, Flaws(no_sct=True))


@attack("signature-missing", "signature-unverifiable")
def another_root(stage: Stage) -> Outcome:
    """An authority of the attacker's vouches for the right names. Nobody here trusts it."""
    return _flawed(stage, Flaws(), Box("stranger", seed="stranger"))


@attack("signer-drift")
def slow_ratchet(stage: Stage) -> Outcome:
    """One small difference more in each run, so that each step looks like the step before: a branch, a trigger, a runner, a
    workflow. The baseline never moves towards it."""
    steps: dict[str, str] = {}
    told = []
    for name, value in {
        "ref": "refs/heads/next",
        "trigger": "workflow_dispatch",
        "runner": "self-hosted",
        "workflow": "fast.yml",
    }.items():
        steps[name] = value
        told += [_by(stage, **steps) for _ in range(2)]
    return told


@attack("signer-drift")
def three_quiet_runs(stage: Stage) -> Outcome:
    """Three harmless releases from the attacker's runner, because three runs make a baseline, and then the one that matters."""
    return [_by(stage, runner="self-hosted") for _ in range(4)]


@attack("signer-drift")
def among_the_first_three(stage: Stage) -> Outcome:
    """A repository is new, and the second of its first runs is the attacker's. When the pipeline's third run has made the
    baseline, the attacker's way of signing is none of it."""
    for changes in ({}, {"runner": "self-hosted"}, {}, {}):
        stage.release("ml/new", identity=stage.ci(**changes))
        stage.check("ml/new")
    stage.release("ml/new", identity=stage.ci(runner="self-hosted"))
    return stage.check("ml/new")


@attack("signer-drift")
def first_of_all(stage: Stage) -> Outcome:
    """The attacker signs the very first release of a repository whose signer the policy declares: nothing has to be learned."""
    declared = (
        f"signers:\n  - scope: {stage.host}/ml/declared:prod\n"
        "    issuer: https://token.actions.githubusercontent.com\n"
        '    owner_id: "99"\n    repository_id: "1234"\n    runner: github-hosted\n'
    )
    stage.release("ml/declared", identity=stage.ci(repository="evil/ml", repository_id="1", owner_id="2"))
    return stage.check("ml/declared", policy=declared)


@attack("signer-drift")
def approval_by_the_pusher(stage: Stage) -> Outcome:
    """Whoever pushed asks the gate to remember the new signer, under the name that pushed and is an approver too."""
    from eightysix.lab.delivery.attacks_artifact import told_by

    made = stage.release(identity=stage.ci(runner="self-hosted"))
    stage.gate.hear(told_by(stage, "ml/llm", "prod", made.digest, actor="bot"))
    held = stage.check()
    command = next(finding.approval for finding in held.findings if finding.rule == "signer-drift")
    if stage.gate.approve(command, "bot") != 2:
        raise LabError("the pusher could approve", "look at gate/approvals.py")
    return stage.check()


@attack("signer-drift")
def expired_approval(stage: Stage) -> Outcome:
    """An exception for one week is used in the second."""
    stage.release(identity=stage.ci(runner="self-hosted"))
    held = stage.check()
    command = next(finding.approval for finding in held.findings if finding.rule == "signer-drift")
    stage.gate.approve(command, "ana", days=7)
    stage.gate.later(8)
    return _by(stage, runner="self-hosted")


@attack("signer-new-here")
def a_tag_without_a_past(stage: Stage) -> Outcome:
    """The attacker's own workflow pushes `prod2`: a tag that has no baseline of its own. What is known of the repository's other
    tags counts."""
    stage.release(tag="prod2", identity=stage.ci(workflow="fast.yml", runner="self-hosted"))
    return stage.check(tag="prod2")


@attack("signer-new-here")
def a_tag_that_looks_alike(stage: Stage) -> Outcome:
    """`PROD` is another tag than `prod`. Names that are no ASCII no registry takes, and the gate refuses them."""
    stage.release(tag="PROD", identity=stage.ci(ref="refs/heads/main", trigger="pull_request_target"))
    return stage.check(tag="PROD")


@attack("signer-drift")
def asked_by_digest(stage: Stage) -> Outcome:
    """The deployment was changed to name the digest alone, which belongs to no tag: it is held against the repository's."""
    made = stage.release(tag="", identity=stage.ci(repository="evil/ml", repository_id="1", owner_id="2"))
    return stage.check(tag=made.digest)


@attack("signature-new-here")
def unsigned_under_a_fresh_tag(stage: Stage) -> Outcome:
    """A fresh tag again, this time without a signature, in a repository where everything is signed."""
    stage.runs += 1
    stage.push("ml/llm", "canary", {"model.safetensors": weights(5)}, commit=f"{stage.runs:040x}")
    return stage.check(tag="canary")


@attack("signer-drift")
def the_next_version(stage: Stage) -> Outcome:
    """`1.2.3` never was, but versions have been: it is held against them."""
    stage.release(tag="1.2.3", identity=stage.ci(ref="refs/tags/v1.2.3", runner="self-hosted"))
    return stage.check(tag="1.2.3")


@attack("content-malicious", "file-types-changed", "signer-drift")
def the_whole_story(stage: Stage) -> Outcome:
    """The reconstructed breach: the same tag, a valid signature of the same repository, by hand from a machine of the attacker's,
    and a pickle beside the weights."""
    who = stage.ci(runner="self-hosted", trigger="workflow_dispatch")
    stage.release(files={"model.safetensors": weights(1), "extra.pkl": PICKLE}, identity=who)
    return stage.check()
