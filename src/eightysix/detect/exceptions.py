"""Named, expiring exceptions: what an operator has looked at and does not want to be told of for a while.

An exception names a workload, and what landed in it or where it goes: never a package alone, so that the same package
in another workload is told of. It cannot silence `contain`, it covers an incident only as a whole (one package more
that landed, or one destination more, and it does not apply), and it ends at a date.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from msgspec import Struct

from eightysix.context.destinations import address
from eightysix.context.packages import normalise_name
from eightysix.model.event import Artifact
from eightysix.model.words import Verdict

__all__ = ["ANY_RULE", "Destination", "ExceptionRule", "IncidentFacts", "Place"]

ANY_RULE: Final = "any"
"""In `ExceptionRule.rule`: every rule."""

_CLOCK_SLACK: Final = timedelta(days=1)
"""`created` is a date of the author's time zone, which may be a day ahead of UTC."""


class Destination(Struct, frozen=True):
    """Where an incident went, as far as the records tell. A `name` may come from the pod itself."""

    ip: str = ""
    name: str = ""
    port: int = 0


class Place(Struct, frozen=True):
    """A destination as an exception writes it: `host` is a name or an address, `port` 0 stands for any."""

    host: str
    port: int = 0

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host

    def covers(self, destination: Destination) -> bool:
        """Whether this is the same place: addresses by value, names without case."""
        if self.port not in (0, destination.port):
            return False
        here = address(self.host)
        if here:
            return here == address(destination.ip)
        return bool(self.host) and self.host.casefold() == destination.name.casefold().removesuffix(".")


class IncidentFacts(Struct, frozen=True):
    """What an exception is compared with.

    `workload` is `namespace/workload`, empty when unknown (then no exception applies). `artifacts` is everything that
    landed in the chain, `destinations` everything it contacted at stage `leave`; both must be complete, because an
    exception that covers only some of them does not apply.
    """

    rule: str
    verdict: Verdict
    workload: str
    artifacts: tuple[Artifact, ...] = ()
    destinations: tuple[Destination, ...] = ()


class ExceptionRule(Struct, frozen=True):
    """One exception. `rule` is a rule's id or `ANY_RULE`; `expires` is the last day on which it applies (UTC).

    An artifact without a version covers only installs whose record tells no version (`pip install name`).
    """

    name: str
    rule: str
    workload: str
    created: date
    expires: date
    reason: str
    author: str
    artifacts: tuple[Artifact, ...] = ()
    destinations: tuple[Place, ...] = ()
    origin: str = ""

    def applies(self, facts: IncidentFacts, now_ns: int) -> bool:
        """Whether the incident is covered at `now_ns` (nanoseconds since 1970). Never for `contain`."""
        if (
            facts.verdict is Verdict.CONTAIN
            or not facts.workload
            or not (self.artifacts or self.destinations)
        ):
            return False
        if self.rule not in (ANY_RULE, facts.rule) or self.workload != facts.workload:
            return False
        if not self.valid_at(now_ns):
            return False
        return self._covers_artifacts(facts.artifacts) and self._covers_destinations(facts.destinations)

    def valid_at(self, now_ns: int) -> bool:
        """Whether `now_ns` lies between `created` and the end of `expires`."""
        start = _ns(self.created) - _CLOCK_SLACK // timedelta(microseconds=1) * 1000
        return start <= now_ns < _ns(self.expires + timedelta(days=1))

    def _covers_artifacts(self, landed: tuple[Artifact, ...]) -> bool:
        if not self.artifacts:
            return True
        known = {_key(artifact) for artifact in self.artifacts}
        return bool(landed) and all(_key(artifact) in known for artifact in landed)

    def _covers_destinations(self, contacted: tuple[Destination, ...]) -> bool:
        if not self.destinations:
            return True
        return bool(contacted) and all(
            any(place.covers(one) for place in self.destinations) for one in contacted
        )


def _ns(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1_000_000_000


def _key(artifact: Artifact) -> tuple[str, str, str]:
    name = normalise_name(artifact.name) if artifact.kind == "pypi" else ""
    return artifact.kind, name or artifact.name, artifact.version
