"""Counts Falco's alerts: what they name, and what Falco says that it dropped."""

from __future__ import annotations

from eightysix.model.visibility import Witness
from eightysix.sources.falco import FalcoDecoder
from eightysix.sources.falco_records import Fields, Record
from eightysix.sources.survey.census import Census, Place, count, short

__all__ = ["falco_survey"]

_OURS = "Eightysix "
"""How the rules of deploy/falco are called."""


def falco_survey(census: Census) -> FalcoDecoder:
    """A decoder that counts into `census` and gives no events."""

    def on_alert(record: Record, fields: Fields, kind: str, container: str, time_ns: int) -> None:
        node = short(record.hostname or fields.text("evt.hostname", longest=253))
        tally = census.tally(Place("falco", "", node), Witness.KERNEL, "falco")
        call = fields.text("evt.num", "proc.pid", "container.id", longest=128)
        if not census.is_new(hash((time_ns, record.rule, record.output, node, call))):
            tally.duplicates += 1
            return
        tally.records += 1
        count(tally.kinds, kind)
        if time_ns:
            tally.at(time_ns)
        if kind == "dropped":
            lost = max(fields.number("n_drops"), fields.number("scap.n_drops"), 1)
            count(tally.lost, "system calls that Falco dropped", min(lost, 1 << 53))
            return
        if kind == "internal":
            return
        count(tally.hooks, "ours" if (record.rule or "").startswith(_OURS) else "others")
        _note_pod(census, fields, node, container)
        if container and container != "host":
            tally.of += 1
            tally.unattributed += not fields.text("k8s.pod.name", "k8smeta.pod.name", longest=253)
        else:
            count(tally.facts, "host")

    return FalcoDecoder({}, on_alert=on_alert)


def _note_pod(census: Census, fields: Fields, node: str, container: str) -> None:
    name = fields.text("k8s.pod.name", "k8smeta.pod.name", longest=253)
    if not name or not container:
        return
    namespace = fields.text("k8s.ns.name", "k8smeta.ns.name", longest=253)
    uid = fields.text("k8s.pod.uid", "k8smeta.pod.uid", longest=253)
    pod = census.pod("", uid or f"{node}/{namespace}/{name}")
    if pod is None:
        return
    pod.kernel = True
    pod.namespace, pod.name, pod.node = namespace, name, node
    program = fields.text("proc.exepath", "proc.name").rpartition("/")[2]
    pod.python = pod.python or program.startswith(("python", "pypy"))
