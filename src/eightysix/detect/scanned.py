"""What the scan ledger says of the files that a pod loads.

The sensor tells which file it is, the ledger what is in it. A load that cannot be joined is a gap, never a signal; and
because the pod tells the file, a clean verdict excuses nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eightysix.context.ledger import Scanned
from eightysix.detect.actions import Action
from eightysix.model.event import Event
from eightysix.model.words import Kind

if TYPE_CHECKING:
    from eightysix.detect.observe import Observation
    from eightysix.detect.view import PodView

__all__ = ["file_of", "is_load", "loaded_before", "scan_gaps", "scan_of"]


def is_load(observation: Observation) -> bool:
    """Whether something is loaded that a scan could know."""
    return observation.action is Action.LOAD_FILE or observation.provenance.kind is Kind.PICKLE


def scan_of(view: PodView, observation: Observation) -> Scanned | None:
    """What the ledger says of the file that is loaded; None where it is none, or cannot be joined."""
    if not view.knowledge.scans or not is_load(observation):
        return None
    told = _told(observation)
    return view.knowledge.scans.find(_host(view, told), told.file_id, observation.time_ns) if told else None


def file_of(observation: Observation) -> str:
    """Which file is loaded, as the sensor tells it; empty where it does not."""
    told = _told(observation) if is_load(observation) else None
    return told.file_id if told is not None else ""


def loaded_before(view: PodView, observation: Observation) -> tuple[str, ...] | None:
    """What the ledger says of all that the acting process, or an ancestor of it, had loaded by then."""
    if not view.knowledge.scans or not observation.actor:
        return None
    if view.scanned is None:
        view.scanned = _by_process(view)
    if not view.scanned:
        return None
    found = {
        verdict
        for process in view.lineage.ancestors(observation.actor)
        for time_ns, verdict in view.scanned.get(process, ())
        if time_ns <= observation.time_ns
    }
    return tuple(sorted(found))


def scan_gaps(view: PodView) -> list[str]:
    """Why the scan's word about something that the pod loaded is not known, where there is a ledger."""
    scans = view.knowledge.scans
    if not scans:
        return []
    gaps: set[str] = set()
    for observation in view.observations:
        if not is_load(observation):
            continue
        told = _told(observation)
        if told is None:
            gaps.add("what the scan says of a file that was loaded: the sensor did not tell which file it is")
        elif not _host(view, told):
            gaps.add("what the scan says of a file that was loaded: no record tells on which host")
        elif not scans.knows_host(_host(view, told)):
            gaps.add("what the scan says of a file that was loaded: no ledger of its host was read")
    return sorted(gaps)


def _by_process(view: PodView) -> dict[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = {}
    for observation in view.observations:
        known = scan_of(view, observation) if observation.actor else None
        if known is not None:
            found.setdefault(observation.actor, []).append((observation.time_ns, known.verdict))
    return found


def _told(observation: Observation) -> Event | None:
    return next((event for event in observation.evidence if event.file_id), None)


def _host(view: PodView, told: Event) -> str:
    """The node of the pod, by the kernel's word where it has one: the record is the pod's own."""
    return view.who.node or told.node
