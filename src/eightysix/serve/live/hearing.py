"""Who fell silent: an input that spoke until a chain began, and then does not, is a sign by itself.

Times here are nanoseconds since 1970 by the clock of this machine, because a record that does not come has no time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from eightysix.detect.wording import rfc3339
from eightysix.model.incident import Incident, Reason
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Basis, Source, Verdict
from eightysix.sources.sensor import ABSENT

__all__ = [
    "DROP_POINTS",
    "SILENCE_POINTS",
    "Gap",
    "Hearing",
    "carried_over",
    "endpoint_of",
    "input_of",
    "inputs_of",
    "with_gaps",
]

SILENCE_POINTS = 15
DROP_POINTS = 10
"""Judged: less than any signal of a chain, more than what explains; enough to raise a chain that lacks its last link."""

MAX_GAPS = 8
"""Gaps of one input that are kept, the latest."""

MAX_INPUTS = 10_000
"""Inputs that are listened to; those that were quiet longest are forgotten."""

_TOLD = "after the chain began its source "

_WITNESSES = frozenset({Source.TETRAGON, Source.SENSOR, Source.FALCO})
"""Sources that lie on the node of the pod. A log of the control plane that comes late is no sign of anything."""


class Gap(Struct, frozen=True):
    """When an input did not tell what it saw. `until_ns` is 0 while it lasts."""

    kind: str  # silent, ended, dropped; of one pod's sensors also tampered, absent
    since_ns: int
    until_ns: int = 0


class _Heard(Struct):
    last_ns: int
    longest_ns: int = 0
    gaps: list[Gap] = msgspec.field(default_factory=list)

    def add(self, gap: Gap) -> None:
        self.gaps.append(gap)
        del self.gaps[:-MAX_GAPS]


_OF_SENSORS: Mapping[str, str] = {
    "sequence": "dropped",
    "dropped": "dropped",
    "flood": "dropped",
    "conflict": "tampered",
    "endpoint": "tampered",
    **dict.fromkeys(ABSENT, "absent"),
}
"""What the receiver of sensor records tells of one pod (`serve.sensors.stream`), and what it counts as: records of it were
lost, or somebody in it meddles with its socket or its sensor's numbers. Of the last two the sensor itself tells: it stays
away from a process."""


_ENDPOINT = "sensors of pod "


def endpoint_of(uid: str) -> str:
    """The input that the sensors of one pod are: what is lost there says nothing of others."""
    return f"{_ENDPOINT}{uid}"


def input_of(file: str) -> str:
    """The input that a file is a part of: its name without digits, because rotation and the receiver's spool count and
    date the files of one input."""
    folder, slash, name = file.rpartition("/")
    return folder + slash + "".join(letter for letter in name if not letter.isdigit())


class Hearing:
    """When each input was heard. An input counts as silent after `silence_ns`, or four times the longest pause that it
    ever made, whichever is longer."""

    def __init__(self, silence_ns: int) -> None:
        self._silence_ns = silence_ns
        self._files: dict[str, _Heard] = {}
        self._pods: dict[str, list[Gap]] = {}

    def heard(self, file: str, now_ns: int) -> None:
        """Something came from `file`; a silence ends with it."""
        name = input_of(file)
        known = self._files.pop(name, None)
        if known is None:
            self._files[name] = _Heard(now_ns)
            if len(self._files) > MAX_INPUTS:
                del self._files[next(iter(self._files))]
            return
        self._files[name] = known  # the last in the order
        last = known.gaps[-1] if known.gaps else None
        if last is not None and last.kind == "silent" and not last.until_ns:
            known.gaps[-1] = Gap("silent", last.since_ns, now_ns)
        else:
            known.longest_ns = max(known.longest_ns, now_ns - known.last_ns)
        known.last_ns = now_ns

    def dropped(self, file: str, now_ns: int) -> None:
        """The source says that it dropped records."""
        self._files.setdefault(input_of(file), _Heard(now_ns)).add(Gap("dropped", now_ns, now_ns))

    def lost(self, uid: str, gap: str, time_ns: int) -> str:
        """The receiver tells of a gap in the records of one pod's sensors; the input (see `endpoint_of`) that this is of,
        empty where it is of no known kind."""
        kind = _OF_SENSORS.get(gap)
        if kind is None:
            return ""
        name = endpoint_of(uid)
        known = self._pods.pop(name, [])
        same = [gap for gap in known if gap.kind == kind]
        if same and kind == "absent":  # one withdrawal is told at each start: it fell silent at the first
            self._pods[name] = known
            return name
        if len(same) >= MAX_GAPS:  # the first ones stay: an incident names the first after its chain began
            known.remove(same[MAX_GAPS // 2])
        self._pods[name] = [*known, Gap(kind, time_ns, time_ns)]
        if len(self._pods) > MAX_INPUTS:
            del self._pods[next(iter(self._pods))]
        return name

    def ended(self, file: str, now_ns: int) -> None:
        """The input ended by itself."""
        known = self._files.get(input_of(file))
        if known is not None:
            known.add(Gap("ended", now_ns, now_ns))

    def listen(self, now_ns: int) -> list[str]:
        """Inputs (see `input_of`) that have just fallen silent."""
        found = []
        for file, known in self._files.items():
            if known.gaps and not known.gaps[-1].until_ns:
                continue
            if now_ns - known.last_ns > max(self._silence_ns, 4 * known.longest_ns):
                known.add(Gap("silent", known.last_ns))
                found.append(file)
        return found

    @property
    def silent(self) -> frozenset[str]:
        """The inputs (see `input_of`) that are silent now."""
        return frozenset(
            file for file, known in self._files.items() if known.gaps and not known.gaps[-1].until_ns
        )

    def gaps_of(self, incident: Incident) -> list[tuple[str, Gap]]:
        """The gaps of the inputs on the node that tell of this incident, as (file, gap), after its chain began."""
        inputs = inputs_of(incident)
        gaps = [(name, gap) for name in sorted(inputs & self._files.keys()) for gap in self._files[name].gaps]
        gaps += [(name, gap) for name in sorted(inputs & self._pods.keys()) for gap in self._pods[name]]
        if not gaps:
            return []
        began = to_ns(incident.t0)
        return [(name, gap) for name, gap in gaps if gap.since_ns >= began]

    def heard_any(self, incident: Incident) -> bool:
        """Whether any input that tells of the incident was heard since the start."""
        return not inputs_of(incident).isdisjoint(self._files)


def inputs_of(incident: Incident) -> set[str]:
    """The inputs on the node that tell of an incident, and the sensors of its pod, which may have been kept from it."""
    found = {endpoint_of(incident.pod.uid)} if incident.pod is not None and incident.pod.uid else set()
    return found | {
        input_of(e.file) for stage in incident.stages for e in stage.evidence if e.source in _WITNESSES
    }


def carried_over(incident: Incident, before: Incident, suspect_at: int) -> Incident:
    """`incident` with what was said of silence before a restart, as long as nothing was heard since."""
    return _with_reasons(
        incident, [reason for reason in before.why if reason.text.startswith(_TOLD)], suspect_at
    )


def with_gaps(
    incident: Incident, gaps: Iterable[tuple[str, Gap]], suspect_at: int, before: Incident | None = None
) -> Incident:
    """`incident` with what silence says of it: points once for each kind. What was told of the pod's sensors `before` a
    restart still holds: a record that was lost does not come back."""
    first: dict[str, Reason] = {}
    for file, gap in gaps:
        first.setdefault(gap.kind, _reason(file, gap))
    found = list(first.values())
    for reason in before.why if before is not None else ():
        of_pod = reason.text.startswith(_TOLD) and _ENDPOINT in reason.text
        if of_pod and not any(_same_kind(reason, other) for other in found):
            found.append(reason)
    return _with_reasons(incident, found, suspect_at)


def _same_kind(one: Reason, other: Reason) -> bool:
    return one.text.partition(":")[0] == other.text.partition(":")[0]


def _reason(file: str, gap: Gap) -> Reason:
    since = rfc3339(gap.since_ns)
    if gap.kind == "dropped":
        return Reason(DROP_POINTS, f"{_TOLD}dropped records: {file}, told at {since}", Basis.JUDGED)
    if gap.kind == "tampered":
        text = f"{_TOLD}was tampered with from inside of the pod: {file}, told at {since}"
        return Reason(DROP_POINTS, text, Basis.JUDGED)
    if gap.kind == "absent":
        text = f"{_TOLD}was withdrawn from new processes: {file}, told at {since}"
        return Reason(SILENCE_POINTS, text, Basis.JUDGED)
    if gap.kind == "ended":
        text = f"{_TOLD}ended: nothing comes from {file} since {since}"
    else:
        until = f" until {rfc3339(gap.until_ns)}" if gap.until_ns else ""
        text = f"{_TOLD}fell silent: nothing from {file} since {since}{until}"
    return Reason(SILENCE_POINTS, text, Basis.JUDGED)


def _with_reasons(incident: Incident, reasons: Sequence[Reason], suspect_at: int) -> Incident:
    """`incident` with more reasons: they raise it up to `suspect` and never to `contain`."""
    if not reasons:
        return incident
    score = incident.score + sum(reason.points for reason in reasons)
    raised = incident.verdict is Verdict.WATCH and score >= suspect_at
    verdict = Verdict.SUSPECT if raised else incident.verdict
    return msgspec.structs.replace(incident, why=(*incident.why, *reasons), score=score, verdict=verdict)
