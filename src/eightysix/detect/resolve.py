"""Which pod a record without a pod belongs to: by container, by lineage, by name and time, else not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from eightysix.context.pods import is_alias
from eightysix.detect.identities import join_principals
from eightysix.detect.state import PodState, merge, step
from eightysix.model.event import Event
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Source

__all__ = ["MAX_MINTED", "resolve"]

_SLACK_NS = 60_000_000_000
"""A pod's life as far as the records show is stretched by a minute at both ends before it is compared with others."""


MAX_MINTED = 4
"""Tokens that mint tokens are followed this far."""


class _Span:
    """From when to when a pod was seen, and by what names."""

    def __init__(self, state: PodState) -> None:
        events = state.events()
        times = [event.time_ns for event in events if event.time_ns]
        starts = [
            _ns(fact[2])
            for fact in list(state.processes.values())[:: max(1, len(state.processes) // 256)]
            if fact[2]
        ]
        every = [t for t in times + starts if t]
        self.first = min(every, default=0)
        self.last = max(every, default=0)
        self.names = {(event.namespace, event.pod) for event in events if event.pod}

    def overlaps(self, other: _Span) -> bool:
        return self.first - _SLACK_NS <= other.last and other.first <= self.last + _SLACK_NS

    def distance(self, time_ns: int) -> int:
        return max(0, self.first - time_ns, time_ns - self.last)


class _Spans:
    """Spans of pods as they were given, each worked out when somebody asks: for most runs nobody does."""

    def __init__(self, states: Mapping[str, PodState]) -> None:
        self._states = dict(states)
        self._known: dict[str, _Span] = {}
        self._named: dict[tuple[str, str], list[str]] = {}

    def add(self, states: Mapping[str, PodState]) -> None:
        """More pods."""
        self._states.update(states)
        self._named.clear()

    def __getitem__(self, key: str) -> _Span:
        span = self._known.get(key)
        if span is None:
            span = self._known[key] = _Span(self._states[key])
        return span

    def items(self) -> Iterator[tuple[str, _Span]]:
        """Of all of them."""
        return ((key, self[key]) for key in self._states)

    def named(self, name: tuple[str, str]) -> list[str]:
        """The pods that had a name."""
        if not self._named:
            for key, span in self.items():
                for one in span.names:
                    self._named.setdefault(one, []).append(key)
        return self._named.get(name, [])


def resolve(
    states: Mapping[str, PodState], pod_hint: str = "", principals: Mapping[str, frozenset[str]] | None = None
) -> tuple[list[PodState], int]:
    """The states of pods, with the records of makeshift names joined in, and the number of events that stay without a pod.

    `pod_hint` (`namespace/name` or a uid) says whose the sensor's records without a pod are, `principals` which ids of
    cloud principals a service account stands for (`detect.identities`). The given states are not changed.
    """
    pods = {key: state for key, state in states.items() if not is_alias(key) or key.startswith("c:")}
    aliases = {key: state for key, state in states.items() if key not in pods}
    if not aliases and not any(key.startswith("c:") for key in pods):
        return sorted(pods.values(), key=lambda state: state.key), 0
    joined: dict[str, PodState] = _join_named_containers(_join_containers(pods))
    joined = _join_lineage(joined, [s for k, s in aliases.items() if k.startswith("h:")])
    spans = _Spans(joined)
    leftover: dict[str, PodState] = {}
    for key, state in aliases.items():
        if key.startswith("n:"):
            _join_named(key, state, joined, spans, leftover)
    joined.update(leftover)
    spans.add(leftover)
    sensor = aliases.get("s:")
    unattributed = 0
    if sensor is not None:
        unattributed += _join_sensor(sensor, joined, spans, pod_hint)
    accounts = [s for k, s in aliases.items() if k.startswith("a:")]
    unattributed += _join_tokens(joined, accounts)
    clouds = [s for k, s in sorted(aliases.items()) if k.startswith("p:")]
    unattributed += join_principals(joined, clouds, principals or {})
    unattributed += sum(len(s.events()) for k, s in aliases.items() if k.startswith("h:")) - _told_by_lineage(
        joined
    )
    return sorted(joined.values(), key=lambda state: state.key), max(0, unattributed)


def _told_by_lineage(joined: Mapping[str, PodState]) -> int:
    return sum(
        1
        for state in joined.values()
        for bucket in state.buckets.values()
        for event in bucket.events
        if event.source in (Source.TETRAGON, Source.FALCO) and not event.pod_uid and not event.container_id
    )


def _join_containers(pods: Mapping[str, PodState]) -> dict[str, PodState]:
    """States known by container only join the pod that has this container."""
    owners: dict[str, str] = {}
    for key, state in pods.items():
        if key.startswith("c:"):
            continue
        for prefix in _containers(state):
            owners.setdefault(prefix, key)
    joined = {key: state for key, state in pods.items() if not key.startswith("c:")}
    for key, state in sorted(pods.items()):
        if not key.startswith("c:"):
            continue
        owner = owners.get(key.rpartition("/")[2])
        if owner is None:
            joined[key] = state
        else:
            joined[owner] = _with(joined[owner], state)
    return joined


def _join_named_containers(pods: dict[str, PodState]) -> dict[str, PodState]:
    """States known by container whose records name the pod, but not its uid (Falco's default outputs), join the pod of that
    name that lived at their time."""
    if not any(key.startswith("c:") for key in pods):
        return pods
    by_name: dict[tuple[str, str], list[str]] = {}
    for key, state in pods.items():
        if not key.startswith("c:"):
            for name in {(e.namespace, e.pod) for e in state.events() if e.pod}:
                by_name.setdefault(name, []).append(key)
    joined = {key: state for key, state in pods.items() if not key.startswith("c:")}
    for key, state in sorted(pods.items()):
        if not key.startswith("c:"):
            continue
        mine = _Span(state)
        owners = {
            owner
            for name in mine.names
            for owner in by_name.get(name, ())
            if _Span(pods[owner]).overlaps(mine)
        }
        if len(owners) == 1:
            owner = owners.pop()
            joined[owner] = _with(joined[owner], state)
        else:
            joined[key] = state
    return joined


def _containers(state: PodState) -> set[str]:
    found = {fact[4][:12] for fact in state.processes.values() if fact[4]}
    found |= {
        event.container_id[:12]
        for bucket in state.buckets.values()
        for event in bucket.events
        if event.container_id
    }
    return found


def _with(state: PodState, other: PodState) -> PodState:
    merged = merge(state, other)
    merged.key = state.key
    return merged


def _join_lineage(joined: dict[str, PodState], nodes: Iterable[PodState]) -> dict[str, PodState]:
    """Records with neither pod nor container join the pod that an ancestor of their process is known in."""
    nodes = list(nodes)
    if not nodes:
        return joined
    owner = {exec_id: key for key, state in joined.items() for exec_id in state.processes}
    for node in nodes:
        for event in node.events():
            exec_id = event.exec_id
            for _ in range(16):
                if not exec_id or exec_id in owner:
                    break
                fact = node.processes.get(exec_id)
                exec_id = (
                    fact[0]
                    if fact is not None
                    else (event.parent_exec_id if exec_id == event.exec_id else "")
                )
            key = owner.get(exec_id)
            if key is None:
                continue
            state = joined[key]
            copy = PodState(key=key, processes=dict(node.processes))
            joined[key] = _with(state, step(copy, event))
    return joined


def _join_named(
    key: str,
    state: PodState,
    joined: dict[str, PodState],
    spans: _Spans,
    leftover: dict[str, PodState],
) -> None:
    """Records that name a pod (audit events) join the pod of that name that lived at their time."""
    namespace, _, name = key[2:].partition("/")
    owners = spans.named((namespace, name))
    if not owners:
        leftover[key] = state
        return
    for event in state.events():
        owner = min(owners, key=lambda k: (spans[k].distance(event.time_ns), k))
        joined[owner] = _with(joined[owner], step(PodState(key=owner), event))


def _join_sensor(sensor: PodState, joined: dict[str, PodState], spans: _Spans, hint: str) -> int:
    """Sensor records without a pod join the one pod that overlaps them in time (or the one that the operator named);
    with none to choose from they stand alone, with several they stay unattributed. Returns how many stay so."""
    mine = _Span(sensor)
    if hint:
        owners = [k for k, span in spans.items() if k == hint or any("/".join(n) == hint for n in span.names)]
    else:
        owners = [k for k, span in spans.items() if span.overlaps(mine)]
    if len(owners) == 1:
        joined[owners[0]] = _with(joined[owners[0]], sensor)
        return 0
    joined[sensor.key] = sensor
    return len(sensor.events()) if owners else 0


def _join_tokens(joined: dict[str, PodState], accounts: Iterable[PodState]) -> int:
    """Requests with a token that a pod minted join that pod, and so do those with a token that such a token minted:
    taint follows the token id, `MAX_MINTED` steps far."""
    minted: dict[str, str] = {}
    for key in sorted(joined):
        for bucket in joined[key].buckets.values():
            for event in bucket.events:
                if event.issued_credential_id:
                    minted.setdefault(event.issued_credential_id, key)
    waiting = [event for state in accounts for event in state.events()]
    for _ in range(MAX_MINTED):
        theirs: dict[str, PodState] = {}
        rest: list[Event] = []
        for event in waiting:
            owner = minted.get(event.credential_id) if event.credential_id else None
            if owner is None:
                rest.append(event)
                continue
            step(theirs.setdefault(owner, PodState(key=owner)), event)
            if event.issued_credential_id:
                minted.setdefault(event.issued_credential_id, owner)
        for owner, state in theirs.items():
            joined[owner] = _with(joined[owner], state)
        waiting = rest
        if not theirs or not minted:
            break
    return len(waiting)


def _ns(text: str) -> int:
    try:
        return to_ns(text)
    except ValueError:
        return 0
