"""Silences: pauses that are much longer than a feed's own pauses usually are, and who told of the place meanwhile.

How it is judged: arrival is counted in slots of ten seconds. A feed with at least `ENOUGH` slots in which something came has
a rhythm; its usual pause is the one that 95 of 100 of its pauses do not exceed (pauses begin with a slot's end, so slots
side by side are pauses of nothing, which count too). A pause of `TIMES` times the usual one, and of `LEAST_S` at least, is
a silence; so is the time after the feed's last record, until the last record that anybody told of the same cluster, and
the time before its first. A feed without a rhythm is not judged: nothing is said about its pauses.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from eightysix.detect.wording import rfc3339
from eightysix.model.visibility import Silence
from eightysix.sources.survey.census import Rhythm

__all__ = ["ENOUGH", "KUBELETS", "LEAST_S", "TIMES", "has_rhythm", "silences"]

ENOUGH = 30
"""Slots with records. Judged: five minutes of a feed that tells something in every slot."""

TIMES = 10
"""Judged: a pause of ten times what 95 of 100 pauses stay below."""

LEAST_S = 300
"""Judged: Tetragon holds an event for half a minute, and files are rotated within seconds; five minutes are neither."""

KUBELETS = "its kubelet, by the audit log"
"""Who is named only where nobody else told of a place: it says that the node was there, and nothing of its pods."""

MOST = 20
"""Silences that are listed of one feed, the longest."""

_S = 1_000_000_000


def has_rhythm(rhythm: Rhythm) -> bool:
    """Whether it came often enough to tell a silence."""
    return len(rhythm.slots) >= ENOUGH


def silences(
    rhythm: Rhythm, first_ns: int, last_ns: int, others: Mapping[str, Iterable[Rhythm]]
) -> tuple[Silence, ...]:
    """The silences of a feed, longest first, between `first_ns` and `last_ns`, the ends of what anybody told of the
    cluster. `others` are those who tell of the same place, by name."""
    if not has_rhythm(rhythm):
        return ()
    width = rhythm.slot_s
    slots = sorted(rhythm.slots)
    pauses = sorted((later - earlier - 1) * width for earlier, later in itertools.pairwise(slots))
    usual = pauses[min(len(pauses) - 1, len(pauses) * 95 // 100)]
    least = max(LEAST_S, TIMES * usual)
    edges = [(slots[index] + 1, slots[index + 1]) for index in range(len(slots) - 1)]
    edges = [(first_ns // _S // width, slots[0]), *edges, (slots[-1] + 1, last_ns // _S // width + 1)]
    found = [(end - start, start, end) for start, end in edges if (end - start) * width >= least]
    found.sort(key=lambda one: (-one[0], one[1]))
    return tuple(_silence(start * width, end * width, usual, others) for _, start, end in found[:MOST])


def _silence(start: int, end: int, usual: float, others: Mapping[str, Iterable[Rhythm]]) -> Silence:
    """One silence, from and until seconds since 1970."""
    told: dict[str, int] = {}
    for name, rhythms in sorted(others.items()):
        number = sum(_within(rhythm, start, end) for rhythm in rhythms)
        if number:
            told[name] = number
    most = max(told, key=lambda name: (name != KUBELETS, told[name], name), default="")
    return Silence(
        rfc3339(start * _S), rfc3339(end * _S), float(end - start), float(usual), most, told.get(most, 0)
    )


def _within(rhythm: Rhythm, start: int, end: int) -> int:
    """Records in slots that lie wholly between two moments."""
    width = rhythm.slot_s
    first, last = -(-start // width), end // width
    if last <= first:
        return 0
    if last - first > len(rhythm.slots):
        return sum(number for slot, number in rhythm.slots.items() if first <= slot < last)
    return sum(rhythm.slots.get(slot, 0) for slot in range(first, last))
