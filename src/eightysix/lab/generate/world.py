"""A whole cluster over hours: pods that come and go, attacks and look-alikes among them, and what each source tells of it.

Nothing is held but what lives: a pod is begun when its time comes, acts now and then, and is forgotten when it ends. Memory
depends on how many pods live at a time, on lateness times rate, and on how much is planted; never on the length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import heappop, heappush
from random import Random

import msgspec

from eightysix.lab.generate.audit import audit_event, control_plane
from eightysix.lab.generate.bounds import Bounds, bounds_of, setting_of
from eightysix.lab.generate.clock import SECOND, epoch_ns, rfc3339
from eightysix.lab.generate.cluster import Cluster, Node
from eightysix.lab.generate.delivery import Courier
from eightysix.lab.generate.falco_form import FALCO
from eightysix.lab.generate.ids import hex_id
from eightysix.lab.generate.kinds import KINDS, NODE_AGENT, Kind
from eightysix.lab.generate.label import Label
from eightysix.lab.generate.life import Life, begin
from eightysix.lab.generate.plan import Plan
from eightysix.lab.generate.planting import Planted, planted_scenarios
from eightysix.lab.generate.scene import AUDIT_LOG, Process, Scene
from eightysix.lab.generate.settings import Setting

__all__ = ["World"]

_CONTROL_PLANE = "control-plane"
_OF_THE_KERNEL = ("tetragon.jsonl", "falco.jsonl")
_LEASE_S = 300.0
"""Seconds between two renewals of a node's lease in the audit log (they are 10 s apart in a cluster: thinned here)."""

_RATE_LIMIT_S = 60.0
_PACE_S = 60.0
_GUARD_NS = 2 * SECOND
"""An act may be told of by a record a moment before it: the sensor's, before the call."""

_START_RECORDS = 30
_ACT_RECORDS = 1.7
"""Records of a pod's start and of one ordinary act, measured; they turn `rate` into a pace."""

_ROLLOUT = 12
_ROLLOUTS_SHARE = 0.3

_Act = Callable[[float], None]


@dataclass
class _Story:
    """What a scenario in the making tells the cluster."""

    entered: list[Process] = field(default_factory=list)
    stages: list[tuple[str, int]] = field(default_factory=list)
    node: str = ""
    dropped: int = 0


class World:
    """Plays a plan. `chunks` gives the telemetry; `labels` is complete when it has ended."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.cluster = Cluster()
        self.nodes = [Node(f"aks-gpu-31337-vmss{place:06d}", self.cluster) for place in range(plan.nodes)]
        self._random = Random(plan.seed)
        self._courier = Courier(
            Random(plan.seed + 1), late_s=plan.lateness_s, twice=plan.duplicates, lost=plan.drops
        )
        self._encode = msgspec.json.Encoder().encode
        self._heap: list[tuple[float, int, _Act]] = []
        self._serial = 0
        self._story: _Story | None = None
        self._ended: dict[int, int] = {}
        self._releases: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._scenes: dict[str, Scene] = {}
        self._gap_s = 60.0
        self._blind = {node.name for node in self.nodes[plan.nodes - plan.blind_nodes :]}
        self._from_ns, self._to_ns = epoch_ns(0.0), epoch_ns(plan.seconds)
        self._audit_to_ns = self._to_ns if plan.audit_hours is None else epoch_ns(plan.audit_hours * 3_600.0)
        self.pods: Counter[str] = Counter()
        self.attacks: list[dict[str, object]] = []
        self.look_alikes: list[dict[str, object]] = []

    def chunks(self) -> Iterator[tuple[str, bytes]]:
        """File and line of every record, each file's in the order in which they are delivered."""
        self._populate()
        heap = self._heap
        while heap:
            at, _, act = heappop(heap)
            yield from self._courier.until(epoch_ns(at) - _GUARD_NS)
            act(at)
        yield from self._courier.rest()

    def labels(self) -> dict[str, object]:
        """The truth about everything that was planted, and how much of everything there is."""
        plan, courier = self.plan, self._courier
        return {
            "schema": "eightysix/labels/v1",
            "cluster": self.cluster.name,
            "from": rfc3339(self._from_ns, 0),
            "to": rfc3339(self._to_ns, 0),
            "plan": msgspec.to_builtins(plan),
            "records": _by_source(courier.records),
            "duplicates": _by_source(courier.repeated),
            "dropped": _by_source(courier.dropped),
            "pods": dict(sorted(self.pods.items())),
            "attacks": self.attacks,
            "look_alikes": self.look_alikes,
        }

    # --- what scenes ask of the cluster they are played in (`stage.Stage`) -------------------------------------------

    def node(self, index: int) -> Node:
        """See `Stage`."""
        return self.nodes[index % len(self.nodes)]

    def noted(self, file: str, time_ns: int, record: dict[str, object]) -> None:
        """See `Stage`."""
        if not self._from_ns <= time_ns < self._to_ns:
            return
        if file == AUDIT_LOG:
            if time_ns >= self._audit_to_ns or "audit" not in self.plan.formats:
                return
            place = _CONTROL_PLANE
        else:
            place = str(
                record.get("node_name") or record.get("node") or record.get("hostname") or _CONTROL_PLANE
            )
        if file in _OF_THE_KERNEL and place in self._blind:
            return
        if not self._courier.send(f"{place}/{file}", time_ns, self._encode(record)):
            if file == "tetragon.jsonl":
                self._lost[place] += 1
            if self._story is not None:
                self._story.dropped += 1

    def entered(self, process: Process) -> None:
        """See `Stage`."""
        if self._story is not None:
            self._story.entered.append(process)

    def left(self, process: Process, time_ns: int) -> None:
        """See `Stage`."""
        if self._story is not None:
            self._ended[process.pid] = time_ns

    def marked(self, stage: str, time_ns: int, process: Process) -> None:
        """See `Stage`."""
        if self._story is not None:
            self._story.stages.append((stage, time_ns))

    # --- who lives when ----------------------------------------------------------------------------------------------

    def _populate(self) -> None:
        plan, draw = self.plan, self._random.random
        planted = planted_scenarios(plan, self._random)
        for one in planted:
            self._at(one.begins_s, partial(self._play, one))
        agents = min(plan.nodes, max(0, plan.pods - len(planted)))
        for place in range(agents):
            self._at(-draw() * 30.0, partial(self._begin_agent, place))
        for place in range(plan.nodes):
            self._at(draw() * _LEASE_S, partial(self._renew_lease, place))
            if plan.drops and "tetragon" in plan.formats:
                self._at(_RATE_LIMIT_S, partial(self._tell_drops, place))
        ordinary = max(0, plan.pods - len(planted) - agents)
        if ordinary or agents:
            self._at(_PACE_S, partial(self._keep_pace, 0))
        life_s = max(300.0, min(plan.seconds * 2, 30.0 * plan.nodes * plan.seconds / max(1, plan.pods)))
        alive_s = ordinary * min(life_s, plan.seconds) + agents * plan.seconds + len(planted) * life_s * 0.5
        acts = (
            max(1.0, plan.rate * plan.seconds - ordinary * _START_RECORDS - len(planted) * 90.0)
            / _ACT_RECORDS
        )
        self._gap_s = max(0.2, min(1_800.0, alive_s / acts))
        self._schedule_births(ordinary, life_s)

    def _schedule_births(self, count: int, life_s: float) -> None:
        """Each pod at a time of its own, but rollouts: a dozen pods of one workload in half a minute, with a new release.

        One act begets the next, so that no list of pods is held.
        """
        kinds = [kind for kind in KINDS for _ in range(kind.share)]
        rollouts = int(count * _ROLLOUTS_SHARE) // _ROLLOUT
        births = count - rollouts * _ROLLOUT
        draw = self._random.random

        def live(at: float, kind: Kind, workload: str) -> None:
            lasts = max(45.0, -life_s * kind.life * _log1m(draw()))
            self._begin(at, kind, workload, at + lasts)

        def born(at: float, left: int) -> None:
            kind = kinds[int(draw() * len(kinds))]
            live(at, kind, self._workload(kind, int(draw() * self._workloads(kind))))
            if left > 1:
                self._at(
                    at + (self.plan.seconds - at) / left * 2.0 * draw(), lambda later: born(later, left - 1)
                )

        def rolled(at: float, left: int) -> None:
            kind = kinds[int(draw() * len(kinds))]
            workload = self._workload(kind, int(draw() * self._workloads(kind)))
            self._releases[workload] += 1
            for place in range(_ROLLOUT):
                self._at(at + place * 2.5, lambda later: live(later, kind, workload))
            if left > 1:
                self._at(
                    at + (self.plan.seconds - at) / left * 2.0 * draw(), lambda later: rolled(later, left - 1)
                )

        present = births // 8
        for _ in range(present):
            self._at(-draw() * life_s * 0.5 - 1.0, lambda at: born(at, 1))
        if births > present:
            self._at(draw() * 10.0, lambda at: born(at, births - present))
        if rollouts:
            self._at(draw() * 60.0, lambda at: rolled(at, rollouts))

    def _begin(self, at: float, kind: Kind, workload: str, ends_s: float) -> None:
        self._serial += 1
        node = int(self._random.random() * len(self.nodes))
        life = begin(
            self._scene(node, kind.namespace, at),
            kind,
            at=at,
            ends_s=ends_s,
            node=node,
            workload=workload,
            replica=self._serial,
            release=str(self._releases[workload]),
            random=self._random,
        )
        self.pods[kind.name] += 1
        self._go_on(life, at + 8.0)

    def _begin_agent(self, node: int, at: float) -> None:
        scene = self._scene(node, NODE_AGENT.namespace, at)
        life = begin(
            scene,
            NODE_AGENT,
            at=at,
            ends_s=self.plan.seconds + 1.0,
            node=node,
            workload=f"telegraf-{hex_id(3, self.plan.seed)}",
            replica=node,
            release="1",
            random=self._random,
        )
        self.pods[NODE_AGENT.name] += 1
        self._go_on(life, at + 8.0)

    def _go_on(self, life: Life, at: float) -> None:
        """Let the pod act again after a while, and end when its time has come."""

        def act(now: float) -> None:
            life.act(now)
            self._go_on(life, now)

        following = at - self._gap_s * _log1m(self._random.random())
        if following < min(life.ends_s, self.plan.seconds):
            self._at(following, act)
        elif life.ends_s < self.plan.seconds and life.kind is not None:
            self._at(max(at, life.ends_s), lambda _: life.end())

    def _keep_pace(self, before: int, at: float) -> None:
        """Let the pods act faster or slower, so that there are about as many records as were asked for."""
        sent = self._courier.records.total()
        share = (sent - before) / (self.plan.rate * _PACE_S)
        self._gap_s = max(0.2, min(1_800.0, self._gap_s * max(0.5, min(1.5, share))))
        if at + _PACE_S < self.plan.seconds:
            self._at(at + _PACE_S, partial(self._keep_pace, sent))

    def _renew_lease(self, place: int, at: float) -> None:
        for turn, (caller, request) in enumerate(control_plane(self.nodes[place].name)):
            if turn == 0 or place == 0:
                self.noted(AUDIT_LOG, epoch_ns(at), audit_event(caller, request, epoch_ns(at)))
        if at + _LEASE_S < self.plan.seconds:
            self._at(at + _LEASE_S, partial(self._renew_lease, place))

    def _tell_drops(self, place: int, at: float) -> None:
        """Tetragon's own account of what its export dropped in the last minute."""
        node = self.nodes[place].name
        lost = self._lost.pop(node, 0)
        if lost:
            record = {
                "rate_limit_info": {"number_of_dropped_process_events": str(lost)},
                "node_name": node,
                "time": rfc3339(epoch_ns(at), 9),
                "cluster_name": self.cluster.name,
            }
            self._courier.send(f"{node}/tetragon.jsonl", epoch_ns(at), self._encode(record), sure=True)
        if at + _RATE_LIMIT_S < self.plan.seconds:
            self._at(at + _RATE_LIMIT_S, partial(self._tell_drops, place))

    # --- what is planted ---------------------------------------------------------------------------------------------

    def _play(self, one: Planted, _at: float) -> None:
        """Write a scenario's records around its time, label it, and let its pods go on with everyday noise."""
        node = int(self._random.random() * len(self.nodes))
        setting = replace(
            self._setting(node, one.namespace or one.home, one.ends_s),
            first_node=node,
            shift_s=one.shift_s,
            instance=one.instance,
            namespace=one.namespace,
            stage=self,
        )
        self._story = story = _Story()
        label = one.scenario(setting).label
        self._story = None
        bounds = bounds_of(one.scenario, label, setting)
        if one.before:
            bounds = Bounds("none", bounds.at_most, "it landed before the telemetry begins", "telemetry")
        if story.dropped and not bounds.why_not and label.malicious:
            bounds = Bounds(
                "none", bounds.at_most, f"{story.dropped} of its records were dropped", "telemetry"
            )
        told = _told(one, label, bounds, setting, story)
        (self.attacks if label.malicious else self.look_alikes).append(told)
        self.pods["attack" if label.malicious else "look-alike"] += len(
            {p.container.pod.uid for p in story.entered}
        )
        for process in story.entered:
            ended = self._ended.pop(process.pid, None)
            ends_s = (ended - epoch_ns(0.0)) / SECOND - 0.5 if ended is not None else one.ends_s + 600.0
            began = (process.started_ns - epoch_ns(0.0)) / SECOND
            life = Life(process.scene, process.container, process, None, ends_s, self._random)
            self._go_on(life, max(began + 5.0, one.begins_s))
        self._ended.clear()

    def _setting(self, node: int, namespace: str, until_s: float) -> Setting:
        """Which sources tell of a pod on this node, in this namespace, up to then."""
        plan = self.plan
        audited = (
            epoch_ns(until_s) < self._audit_to_ns or until_s >= plan.seconds and plan.audit_hours is None
        )
        setting = setting_of(
            kernel="tetragon" in plan.formats and node < plan.nodes - plan.blind_nodes,
            audit="audit" in plan.formats and audited,
            sensor="sensor" in plan.formats
            and (not plan.sensor_namespaces or namespace in plan.sensor_namespaces),
        )
        return replace(setting, falco=FALCO if "falco" in plan.formats else None)

    def _scene(self, node: int, namespace: str, at: float) -> Scene:
        """Scenes hold nothing of a pod: those with the same setting are one."""
        setting = self._setting(node, namespace, at)
        key = f"{setting.kernel is not None} {setting.sensor is not None}"
        if key not in self._scenes:
            self._scenes[key] = Scene(replace(setting, stage=self))
        return self._scenes[key]

    def _workloads(self, kind: Kind) -> int:
        return max(2, self.plan.pods * kind.share // 6_000)

    def _workload(self, kind: Kind, place: int) -> str:
        return f"{kind.name}-{hex_id(4, self.plan.seed, kind.name, place)}"

    def _at(self, at: float, act: _Act) -> None:
        self._serial += 1
        heappush(self._heap, (at, self._serial, act))


def _told(one: Planted, label: Label, bounds: Bounds, setting: Setting, story: _Story) -> dict[str, object]:
    """The label of one scenario."""
    pod = next(
        (p.container.pod for p in story.entered if p.container.pod.uid == label.pod_uid),
        story.entered[0].container.pod,
    )
    shift = one.shift_s
    stages = [("land", epoch_ns(shift + label.t0_s))] if label.t0_s is not None else []
    stages += story.stages
    if label.leaves_s is not None and not any(stage == "leave" for stage, _ in stages):
        stages.append(("leave", epoch_ns(shift + label.leaves_s)))
    told: dict[str, object] = {
        "id": f"{one.scenario.name}-{one.instance}",
        "kind": one.scenario.name,
        "what": one.scenario.summary,
        "telling": label.telling,
        "pod": {
            "node": pod.node.name,
            "namespace": pod.namespace,
            "name": pod.name,
            "uid": label.pod_uid,
            "workload": pod.workload,
        },
        "pods": sorted({process.container.pod.uid for process in story.entered}),
        "telemetry": [
            name
            for name, there in (
                ("tetragon", setting.kernel is not None),
                ("audit", bool(setting.audit) and setting.name != ""),
                ("sensor", setting.sensor is not None),
            )
            if there
        ],
        "at_least": bounds.at_least,
        "at_most": bounds.at_most,
        "dropped": story.dropped,
    }
    if label.malicious:
        told["stages"] = [
            {"stage": stage, "at": rfc3339(at, 6)} for stage, at in sorted(stages, key=lambda pair: pair[1])
        ]
        told["identities"] = list(label.identities)
        told["rules"] = list(label.rules)
        told["evaluable"] = not bounds.why_not
        told["why_not"] = bounds.why_not
        told["gap"] = bounds.gap
    return told


def _by_source(counts: Counter[str]) -> dict[str, int]:
    """Counts of files summed up by their sources."""
    summed: Counter[str] = Counter()
    for file, count in counts.items():
        summed[file.rpartition("/")[2].removesuffix(".jsonl")] += count
    return dict(sorted(summed.items()))


def _log1m(draw: float) -> float:
    """ln(1 - draw), for exponential times."""
    from math import log1p

    return log1p(-draw)
