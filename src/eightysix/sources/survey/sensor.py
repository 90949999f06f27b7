"""Counts the sensor's records: which pods have one, and what its receivers say is missing."""

from __future__ import annotations

from eightysix.model.visibility import Witness
from eightysix.sources.sensor import SensorDecoder
from eightysix.sources.sensor_records import Pod, Record
from eightysix.sources.survey.census import Census, Place, count, short

__all__ = ["sensor_survey"]

_ABSENT = {
    "withdrawn": "starts without the sensor, which was withdrawn",
    "start_failed": "starts in which the sensor failed",
}
_MOST_NUMBER = 1 << 53


def sensor_survey(census: Census) -> SensorDecoder:
    """A decoder that counts into `census` and gives no events."""

    def on_record(record: Record, text: bytes, kind: str, time_ns: int) -> None:
        pod = record.pod if isinstance(record.pod, Pod) else None
        cluster = short(record.cluster or (pod.cluster if pod is not None else ""))
        node = short(record.node)
        tally = census.tally(Place("sensor", cluster, node), Witness.SENSOR, "sensor")
        if not census.is_new(hash(text.strip())):
            tally.duplicates += 1
            return
        tally.records += 1
        count(tally.kinds, kind)
        tally.at(time_ns)
        if kind == "gap":
            count(tally.lost, "records of sensors that never came", min(record.number or 0, _MOST_NUMBER))
            return
        if record.event in _ABSENT:
            count(tally.lost, _ABSENT[record.event])
        tally.of += 1
        uid = (pod.uid if pod is not None else None) or record.pod_uid
        name = (pod.name if pod is not None else None) or (record.pod if isinstance(record.pod, str) else "")
        namespace = (pod.namespace if pod is not None else None) or record.namespace
        if not uid and not name:
            tally.unattributed += 1
            return
        known = census.pod(cluster, short(uid) or f"{node}/{short(namespace)}/{short(name)}")
        if known is None:
            return
        known.sensor = True
        known.namespace = known.namespace or short(namespace)
        known.name = known.name or short(name)
        known.node = known.node or node
        if pod is not None:
            known.workload = known.workload or short(pod.workload)
            known.workload_kind = known.workload_kind or short(pod.workload_kind)

    return SensorDecoder(on_record=on_record)
