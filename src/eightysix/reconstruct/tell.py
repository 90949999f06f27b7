"""All stories that somebody asks for: of pods with incidents, of a pod by name, of an identity, of an artifact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from eightysix.detect.combine import Case
from eightysix.detect.state import PodState
from eightysix.detect.view import PodView
from eightysix.detect.wording import pod_of, service_account_of
from eightysix.model.event import Artifact, Event
from eightysix.model.incident import Counts
from eightysix.model.story import Reconstruction, Story
from eightysix.reconstruct.artifactstory import artifact_story
from eightysix.reconstruct.builder import pod_story
from eightysix.reconstruct.identitystory import identity_stories_of
from eightysix.reconstruct.read import Read
from eightysix.reconstruct.selection import Selection

__all__ = ["MAX_STORIES", "tell"]

MAX_STORIES = 64
"""Stories of one run: the worst. The others are told by `detect`, and by name (`--pod`)."""

MAX_WITHOUT_INCIDENT = 8
"""Pods that are told because of an identity or an artifact alone."""


def tell(read: Read, asked: Selection, counts: Counts) -> Reconstruction:
    """The stories that `asked` asks for, worst first."""
    stories = [
        pod_story(read, cases[0].chains[0].view, cases, asked)
        for cases in _by_pod(read.judged.cases)
        if _is_asked(cases, asked)
    ]
    raised, stories = stories, [story for story in stories if _matches(story, asked)]
    if not stories and not asked.is_open:
        stories = _without_incident(read, asked, raised)
    return Reconstruction(tuple(stories[:MAX_STORIES]), read.coverage, counts)


def _by_pod(cases: Iterable[Case]) -> list[list[Case]]:
    """Cases of one pod together, in the order of the worst of each."""
    pods: dict[str, list[Case]] = {}
    for case in cases:
        pods.setdefault(case.chains[0].view.key, []).append(case)
    return list(pods.values())


def _is_asked(cases: Sequence[Case], asked: Selection) -> bool:
    """Whether the pod and the time are asked for: what costs nothing to know before a story is told."""
    pod = pod_of(cases[0].chains[0].view)
    times = [
        o.time_ns
        for case in cases
        for chain in case.chains
        for found in chain.matches.values()
        for o in found
    ]
    return asked.names_pod(pod.namespace, pod.name, pod.uid) and asked.overlaps(min(times), max(times))


def _matches(story: Story, asked: Selection) -> bool:
    """Whether the identity and the artifact that are asked for are in a story."""
    if asked.identity and not any(
        asked.identity == name or asked.identity in identity.ids
        for identity in (*story.identities, *story.exposed)
        for name in (identity.name, story.service_account)
    ):
        return False
    return not asked.artifact or any(
        _is_artifact(asked, entity.facts.get("type", ""), entity.name, entity.facts.get("version", ""))
        for entity in story.entities
        if entity.kind == "package"
    )


def _is_artifact(asked: Selection, kind: str, text: str, version: str) -> bool:

    name = text.removesuffix(f"=={version}").removesuffix(f"@{version}") if version else text
    return asked.names_artifact(Artifact(kind, name, version))


def _without_incident(read: Read, asked: Selection, raised: Sequence[Story]) -> list[Story]:
    """Stories where no rule raised any: of the pod that is named; else of the identity or the artifact itself, and of
    the pods that surely have to do with it, those that rules `raised` for something else among them."""
    if asked.pod:
        views = _views(read, lambda event: asked.names_pod(event.namespace, event.pod, event.pod_uid))
        stories = [pod_story(read, view, (), asked) for view in views]
        return [story for story in stories if _matches(story, asked) and story.marks]
    if asked.identity:
        account = asked.identity if "/" in asked.identity else ""
        views = _views(read, lambda event: bool(account) and event.service_account == account)
        views = [view for view in views if service_account_of(view) == account]
        stories = [pod_story(read, view, (), asked) for view in views]
        if asked.artifact:  # both are asked for, and where an identity was used tells of no artifact
            return [story for story in stories if _matches(story, asked)]
        return [*identity_stories_of(read, asked), *stories]
    at = artifact_story(read, asked, [story.pod for story in raised if story.pod is not None])
    if at is None:
        return []
    there = {s.uid or f"{s.namespace}/{s.pod}" for s in at.elsewhere}
    return [
        at,
        *(s for s in raised if s.pod is not None and {s.pod.uid, f"{s.pod.namespace}/{s.pod.name}"} & there),
    ]


def _views(read: Read, wanted: Callable[[Event], bool]) -> list[PodView]:
    """Pods of which any event is wanted, as rules see them."""
    found: list[PodView] = []
    for state in read.judged.states:
        if len(found) < MAX_WITHOUT_INCIDENT and any(map(wanted, _firsts(state))):
            view = read.judged.view(state)
            if view is not None:
                found.append(view)
    return found


def _firsts(state: PodState) -> Iterable[Event]:
    return (bucket.events[0] for bucket in state.buckets.values())
