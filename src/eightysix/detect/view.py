"""One pod as a rule sees it: its observations, what landed in it, and what was done before and after a landing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eightysix.context.addresses import Learnt, Ranges
from eightysix.context.baseline import Baseline, workload_key
from eightysix.context.credentials import TEMPORARY
from eightysix.context.destinations import classify
from eightysix.context.gated import Gated
from eightysix.context.ledger import Scans
from eightysix.context.names import NameIndex, Names, names_of
from eightysix.detect.actions import Action
from eightysix.detect.gated import artifact_of, gated_starts
from eightysix.detect.lineage import Lineage
from eightysix.detect.loads import Loads
from eightysix.detect.observe import Observation, observe, unify
from eightysix.detect.state import PodState
from eightysix.detect.twins import Heard
from eightysix.model.event import Artifact, Event
from eightysix.model.words import Access, Kind, Origin, Source

__all__ = ["SITE_NS", "STARTUP_NS", "Knowledge", "PodView", "distribution_name", "runs_python"]

SITE_NS = 5_000_000_000
"""Within 5 s of its start an interpreter has read its startup hooks (judged: `site` runs before anything else)."""

STARTUP_NS = 900_000_000_000
"""A container younger than 15 minutes is starting: image pulls are over by then, but dependency installs of large
stacks and model downloads take minutes (judged, no published number)."""

FRESH_MARGIN_NS = 1_000_000_000
"""A distribution is fresh when it was written this much later than the container (or the telemetry) began."""


ANNOUNCED_NS = 3_000_000_000
"""A child's own first record follows its parent's announcement within this time."""


@dataclass(frozen=True)
class Knowledge:
    """What is known beside the pod's own events. `sources` are those that brought anything at all; `told_names` are names of
    destinations, by the name or address of the pod that was told them; `egress` and `identities` (service account to ids of
    cloud principals) are the operator's word, `learnt` the control plane's, `scans` the scan ledger's, `gated` that of the
    gate of registries; `names` are those of pods by uid."""

    baseline: Baseline | None = None
    api_servers: frozenset[str] = frozenset()
    startup_ns: int = STARTUP_NS
    sources: frozenset[Source] = frozenset()
    told_names: Names = field(default_factory=dict)
    egress: Ranges = field(default_factory=Ranges)
    learnt: Learnt = field(default_factory=Learnt)
    scans: Scans = field(default_factory=Scans)
    gated: Gated = field(default_factory=Gated)
    identities: Mapping[str, frozenset[str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass
class PodView:
    """A pod's retained events, joined and sorted. Pure: the same state gives the same view. `made` is what pods did that
    this one made (`detect.follow`). `witnessed` are the installers that count where being one excuses: beside what others
    saw, the pod's own word that a process is an installer makes it none. `memo` and `memo_times` keep what other modules
    worked out."""

    key: str
    knowledge: Knowledge
    observations: list[Observation]
    lineage: Lineage
    landings: list[Observation]
    who: Event
    flooded: frozenset[str]
    born_ns: int
    fresh: dict[str, int]
    written: dict[str, int]
    installed: dict[str, tuple[int, str]]
    packages: tuple[tuple[str, int, str], ...]
    indexes: frozenset[str]
    installers: frozenset[str]
    witnessed: frozenset[str]
    hooks: tuple[tuple[str, int], ...]
    destination_names: NameIndex
    _first_done: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    _told: list[Observation] | None = None
    taint_roots: dict[str, str] = field(default_factory=dict)
    package_of: dict[str, tuple[str, str]] = field(default_factory=dict)
    own_programs: dict[str, bool] = field(default_factory=dict)
    fresh_code: dict[str, str] | None = None
    made: tuple[Observation, ...] = ()
    memo: dict[str, frozenset[str]] = field(default_factory=dict)
    memo_times: dict[str, dict[str, int]] = field(default_factory=dict)
    loads: Loads | None = None
    heard: Heard | None = None
    scanned: dict[str, list[tuple[int, str]]] | None = None

    @classmethod
    def of(cls, state: PodState, knowledge: Knowledge) -> PodView | None:
        """The view of `state`, None when nothing of it is left."""
        events = state.events()
        if not events:
            return None
        lineage = Lineage(state.processes, events)
        observations = unify(observe(events), lineage)
        names = names_of(events, knowledge.told_names, state.names)
        for observation in observations:
            _name(observation, names)
        for observation in observations:
            if observation.action is Action.CONNECT and observation.event.dst_ip in knowledge.api_servers:
                observation.action = Action.API_CONNECT
        born = _born(events)
        seen = any(event.origin is Origin.KERNEL for event in events)
        installers = _installers(observations)
        witnessed = _installers([o for o in observations if not (seen and o.told_by_pod_only)])
        for observation in observations:
            if _is_read_at_start(observation, installers, lineage):
                observation.action = Action.OTHER
        installed = _installed(observations, witnessed)
        landings = _landings(observations, born, witnessed, lineage)
        view = cls(
            key=state.key,
            knowledge=knowledge,
            observations=observations,
            lineage=lineage,
            landings=landings,
            who=_who(events),
            flooded=frozenset(state.flooded),
            born_ns=born,
            fresh=_fresh(landings),
            written=_written(observations),
            installed=installed,
            packages=_packages(observations),
            indexes=_indexes(observations, witnessed),
            installers=installers,
            witnessed=witnessed,
            hooks=_hooks(observations),
            destination_names=names,
        )
        for observation in observations:
            if seen and observation.told_by_pod_only:
                continue  # beside what was seen its own word excuses nothing: that it did so before is what it would say
            for done in view.doings(observation):
                view._first_done.setdefault(done, []).append(observation.time_ns)
        return view

    def told(self) -> list[Observation]:
        """All that rules are asked about: installs joined to landings, and the first start of a new digest, or of one that the
        gate told of."""
        if self._told is None:
            self._told = self._tell()
        return self._told

    def take(self, made: tuple[Observation, ...]) -> None:
        """Take what other pods tell of this one: what the pods did that it made (`detect.follow`), and what landed in
        others and came with a volume (`detect.volumes`)."""
        self.made = tuple(o for o in made if o.told_as)
        brought = [o for o in made if not o.told_as]
        if brought:
            self.landings = sorted([*self.landings, *brought], key=lambda o: (o.time_ns, o.event.event_id))
            self.fresh = _fresh(self.landings)

    def _tell(self) -> list[Observation]:
        found = [
            o for o in self.observations if o.action is not Action.INSTALL or o.event.activity == "build-hook"
        ]
        found += self.landings
        found += self.made
        release = self.new_digest()
        if release is not None:
            found.append(release)
        found += [
            Observation(event, action, "", since, None, artifacts=(artifact_of(event),))
            for action, event, since in gated_starts(self)
        ]
        found.sort(key=lambda o: (o.time_ns, o.event.event_id))
        return found

    def new_digest(self) -> Observation | None:
        """The start of this pod as a landing, when the baseline knows the workload but not this image digest."""
        baseline, digest = self.knowledge.baseline, self.who.image_digest
        if baseline is None or not digest or not baseline.knows(self.workload):
            return None
        if baseline.knows_digest(self.workload, digest):
            return None
        artifact = Artifact("oci", self.who.image, digest)
        return Observation(self.who, Action.NEW_DIGEST, "", self.born_ns, None, artifacts=(artifact,))

    @property
    def workload(self) -> str:
        """The workload template's key in a baseline, empty when unknown."""
        return workload_key(self.who.namespace, self.who.workload_kind, self.who.workload)

    def doings(self, observation: Observation) -> tuple[tuple[str, str], ...]:
        """What an observation does, by process and by container: what novelty is counted in."""
        return tuple(
            (actor, thing) for thing in self.things(observation) for actor in (observation.actor, "")
        )

    @staticmethod
    def things(observation: Observation) -> tuple[str, ...]:
        """The things that an observation does, in words that novelty compares: of a connection, where it goes by every name
        that the address had then, and by the address alone where it had none."""
        if observation.domain is not None:
            return (f"domain:{observation.domain}",)
        event = observation.event
        if observation.action is Action.API_CONNECT:
            return ("api-server",)
        if observation.action is Action.CONNECT:
            names = observation.known_as or (event.dst_ip or event.dst_name,)
            return tuple(f"to:{name}:{event.dst_port}" for name in names)
        return ()

    @classmethod
    def thing(cls, observation: Observation) -> str:
        """The first of `things`, empty where there is none."""
        return next(iter(cls.things(observation)), "")

    def repeats(self, actor: str, observation: Observation, time_ns: int) -> bool:
        """Whether `actor` (empty: anybody in the pod) did all of this before `time_ns`, or went to the same address while
        nobody knew its name."""
        event = observation.event
        alone = f"to:{event.dst_ip}:{event.dst_port}"
        return all(self.done_before(actor, thing, time_ns) for thing in self.things(observation)) or (
            bool(observation.known_as) and self.done_before(actor, alone, time_ns)
        )

    def done_before(self, actor: str, thing: str, time_ns: int) -> bool:
        """Whether `actor` (empty: anybody in the pod) did `thing` before `time_ns`."""
        times = self._first_done.get((actor, thing))
        return times is not None and times[0] < time_ns

    def destination_class(self, observation: Observation) -> str:
        """The class of a connection's destination; an index is known by who used it, never by a name that the pod told."""
        event = observation.event
        if observation.action is Action.API_CONNECT:
            return "api-server"
        if event.kind not in (Kind.CONNECT, Kind.HTTP):
            return ""
        if event.dst_ip in self.indexes:
            return "index"
        return classify(event.dst_ip, event.dst_port, event.dst_name, self.knowledge.api_servers)


def _name(observation: Observation, names: NameIndex) -> None:
    """Give a connection the names that its address had then."""
    event = observation.event
    if event.kind is not Kind.CONNECT or not event.dst_ip:
        return
    observation.known_as = names.at(event.dst_ip, event.time_ns)
    if observation.known_as:
        observation.name = observation.known_as[0]
        if observation.action is Action.CONNECT and any(
            classify("", event.dst_port, name) == "api-server" for name in observation.known_as
        ):
            observation.action = Action.API_CONNECT
    elif not observation.name:
        observation.name = names.hint(event.dst_ip, event.time_ns)


def runs_python(binary: str) -> bool:
    """Whether a program is a Python interpreter, by its name."""
    return binary.rpartition("/")[2].startswith(("python", "pypy"))


def distribution_name(entry: str) -> str:
    """The distribution of a chain entry `name==version`, empty for application code."""
    if entry.startswith(("app:", "<", "unowned:", "pth:")):
        return ""
    return entry.partition("==")[0]


def _born(events: list[Event]) -> int:
    """When the pod's container began, or the telemetry of it, where the former is unknown."""
    starts = [event.container_started_ns for event in events if event.container_started_ns]
    return min(starts) if starts else events[0].time_ns


def _who(events: list[Event]) -> Event:
    """The event that says most about who the pod is: the kernel's before the control plane's before the pod's own."""
    rank = {Origin.KERNEL: 0, Origin.CONTROL_PLANE: 1, Origin.PROVIDER: 1, Origin.SUSPECT: 2}
    return min(events, key=lambda e: (not e.pod_uid, not e.workload, rank[e.origin], e.time_ns, e.event_id))


def _installers(observations: list[Observation]) -> frozenset[str]:
    return frozenset(
        o.actor
        for o in observations
        if o.actor and o.action is Action.INSTALL and o.event.activity in ("install", "distribution")
    )


def _landings(
    observations: list[Observation], born: int, installers: frozenset[str], lineage: Lineage
) -> list[Observation]:
    """What landed: one observation for each installer process (with those that it started itself, as pip does for build
    dependencies), with the union of its artifacts, and one for each distribution that only the sensor knows to be younger
    than the container."""
    by_process: dict[str, list[Observation]] = {}
    for observation in observations:
        if observation.action is Action.INSTALL and observation.event.activity in ("install", "distribution"):
            above = (
                [a for a in lineage.ancestors(observation.actor) if a in installers]
                if observation.actor
                else []
            )
            by_process.setdefault(above[-1] if above else observation.event.event_id, []).append(observation)
    landings = _without_announced([_joined(group) for group in by_process.values()])
    known = {artifact.name for landing in landings for artifact in landing.artifacts}
    landings += _by_age(observations, born, known)
    landings.sort(key=lambda landing: (landing.time_ns, landing.event.event_id))
    return landings


def _without_announced(landings: list[Observation]) -> list[Observation]:
    """Leave out installs that the sensor announced in the parent, where the child's own records tell of them too."""
    done = [o for o in landings if o.event.kind is not Kind.SPAWN]
    return done + [
        o
        for o in landings
        if o.event.kind is Kind.SPAWN
        and not any(
            0 <= other.time_ns - o.time_ns + ANNOUNCED_NS <= 2 * ANNOUNCED_NS and _names(o) <= _names(other)
            for other in done
        )
    ]


def _names(landing: Observation) -> set[str]:
    return {artifact.name for artifact in landing.artifacts}


def _joined(group: list[Observation]) -> Observation:
    """One landing of all that one installer process did; it begins when the installer started, by the kernel's clock where
    that saw it: the pod could tell any time."""
    first = min(group, key=lambda o: (o.told_by_pod_only, o.event.kind not in (Kind.EXEC, Kind.START)))
    versions = {a.name: a for o in group for a in o.artifacts if a.version}
    named = {a.name: a for o in group for a in o.artifacts}
    artifacts = tuple(sorted({**named, **versions}.values(), key=lambda a: (a.kind, a.name)))
    others = tuple(event for o in group if o is not first for event in o.evidence)[:4]
    return Observation(
        first.event,
        Action.INSTALL,
        first.actor,
        first.time_ns,
        None,
        first.others + others,
        first.twin,
        artifacts,
    )


def _by_age(observations: list[Observation], born: int, known: set[str]) -> list[Observation]:
    """Landings that nobody saw: the sensor meets a distribution that was written after the container began."""
    found: dict[str, Observation] = {}
    for observation in observations:
        teller = observation.provenance
        for dist in teller.dists:
            if dist.age_s is None or dist.name in known:
                continue
            landed = teller.time_ns - int(dist.age_s * 1e9)
            if landed <= born + FRESH_MARGIN_NS or (
                dist.name in found and found[dist.name].time_ns <= landed
            ):
                continue
            artifact = Artifact("pypi", dist.name, dist.version)
            found[dist.name] = Observation(teller, Action.INSTALL, "", landed, None, artifacts=(artifact,))
    return list(found.values())


def _fresh(landings: list[Observation]) -> dict[str, int]:
    """When each distribution landed first."""
    fresh: dict[str, int] = {}
    for landing in landings:
        for artifact in landing.artifacts:
            if artifact.kind == "pypi":
                fresh.setdefault(artifact.name, landing.time_ns)
    return fresh


def _written(observations: list[Observation]) -> dict[str, int]:
    """When each program file was first written in the pod."""
    written: dict[str, int] = {}
    for observation in observations:
        event = observation.event
        if observation.action is Action.WRITE and event.access is not Access.READ:
            written.setdefault(event.file_path, observation.time_ns)
    return written


def _installed(observations: list[Observation], installers: frozenset[str]) -> dict[str, tuple[int, str]]:
    """The programs that an installer itself put where programs lie, by when and by which process: they are part of the
    install and no landing of their own. What it writes to temporary folders stays one, but for the `bin` of a virtual
    environment there, and so does what a build hook that it started writes."""
    installed: dict[str, tuple[int, str]] = {}
    for observation in observations:
        event = observation.event
        if observation.action is not Action.WRITE or observation.actor not in installers:
            continue
        path = event.file_path
        in_bin = path.rpartition("/")[0].endswith("/bin")
        if event.activity == "program-file" and (in_bin or not path.startswith(TEMPORARY)):
            installed.setdefault(path, (observation.time_ns, observation.actor))
            observation.action = Action.OTHER
    return installed


def _packages(observations: list[Observation]) -> tuple[tuple[str, int, str], ...]:
    """The folder of each distribution whose metadata was written in the pod, when, and its name. The folder is taken to
    be named as the distribution is, as most are."""
    found: dict[str, tuple[str, int, str]] = {}
    for observation in observations:
        event = observation.event
        if event.activity != "distribution" or event.access is Access.READ or not event.artifacts:
            continue
        site = event.file_path.rpartition("/")[0].rpartition("/")[0]
        name = event.artifacts[0].name
        folder = f"{site}/{name.replace('-', '_')}/"
        if site.startswith("/"):
            found.setdefault(folder, (folder, observation.time_ns, name))
    return tuple(found.values())


def _is_read_at_start(observation: Observation, installers: frozenset[str], lineage: Lineage) -> bool:
    """Whether a startup hook was touched, nobody knows how (`file_open`, `fd_install`), as every interpreter does while
    it starts: it reads them all."""
    actor = observation.actor
    if observation.action is not Action.STARTUP_FILE or observation.event.access is not Access.UNKNOWN:
        return False
    if not runs_python(lineage.binary(actor)) or any(a in installers for a in lineage.ancestors(actor)):
        return False
    started = lineage.started_ns(actor)
    return bool(started) and observation.time_ns - started <= SITE_NS


def _hooks(observations: list[Observation]) -> tuple[tuple[str, int], ...]:
    """When the first startup hook of either kind was written: an interpreter that starts later runs it."""
    first: dict[str, int] = {}
    for observation in observations:
        if observation.action is Action.STARTUP_FILE and observation.event.access is not Access.READ:
            common = observation.event.activity == "startup-file-common"
            first.setdefault("common-startup-hook" if common else "startup-hook", observation.time_ns)
    return tuple(first.items())


def _indexes(observations: list[Observation], installers: frozenset[str]) -> frozenset[str]:
    """Addresses that an installer itself talked to."""
    return frozenset(
        o.event.dst_ip
        for o in observations
        if o.action is Action.CONNECT and o.event.dst_ip and o.actor in installers
    )
