"""The engine: states by pod, joined under the names by which records speak of the same pod, judged by the rules.

Pure: events in, incidents out. Who reads files and who prints is somebody else's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from eightysix.context.gated import MAX_DIGESTS, Gated
from eightysix.context.ledger import MAX_FILES, Scans
from eightysix.context.names import MAX_NAMES, Validity, note_name
from eightysix.context.pods import (
    CONTAINER_PREFIX,
    account_key,
    address_key,
    container_key,
    is_alias,
    named_key,
    node_key,
    pod_key,
    principal_key,
    sensor_key,
)
from eightysix.detect.chain import Chain, Tried, find_chain
from eightysix.detect.combine import Case, combine
from eightysix.detect.contribute import with_contributions
from eightysix.detect.exceptions import ExceptionRule
from eightysix.detect.follow import follow
from eightysix.detect.observe import Observation
from eightysix.detect.plan import Plans, traits_of, with_made
from eightysix.detect.resolve import resolve
from eightysix.detect.rule import By, Rule
from eightysix.detect.search import Search
from eightysix.detect.state import MAX_CONTACTS, PodState, bound_contacts, step
from eightysix.detect.suppress import facts_of, suppress
from eightysix.detect.view import Knowledge, PodView
from eightysix.model.event import Contact, Event
from eightysix.model.incident import Incident
from eightysix.model.words import Grade, Kind, Source

__all__ = [
    "MAX_PODS",
    "MAX_TOTAL_NAMES",
    "MAX_TOTAL_PROCESSES",
    "Engine",
    "Judged",
    "Names",
    "judge",
    "key_of",
]

MAX_TOTAL_PROCESSES = 65_536
"""Process facts kept over all pods, as many as Tetragon's own cache holds (`processCacheSize` of its Helm chart)."""

MAX_PODS = 20_000
"""Pods of which events are kept: two thirds of the pods that a cluster of 1,000 nodes can hold at all
(kubernetes.io, considerations for large clusters: 110 pods a node, 150,000 in all)."""

MAX_TOTAL_NAMES = 262_144
"""Names of destinations kept over all pods: 13 for each of as many pods as are kept."""

_KEEP_OLDEST = 32
_KEEP_LATEST = 96
"""Of a pod's processes: its long-lived first ones, and the latest, which may still have children."""


def key_of(event: Event) -> str:
    """The key of the state that an event belongs to, by the strongest name it has."""
    if event.pod_uid:
        return pod_key(event.pod_uid)
    if event.container_id:
        return container_key(event.node, event.container_id)
    if event.pod:
        return named_key(event.namespace, event.pod)
    if event.kind is Kind.CLOUD:
        return principal_key(event.principals[0] if event.principals else "")
    if event.source is Source.SENSOR:
        return sensor_key()
    if event.source is Source.DNS:
        return address_key(event.source_ip)
    return account_key(event.service_account) if event.kind is Kind.API else node_key(event.node)


@dataclass(frozen=True)
class Judged:
    """What the engine comes to: incidents, the pods by key with makeshift names resolved, what is known beside their own
    events, and what pods did that each one made (`detect.follow`). `later` judges a pod of which only the rules for whole
    rollouts were asked."""

    cases: list[Case]
    states: list[PodState]
    knowledge: Knowledge
    made: Mapping[str, tuple[Observation, ...]]
    later: Callable[[PodState], list[Case]] | None = None

    def view(self, state: PodState) -> PodView | None:
        """A pod as rules see it, None when nothing of it is left."""
        view = PodView.of(state, self.knowledge)
        if view is not None:
            view.take(self.made.get(state.key, ()))
        return view


class Engine:
    """Takes events in any order and says which incidents they amount to.

    `trees` is shared with the source that fills it (process facts do not travel as events).
    """

    def __init__(self, rules: Sequence[Rule], knowledge: Knowledge) -> None:
        self.rules = tuple(rules)
        self.plans = Plans(with_contributions(rules))
        self.states: dict[str, PodState] = {}
        self.trees: dict[str, dict[str, tuple[str, int, str, str, str, bool | None]]] = {}
        self.contacts: dict[str, dict[str, Contact]] = {}
        self.names: dict[str, dict[str, Validity]] = {}
        self.scans = Scans()
        self.gated = Gated()
        self.knowledge = replace(knowledge, told_names=self.names, scans=self.scans, gated=self.gated)
        self.unattributed = 0
        self.flooded: set[str] = set()
        self.pod_hint = ""

    def feed(self, events: Iterable[Event]) -> None:
        """Take events."""
        states = self.states
        for event in events:
            if event.source is Source.LEDGER:
                self.scans.note(event)
                continue
            if event.source is Source.GATE:
                self.gated.note(event)
                continue
            key = key_of(event)
            if event.source is Source.DNS:
                self._note_name(key, event)
                continue
            state = states.get(key)
            if state is None:
                state = states[key] = self._new_state(key)
            step(state, event)

    def _note_name(self, key: str, event: Event) -> None:
        """Names of destinations lie beside the states: nearly all pods have some, and few pods have evidence."""
        hint = event.grade is Grade.F and bool(event.dst_ip)
        names = self.names.setdefault(key, {})
        if note_name(names, event.dst_ip, event.dst_name, event.time_ns, event.ttl_s, hint=hint):
            self.flooded.add(f"{key}: more than {MAX_NAMES} names of destinations")

    def forget_names(self, before_ns: int) -> None:
        """Let go of answers that ran out before `before_ns`."""
        for key, names in list(self.names.items()):
            for name in [name for name, validity in names.items() if validity[1] < before_ns]:
                del names[name]
            if not names:
                del self.names[key]

    def _new_state(self, key: str) -> PodState:
        return PodState(
            key=key, processes=self.trees.setdefault(key, {}), contacts=self.contacts.setdefault(key, {})
        )

    @property
    def duplicates(self) -> int:
        """Events that were seen before."""
        return sum(state.duplicates for state in self.states.values())

    def trim(self) -> None:
        """Bound pods, process facts and connections; call it now and then. Of pods, those go first of which nothing
        landed, then those in which no chain could begin otherwise, then those that were silent longest."""
        if len(self.states) > MAX_PODS:
            self._let_pods_go()
        if len(self.contacts) > 2 * MAX_PODS:
            for key in [key for key in self.contacts if key not in self.states]:
                del self.contacts[key]
            self.flooded.add(f"more than {2 * MAX_PODS} pods that only connect")
        if sum(map(len, self.names.values())) > MAX_TOTAL_NAMES:
            self._let_names_go()
        for key in [key for key, contacts in self.contacts.items() if len(contacts) > MAX_CONTACTS]:
            if bound_contacts(self.contacts[key]) and key in self.states:
                self.states[key].flooded.add("too many different: connect")
        if sum(map(len, self.trees.values())) <= MAX_TOTAL_PROCESSES:
            return
        for key, tree in list(self.trees.items()):
            state = self.states.get(key)
            needed = {name.split("|", 2)[1] for name in state.buckets} if state is not None else set()
            names = list(tree)
            if len(names) <= _KEEP_OLDEST + _KEEP_LATEST:
                if state is None:
                    del self.trees[key]
                continue
            for exec_id in list(needed):
                _add_ancestors(tree, exec_id, needed)
            for exec_id in names[_KEEP_OLDEST:-_KEEP_LATEST]:
                if exec_id not in needed:
                    del tree[exec_id]

    def _let_names_go(self) -> None:
        """Of all names those go that ran out first."""
        ends = sorted(validity[1] for names in self.names.values() for validity in names.values())
        self.forget_names(ends[len(ends) - MAX_TOTAL_NAMES])
        self.flooded.add(f"more than {MAX_TOTAL_NAMES} names of destinations")

    def _let_pods_go(self) -> None:
        mine = self._landed_containers()

        def worth(key: str) -> tuple[bool, bool, int, str]:
            state = self.states[key]
            # What a forked worker does is kept by its container: it belongs to the pod in which something landed.
            landed = bool(state.landed) or (key.startswith("c:") and key.rpartition("/")[2] in mine)
            last = max((bucket.events[-1].time_ns for bucket in state.buckets.values()), default=0)
            return (landed, _may_begin_without_landing(state), last, key)

        for key in sorted(self.states, key=worth)[: len(self.states) - MAX_PODS]:
            del self.states[key]
            self.trees.pop(key, None)
            self.contacts.pop(key, None)
        self.flooded.add(f"more than {MAX_PODS} pods")

    def _landed_containers(self) -> set[str]:
        """Containers of the pods in which something landed, as makeshift names have them."""
        return {
            bucket.events[0].container_id[:CONTAINER_PREFIX]
            for state in self.states.values()
            if state.landed
            for bucket in state.buckets.values()
            if bucket.events[0].container_id
        }

    def resolved(self) -> list[PodState]:
        """The states with makeshift names joined to the pods that they turned out to be."""
        states = self.states
        if any(is_alias(key) and not key.startswith("c:") for key in states):
            # Who is to be found among the pods must be looked for among those without an event, too.
            silent = [key for key in {*self.trees, *self.contacts} if key not in states and not is_alias(key)]
            states = states | {key: self._new_state(key) for key in sorted(silent)}
        if self.knowledge.learnt.full:
            self.flooded.add("too many addresses of nodes or pods")
        if self.scans.full:
            self.flooded.add(f"more than {MAX_FILES} scanned files")
        if self.gated.full:
            self.flooded.add(f"more than {MAX_DIGESTS} digests of the gate")
        found, self.unattributed = resolve(states, self.pod_hint, self._principals())
        return [state for state in found if state.buckets or state.taints]

    def _principals(self) -> dict[str, frozenset[str]]:
        """Ids of cloud principals by service account (`*`: of the nodes), as declared and as learnt."""
        known = dict(self.knowledge.identities)
        for account, ids in self.knowledge.learnt.principals.items():
            known[account] = known.get(account, frozenset()) | ids
        return known

    def cases(self) -> list[Case]:
        """All incidents that the events so far amount to, worst first, with what they are made of."""
        return self.judged().cases

    def judged(self, wanted: Callable[[PodState], bool] | None = None) -> Judged:
        """All incidents, and the pods and what is known beside them, for who tells more than incidents. Where only some
        pods are `wanted`, the others are judged by rules for whole rollouts alone, and by the rest when somebody asks."""
        states = self.resolved()
        made = follow(states, self.knowledge)
        knowledge = replace(self.knowledge, names=Names({state.key: state for state in states}))

        def chains(state: PodState, by: By | None = None) -> list[Chain]:
            return judge(self.plans, state, knowledge, made.get(state.key, ()), by)

        if wanted is None:
            return Judged(combine([c for state in states for c in chains(state)]), states, knowledge, made)
        asked = {state.key for state in states if wanted(state)}
        cases = combine(
            [c for state in states for c in chains(state, None if state.key in asked else By.WORKLOAD)]
        )

        def later(state: PodState) -> list[Case]:
            return combine(chains(state, By.POD)) if state.key not in asked else []

        return Judged(cases, states, knowledge, made, later)

    def incidents(self, exceptions: Sequence[ExceptionRule] = ()) -> list[Incident]:
        """All incidents that the events so far amount to, worst first; those that an exception covers are marked.

        Exceptions are dated: what counts is the time of an incident's last record, so a run over old files gives the
        same result on any day.
        """
        return [
            suppress(case.incident, facts_of(case.chains, case.incident), exceptions, case.last_ns)
            for case in self.cases()
        ]


def _may_begin_without_landing(state: PodState) -> bool:
    """Whether a chain may be in this pod although nothing was seen to land: it took credentials of several domains, or
    loaded or revived an object that can run code."""
    firsts = [bucket.events[0] for bucket in state.buckets.values()]
    domains = {event.domain for event in firsts if event.domain is not None}
    loads = any(event.kind in (Kind.PICKLE, Kind.REVIVE) or event.file_id for event in firsts)
    return len(domains) > 1 or loads


def judge(
    plans: Plans,
    state: PodState,
    knowledge: Knowledge,
    made: tuple[Observation, ...] = (),
    by: By | None = None,
) -> list[Chain]:
    """The chains of all rules in one pod; `made` is what pods did that this one made (`detect.follow`). `by`: only of rules
    that judge by it."""
    traits = with_made(
        traits_of(
            state,
            baseline=knowledge.baseline is not None,
            named=bool(knowledge.told_names),
            scanned=bool(knowledge.scans),
            gated=bool(knowledge.gated),
        ),
        made,
    )
    candidates = plans.worth_asking(traits)
    if by is not None:
        candidates = tuple(plan for plan in candidates if plan.rule.by is by)
    if not candidates:
        return []
    view = PodView.of(state, knowledge)
    if view is None:
        return []
    view.take(made)
    search = Search(view, traits)
    tried: Tried = {}
    chains = (find_chain(plan, search, tried) for plan in candidates)
    return [chain for chain in chains if chain is not None]


class Names(Mapping[str, str]):
    """`namespace/name` of pods by uid, looked up when somebody asks."""

    def __init__(self, states: Mapping[str, PodState]) -> None:
        self._states = states

    def __getitem__(self, key: str) -> str:
        for bucket in self._states[key].buckets.values():
            event = bucket.events[0]
            if event.pod:
                return f"{event.namespace}/{event.pod}"
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)


def _add_ancestors(
    tree: Mapping[str, tuple[str, int, str, str, str, bool | None]], exec_id: str, into: set[str]
) -> None:
    fact = tree.get(exec_id)
    while fact is not None and fact[0] and fact[0] not in into:
        into.add(fact[0])
        fact = tree.get(fact[0])
