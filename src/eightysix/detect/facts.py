"""Fields computed by code: what a rule's `detection` may ask of an observation (see `fieldnames`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eightysix.context.commands import is_worker
from eightysix.context.credentials import variable_domain
from eightysix.context.gated import Standing
from eightysix.context.kubelet import volume_at
from eightysix.context.publishing import PUBLISHING_KINDS, delivery_service
from eightysix.detect.actions import Action
from eightysix.detect.descent import at_import_of, is_fresh, is_landed_program, lineage_of, root_of
from eightysix.detect.gated import image_ruling, move_kind, standing_of
from eightysix.detect.loads import loads_of, runs_code
from eightysix.detect.observe import Observation
from eightysix.detect.place import agent_novelty, caller_novelty, place_of
from eightysix.detect.scanned import loaded_before, scan_of
from eightysix.detect.twins import twin_of
from eightysix.detect.view import PodView
from eightysix.model.event import Event
from eightysix.model.words import Domain, Kind

__all__ = [
    "STATIC_FIELDS",
    "UNANCHORED",
    "ObservationFacts",
    "anchored_facts",
    "credential_kind",
    "grade_of",
    "rule_action",
    "workload_novelty",
]

_Work = Callable[[PodView, Observation], object]

UNANCHORED: dict[str, object] = {
    "domain.order": None,
    "domains.taken": None,
    "domains.new": None,
    "novelty.process": "unknown",
    "novelty.container": None,
}
"""The fields of `anchored_facts` while no start is chosen yet."""


class ObservationFacts:
    """The fields of one observation, each worked out when a rule first asks for it. `counted` holds those that depend on
    where the chain starts (`anchored_facts`)."""

    __slots__ = ("_action", "_counted", "_known", "_observation", "_view")

    def __init__(self, view: PodView, observation: Observation, action: str) -> None:
        self._view = view
        self._observation = observation
        self._action = action
        self._known: dict[str, object] = {"action": action}
        self._counted: Mapping[str, object] = UNANCHORED

    def get(self, name: str) -> object:
        """The value of the field `name`; None where it is not told."""
        if name in self._counted:
            return self._counted[name]
        known = self._known
        if name in known:
            return known[name]
        work = _FIELDS.get(name)
        value = known[name] = work(self._view, self._observation) if work is not None else None
        return value

    def counted(self, values: Mapping[str, object]) -> ObservationFacts:
        """The same facts with the fields that are counted from a chain's start."""
        facts = ObservationFacts(self._view, self._observation, self._action)
        facts._known = self._known
        facts._counted = values
        return facts


def _age_ns(view: PodView, observation: Observation) -> int:
    return observation.time_ns - (observation.event.container_started_ns or view.born_ns)


def _of_request(work: Callable[[Event], object]) -> _Work:
    return lambda view, observation: work(observation.event) if observation.event.kind is Kind.API else None


def _of_cloud(work: Callable[[Event], object]) -> _Work:
    return lambda view, observation: work(observation.event) if observation.event.kind is Kind.CLOUD else None


def _of_event(work: Callable[[Event], object]) -> _Work:
    return lambda view, observation: work(observation.event)


def _of_gate(work: Callable[[Standing], object]) -> _Work:
    def told(view: PodView, observation: Observation) -> object:
        standing = standing_of(view, observation)
        return work(standing) if standing is not None else None

    return told


def _gate_rules(standing: Standing) -> tuple[str, ...]:
    return tuple(sorted({rule for fact in standing.facts for rule in (*fact.held_for, *fact.told_of)}))


def _of_pod(work: Callable[[Event], object]) -> _Work:
    return lambda view, observation: work(view.who)


def anchored_facts(
    view: PodView, observation: Observation, anchor_ns: int, order: int, taken: int, new: int
) -> dict[str, object]:
    """The fields that are counted from T0: what is new, the how-manieth domain it is (`order`, 0 where it is none of
    the taker's), and how many domains the taker had by then (`taken`), and
    how many of all that it took it had never taken before T0 (`new`)."""
    if not view.things(observation):
        return {**UNANCHORED, "domain.order": order or None, "domains.taken": taken, "domains.new": new}
    before = view.repeats(observation.actor, observation, anchor_ns) if observation.actor else False
    started = view.lineage.started_ns(observation.actor)
    if before:
        process = "repeat"
    elif not started:
        process = "unknown"
    else:
        process = "new" if started < anchor_ns else "first"
    container = "repeat" if view.repeats("", observation, anchor_ns) else "new"
    return {
        "domain.order": order or None,
        "domains.taken": taken,
        "domains.new": new,
        "novelty.process": process,
        "novelty.container": container,
    }


def _unpickled(view: PodView, observation: Observation) -> bool | None:
    """Whether a global that unpickling looked up runs code; None where it is no lookup of a load. `multiprocessing` hands
    its work to a worker as a pickle: no code of a loader or of the application lies on the stack then."""
    event = observation.event
    if event.kind is not Kind.PICKLE:
        return None
    chain = observation.provenance.chain
    if chain and {*chain} == {"<unknown>"} and is_worker(view.lineage.command(observation.actor)):
        return None
    return runs_code(event.module)


def grade_of(observation: Observation) -> str:
    """The best grade of the records that tell of it."""
    best = observation.event.grade
    for event in observation.others:
        best = min(best, event.grade)
    return best


def rule_action(view: PodView, observation: Observation) -> str:
    """The `action` that rules see."""
    action, event = observation.action, observation.event
    if observation.told_as:
        return observation.told_as
    if action is Action.STARTED:
        return "landed-run"
    if action is Action.INSTALL:
        return "install" if event.activity in ("install", "distribution") or observation.artifacts else "exec"
    if action is Action.RUN:
        if event.kind is Kind.REVIVE:
            return "revive"
        fresh = root_of(view, observation) == "fresh" or at_import_of(view, observation).startswith("fresh")
        if event.kind is Kind.LOAD or fresh:
            return "landed-run"
        return "pickle" if event.kind is Kind.PICKLE else "import"
    if action is Action.EXEC and event.activity == "publish":
        return "publish"
    if action is Action.EXEC and is_landed_program(view, observation.actor):
        return "landed-run"
    if action is Action.WRITE:
        return "download" if event.activity == "model-file" else "write"
    return "" if action in (Action.RESOLVE, Action.OTHER) else str(action)


def _scan(view: PodView, observation: Observation) -> str | None:
    known = scan_of(view, observation)
    return known.verdict if known is not None else None


def _hook_novelty(view: PodView, observation: Observation) -> str:
    """Of code that a startup hook runs: whether the workload had that hook before, by the baseline."""
    entry = observation.provenance.at_import
    baseline = view.knowledge.baseline
    if baseline is None or not entry.startswith("pth:"):
        return "unknown"
    return baseline.novelty(view.workload, "startup_files", entry[4:])


def workload_novelty(view: PodView, observation: Observation) -> str:
    """Against the baseline: `new`, `known`, `unknown`."""
    baseline = view.knowledge.baseline
    if baseline is None:
        return "unknown"
    event = observation.event
    if observation.domain is not None:
        return baseline.novelty(view.workload, "domains", str(observation.domain))
    if observation.action is Action.CONNECT:
        if observation.known_as and baseline.has_names(view.workload):
            told = {
                baseline.novelty(view.workload, "destinations", f"{name}:{event.dst_port}")
                for name in observation.known_as
            }
            return "new" if "new" in told else "unknown" if "unknown" in told else "known"
        known = [
            baseline.novelty(view.workload, "destinations", f"{name}:{event.dst_port}")
            for name in (event.dst_ip, observation.name)
            if name
        ]
        return "known" if "known" in known else known[0] if known else "unknown"
    if observation.action is Action.API:
        return baseline.novelty(view.workload, "requests", f"{event.verb} {event.resource}")
    if event.kind is Kind.EXEC and observation.action is Action.EXEC:
        return baseline.novelty(view.workload, "programs", event.binary)
    if observation.action is Action.STARTUP_FILE:
        return baseline.novelty(view.workload, "startup_files", event.file_path)
    return "unknown"


def _volume_owner(view: PodView, observation: Observation) -> str:
    """Of a file in the kubelet's folder: whose volume it lies in."""
    event = observation.event
    volume = volume_at(event.file_path) if event.file_path else None
    if volume is None:
        return ""
    mine = event.pod_uid or view.who.pod_uid
    return "unknown" if not mine else "own" if volume.pod_uid == mine else "other"


def _publishing_novelty(view: PodView, observation: Observation) -> str | None:
    """Of what publishing needs (a credential for it, a tool, a place for uploads): whether the workload ever published, or
    at least took this kind of credential, by the baseline."""
    event = observation.event
    kind = event.activity if event.kind is Kind.FILE else ""
    service = _service(observation)
    if event.activity != "publish" and kind not in PUBLISHING_KINDS and not service:
        return None
    baseline = view.knowledge.baseline
    if baseline is None:
        return "unknown"
    published = baseline.has_any(view.workload, "publishes")
    if published == "new" and kind:
        return baseline.novelty(view.workload, "credentials", kind)
    return published


def _service(observation: Observation) -> str:
    if observation.event.kind not in (Kind.CONNECT, Kind.HTTP):
        return ""
    return delivery_service(observation.name, _url_path(observation))


def credential_kind(event: Event) -> str:
    """What kind of credential an event is about: `metadata`, or the kind of the file."""
    if event.domain is None:
        return ""
    return event.activity if event.kind is Kind.FILE else "metadata"


_MESSAGES = ("langchain.schema", "langchain_core.messages", "langchain_core.documents", "langchain_core.prompt_values",
             "langchain_core.outputs", "langchain_core.agents", "langchain_core.prompts", "langchain.prompts",
             "langchain_core.output_parsers", "langgraph.types", "langgraph.checkpoint", "langgraph.store", "langgraph.graph",
             "uuid", "datetime", "collections", "decimal", "pathlib", "re", "zoneinfo", "ipaddress", "enum", "builtins.set",
             "builtins.frozenset", "builtins.tuple")  # fmt: skip
"""Classes that hold what an agent remembers: reference of langchain_core.load.mapping and langgraph's JsonPlusSerializer."""


def _revived(observation: Observation) -> str:
    """What a revived object is: `state`, `service-key`, `secret`, or `object` for a class of any other kind."""
    event = observation.event
    if event.kind is not Kind.REVIVE:
        return ""
    if event.activity == "secret":
        domain = variable_domain(event.module)
        service = domain is None and event.module.upper().endswith("API_KEY")
        return "service-key" if service or domain is Domain.LLM else "secret"
    module = event.module
    return "state" if any(module == name or module.startswith(f"{name}.") for name in _MESSAGES) else "object"


def _url_path(observation: Observation) -> str:
    return next((event.url_path for event in observation.evidence if event.url_path), "")


_FIELDS: Mapping[str, _Work] = {
    "source": _of_event(lambda event: str(event.source)),
    "origin": _of_event(lambda event: str(event.origin)),
    "grade": lambda view, observation: grade_of(observation),
    "kind": _of_event(lambda event: str(event.kind)),
    "binary": _of_event(lambda event: event.binary),
    "binary.name": _of_event(lambda event: event.binary.rpartition("/")[2]),
    "parent.name": _of_event(lambda event: event.parent_binary.rpartition("/")[2]),
    "command": lambda view, observation: observation.event.command or view.lineage.command(observation.actor),
    "uid": _of_event(lambda event: event.uid if event.uid >= 0 else None),
    "artifact.kind": lambda view, observation: tuple(a.kind for a in observation.artifacts),
    "artifact.name": lambda view, observation: tuple(a.name for a in observation.artifacts),
    "file.path": _of_event(lambda event: event.file_path),
    "file.access": _of_event(lambda event: str(event.access)),
    "file.common": _of_event(lambda event: event.activity == "startup-file-common"),
    "file.pod": _volume_owner,
    "dst.ip": _of_event(lambda event: event.dst_ip),
    "dst.port": _of_event(lambda event: event.dst_port or None),
    "dst.name": lambda view, observation: observation.name,
    "dst.class": lambda view, observation: view.destination_class(observation),
    "url.path": lambda view, observation: _url_path(observation),
    "domain": lambda view, observation: str(observation.domain or ""),
    "outcome": _of_event(lambda event: str(event.outcome)),
    "lineage": lineage_of,
    "provenance.root": root_of,
    "provenance.at_import": at_import_of,
    "provenance.fresh": lambda view, observation: any(
        is_fresh(view, entry, observation.time_ns) for entry in observation.provenance.chain
    ),
    "provenance.hook": _hook_novelty,
    "load": lambda view, observation: loads_of(view).of(observation),
    "artifact.scan": _scan,
    "loaded.scan": loaded_before,
    "pickle.runs_code": _unpickled,
    "revived": lambda view, observation: _revived(observation),
    "twin": twin_of,
    "credential.kind": lambda view, observation: (
        credential_kind(observation.event) if observation.domain is not None else ""
    ),
    "dst.service": lambda view, observation: _service(observation),
    "novelty.publishing": _publishing_novelty,
    "novelty.workload": workload_novelty,
    "container.age_s": lambda view, observation: max(0, _age_ns(view, observation)) / 1e9,
    # What is told to be long before the container began excuses nothing: one of the two clocks is wrong.
    "startup": lambda view, observation: abs(_age_ns(view, observation)) < view.knowledge.startup_ns,
    "namespace": _of_pod(lambda who: who.namespace),
    "pod": _of_pod(lambda who: who.pod),
    "workload": _of_pod(lambda who: who.workload),
    "image": _of_pod(lambda who: who.image),
    "image_digest": _of_pod(lambda who: who.image_digest),
    "gate.ruling": _of_gate(lambda standing: standing.ruling or "none"),
    "image.gate": image_ruling,
    "gate.rule": _of_gate(_gate_rules),
    "gate.signed": _of_gate(lambda standing: standing.decided.signed if standing.decided is not None else ""),
    "gate.move": _of_gate(move_kind),
    "gate.join": _of_gate(lambda standing: "tag" if standing.by_tag else "digest"),
    "k8s.verb": _of_request(lambda event: event.verb),
    "k8s.resource": _of_request(lambda event: event.resource),
    "k8s.subresource": _of_request(lambda event: event.subresource),
    "k8s.namespace": _of_request(lambda event: event.object_namespace),
    "k8s.name": _of_request(lambda event: event.object_name),
    "k8s.identity": _of_request(lambda event: event.identity),
    "k8s.impersonated": _of_request(lambda event: event.impersonated),
    "k8s.user_agent": _of_request(lambda event: event.user_agent),
    "k8s.host": _of_request(lambda event: event.host),
    "caller.place": place_of,
    "caller.address": caller_novelty,
    "caller.agent": agent_novelty,
    "cloud.service": _of_cloud(lambda event: event.resource),
    "cloud.operation": _of_cloud(lambda event: event.verb),
    "k8s.own_namespace": lambda view, observation: (
        observation.event.object_namespace == view.who.namespace
        if observation.event.kind is Kind.API
        else None
    ),
}
"""How each field of `fieldnames.FIELDS` is worked out, but `action` and those that are counted from T0."""

STATIC_FIELDS = frozenset({"action", *_FIELDS})
"""The fields that do not depend on where a chain starts."""
