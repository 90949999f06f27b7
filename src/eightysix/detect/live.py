"""The engine while telemetry still comes: after each batch, which incidents are new or have changed.

Pure like the engine: no clock, no storage. What a pod amounts to is worked out again only when something of it changed, and
the result is the same as that of a run over all records at once, because states do not depend on the order of arrival.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace as with_fields

from eightysix.context.gated import repository_and_tag
from eightysix.context.pods import is_alias, named_key
from eightysix.context.workloads import MAKERS
from eightysix.detect.chain import Chain
from eightysix.detect.combine import Case, combine
from eightysix.detect.engine import Engine, Names, judge, key_of
from eightysix.detect.follow import follow
from eightysix.detect.observe import Observation
from eightysix.detect.rule import By
from eightysix.detect.state import PodState
from eightysix.detect.story import incident_id
from eightysix.model.event import Event
from eightysix.model.words import Source

__all__ = ["LiveEngine"]


_BESIDE = frozenset({Source.DNS, Source.LEDGER, Source.GATE})
_OF_NO_POD = frozenset({Source.LEDGER, Source.GATE})
"""What these tell lies beside the states."""


class LiveEngine:
    """Keeps what each pod amounts to, and works it out again for those that changed."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.dirty: set[str] = set()
        self._sizes: dict[str, int] = {}  # of process trees, as of the last time that everything was settled
        self._marks: dict[str, int] = {}
        self._joined: set[str] = set()
        self._judged_last = ""
        self._aliases = {key for key in engine.states if is_alias(key)}
        self._called: dict[str, str] = {}  # pods with evidence, by their names
        self._makers: set[str] = set()
        self._loaders: set[str] = set()  # what scans know is about files that these loaded
        self._settled: set[str] = set()
        self._made: dict[str, tuple[Observation, ...]] = {}
        self._made_pods: set[str] = set()
        self._chains: dict[str, list[Chain]] = {}
        self._pods: dict[str, list[Case]] = {}
        self._rollouts: dict[str, list[Case]] = {}
        known = {key: state.events() for key, state in engine.states.items()}  # from before a restart
        for key, events in known.items():
            self._note(key, events)
        self.sources_seen(frozenset(event.source for events in known.values() for event in events))

    def feed(self, events: Sequence[Event]) -> None:
        """Take events."""
        named = [event for event in events if event.source is Source.DNS and self._is_new_name(event)]
        scans = self.engine.scans.version
        gated = self._told_of(events)
        self.engine.feed(events)
        for event in events:
            if event.source not in _BESIDE:
                self.dirty.add(key_of(event))
                self._note(key_of(event), (event,))
        # A name counts from the next look on; only one that was never told before is worth a look of its own.
        self.dirty.update(self._called[key] for key in map(key_of, named) if key in self._called)
        if self.engine.scans.version != scans:
            self.dirty |= self._loaders & self.engine.states.keys()
        news = {name for name, number in self._told_of(events).items() if gated[name] != number}
        if news:
            self.dirty.update(self._running(news))
        told = (event for event in events if event.source not in _OF_NO_POD)
        self._aliases.update(key for key in map(key_of, told) if is_alias(key))

    def _note(self, key: str, events: Iterable[Event]) -> None:
        """Remember by what name the pod of `events` goes, whether it made others, and whether it loaded a file."""
        for event in events:
            if event.pod and key != named_key(event.namespace, event.pod):
                self._called[named_key(event.namespace, event.pod)] = key
            if event.verb == "create" and event.resource in MAKERS:
                self._makers.add(key)
            if event.file_id:
                self._loaders.add(key)

    def _is_new_name(self, event: Event) -> bool:
        return f"{event.dst_ip}|{event.dst_name}" not in self.engine.names.get(key_of(event), ())

    def grew(self, keys: Iterable[str]) -> None:
        """The process trees or plain connections of these pods grew. What nobody tells of is found by `settle`."""
        self.dirty.update(key for key in keys if key in self.engine.states)

    def sources_seen(self, sources: frozenset[Source]) -> None:
        """Tell which sources speak: what an incident says of gaps depends on it, so a new one changes all."""
        engine = self.engine
        if not sources <= engine.knowledge.sources:
            engine.knowledge = with_fields(engine.knowledge, sources=sources | engine.knowledge.sources)
            self.dirty.update(engine.states)
            self._marks.clear()

    @property
    def waits_for_names(self) -> bool:
        """Whether something changed that has to be joined to pods under other names first: `settle` does that, and costs
        time that grows with the number of pods."""
        return any(is_alias(key) or key in self._joined or self._is_followed(key) for key in self.dirty)

    @property
    def needs_settling(self) -> bool:
        """Whether there is anything that one pod alone does not tell: records under makeshift names, pods that made
        others, addresses that were learnt."""
        learnt = self.engine.knowledge.learnt
        return bool(self._aliases or self._makers or learnt.node_facts or learnt.pods or learnt.claims)

    def _is_followed(self, key: str) -> bool:
        """Whether a pod made others after something landed in it, is one of those, or could be: then the chain that it
        changes is not only its own."""
        if key in self._made_pods:
            return True
        states = self.engine.states
        # Of a maker that is known by another name so far, nobody knows here what landed in it.
        tainted = [
            maker for maker in self._makers if maker in states and (is_alias(maker) or states[maker].landed)
        ]
        return bool(tainted) and (key in tainted or key not in self._settled)

    def cases(self) -> list[Case]:
        """All incidents as they stand."""
        found = [case for cases in self._pods.values() for case in cases]
        return found + [case for cases in self._rollouts.values() for case in cases]

    def quick(self, most: int | None = None) -> list[Case]:
        """Judge the pods that changed and have one name only (`most` of them, in turn); the incidents of those, changed or
        not."""
        keys = sorted(key for key in self.dirty if not is_alias(key) and key not in self._joined)
        if most is not None and len(keys) > most:
            place = bisect_right(keys, self._judged_last)
            keys = (keys[place:] + keys[:place])[:most]
            self._judged_last = keys[-1]
        self.dirty -= {key for key in keys if not self._is_followed(key)}
        states = self.engine.states
        found = [states[key] for key in keys if key in states]
        for state in found:
            self._is_changed(state)  # so that `settle` knows that it was judged
        return self._judge(found, ())

    def settle(self) -> list[Case]:
        """Join the records of makeshift names to their pods, and judge every pod that changed by it."""
        self._note_growth()
        self.dirty.clear()
        states = self.engine.resolved()
        self._joined = {state.key for state in states if self.engine.states.get(state.key) is not state}
        there = {state.key for state in states}
        self._settled = set(there)
        gone = [key for key in self._chains if key not in there]
        made = follow(states, self.engine.knowledge)
        followed = {key for key in {*made, *self._made} if made.get(key) != self._made.get(key)}
        self._made = made
        self._made_pods = {o.event.pod_uid for found in made.values() for o in found if o.event.pod_uid}
        self._made_pods -= made.keys()
        changed = [state for state in states if self._is_changed(state) or state.key in followed]
        return self._judge(changed, gone)

    def forget(self, keys: Iterable[str]) -> list[str]:
        """Let go of what pods amount to that are no longer kept; the rollouts that are over with the last of their pods."""
        over = set(keys)
        touched: set[str] = set()
        for key in over:
            touched |= _rollouts_of(self._chains.get(key, ()))
            self._sizes.pop(key, None)
            self._marks.pop(key, None)
            self._chains.pop(key, None)
            self._pods.pop(key, None)
            self._made.pop(key, None)
            self._makers.discard(key)
            self._loaders.discard(key)
        for name in [name for name, key in self._called.items() if key in over]:
            del self._called[name]
        self._combine_rollouts(touched)
        return sorted(touched - self._rollouts.keys())

    def _note_growth(self) -> None:
        sizes = self._sizes
        states = self.engine.states
        for key, tree in self.engine.trees.items():
            if sizes.get(key) != len(tree):
                sizes[key] = len(tree)
                if key in states:
                    self.dirty.add(key)

    def _is_changed(self, state: PodState) -> bool:
        mark = hash(
            (
                tuple(
                    (name, len(bucket.events), bucket.events[0].event_id, bucket.events[-1].event_id)
                    for name, bucket in state.buckets.items()
                ),
                tuple(state.contacts.items()),
                len(state.processes),
                self._names_told(state),
                tuple(sorted(state.flooded)),
                self._known_addresses(state),
                self._known_scans(state),
                self._known_gated(state),
            )
        )
        if self._marks.get(state.key) == mark:
            return False
        self._marks[state.key] = mark
        return True

    def _names_told(self, state: PodState) -> int:
        """How many names of destinations the pod was told: a look that knows more may tell more."""
        told = (bucket.events[0] for bucket in state.buckets.values()) if self.engine.names else ()
        who = next((event for event in told if event.pod), None)
        return len(self.engine.names.get(named_key(who.namespace, who.pod), ())) if who is not None else 0

    def _known_addresses(self, state: PodState) -> int:
        """How many addresses of the pod and of nodes are known: where its calls came from depends on them."""
        learnt = self.engine.knowledge.learnt
        return len(learnt.pods.get(state.key, ())) + learnt.node_facts

    def _known_scans(self, state: PodState) -> int:
        """How much scans knew when a pod that loaded a file was looked at."""
        version = self.engine.scans.version
        loads = version and any(bucket.events[0].file_id for bucket in state.buckets.values())
        return version if loads else 0

    def _told_of(self, events: Sequence[Event]) -> dict[str, int]:
        """How much the gate has told of each repository that it now tells of."""
        names = {repository_and_tag(event.image)[0] for event in events if event.source is Source.GATE}
        return {name: self.engine.gated.told_of(name) for name in names}

    def _running(self, repositories: set[str]) -> set[str]:
        """The pods that run an image of one of these."""
        states = self.engine.states.items()
        return {key for key, state in states if not repositories.isdisjoint(_repositories(state))}

    def _known_gated(self, state: PodState) -> tuple[int, ...]:
        """How much the gate told of the pod's repositories when it was looked at."""
        gated = self.engine.gated
        return tuple(gated.told_of(name) for name in sorted(_repositories(state))) if gated else ()

    def _judge(self, states: Iterable[PodState], gone: Iterable[str]) -> list[Case]:
        touched_rollouts: set[str] = set()
        found: list[Case] = []
        for key in gone:
            touched_rollouts |= _rollouts_of(self._chains.pop(key, ()))
            self._pods.pop(key, None)
        engine = self.engine
        knowledge = with_fields(engine.knowledge, names=Names(engine.states))
        for state in states:
            chains = judge(engine.plans, state, knowledge, self._made.get(state.key, ()))
            before = self._chains.get(state.key, ())
            if not chains and not before:
                continue
            touched_rollouts |= _rollouts_of(before) | _rollouts_of(chains)
            self._chains[state.key] = chains
            self._pods[state.key] = combine([chain for chain in chains if chain.rule.by is not By.WORKLOAD])
            found += self._pods[state.key]
        return found + self._combine_rollouts(touched_rollouts)

    def _combine_rollouts(self, touched: Iterable[str]) -> list[Case]:
        """Work these rollouts out again from the chains of their pods; those that have none any more are gone."""
        found: list[Case] = []
        for identity in sorted(touched):
            every = (chain for chains in self._chains.values() for chain in chains)
            cases = combine([chain for chain in every if identity in _rollouts_of((chain,))])
            if cases:
                self._rollouts[identity] = cases
            else:
                self._rollouts.pop(identity, None)
            found += cases
        return found


def _repositories(state: PodState) -> set[str]:
    images = {event.image for bucket in state.buckets.values() for event in bucket.events if event.image}
    return {repository_and_tag(image)[0] for image in images}


def _rollouts_of(chains: Iterable[Chain]) -> set[str]:
    return {incident_id(chain) for chain in chains if chain.rule.by is By.WORKLOAD}
