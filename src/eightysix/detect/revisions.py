"""Which incidents are news: what was told is kept by id, and told again only when the story changed.

An incident that gets only more evidence of the same is no news. One that later records take back is told as such, and what
was told as `contain` is never silently taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from eightysix.detect.digests import digest, digest_of
from eightysix.model.incident import Incident, Reason
from eightysix.model.words import Basis, Verdict

__all__ = ["ANEW", "GONE", "LATER", "Told", "fingerprint", "withdrawn"]

_WITHDRAWN = "Withdrawn: "

LATER = "later records no longer support this: they belong elsewhere, or explain it"
ANEW = "judged anew after a restart, nothing supports this any more: the rules, the baseline or what is declared changed"
GONE = "the rule that told of this is no longer in use"
"""Why an incident is withdrawn."""


def fingerprint(incident: Incident) -> str:
    """What a person would call the same story: verdict, points, timeline, identities and reasons, without evidence, gaps
    and advice."""
    told = (
        incident.verdict,
        incident.score,
        incident.t0,
        [(s.stage, s.at, s.title, s.process, s.destination, s.identity) for s in incident.stages],
        [(i.kind, i.name, i.state) for i in incident.identities],
        [(reason.points, reason.text) for reason in incident.why],
        incident.suppressed_by,
        incident.pod,
    )
    return digest_of(msgspec.msgpack.encode(told))


def withdrawn(incident: Incident, why: str = LATER) -> Incident:
    """The revision of an incident that nothing supports any more. A contained one stays contained: what was done
    about it is a person's to undo."""
    reason = Reason(0, why, Basis.MEASURED)
    verdict = incident.verdict if incident.verdict is Verdict.CONTAIN else Verdict.WATCH
    revision = digest("withdrawn", incident.revision)
    return msgspec.structs.replace(
        incident,
        verdict=verdict,
        revision=revision,
        why=(*incident.why, reason),
        title=_WITHDRAWN + incident.title,
    )


class Told:
    """The last that was told of each incident."""

    def __init__(self, latest: Iterable[Incident] = ()) -> None:
        self._latest: dict[str, Incident] = {}
        self._prints: dict[str, str] = {}
        self._gone: set[str] = set()
        for incident in latest:
            self._keep(incident)
            if incident.title.startswith(_WITHDRAWN):
                self._gone.add(incident.id)

    @property
    def latest(self) -> Mapping[str, Incident]:
        """The last told revision of each incident by id."""
        return self._latest

    def news(self, incidents: Iterable[Incident]) -> list[Incident]:
        """Those of `incidents` that tell something new, under the id by which they were first told. The first revision is of
        the evidence; each further one also of the one before, so that none comes twice."""
        news: list[Incident] = []
        for incident in incidents:
            known = self._under_known_id(incident)
            told = fingerprint(known)
            if self._prints.get(known.id) == told:
                continue
            before = self._latest.get(known.id)
            if before is not None:
                # A story may come back that was told before the last one: who keeps revisions must see that it is newer.
                revision = digest(before.revision, known.revision, told)
                known = msgspec.structs.replace(known, revision=revision)
            self._keep(known)
            news.append(known)
        return news

    def take_back(self, lost: Iterable[tuple[Incident, str]]) -> list[Incident]:
        """Revisions of told incidents that nothing supports any more, and why, each told once."""
        news = [withdrawn(incident, why) for incident, why in lost if incident.id not in self._gone]
        for incident in news:
            self._keep(incident)
            self._gone.add(incident.id)
        return news

    def forget(self, identity: str) -> None:
        """Let go of an incident: it ended with its pod, and nothing takes it back."""
        self._latest.pop(identity, None)
        self._prints.pop(identity, None)
        self._gone.discard(identity)

    def _keep(self, incident: Incident) -> None:
        self._latest[incident.id] = incident
        self._prints[incident.id] = fingerprint(incident)
        self._gone.discard(incident.id)

    def _under_known_id(self, incident: Incident) -> Incident:
        if incident.id in self._latest:
            return incident
        known = next((alias for alias in incident.aliases if alias in self._latest), "")
        if not known:
            return incident
        aliases = tuple(alias for alias in incident.aliases if alias != known)
        return msgspec.structs.replace(incident, id=known, aliases=(incident.id, *aliases))
