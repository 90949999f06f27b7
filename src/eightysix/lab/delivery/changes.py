"""What honest teams do: releases, mirrors, renames, rotations. What passes by itself, and what asks for an approval."""

from __future__ import annotations

import json
from functools import partial
from typing import cast

from eightysix.lab.delivery.book import Case, Outcome, recorded_in
from eightysix.lab.delivery.shelf import Shelf
from eightysix.lab.delivery.stage import Stage, weights
from eightysix.lab.registry import INDEX
from eightysix.lab.signing import Box
from eightysix.model.gate import Decision

__all__ = ["CHANGES"]

CHANGES: list[Case] = []
change = partial(recorded_in, CHANGES)

NIGHTLY = f"{2:040x}"
"""The commit that the repository `ml/nightly` was built from last."""


def _of(stage: Stage, place: str = "ml/llm", /, **changes: str | int) -> Decision:
    stage.release(place, identity=stage.ci(**changes))
    return stage.check(place)


@change()
def a_new_commit(stage: Stage) -> Outcome:
    """The next commit is built, pushed and signed."""
    return _of(stage)


@change()
def runner_image_and_run_differ(stage: Stage) -> Outcome:
    """The hosted runner has a new image, the run a new number, the workflow's file a new commit: all that differs each time."""
    who = stage.ci()
    stage.release(identity=who.changed(_10="f" * 40, _19="e" * 40))
    return stage.check()


@change()
def a_new_release_tag(stage: Stage) -> Outcome:
    """`2.0.0`, by the workflow and from a tag as `1.2.2` before."""
    stage.release(tag="2.0.0", identity=stage.ci(ref="refs/tags/v2.0.0"))
    return stage.check(tag="2.0.0")


@change()
def a_patch_release(stage: Stage) -> Outcome:
    """`1.2.3` after `1.2.2`."""
    stage.release(tag="1.2.3", identity=stage.ci(ref="refs/tags/v1.2.3"))
    return stage.check(tag="1.2.3")


@change()
def the_same_digest_again(stage: Stage) -> Outcome:
    """The job ran twice and pushed the same bytes under the same tag."""
    made = stage.release()
    stage.check()
    stage.retag("ml/llm", "prod", made.pushed)
    return stage.check()


@change()
def the_same_digest_under_a_second_tag(stage: Stage) -> Outcome:
    """The release gets the tag `stable` too."""
    made = stage.release()
    stage.check()
    stage.retag("ml/llm", "stable", made.pushed)
    return stage.check(tag="stable")


@change("no-new-commit")
def two_platforms(stage: Stage) -> Outcome:
    """The release becomes an index over two platforms. An index of buildx has no annotation with the commit: that is asked about
    once."""
    parts = [stage.push("ml/llm", "", {"model.safetensors": weights(number)}) for number in (1, 2)]
    made = stage.index("ml/llm", "prod", *parts)
    stage.attach("ml/llm", made.digest, stage.box.sign(made.digest, stage.ci()))
    return stage.check()


@change()
def the_source_repository_was_renamed(stage: Stage) -> Outcome:
    """`acme/ml` is called `acme/models` now. The numbers of owner and repository stay, and so does everything below."""
    return _of(stage, repository="acme/models")


@change()
def an_announced_rotation(stage: Stage) -> Outcome:
    """The release moves to another identity on Monday; the operator has declared it in the policy on Friday."""
    declared = (
        f"signers:\n  - scope: {stage.host}/ml/llm:prod\n    issuer: https://token.actions.githubusercontent.com\n"
        '    owner_id: "99"\n    repository_id: "777"\n    owner: https://github.com/acme\n'
        "    repository: https://github.com/acme/release\n    workflow: ./.github/workflows/release.yml\n"
        "    build_config: ./.github/workflows/release.yml\n    subject: ./.github/workflows/release.yml\n"
        "    ref: refs/heads/main\n    runner: github-hosted\n    trigger: push\n    environment: release\n"
        "    visibility: private\n"
    )
    stage.release(identity=stage.ci(repository="acme/release", repository_id="777"))
    return stage.check(policy=declared)


@change("signer-drift")
def a_rotation_nobody_announced(stage: Stage) -> Outcome:
    """The same, and nobody told the operator: one approval, which is remembered."""
    return _of(stage, repository="acme/release", repository_id="777")


@change("signer-drift")
def the_branch_was_renamed(stage: Stage) -> Outcome:
    """`main` is `trunk` now. Where a release is built from is what a review protects: somebody says so once."""
    return _of(stage, ref="refs/heads/trunk")


@change()
def the_second_run_from_the_renamed_branch(stage: Stage) -> Outcome:
    """The approval for `trunk` was given and remembered; all later runs pass."""
    held = _of(stage, ref="refs/heads/trunk")
    stage.gate.approve(held.findings[0].approval, "ana")
    return _of(stage, ref="refs/heads/trunk")


@change()
def a_hotfix_by_its_approved_workflow(stage: Stage) -> Outcome:
    """There is a hotfix workflow, which was approved when it ran first. Months later it runs again."""
    held = _of(stage, workflow="hotfix.yml")
    stage.gate.approve(held.findings[0].approval, "ana", days=0)
    stage.gate.later(100)
    return _of(stage, workflow="hotfix.yml")


@change()
def a_scheduled_rebuild(stage: Stage) -> Outcome:
    """Every night the same commit is built on the newest base image, by a signer that is known to run by schedule."""
    stage.release(
        "ml/nightly", files={"layer.tar": weights(8)}, commit=NIGHTLY, identity=stage.ci(trigger="schedule")
    )
    return stage.check("ml/nightly")


@change()
def a_bill_of_materials_is_attached(stage: Stage) -> Outcome:
    """A scanner attaches an SPDX document as a referrer, unsigned."""
    made = stage.release()
    stage.attach("ml/llm", made.digest, b'{"spdxVersion": "SPDX-2.3"}', "application/spdx+json")
    return stage.check()


@change()
def a_second_team_signs_too(stage: Stage) -> Outcome:
    """The security team puts its own signature beside the known one."""
    made = stage.release()
    other = stage.ci(repository="acme/security", repository_id="55", workflow="seal.yml")
    stage.attach("ml/llm", made.digest, stage.box.sign(made.digest, other))
    return stage.check()


@change()
def a_stranger_attaches_junk(stage: Stage) -> Outcome:
    """Whoever may push attaches a broken signature and one of an authority that nobody knows. That must not keep the release
    out."""
    made = stage.release()
    stage.attach("ml/llm", made.digest, b"{not json")
    stranger = Box("stranger", seed="junk")
    stage.attach("ml/llm", made.digest, stranger.sign(made.digest, stage.ci()))
    return stage.check()


@change()
def cosign_and_bundle_together(stage: Stage) -> Outcome:
    """While the team moves from cosign's tags to bundles, each release has both."""
    made = stage.release()
    stage.attach_cosign("ml/llm", made.digest, stage.box.cosign(made.digest, made.identity))
    return stage.check()


@change()
def cosign_instead_of_a_bundle(stage: Stage) -> Outcome:
    """One release is signed by an older cosign. Who signs is what counts, not in which form."""
    who = stage.ci()
    made = stage.push("ml/llm", "prod", {"model.safetensors": weights(stage.runs)}, commit=who.claims[13])
    stage.attach_cosign("ml/llm", made.digest, stage.box.cosign(made.digest, who))
    return stage.check()


@change()
def a_quantised_model_is_added(stage: Stage) -> Outcome:
    """The release has a second file of safetensors, with half the bits."""
    stage.release(files={"model.safetensors": weights(1), "model-int8.safetensors": weights(2, 4)})
    return stage.check()


@change()
def a_readme_is_added(stage: Stage) -> Outcome:
    """The release has a README and a licence now."""
    stage.release(files={"model.safetensors": weights(1), "README.md": b"# llm\n", "LICENSE": b"MIT\n"})
    return stage.check()


@change()
def the_base_image_is_updated(stage: Stage) -> Outcome:
    """The commit only names a newer base image: the lowest layer is another one, the rest is as it was."""
    stage.release(files={"base.tar": weights(100), "app.safetensors": weights(7)})
    stage.check()
    stage.release(files={"base.tar": weights(101), "app.safetensors": weights(7)})
    return stage.check()


@change("no-new-commit")
def the_same_commit_built_again_by_hand(stage: Stage) -> Outcome:
    """A job failed half-way, and somebody runs it again: the same commit, other bytes. The gate cannot tell that from a model
    replaced in transit, and asks."""
    made = stage.release()
    stage.check()
    stage.release(files={"model.safetensors": weights(4_711)}, commit=made.identity.claims[13])
    return stage.check()


@change()
def provenance_is_added(stage: Stage) -> Outcome:
    """The pipeline begins to attest where its builds come from."""
    stage.release(attested=True)
    return stage.check()


@change()
def from_staging_to_production(stage: Stage) -> Outcome:
    """A promotion as it should be: the digest that was in staging."""
    made = stage.release("ml/app", "staging")
    stage.check("ml/app", "staging")
    stage.retag("ml/app", "prod", made.pushed)
    return stage.check("ml/app")


@change()
def first_release_of_a_new_repository(stage: Stage) -> Outcome:
    """Nothing is known of it, and nothing is required: it is let pass and told to be without a baseline."""
    return _of(stage, "ml/brand-new")


@change()
def first_release_of_a_declared_signer(stage: Stage) -> Outcome:
    """The policy declares who signs in a new repository, and the first release is by that signer."""
    declared = (
        f"signers:\n  - scope: {stage.host}/ml/brand-new:prod\n    issuer: https://token.actions.githubusercontent.com\n"
        '    owner_id: "99"\n    repository_id: "1234"\n    owner: https://github.com/acme\n'
        "    repository: https://github.com/acme/ml\n    workflow: ./.github/workflows/release.yml\n"
        "    build_config: ./.github/workflows/release.yml\n    subject: ./.github/workflows/release.yml\n"
        "    ref: refs/heads/main\n    runner: github-hosted\n    trigger: push\n"
    )
    stage.release("ml/brand-new")
    return stage.check("ml/brand-new", policy=declared)


@change("tag-rollback")
def a_revert(stage: Stage) -> Outcome:
    """The new release is slow, and the team goes back to the one before. Somebody says so."""
    old = stage.release()
    stage.check()
    stage.release()
    stage.check()
    stage.retag("ml/llm", "prod", old.pushed)
    return stage.check()


@change()
def back_to_the_good_one_after_an_attack(stage: Stage) -> Outcome:
    """The tag was overwritten and held. Putting back what was there before is no rollback."""
    old = stage.release()
    stage.check()
    stage.release(identity=stage.ci(runner="self-hosted"))
    stage.check()
    stage.retag("ml/llm", "prod", old.pushed)
    return stage.check()


@change()
def a_mirror(stage: Stage) -> Outcome:
    """The release is copied to another repository with its signature, digest for digest."""
    made = stage.release()
    stage.check()
    shelf = cast("Shelf", stage.place)
    for (repository, last), body in list(shelf.blobs.items()):
        if repository == "ml/llm":
            shelf.blobs["mirror/llm", last] = body
    for (repository, last), manifest in list(shelf.manifests.items()):
        if repository == "ml/llm" and last != "prod":
            shelf.manifests["mirror/llm", last] = manifest
    stage.retag("mirror/llm", "prod", made.pushed)
    return stage.check("mirror/llm")


@change()
def the_authority_tells_more(stage: Stage) -> Outcome:
    """Certificates name the deployment environment from today on. What was not told before is no drift."""
    return _of(stage, "ml/old")


@change()
def an_annotated_tag(stage: Stage) -> Outcome:
    """The release tag in git is an annotated one: the ref is the same, the commit is what it points to."""
    stage.release(tag="v3.0.0", identity=stage.ci(ref="refs/tags/v3.0.0", commit="d" * 40))
    return stage.check(tag="v3.0.0")


@change()
def an_index_with_a_new_platform(stage: Stage) -> Outcome:
    """An index whose annotation names its commit gets one platform more."""
    who = stage.ci()
    parts = [stage.push("ml/llm", "", {"model.safetensors": weights(number)}) for number in range(3)]
    body = json.loads(stage.index("ml/llm", "", *parts).manifest)
    body["annotations"] = {"org.opencontainers.image.revision": who.claims[13]}
    digest = stage.place.manifest("ml/llm", "prod", json.dumps(body).encode(), INDEX)
    stage.attach("ml/llm", digest, stage.box.sign(digest, who))
    return stage.check()


@change()
def a_large_layer_is_used_again(stage: Stage) -> Outcome:
    """Only the configuration changed: the layer with the weights is the one of the last release, and is not read again."""
    big = weights(12, 4_096)
    stage.release(files={"model.safetensors": big, "config.json": b"{}"})
    stage.check()
    stage.release(files={"model.safetensors": big, "config.json": b'{"a": 1}'})
    return stage.check()
