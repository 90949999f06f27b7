"""Who fell silent: an input that spoke until a chain began, and then does not, is a sign by itself.

Times here are nanoseconds since 1970 by the clock of this machine, because a record that does not come has no time.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from eightysix.detect.story import rfc3339
from eightysix.model.incident import Incident, Reason
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Basis, Source, Verdict

__all__ = ["DROP_POINTS", "SILENCE_POINTS", "Gap", "Hearing", "with_gaps"]

SILENCE_POINTS = 15
DROP_POINTS = 10
"""Judged: less than any signal of a chain, more than what explains; enough to raise a chain that lacks its last link."""

MAX_GAPS = 8
"""Gaps of one input that are kept."""

_WITNESSES = frozenset({Source.TETRAGON, Source.SENSOR, Source.FALCO})
"""Sources that lie on the node of the pod. A log of the control plane that comes late is no sign of anything."""


class Gap(Struct, frozen=True):
    """When an input did not tell what it saw. `until_ns` is 0 while it lasts."""

    kind: str  # silent, ended, dropped
    since_ns: int
    until_ns: int = 0


class _Heard(Struct):
    last_ns: int
    longest_ns: int = 0
    gaps: list[Gap] = msgspec.field(default_factory=list)


class Hearing:
    """When each input was heard. An input counts as silent after `silence_ns`, or four times the longest pause that it
    ever made, whichever is longer."""

    def __init__(self, silence_ns: int) -> None:
        self._silence_ns = silence_ns
        self._files: dict[str, _Heard] = {}

    def heard(self, file: str, now_ns: int) -> bool:
        """Something came from `file`; whether that ends a silence."""
        known = self._files.get(file)
        if known is None:
            self._files[file] = _Heard(now_ns)
            return False
        ends = bool(known.gaps) and known.gaps[-1].kind == "silent" and not known.gaps[-1].until_ns
        if ends:
            known.gaps[-1] = Gap("silent", known.gaps[-1].since_ns, now_ns)
        else:
            known.longest_ns = max(known.longest_ns, now_ns - known.last_ns)
        known.last_ns = now_ns
        return ends

    def dropped(self, file: str, now_ns: int) -> None:
        """The source says that it dropped records."""
        known = self._files.setdefault(file, _Heard(now_ns))
        if len(known.gaps) < MAX_GAPS:
            known.gaps.append(Gap("dropped", now_ns, now_ns))

    def ended(self, file: str, now_ns: int) -> None:
        """The input ended by itself."""
        known = self._files.get(file)
        if known is not None and len(known.gaps) < MAX_GAPS:
            known.gaps.append(Gap("ended", now_ns, now_ns))

    def listen(self, now_ns: int) -> list[str]:
        """Files that have just fallen silent."""
        found = []
        for file, known in self._files.items():
            if known.gaps and not known.gaps[-1].until_ns:
                continue
            if (
                now_ns - known.last_ns > max(self._silence_ns, 4 * known.longest_ns)
                and len(known.gaps) < MAX_GAPS
            ):
                known.gaps.append(Gap("silent", known.last_ns))
                found.append(file)
        return found

    @property
    def silent(self) -> frozenset[str]:
        """The files that are silent now."""
        return frozenset(
            file for file, known in self._files.items() if known.gaps and not known.gaps[-1].until_ns
        )

    def gaps_of(self, incident: Incident) -> list[tuple[str, Gap]]:
        """The gaps of the inputs on the node that tell of this incident, as (file, gap), after its chain began."""
        files = {e.file for stage in incident.stages for e in stage.evidence if e.source in _WITNESSES}
        if not files & self._files.keys():
            return []
        began = to_ns(incident.t0)
        return [
            (file, gap)
            for file in sorted(files & self._files.keys())
            for gap in self._files[file].gaps
            if gap.since_ns >= began
        ]


def with_gaps(incident: Incident, gaps: Iterable[tuple[str, Gap]], suspect_at: int) -> Incident:
    """`incident` with what silence says of it: points once for each kind, up to `suspect` and never to `contain`."""
    why = list(incident.why)
    score = incident.score
    seen: set[str] = set()
    for file, gap in gaps:
        if gap.kind in seen:
            continue
        seen.add(gap.kind)
        since = rfc3339(gap.since_ns)
        if gap.kind == "silent":
            points, until = SILENCE_POINTS, f" until {rfc3339(gap.until_ns)}" if gap.until_ns else ""
            text = f"after the chain began its source fell silent: nothing from {file} since {since}{until}"
        elif gap.kind == "ended":
            points = SILENCE_POINTS
            text = f"after the chain began its source ended: nothing comes from {file} since {since}"
        else:
            points, text = (
                DROP_POINTS,
                f"after the chain began its source dropped records: {file}, told at {since}",
            )
        why.append(Reason(points, text, Basis.JUDGED))
        score += points
    if not seen:
        return incident
    verdict = incident.verdict
    if verdict is Verdict.WATCH and score >= suspect_at:
        verdict = Verdict.SUSPECT
    return msgspec.structs.replace(incident, why=tuple(why), score=score, verdict=verdict)
