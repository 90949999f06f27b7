"""What a pod did, as a baseline keeps it."""

from __future__ import annotations

from collections.abc import Callable

from eightysix.context.baseline import KINDS, Baseline, workload_key
from eightysix.context.names import Names, names_of
from eightysix.context.publishing import delivery_service
from eightysix.detect.actions import Action, action_of
from eightysix.detect.state import PodState
from eightysix.model.event import Event
from eightysix.model.words import Kind

__all__ = ["add_to_baseline"]


def add_to_baseline(baseline: Baseline, state: PodState, told_names: Names | None = None) -> bool:
    """Add what the pod of `state` did; False when its workload is unknown and nothing was added."""
    events = state.events()
    told = next((e for e in events if e.workload and e.image_digest), None)
    if told is None:
        return False
    profile = baseline.profile(
        workload_key(told.namespace, told.workload_kind, told.workload), told.image_digest
    )
    baseline.kinds |= KINDS
    profile.pods += 1
    for fact in state.processes.values():
        if fact[3]:
            profile.add("programs", fact[3])
    names = names_of(events, told_names or {}, state.names)
    for event in events:
        _add(profile.add, event)
        if event.kind is Kind.CONNECT and event.domain is None:
            for name in names.at(event.dst_ip, event.time_ns):
                profile.add("destinations", f"{name}:{event.dst_port}")
    return True


def _add(add: Callable[[str, str], None], event: Event) -> None:
    action = action_of(event)
    if event.kind is Kind.EXEC and event.binary:
        add("programs", event.binary)
    if event.activity == "publish":
        add("publishes", " ".join(event.command.split(" ")[:3]))
    elif delivery_service(event.dst_name, event.url_path) == "upload":
        add("publishes", f"to {event.dst_name}")
    if event.domain is not None:
        add("domains", str(event.domain))
        if event.kind is Kind.FILE:
            add("credentials", event.activity)
    elif action is Action.CONNECT:
        for name in (event.dst_ip, event.dst_name):
            if name:
                add("destinations", f"{name}:{event.dst_port}")
    elif action is Action.API:
        add("requests", f"{event.verb} {event.resource}")
    elif action is Action.STARTUP_FILE:
        add("startup_files", event.file_path)
    if event.at_import.startswith("pth:"):
        add("startup_files", event.at_import[4:])
