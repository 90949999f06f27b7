"""What the gate of registries says of the images that a pod runs, as something that landed when its container started.

The gate tells of digests, the pod's records which digest it runs. A digest that was let pass lowers nothing: it lands as any
other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from eightysix.context.gated import HOLD, WOULD_HOLD, Fact, Standing
from eightysix.detect.actions import Action
from eightysix.detect.digests import digest_of
from eightysix.model.event import Artifact, Event, EventId
from eightysix.model.words import Origin

if TYPE_CHECKING:
    from eightysix.detect.observe import Observation
    from eightysix.detect.view import PodView

__all__ = [
    "MAX_IMAGES",
    "artifact_of",
    "facts_of",
    "gate_gaps",
    "gate_text",
    "gate_title",
    "gated_starts",
    "held_starts",
    "held_words",
    "image_ruling",
    "is_gated",
    "is_same_start",
    "move_kind",
    "standing_of",
]

MAX_IMAGES = 64
"""Images of one pod that are asked for: far more than any pod has containers."""

_GATED = frozenset({Action.HELD_DIGEST, Action.MOVED_DIGEST})
_ORDINARY = frozenset({"tag-moved"})
"""The gate's rules that any new release under a tag breaks."""
_STARTS = _GATED | {Action.NEW_DIGEST}
_MOST_RULES = 3

_Image = tuple[str, str, int]
"""Name, digest, and since when the pod runs it."""


def gated_starts(view: PodView) -> list[tuple[Action, Event, int]]:
    """For each image of the pod that the gate held or would have held, and for each that came by a tag of whose move the
    gate told something: what it is, who tells that the pod runs it, and since when."""
    gated = view.knowledge.gated
    found: list[tuple[Action, Event, int]] = []
    if not gated:
        return found
    for (image, digest, since), event in _images(view).items():
        standing = gated.find(image, digest, since)
        if standing is None:
            continue
        if standing.ruling in (HOLD, WOULD_HOLD):
            found.append((Action.HELD_DIGEST, _told(event, Action.HELD_DIGEST, standing), since))
        if standing.moved is not None and _found(standing.moved):
            found.append((Action.MOVED_DIGEST, _told(event, Action.MOVED_DIGEST, standing), since))
    return found


def is_gated(observation: Observation) -> bool:
    """Whether it is the start of an image that the gate told of."""
    return observation.action in _GATED


def standing_of(view: PodView, observation: Observation) -> Standing | None:
    """What the gate says of the image that started; None for anything else."""
    if not is_gated(observation):
        return None
    event = observation.event
    return view.knowledge.gated.find(event.image, event.image_digest, observation.time_ns)


def image_ruling(view: PodView, observation: Observation) -> str:
    """What the gate decided about the image of the container that acts, by its digest; of the pod where its image is not told."""
    gated = view.knowledge.gated
    if not gated:
        return "unknown"
    event = observation.event if observation.event.image_digest else view.who
    standing = gated.find(event.image, event.image_digest, event.container_started_ns or view.born_ns)
    if standing is None or standing.by_tag:
        return "unknown"
    return standing.ruling or "none"


def artifact_of(event: Event) -> Artifact:
    """The image as something that landed."""
    return Artifact("oci", event.image, event.image_digest)


def facts_of(view: PodView, observation: Observation) -> tuple[Fact, ...]:
    """The lines of the gate that it rests on: of a hold the decision and the move, of a move that alone."""
    standing = standing_of(view, observation)
    if standing is None:
        return ()
    moved = () if standing.moved is None else (standing.moved,)
    return standing.facts if observation.action is Action.HELD_DIGEST else moved


def gate_title(view: PodView, observation: Observation) -> str:
    """Why the gate held it, for behind a signal's title; empty where there is nothing to say."""
    standing = standing_of(view, observation)
    if standing is None:
        return ""
    rules: tuple[str, ...] = ()
    if observation.action is Action.HELD_DIGEST and standing.decided is not None:
        rules = standing.decided.held_for
    elif standing.moved is not None:
        rules = (*standing.moved.held_for, *standing.moved.told_of)
    more = f" and {len(rules) - _MOST_RULES} more" if len(rules) > _MOST_RULES else ""
    return f": {', '.join(rules[:_MOST_RULES])}{more}" if rules else ""


def gate_text(view: PodView, observation: Observation) -> str:
    """What was moved or decided, for people."""
    standing = standing_of(view, observation)
    if standing is None:
        return ""
    event = observation.event
    told = [f"{event.image.partition('@')[0]} {event.image_digest[:19]}".strip()]
    moved = standing.moved
    if moved is not None and moved.tag and (observation.action is Action.MOVED_DIGEST or not _found(moved)):
        before = f" from {moved.previous[:19]}" if moved.previous else ""
        by = f" by {moved.actor}" if moved.actor else ""
        told.append(f"tag {moved.tag} moved to it{before}{by}")
    if observation.action is Action.HELD_DIGEST and standing.decided is not None:
        if standing.decided.signed:
            told.append(f"signature {standing.decided.signed}")
        if standing.late:
            told.append("decided after it had started")
    if standing.by_tag:
        told.append("by its tag: the gate does not know this digest")
    return "; ".join(told)


def gate_gaps(view: PodView) -> list[str]:
    """What the gate's word about this pod's images does not cover, where there is a gate."""
    gated = view.knowledge.gated
    if not gated:
        return []
    images = [key for key in _images(view) if key[0] or key[1]]
    if not images:
        return ["what the gate says of its image: no record tells which image the pod runs"]
    if all(gated.find(*key) is None for key in images):
        return ["what the gate says of its image: the gate told nothing of this digest in its repository"]
    return []


def _found(moved: Fact) -> bool:
    """Whether the gate found anything about a move."""
    return bool(moved.held_for or moved.told_of)


def move_kind(standing: Standing) -> str:
    """`ordinary` where the gate found no more than that the tag moved, else `odd`; empty without a move."""
    if standing.moved is None:
        return ""
    found = {*standing.moved.held_for, *standing.moved.told_of}
    return "ordinary" if found <= _ORDINARY else "odd"


def is_same_start(one: Observation, other: Observation) -> bool:
    """Whether both tell of the start of one container's image: that it is new, that the gate held it, that its tag moved."""
    return one is other or (
        one.action in _STARTS and other.action in _STARTS and one.time_ns == other.time_ns
    )


def held_starts(view: PodView) -> list[Observation]:
    """The starts of digests in this pod that the gate held or would have held."""
    return [o for o in view.told() if o.action is Action.HELD_DIGEST] if view.knowledge.gated else []


def held_words(view: PodView, observation: Observation) -> str:
    """That the pod runs what the gate held, for chains whose rule does not ask."""
    standing = standing_of(view, observation)
    ruling = standing.ruling if standing is not None else ""
    did = "held" if ruling == HOLD else "would hold, were it not in audit mode"
    under = (
        "started under a tag whose digest"
        if standing is not None and standing.by_tag
        else "started a digest that"
    )
    return f"{under} the gate {did}"


def _images(view: PodView) -> dict[_Image, Event]:
    """The images of the pod, each with the best record that tells it: the kernel's before the pod's own word."""
    found: dict[_Image, Event] = {}
    for event in sorted(_events(view), key=_trust):
        if not event.image:
            continue
        since = event.container_started_ns or view.born_ns
        key = (event.image, event.image_digest, since)
        if key not in found and len(found) < MAX_IMAGES and not _is_told(found, event):
            found[key] = event
    return found


def _is_told(found: dict[_Image, Event], event: Event) -> bool:
    """Whether a record that does not know when the container started, or which digest it is, tells of an image that
    another record tells better."""
    vague = not event.container_started_ns or not event.image_digest
    return vague and any(
        image == event.image and (digest == event.image_digest or not event.image_digest)
        for image, digest, _ in found
    )


def _events(view: PodView) -> Iterator[Event]:
    for observation in view.observations:
        yield from observation.evidence


def _trust(event: Event) -> tuple[bool, bool, bool, int, str]:
    return (
        not event.container_started_ns,
        not event.image_digest,
        event.origin is Origin.SUSPECT,
        event.time_ns,
        event.event_id,
    )


def _told(event: Event, action: Action, standing: Standing) -> Event:
    """`event` as the record of the start: another one for each thing that the gate says, so that what changes is news."""
    said = repr((event.event_id, str(action), standing)).encode("utf-8", "surrogatepass")
    return replace(event, event_id=EventId(digest_of(said) * 2))
