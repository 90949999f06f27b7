"""What changed is told once and never lost; what a webhook hinted at is told in any case; no registry holds up another."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from eightysix.model.errors import RegistryError, StateError, UsageError
from eightysix.model.gate import Channel, Reference, RegistryAction, RegistryEvent
from eightysix.serve.registry import Bounds, Head, Listing, Pace, Reconciler, Settings, settings_for_asking
from eightysix.serve.registry.reconcile import MAX_TAGS

A, B = ("sha256:" + letter * 64 for letter in "ab")
HOST, REPO = "r.example", "ml/llm"


class Held:
    """A registry in memory: tags by name. `error` is raised instead of any answer."""

    def __init__(self, **tags: str) -> None:
        self.now: dict[str, str] = dict(tags)
        self.error: Exception | None = None
        self.heads = 0
        self.cut = ""

    def head(self, repository: str, reference: str) -> Head | None:
        self.heads += 1
        if self.error is not None:
            raise self.error
        digest = self.now.get(reference)
        return None if digest is None else Head(digest, "application/x", 7)

    def tags(self, repository: str) -> Listing:
        if self.error is not None:
            raise self.error
        return Listing(tuple(self.now), self.cut)


class World:
    """A reconciler whose clock a test turns: `turn` asks all that is due in so many seconds."""

    def __init__(self, registries: dict[str, Held], *tags: str, **more: Any) -> None:
        self.now = 100.0
        self.told: list[RegistryEvent] = []
        self.asked_at: list[int] = []
        self.refuse: Callable[[], bool | None] = lambda: None
        self.registries = registries
        watched = [Reference(host, REPO, tag) for host in registries for tag in tags]
        self.one = Reconciler(
            registries.__getitem__, watched, self.sink, clock=lambda: self.now,
            wall=lambda: int(self.now * 1e9), chance=random.Random(1), **more,
        )  # fmt: skip

    def sink(self, event: RegistryEvent, asked_ns: int) -> bool | None:
        answer = self.refuse()
        if answer is not False:
            self.told.append(event)
            self.asked_at.append(asked_ns)
        return answer

    def turn(self, seconds: float, step: float = 0.25) -> list[RegistryEvent]:
        before, until = len(self.told), self.now + seconds
        while self.now < until:
            for host in self.registries:
                while self.one.do(host):
                    pass
            self.now += step
        return self.told[before:]


def moves(events: list[RegistryEvent]) -> list[tuple[str, str, str]]:
    return [(event.action.value, event.tag, event.digest) for event in events]


def test_first_sight_and_every_move_are_told_once() -> None:
    held = Held(prod=A, staging=A)
    world = World({HOST: held}, "prod", "staging", "absent")
    assert sorted(moves(world.turn(1))) == [("push", "prod", A), ("push", "staging", A)]
    assert world.turn(60) == []
    held.now["prod"] = B
    (event,) = world.turn(25)
    assert event == RegistryEvent(
        id=event.id, channel=Channel.RECONCILER, action=RegistryAction.PUSH, registry=HOST, repository=REPO,
        tag="prod", digest=B, media_type="application/x", size=7,
    )  # fmt: skip
    ids = {each.id for each in world.told}
    for digest in (A, B, A, B):
        held.now["prod"] = digest
        ids |= {each.id for each in world.turn(25)}
    assert len(ids) == len(world.told) == 7, "the same move back and forth is another event each time"
    assert world.asked_at == sorted(world.asked_at)


def test_what_was_known_is_not_told_again_and_what_moved_meanwhile_is() -> None:
    known = {
        Reference(HOST, REPO, "prod"): A,
        Reference(HOST, REPO, "dev"): A,
        Reference(HOST, REPO, "gone"): "",
    }
    world = World({HOST: Held(prod=A, dev=B)}, "prod", "dev", "gone", known=known)
    assert moves(world.turn(60)) == [("push", "dev", B)]


def test_a_tag_is_gone_when_it_was_absent_twice() -> None:
    held = Held(prod=A)
    world = World({HOST: held}, "prod")
    world.turn(1)
    del held.now["prod"]
    heads = held.heads
    assert moves(world.turn(25)) == [("delete", "prod", "")]
    assert held.heads - heads >= 2
    assert world.turn(60) == []
    held.now["prod"] = A
    assert moves(world.turn(25)) == [("push", "prod", A)]


def test_a_registry_that_says_once_that_there_is_nothing_has_deleted_nothing() -> None:
    held = Held(prod=A)
    world = World({HOST: held}, "prod")
    world.turn(1)
    del held.now["prod"]
    world.now += 20
    assert world.one.do(HOST)
    held.now["prod"] = A
    assert world.turn(60) == []


@pytest.mark.parametrize("how", ["false", "error", "crash"])
def test_what_was_not_kept_is_told_again_until_it_is(how: str) -> None:
    held = Held(prod=A)
    world = World({HOST: held}, "prod")
    world.turn(1)
    held.now["prod"] = B

    def full() -> bool | None:
        if how == "error":
            raise StateError("the disk is full", "make room")
        if how == "crash":
            raise ZeroDivisionError
        return False

    world.refuse = full
    assert world.turn(60) == []
    (status,) = world.one.status().registries
    if how == "crash":
        assert status.failures == {"unusable": 3}
    else:
        assert status.untold > 10
    world.refuse = lambda: None
    assert moves(world.turn(25)) == [("push", "prod", B)]


def test_a_hint_is_asked_at_once_and_told_even_if_it_was_false() -> None:
    held = Held(prod=A)
    world = World({HOST: held}, "prod")
    world.turn(1)
    assert world.one.hint(HOST, REPO, "prod")
    assert moves(world.turn(0.25)) == [("push", "prod", A)], "somebody said otherwise: what is true is told"
    assert world.turn(60) == []
    assert not world.one.hint(HOST, REPO, "unknown")
    assert not world.one.hint("other.example", REPO, "prod")
    del held.now["prod"]
    world.one.hint(HOST, REPO, "prod")
    assert moves(world.turn(4)) == [("delete", "prod", "")]


def test_all_tags_of_a_repository_are_watched_as_they_come_and_go() -> None:
    held = Held(a=A, b=A)
    signature = "sha256-" + "c" * 64 + ".sig"
    held.now[signature] = B
    known = {Reference(HOST, REPO, "hidden"): A}
    world = World({HOST: held}, "*", known=known)
    assert sorted(moves(world.turn(5))) == [("delete", "hidden", ""), ("push", "a", A), ("push", "b", A)]
    held.now["c"] = B
    assert moves(world.turn(30)) == [("push", "c", B)], "within 30 s"
    held.now["d"] = B
    assert world.one.hint(HOST, REPO, "d"), "a webhook names one that no list had yet"
    assert moves(world.turn(0.25)) == [("push", "d", B)]
    del held.now["c"]
    assert moves(world.turn(30)) == [("delete", "c", "")]
    (status,) = world.one.status().registries
    assert status.tags == 3
    held.now["c"] = A
    assert moves(world.turn(45)) == [("push", "c", A)]


def test_a_list_that_leaves_a_tag_out_does_not_hide_its_move() -> None:
    held = Held(a=A, b=A)
    world = World({HOST: held}, "*")
    world.turn(5)
    held.tags = lambda repository: Listing(("a",))  # type: ignore[method-assign]
    held.now["b"] = B
    assert moves(world.turn(30)) == [("push", "b", B)]


def test_more_tags_than_are_watched_are_told() -> None:
    held = Held(**{f"t{number}": A for number in range(MAX_TAGS + 5)})
    held.cut = "there are more than 100,000"
    world = World({HOST: held}, "*")
    world.one.do(HOST)
    (status,) = world.one.status().registries
    assert status.tags == MAX_TAGS
    assert status.not_watched == ((REPO, "5 more tags are not watched"),)


@pytest.mark.parametrize(
    ("error", "unseen"),
    [
        (RegistryError("x", kind="unreachable"), True),
        (RegistryError("x", kind="slow"), True),
        (RegistryError("x", kind="throttled", retry_after_s=5.0), True),
        (RegistryError("x", kind="refused"), False),
        (RegistryError("x", kind="lying"), False),
        (RegistryError("x", kind="broken"), False),
        (UsageError("x"), False),
        (ValueError("CANARY"), False),
    ],
)
def test_a_failure_is_no_move_and_is_told_by_status(error: Exception, unseen: bool) -> None:
    held = Held(prod=A)
    world = World({HOST: held}, "prod")
    world.turn(10)
    held.error = error
    assert world.turn(100) == []
    status = world.one.status()
    (one,) = status.registries
    assert (one.unseen_since_ns > 0) == unseen
    if unseen:
        assert 110 <= one.unseen_since_ns / 1e9 <= 135
    assert one.behind_s > 80
    assert not status.keeps_up
    assert sum(one.failures.values()) >= 4
    assert one.troubles[0][:2] == (REPO, "prod")
    assert "CANARY" not in f"{one}"
    held.error, held.now["prod"] = None, B
    assert moves(world.turn(30)) == [("push", "prod", B)]
    (one,) = world.one.status().registries
    assert (one.unseen_since_ns, one.troubles) == (0, ())
    assert one.behind_s < 25


def test_registries_that_hang_hold_up_nobody_else() -> None:
    release = threading.Event()

    class Hanging(Held):
        def head(self, repository: str, reference: str) -> Head | None:
            release.wait(30.0)
            raise RegistryError("slow", kind="slow")

    registries: dict[str, Held] = {f"hang{n}.example": Hanging() for n in range(3)}
    registries["good.example"] = good = Held(**{f"t{n}": A for n in range(200)})
    told: list[RegistryEvent] = []
    got = threading.Event()

    def sink(event: RegistryEvent, asked_ns: int) -> None:
        told.append(event)
        if len(told) >= 201:
            got.set()

    watched = [Reference(host, REPO, f"t{n}") for host in registries for n in range(200)]
    made: list[str] = []

    def client_for(host: str) -> Held:
        made.append(host)
        time.sleep(0.01)
        return registries[host]

    one = Reconciler(client_for, watched, sink)
    try:
        one.start()
        deadline = time.monotonic() + 20
        while len(told) < 200 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert {event.registry for event in told} == {"good.example"}
        assert len(told) == 200
        good.now["t7"] = B
        assert one.hint("good.example", REPO, "t7")
        assert got.wait(10.0)
        assert (told[-1].tag, told[-1].digest) == ("t7", B)
        assert not one.wait_for_round(0.05), "the others have not answered"
    finally:
        release.set()
        one.stop()
    assert not any(thread.is_alive() for thread in one._threads)
    assert sorted(made) == sorted(registries), "one client for all threads of a registry"


def test_what_cannot_be_watched_is_refused_at_once() -> None:
    nobody: dict[str, Held] = {}
    for reference in (Reference(HOST, REPO), Reference(HOST, "../x", "a"), Reference(HOST, REPO, "a b")):
        with pytest.raises(UsageError):
            Reconciler(nobody.__getitem__, [reference], lambda event, asked_ns: None)
    many = [Reference(f"r{n}.example", REPO, "a") for n in range(65)]
    with pytest.raises(UsageError):
        Reconciler(nobody.__getitem__, many, lambda event, asked_ns: None)


def test_clients_for_asking_try_once_as_the_schedule_tries_again() -> None:
    made = settings_for_asking(Settings(ca_file="x", bounds=Bounds(pages=7)))
    assert (made.ca_file, made.bounds.pages, made.bounds.tries) == ("x", 7, 1)
    assert Pace().period_s + 2 * made.bounds.deadline_s <= 30.0
