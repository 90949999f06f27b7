"""Uses of an identity: alike ones are told as one where they are the same pod's, and never one pod's for another's."""

from __future__ import annotations

from eightysix.model.attribution import Attribution, Candidate
from eightysix.model.event import Event
from eightysix.model.words import Grade, Kind, Origin, Outcome, Source
from eightysix.reconstruct.identitylog import IdentityLog
from eightysix.reconstruct.uses import uses_of
from tests.detect.events import event

DAY = 86_400.0


def read(at: float) -> Event:
    """The identity reads a vault, by a row without a token's id."""
    return event(
        Kind.CLOUD, at, source=Source.AZURE, origin=Origin.PROVIDER, grade=Grade.F, pod="", pod_uid="", namespace="",
        container_id="", resource="key-vault", verb="SecretGet", object_name="vault", principals=("id",),
        source_ip="20.1.2.3", outcome=Outcome.ALLOWED,
    )  # fmt: skip


def whose(use: Event) -> Attribution:
    """On the first day the one pod, on the second the other."""
    name = "one" if use.time_ns < START + int(DAY * 1e9) else "two"
    return Attribution(Grade.D, Origin.PROVIDER, "client-id", True, (Candidate(f"ml/{name}", name, 1.0, ""),))


START = read(0.0).time_ns


def told(events: list[Event], pod: str) -> list[tuple[float, int]]:
    log = IdentityLog()
    log.feed(events)
    found = uses_of(log, None, {pod}, whose, t0_ns=START, taken_ns=START)
    return [(use.offset_s, use.count) for use in found.told]


def test_what_two_pods_did_alike_on_two_days_is_told_of_each() -> None:
    polls = [read(at) for at in (10.0, 700.0, 3_000.0, DAY + 5.0, DAY + 2_000.0)]
    assert told(polls, "one") == [(10.0, 3)]
    assert told(polls, "two") == [(DAY + 5.0, 2)]
    assert told([*reversed(polls), *polls], "two") == [(DAY + 5.0, 2)]


def test_polling_for_a_day_is_one_use() -> None:
    polls = [read(60.0 * minute) for minute in range(1_400)]
    assert told(polls, "one") == [(0.0, 1_400)]
