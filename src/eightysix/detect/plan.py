"""What can be known of rules before a pod is looked at closely, so that most pods cost most rules nothing.

A rule is asked about a pod only if each of its steps could match, judged from what the pod's state shows at a glance. The
answer depends on that glance alone, so it is worked out once for each kind of pod.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from eightysix.detect.actions import Action
from eightysix.detect.facts import UNANCHORED, credential_kind
from eightysix.detect.fieldnames import ACTIONS, FIELD_BY_NAME
from eightysix.detect.observe import Observation
from eightysix.detect.rule import Join, Possible, Rule, StepMode
from eightysix.detect.state import PodState
from eightysix.model.words import Source, Stage

__all__ = ["Plan", "Plans", "Structure", "Traits", "traits_of", "with_made"]

MAX_KINDS = 4096
"""Kinds of pod that are remembered before starting over."""

_SEEN_AS: Mapping[str, tuple[str, ...]] = {
    Action.INSTALL: ("install", "exec", "download"),
    Action.WRITE: ("write", "download"),
    Action.RUN: ("landed-run", "pickle", "import", "install", "revive"),
    Action.EXEC: ("exec", "landed-run", "publish"),
    Action.CREDENTIAL: ("credential", "landed-run"),
    Action.CONNECT: ("connect", "api-connect"),
    Action.RESOLVE: (),
    Action.MADE: (),
    Action.OTHER: (),
}
"""What rules may see (`facts.rule_action`) of a state's actions."""

_LANDED = frozenset({Action.INSTALL, Action.STARTUP_FILE, Action.WRITE, Action.EXEC, Action.RUN})
_UNTAINTED = ("entrypoint", "exec-session", "exec-probe", "terminal")
_TOLD_BY_KERNEL = tuple(value for value, _ in FIELD_BY_NAME["lineage"].values if value != "load")
"""What a process may descend from where no sensor told of a load."""


class Traits(Struct, frozen=True):
    """What a state shows at a glance. `actions` as rules may see them; `kinds` of credentials; `landed`: something is there
    that could taint a process; `told`: the sensor spoke, so provenance may be known; `named`: some record names a host;
    `baseline`: novelty may be; `scanned`: a scan ledger was read;
    `gated`: a gate of registries told something."""

    actions: frozenset[str]
    domains: frozenset[str]
    kinds: frozenset[str]
    landed: bool
    told: bool
    named: bool
    baseline: bool
    scanned: bool = False
    gated: bool = False

    def possible(self, domains: int | None = None) -> dict[str, tuple[object, ...]]:
        """The values that fields could have in a pod of this kind, or of what a process did there that took credentials of
        so many `domains`."""
        orders = tuple(range(1, (len(self.domains) if domains is None else domains) + 1))
        known: dict[str, tuple[object, ...]] = {
            "domain": (*self.domains, ""),
            "credential.kind": (*self.kinds, ""),
            "domain.order": (None, *orders),
            "domains.taken": (None, 0, *orders),
            "domains.new": (None, 0, *orders),
        }
        if not self.told:
            known |= {
                "lineage": _TOLD_BY_KERNEL if self.landed else _UNTAINTED,
                "pickle.runs_code": (None,),
                "provenance.root": ("unknown",),
                "provenance.at_import": ("unknown",),
                "provenance.fresh": (False,),
                "load": ("unknown",),
                "twin": ("unknown", None),
                "revived": ("",),
            }
        if not self.named:
            known["dst.service"] = ("",)
        if not self.told or not self.scanned:
            known |= {"artifact.scan": (None,), "loaded.scan": (None,)}
        if not self.gated:
            known["image.gate"] = ("unknown",)
        if not self.baseline:
            known |= {
                "provenance.hook": ("unknown",),
                "novelty.workload": ("unknown",),
                "novelty.publishing": ("unknown", None),
            }
        return known


def traits_of(
    state: PodState, *, baseline: bool, named: bool = False, scanned: bool = False, gated: bool = False
) -> Traits:
    """The traits of `state`. `named`: a resolver told names of destinations to some pod; `scanned`: a scan ledger was read;
    `gated`: a gate spoke."""
    actions: set[str] = {"new-digest"} if baseline else set()
    if gated:
        actions |= {"held-digest", "moved-digest"}
    domains: set[str] = set()
    kinds: set[str] = set()
    landed = bool(state.taints)
    told = False
    named = named or bool(state.names)
    for name, bucket in state.buckets.items():
        action = name.partition("|")[0]
        seen = _SEEN_AS.get(action)
        if seen is None:
            actions.add(action)
        else:
            actions.update(seen)
        landed = landed or action in _LANDED
        event = bucket.events[0]
        named = named or bool(event.dst_name)
        if event.domain is not None:
            domains.add(str(event.domain))
            kinds.add(credential_kind(event))
        if event.source is Source.SENSOR:
            told = True
            actions.add("install")
    if state.contacts:
        actions.update(_SEEN_AS[Action.CONNECT])
    for action, taints in state.taints.items():
        actions.update(_SEEN_AS.get(action, (action,)))
        taken = [t.first for t in taints.values() if t.first.domain is not None]
        domains.update(str(event.domain) for event in taken)
        kinds.update(credential_kind(event) for event in taken)
    return Traits(
        frozenset(actions),
        frozenset(domains),
        frozenset(kinds),
        landed,
        told,
        named,
        baseline,
        scanned,
        gated,
    )


def with_made(traits: Traits, made: Sequence[Observation]) -> Traits:
    """`traits`, with what pods did that this one made, and with what came to it by a volume."""
    if not made:
        return traits
    domains = {str(o.domain) for o in made if o.domain is not None}
    actions = traits.actions | {o.told_as or "install" for o in made}
    landed = traits.landed or any(not o.told_as for o in made)
    return msgspec.structs.replace(traits, actions=actions, domains=traits.domains | domains, landed=landed)


Structure = tuple[object, ...]
"""What a chain search depends on: steps, joins and detections, but no points and no texts."""


class Plan:
    """What of a rule does not depend on any pod."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        steps = [step for step in rule.chain if step.mode is not StepMode.ABSENT]
        self.steps = tuple(steps)
        self.step_names = tuple(dict.fromkeys(name for step in steps for name in step.names))
        named = {name for step in rule.chain for name in step.names}
        self.other_names = tuple(name for name in rule.signals if name not in named)
        self.anchored = frozenset(
            name
            for name, signal in rule.signals.items()
            if any(f in signal.detection.source for f in UNANCHORED)
        )
        self.starts_with_landing = all(rule.signals[name].stage is Stage.LAND for name in rule.chain[0].names)
        self.structure: Structure = (
            tuple((step.mode, step.names, step.join) for step in rule.chain),
            tuple((s.name, s.stage, s.grade_min, s.detection.source) for s in rule.signals.values()),
            tuple(benign.detection.source for benign in rule.benign),
            rule.within_s,
        )
        self.process_names = tuple(
            name for step in steps if step.join in (Join.PROCESS, Join.LINEAGE) for name in step.names
        )
        self.windowed = tuple(name for step in steps if step.join is Join.WINDOW for name in step.names)
        self.by_process = any(step.join in (Join.PROCESS, Join.LINEAGE) for step in rule.chain)
        self.takers_own = tuple(step for step in steps if step.join is Join.PROCESS and step != rule.chain[0])
        self._could_be_of: dict[tuple[Traits, int], bool] = {}
        self._possible: dict[tuple[Traits, str], frozenset[str]] = {}

    def could_be_of(self, traits: Traits, domains: int) -> bool:
        """Whether each step could match in a pod of this kind for a taker of credentials of so many domains."""
        asked = (traits, domains)
        known = self._could_be_of.get(asked)
        if known is None:
            if len(self._could_be_of) >= MAX_KINDS:
                self._could_be_of.clear()
            known = self._could_be_of[asked] = self.could_match(traits, domains)
        return known

    def possible_actions(self, traits: Traits, name: str) -> frozenset[str]:
        """The actions that a signal could match in a pod of this kind, by what is known of its other fields."""
        asked = (traits, name)
        known = self._possible.get(asked)
        if known is None:
            if len(self._possible) >= MAX_KINDS:
                self._possible.clear()
            detection, fields = self.rule.signals[name].detection, traits.possible()
            known = self._possible[asked] = frozenset(
                action
                for action in detection.actions or ACTIONS
                if detection.could_match({**fields, "action": (action,)})
            )
        return known

    def could_match(self, traits: Traits, domains: int | None = None) -> bool:
        """Whether each step could match in a pod of this kind; `domains` as `Traits.possible` has it."""
        known = traits.possible(domains)
        for step in self.steps:
            found = [self._could(name, traits, known) for name in step.names]
            if not (all(found) if step.mode is StepMode.ALL else any(found)):
                return False
        return True

    def _could(self, name: str, traits: Traits, known: Possible) -> bool:
        detection = self.rule.signals[name].detection
        actions = (detection.actions or ACTIONS) & traits.actions
        return any(detection.could_match({**known, "action": (action,)}) for action in actions)


class Plans:
    """The plans of all rules, and which of them a kind of pod needs."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._plans = tuple(Plan(rule) for rule in rules)
        self._by_kind: dict[Traits, tuple[Plan, ...]] = {}

    def worth_asking(self, traits: Traits) -> tuple[Plan, ...]:
        """The rules that could match in a pod with these traits."""
        plans = self._by_kind.get(traits)
        if plans is None:
            if len(self._by_kind) >= MAX_KINDS:
                self._by_kind.clear()
            plans = self._by_kind[traits] = tuple(plan for plan in self._plans if plan.could_match(traits))
        return plans
