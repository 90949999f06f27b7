"""The aftermath of recorded runs, through the whole reconstruction: what is to be done about what happened, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from eightysix.model.story import EntityKind, Story
from eightysix.reconstruct.names import entity_id
from eightysix.reconstruct.selection import Selection
from eightysix.rules.catalog import load_packaged
from eightysix.serve.reconstruction import Reconstructing
from eightysix.serve.replay import ReplayOptions

RECORDED = Path(__file__).parents[2] / "src/eightysix/lab/recorded"
NODE_IDENTITY = "11111111-1111-4111-8111-111111111111"


def story_of(*names: str, pod: str = "inference-0") -> Story:
    told = Reconstructing(load_packaged(), ReplayOptions()).read(
        [str(RECORDED / name) for name in names], None, Selection()
    )
    return next(story for story in told.stories if story.pod is not None and story.pod.name == pod)


@pytest.fixture(scope="module")
def breach() -> Story:
    return story_of("attack-86s")


def test_the_steps_of_the_recorded_breach(breach: Story) -> None:
    whose = "of ml/inference-0 by metadata service"
    assert [step.what.replace(f"{NODE_IDENTITY} ", "") for step in breach.rotate] == [
        "isolate pod ml/inference-0: nothing in or out, the metadata service (169.254.169.254) included",
        "see that nothing leaves it any more",
        "take the evidence of pod ml/inference-0",
        f"cut the role assignments of managed identity {whose}",
        f"stop new tokens of managed identity {whose}",
        "cut what service account ml/inference-sa may do",
        "change what every secret of namespace ml holds",
        "change what secret ml/acr-push-sp holds, where it was issued",
        "block the artifact where it comes from: torch-perf-utils==1.4.3",
        "rebuild and pin: nothing with torch-perf-utils==1.4.3",
        "delete pod ml/inference-0",
        "look for what they left behind, and tell the story again with later telemetry",
    ]


def test_steps_are_about_things_of_the_graph(breach: Story) -> None:
    known = {entity.id for entity in breach.entities}
    assert {step.for_entity for step in breach.rotate if step.for_entity} <= known
    assert breach.pod is not None
    assert breach.rotate[0].for_entity == entity_id(EntityKind.POD, breach.pod.uid)


def test_what_was_taken_is_not_exposed_too(breach: Story) -> None:
    taken = {(identity.kind, identity.name) for identity in breach.identities}
    assert not taken & {(identity.kind, identity.name) for identity in breach.exposed}
    assert [identity.kind for identity in breach.exposed if identity.kind == "node"] == []
    assert all(identity.why for identity in breach.exposed)


def test_issued_tokens_of_the_managed_identity_cannot_be_revoked(breach: Story) -> None:
    (identity,) = [i for i in breach.identities if i.kind == "managed-identity"]
    assert identity.revocation.possible is False
    assert identity.revocation.until > identity.taken_at


def test_the_same_artifact_in_another_run_is_told() -> None:
    told = story_of("attack-86s", "slow")
    other = [s for s in told.elsewhere if s.same]
    assert [(s.namespace, s.pod, s.how, s.artifact) for s in other] == [
        ("ml", "inference-0", "installed", "torch-perf-utils==1.4.3")
    ]
    assert other[0].uid != (told.pod.uid if told.pod is not None else "")
    assert other[0].identity_taken
    assert any(step.what.startswith("isolate the other pods that lost") for step in told.rotate)


def test_a_pod_that_was_made_is_isolated_too() -> None:
    steps = [step.what for step in story_of("second-pod").rotate]
    assert "isolate what it made: ml/node-tuner" in steps
    assert "delete pods ml/inference-0, ml/node-tuner" in steps
