"""Fields computed by code: what a rule's `detection` may ask of an observation (see `fieldnames`)."""

from __future__ import annotations

from eightysix.detect.actions import Action
from eightysix.detect.observe import Observation
from eightysix.detect.view import PodView, distribution_name
from eightysix.model.words import Kind

__all__ = [
    "UNANCHORED",
    "anchored_facts",
    "grade_of",
    "is_landed_program",
    "rule_action",
    "runs_hook",
    "static_facts",
]

_TEMPORARY = ("/tmp/", "/dev/shm/", "/var/tmp/", "/run/shm/")  # noqa: S108 - compared, never opened


def static_facts(view: PodView, observation: Observation, action: str) -> dict[str, object]:
    """The fields that do not depend on which landing the chain starts from; `action` is `rule_action`'s."""
    event = observation.event
    told = observation.provenance
    lineage = lineage_of(view, observation)
    born = event.container_started_ns or view.born_ns
    age_s = max(0.0, (observation.time_ns - born) / 1e9)
    facts: dict[str, object] = {
        "action": action,
        "source": str(event.source),
        "origin": str(event.origin),
        "grade": str(grade_of(observation)),
        "kind": str(event.kind),
        "binary": event.binary,
        "binary.name": event.binary.rpartition("/")[2],
        "parent.name": event.parent_binary.rpartition("/")[2],
        "command": event.command,
        "uid": event.uid if event.uid >= 0 else None,
        "artifact.kind": tuple(a.kind for a in observation.artifacts),
        "artifact.name": tuple(a.name for a in observation.artifacts),
        "file.path": event.file_path,
        "file.access": str(event.access),
        "file.common": event.activity == "startup-file-common",
        "dst.ip": event.dst_ip,
        "dst.port": event.dst_port or None,
        "dst.name": observation.name,
        "dst.class": view.destination_class(observation),
        "url.path": _url_path(observation),
        "domain": str(observation.domain) if observation.domain is not None else "",
        "outcome": str(event.outcome),
        "lineage": lineage,
        "provenance.root": root_of(view, observation),
        "provenance.at_import": at_import_of(view, observation),
        "provenance.fresh": any(_is_fresh(view, entry, observation.time_ns) for entry in told.chain),
        "provenance.hook": _hook_novelty(view, observation),
        "novelty.workload": workload_novelty(view, observation),
        "container.age_s": age_s,
        "startup": (observation.time_ns - born) < view.knowledge.startup_ns,
        "namespace": view.who.namespace,
        "pod": view.who.pod,
        "workload": view.who.workload,
        "image": view.who.image,
        "image_digest": view.who.image_digest,
    }
    if event.kind is Kind.API:
        facts |= _request_facts(view, observation)
    return facts


UNANCHORED: dict[str, object] = {
    "domain.order": None,
    "domains.taken": None,
    "domains.new": None,
    "novelty.process": "unknown",
    "novelty.container": None,
}
"""The fields of `anchored_facts` while no start is chosen yet."""


def anchored_facts(
    view: PodView, observation: Observation, anchor_ns: int, order: int, taken: int, new: int
) -> dict[str, object]:
    """The fields that are counted from T0: what is new, the how-manieth domain it is (`order`, 0 where it is none of
    the taker's), and how many domains the taker had by then (`taken`), and
    how many of all that it took it had never taken before T0 (`new`)."""
    thing = view.thing(observation)
    if not thing:
        return {**UNANCHORED, "domain.order": order or None, "domains.taken": taken, "domains.new": new}
    before = view.done_before(observation.actor, thing, anchor_ns) if observation.actor else False
    started = view.lineage.started_ns(observation.actor)
    if before:
        process = "repeat"
    elif not started:
        process = "unknown"
    else:
        process = "new" if started < anchor_ns else "first"
    container = "repeat" if view.done_before("", thing, anchor_ns) else "new"
    return {
        "domain.order": order or None,
        "domains.taken": taken,
        "domains.new": new,
        "novelty.process": process,
        "novelty.container": container,
    }


def grade_of(observation: Observation) -> str:
    """The best grade of the records that tell of it."""
    return min(event.grade for event in observation.evidence)


def rule_action(view: PodView, observation: Observation) -> str:
    """The `action` that rules see."""
    action, event = observation.action, observation.event
    if action is Action.STARTED:
        return "landed-run"
    if action is Action.INSTALL:
        return "install" if event.activity in ("install", "distribution") or observation.artifacts else "exec"
    if action is Action.RUN:
        fresh = root_of(view, observation) == "fresh" or at_import_of(view, observation).startswith("fresh")
        if event.kind is Kind.LOAD or fresh:
            return "landed-run"
        return "pickle" if event.kind is Kind.PICKLE else "import"
    if action is Action.EXEC and is_landed_program(view, observation.actor):
        return "landed-run"
    if action is Action.WRITE:
        return "download" if event.activity == "model-file" else "write"
    return "" if action in (Action.RESOLVE, Action.OTHER) else str(action)


def lineage_of(view: PodView, observation: Observation) -> tuple[str, ...]:
    """How the acting process came to be: by whom started, from what file."""
    actor = observation.actor
    if not actor:
        return ()
    tree = view.lineage
    path = tree.ancestors(actor)
    found: list[str] = []
    if any(ancestor in view.installers for ancestor in path[1:]):
        found.append("installer")
    if any(is_landed_program(view, ancestor) for ancestor in path):
        found.append("landed-file")
    found += runs_hook(view, actor)
    if observation.event.exec_probe:
        found.append("exec-probe")
    if tree.is_exec_session(actor):
        found.append("exec-session")
    elif tree.in_entrypoint_tree(actor):
        found.append("entrypoint")
    return tuple(found)


def _hook_novelty(view: PodView, observation: Observation) -> str:
    """Of code that a startup hook runs: whether the workload had that hook before, by the baseline."""
    entry = observation.provenance.at_import
    baseline = view.knowledge.baseline
    if baseline is None or not entry.startswith("pth:"):
        return "unknown"
    return baseline.novelty(view.workload, "startup_files", entry[4:])


def runs_hook(view: PodView, actor: str) -> list[str]:
    """The kinds of startup hook that had been written when a Python interpreter, no installer, started."""
    started = view.lineage.started_ns(actor)
    if not started or actor in view.installers or not _runs_python(view.lineage.binary(actor)):
        return []
    return [name for name, written in view.hooks if written <= started]


def _runs_python(binary: str) -> bool:
    return binary.rpartition("/")[2].startswith(("python", "pypy"))


def is_landed_program(view: PodView, exec_id: str) -> bool:
    """Whether a process runs a program or script that was written in this pod before, or that lies where only such lie."""
    tree = view.lineage
    started = tree.started_ns(exec_id)
    for path in tree.programs(exec_id):
        written = view.written.get(path)
        if path.startswith(_TEMPORARY) or (written is not None and (not started or written <= started)):
            return True
    return False


def root_of(view: PodView, observation: Observation) -> str:
    """Whose code is outermost: `app`, `fresh`, `package` or `unknown`."""
    told = observation.provenance
    root = told.root or (told.chain[-1] if told.chain else "")
    if not root:
        return "unknown"
    if not distribution_name(root):
        return "app" if root.startswith("app:") else "unknown"
    return "fresh" if _is_fresh(view, root, observation.time_ns) else "package"


def at_import_of(view: PodView, observation: Observation) -> str:
    """Which code was being imported at that moment."""
    told = observation.provenance
    entry = told.at_import
    if not entry:
        return "none" if told.chain else "unknown"
    if entry.startswith("pth:"):
        landed = any(_is_fresh(view, chained, observation.time_ns) for chained in told.chain)
        landed = landed or any(
            o.action is Action.STARTUP_FILE
            and o.event.file_path == entry[4:]
            and o.time_ns <= observation.time_ns
            for o in view.observations
        )
        return "fresh-pth" if landed else "pth"
    return "fresh" if _is_fresh(view, entry, observation.time_ns) else "package"


def _is_fresh(view: PodView, entry: str, time_ns: int) -> bool:
    landed = view.fresh.get(distribution_name(entry))
    return landed is not None and landed <= time_ns


def workload_novelty(view: PodView, observation: Observation) -> str:
    """Against the baseline: `new`, `known`, `unknown`."""
    baseline = view.knowledge.baseline
    if baseline is None:
        return "unknown"
    event = observation.event
    if observation.domain is not None:
        return baseline.novelty(view.workload, "domains", str(observation.domain))
    if observation.action is Action.CONNECT:
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


def _url_path(observation: Observation) -> str:
    return next((event.url_path for event in observation.evidence if event.url_path), "")


def _request_facts(view: PodView, observation: Observation) -> dict[str, object]:
    event = observation.event
    return {
        "k8s.verb": event.verb,
        "k8s.resource": event.resource,
        "k8s.subresource": event.subresource,
        "k8s.namespace": event.object_namespace,
        "k8s.name": event.object_name,
        "k8s.identity": event.identity,
        "k8s.impersonated": event.impersonated,
        "k8s.user_agent": event.user_agent,
        "k8s.own_namespace": event.object_namespace == view.who.namespace,
    }
