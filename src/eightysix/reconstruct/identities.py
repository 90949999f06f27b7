"""The identities of a story: which were taken, when, by what, and where they were used afterwards."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from eightysix.context.sameprincipal import Principals
from eightysix.detect.actions import Action
from eightysix.detect.chain import Chain
from eightysix.detect.facts import grade_of
from eightysix.detect.observe import Observation
from eightysix.detect.view import PodView
from eightysix.detect.wording import process_of, rfc3339, taken_by
from eightysix.model.event import Event
from eightysix.model.incident import Identity
from eightysix.model.story import IdentityStory
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Grade, IdentityState, Kind, Origin
from eightysix.reconstruct.graph import identity_entity
from eightysix.reconstruct.identitylog import IdentityLog, UseGroup
from eightysix.reconstruct.revoking import revocation
from eightysix.reconstruct.uses import Attribute, is_ours, is_use, uses_of

__all__ = ["HANDED_OUT_NS", "SIGNED_IN", "Uses", "identity_stories"]

HANDED_OUT_NS = 5_000_000_000
"""A sign-in belongs to a request to the metadata service up to 5 s before it (facts of the attribution ladder, grade E)."""

SIGNED_IN = "a sign-in of it was recorded as the metadata service was asked"
"""How it is known which identity the metadata service handed out, where the provider tells it."""

SKEW_NS = 2_000_000_000
"""Clocks of nodes and of the cloud differ by up to 2 s."""

ONE_OF = ": one of them"
"""How it ends where nobody can say which of several identities was handed out."""

_ACCOUNT = "system:serviceaccount:"


class Uses:
    """A log of uses, looked through once for all stories."""

    def __init__(self, log: IdentityLog) -> None:
        self._log = log

    @cached_property
    def groups(self) -> list[UseGroup]:
        """All of them, by time."""
        return list(self._log)

    @cached_property
    def principals(self) -> Principals:
        """Which ids are the same principal."""
        return Principals(group.event.principals for group in self.groups)

    @cached_property
    def by_identity(self) -> dict[str, list[UseGroup]]:
        """By service account (`namespace/name`), and by each id of a principal."""
        return _by_identity(self.groups)


@dataclass(frozen=True)
class _Take:
    """When and by what an identity was taken."""

    time_ns: int
    by: str
    grade: Grade
    origin: Origin
    observation: Observation


def identity_stories(
    view: PodView,
    chains: Sequence[Chain],
    identities: Sequence[Identity],
    log: Uses,
    attribute: Attribute,
    *,
    pods: Collection[str],
    t0_ns: int,
) -> tuple[IdentityStory, ...]:
    """What became of each of `identities`; `pods` are those of the story by uid and name."""
    takes = _takes(view, chains)
    groups, principals, by_identity = log.groups, log.principals, log.by_identity
    stories = []
    for identity in identities:
        take = takes.get((identity.kind, identity.name))
        name, ids, why = _ids(view, identity, takes, groups, principals, attribute, pods)
        mine = _groups_of(identity, ids, by_identity)
        if identity.kind == "service-account":
            mine = _of_cluster(mine, view.who.cluster)
        taken_ns = take.time_ns if take is not None else t0_ns
        uses = uses_of(mine, view, pods, attribute, t0_ns=t0_ns, taken_ns=taken_ns)
        state = identity.state
        if (
            state is IdentityState.TAKEN
            and not why.endswith(ONE_OF)
            and any(is_use(identity.kind, use, pods) for use in uses.told)
        ):
            state = IdentityState.USED
        stories.append(
            IdentityStory(
                entity=identity_entity(identity),
                kind=identity.kind,
                name=name,
                ids=ids,
                domain=identity.domain,
                state=state,
                taken_at=rfc3339(take.time_ns) if take is not None else "",
                taken_by=take.by if take is not None else "",
                grade=take.grade if take is not None else Grade.E,
                origin=take.origin if take is not None else Origin.SUSPECT,
                uses=uses.told,
                other_uses=uses.more + uses.others,
                revocation=revocation(
                    identity.kind,
                    taken_at=rfc3339(take.time_ns) if take is not None else "",
                    bound_pod=f"{view.who.namespace}/{view.who.pod}" if view.who.pod else "",
                ),
                why=why,
            )
        )
    return (*stories, *_come_up(view, stories, groups, principals, attribute, pods=pods, t0_ns=t0_ns))


def _come_up(
    view: PodView,
    stories: Sequence[IdentityStory],
    groups: Sequence[UseGroup],
    principals: Principals,
    attribute: Attribute,
    *,
    pods: Collection[str],
    t0_ns: int,
) -> list[IdentityStory]:
    """Principals that were first seen with the story's pod after it read a secret or a credential file: what was in it, as far
    as times and places tell. Those that the pod used before are its own."""
    read = [s for s in stories if s.taken_at and s.kind not in ("managed-identity", "service-account")]
    if not read:
        return []
    first = min(to_ns(s.taken_at) for s in read)
    known = {one for s in stories for one in s.ids}
    mine: dict[tuple[str, ...], list[UseGroup]] = {}
    before: set[str] = set()
    for group in groups:
        event = group.event
        if event.kind is not Kind.CLOUD or not event.principals or known.intersection(event.principals):
            continue
        if event.time_ns < first - SKEW_NS:
            before.update(principals.of(event.principals))
        elif is_ours(attribute(event), pods):
            mine.setdefault(principals.of(event.principals), []).append(group)
    found: list[IdentityStory] = []
    for ids, used in sorted(mine.items()):
        if before.intersection(ids):
            continue
        signs = [g.event for g in used if g.event.resource == "sign-in"]
        name = (signs or [used[0].event])[0].principals[-1]
        identity = Identity("service-principal", name, IdentityState.USED, "")
        uses = uses_of(used, view, pods, attribute, t0_ns=t0_ns, taken_ns=first)
        whose = attribute(used[0].event)
        found.append(
            IdentityStory(
                entity=identity_entity(identity),
                kind=identity.kind,
                name=name,
                ids=ids,
                domain="delivery" if any(g.event.resource == "registry" for g in used) else "cloud",
                state=identity.state,
                taken_at=rfc3339(first),
                taken_by="",
                grade=whose.grade,
                origin=whose.origin,
                uses=uses.told,
                other_uses=uses.more + uses.others,
                revocation=revocation(identity.kind, taken_at=rfc3339(first)),
                why=f"first used after {' and '.join(f'{s.kind} {s.name}' for s in read[:3])} had been read, and from this pod"
                " as far as its records tell",
            )
        )
    return found


def _takes(view: PodView, chains: Sequence[Chain]) -> dict[tuple[str, str], _Take]:
    """The earliest take of each identity: in the chains, else anywhere in the pod."""
    matched = {id(o): o for chain in chains for found in chain.matches.values() for o in found}
    found: dict[tuple[str, str], _Take] = {}
    for observations in (matched.values(), view.told()):
        here: dict[tuple[str, str], _Take] = {}
        for o in sorted(observations, key=lambda o: (o.time_ns, o.event.event_id)):
            identity = taken_by(view, o)
            if identity is not None:
                take = _Take(o.time_ns, process_of(view, o), Grade(grade_of(o)), o.event.origin, o)
                here.setdefault((identity.kind, identity.name), take)
        for key, take in here.items():
            found.setdefault(key, take)
    return found


def _ids(
    view: PodView,
    identity: Identity,
    takes: Mapping[tuple[str, str], _Take],
    groups: Sequence[UseGroup],
    principals: Principals,
    attribute: Attribute,
    pods: Collection[str],
) -> tuple[str, tuple[str, ...], str]:
    """What an identity is called, its ids, and how those of the cloud are known."""
    if identity.kind != "managed-identity":
        account = identity.kind == "service-account" and "/" in identity.name and " " not in identity.name
        return identity.name, (_ACCOUNT + identity.name.replace("/", ":", 1),) if account else (), ""
    take = takes.get((identity.kind, identity.name))
    if take is None:
        return identity.name, (), "which identity it is, no record tells"
    told = {p for e in (*take.observation.evidence, take.observation.provenance) for p in e.principals}
    times = [
        o.time_ns
        for o in view.told()
        if o.action is Action.CREDENTIAL and o.event.kind is not Kind.FILE and o.time_ns >= take.time_ns
    ]
    signed: dict[tuple[str, ...], str] = {}
    for group in groups:
        event = group.event
        if event.resource != "sign-in" or not _handed_out(event, times):
            continue
        whose = attribute(event)
        if whose.join_key.startswith("metadata") and is_ours(whose, pods):
            # NOTE: a sign-in names the object id first and the application id last; people know it by the latter.
            signed[principals.of(event.principals)] = event.principals[-1] if event.principals else ""
    if len(signed) == 1:
        ((ids, name),) = signed.items()
        return (
            f"{name} {identity.name}",
            ids,
            SIGNED_IN,
        )
    if signed:
        return (
            f"{' or '.join(sorted(signed.values())[:4])} {identity.name}",
            tuple(sorted({one for ids in signed for one in ids})),
            f"{len(signed)} identities signed in as the metadata service was asked{ONE_OF}",
        )
    if told:
        (name, *_) = sorted(told)
        return f"{name} {identity.name}", principals.of(told), "the pod's own code asked for it by this id"
    return (
        identity.name,
        (),
        "which identity was handed out, no record tells: cached tokens leave no sign-in",
    )


def _handed_out(event: Event, times: Sequence[int]) -> bool:
    return any(-SKEW_NS <= event.time_ns - time_ns <= HANDED_OUT_NS for time_ns in times)


def _by_identity(groups: Sequence[UseGroup]) -> dict[str, list[UseGroup]]:
    found: dict[str, list[UseGroup]] = {}
    for group in groups:
        event = group.event
        if event.kind is Kind.API:
            for name in {event.identity, event.impersonated}:
                if name.startswith(_ACCOUNT):
                    found.setdefault(name.removeprefix(_ACCOUNT).replace(":", "/", 1), []).append(group)
        else:
            for one in event.principals:
                found.setdefault(one, []).append(group)
    return found


def _of_cluster(groups: list[UseGroup], cluster: str) -> list[UseGroup]:
    """Without those of an account of the same name in another cluster. Where no use is of a cluster that is called like the
    pod's all stay: an exporter may call a cluster otherwise than its audit log does."""
    wanted = cluster.lower()
    if not wanted or not any(group.event.cluster.lower() == wanted for group in groups):
        return groups
    return [group for group in groups if group.event.cluster.lower() in (wanted, "")]


def _groups_of(
    identity: Identity, ids: Sequence[str], by_identity: Mapping[str, list[UseGroup]]
) -> list[UseGroup]:
    names = (identity.name,) if identity.kind == "service-account" else ids
    found = {id(group): group for name in names for group in by_identity.get(name, ())}
    return sorted(found.values(), key=lambda g: (g.event.time_ns, g.event.event_id))
