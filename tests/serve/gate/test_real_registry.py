"""Webhooks as a real registry sends them: pushes, an overwritten tag, a deletion, pulls of our own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from eightysix.gate.moves import findings
from eightysix.model.gate import Channel, Reference
from eightysix.serve.gate.evidence import judged_with
from eightysix.serve.registry import Pace, Reconciler, RegistryClient
from eightysix.store.history import GateHistory
from tests.gate.events import samples
from tests.gate.events.samples import A
from tests.serve.gate.debian import registry
from tests.serve.gate.desk import SECRET, desk

pytestmark = pytest.mark.tier("registry")


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not until() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert until()


@contextmanager
def clients() -> Iterator[Callable[[str], RegistryClient]]:
    """Makes clients, and closes them at the end."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(RegistryClient(name))


def test_the_history_of_a_real_registry(tmp_path: Path) -> None:
    with desk(tmp_path) as at:
        hook = f"http://127.0.0.1:{at.listener.port}/v1/webhooks/distribution"
        with registry(tmp_path, hook, SECRET) as real:
            first = real.push("ml/llm", "prod", b"good")
            again = real.push("ml/llm", "prod", b"good")
            second = real.push("ml/llm", "prod", b"modified in transit")
            wait(lambda: len(at.digests()) == 2)
            assert first == again
            assert at.digests() == [first, second]
            old, new = at.history.history(Reference(f"127.0.0.1:{real.port}", "ml/llm", "prod"))
            assert (new.previous, new.channel, new.agent) == (old.digest, Channel.DISTRIBUTION, "builder/1.0")
            assert new.address.startswith("127.0.0.1:")
            assert old.told_ns < new.told_ns
            assert (
                at.history.artifacts([second])[second].media_type
                == "application/vnd.oci.image.manifest.v1+json"
            )

            assert real.head("ml/llm", "prod", "eightysix/0.9") == second
            assert real.head("ml/llm", "prod", "curl/8") == second
            wait(lambda: ("distribution", "pull") in at.receiver.counts.events)
            assert at.receiver.counts.events[("distribution", "pull")] == 1

            status, _ = real.ask("DELETE", f"/v2/ml/llm/manifests/{second}")
            assert status == 202
            wait(lambda: len(at.digests()) == 3)
            assert at.digests()[2] == ""
    assert at.receiver.counts.refused == {}
    assert {status for _, status in at.receiver.counts.requests} == {200}


def test_what_the_webhook_lost_is_found_by_asking(tmp_path: Path) -> None:
    """The registry's webhook goes nowhere; who asks finds the push, the overwritten version, and after a restart the next."""
    with registry(tmp_path, "http://127.0.0.1:9/v1/webhooks/distribution", SECRET) as real:
        name = f"127.0.0.1:{real.port}"
        watched = [Reference(name, "ml/llm", "1.0"), Reference(name, "ml/llm", "2.0")]
        first = real.push("ml/llm", "1.0", b"good")
        with clients() as client_for, GateHistory.open(tmp_path / "gate.sqlite", time.time_ns) as history:

            def asking() -> Reconciler:
                pace = Pace(period_s=0.05, again_s=0.05)
                return Reconciler(client_for, watched, history.confirm, known=history.confirmed(), pace=pace)

            with asking():
                wait(lambda: history.current(watched[0]) is not None)
                second = real.push("ml/llm", "1.0", b"modified")
                wait(lambda: len(history.history(watched[0])) == 2)
            third = real.push("ml/llm", "1.0", b"once more")
            with asking():
                wait(lambda: len(history.history(watched[0])) == 3)
            moves = history.history(watched[0])
            assert [move.digest for move in moves] == [first, second, third]
            assert {(move.channel, move.confirmed) for move in moves} == {(Channel.RECONCILER, True)}
            assert history.history(watched[1]) == ()
            assert history.artifacts([second])[second].size > 0
            (found,) = findings(*judged_with(history, watched[0]))
            assert (found.rule, found.holds) == ("tag-moved", True)


def test_what_a_webhook_made_up_is_put_right_by_asking(tmp_path: Path) -> None:
    """Who has the secret tells of a push that never was: the hint is asked for at once, and overruled."""
    with desk(tmp_path) as at, registry(tmp_path, "http://127.0.0.1:9/", SECRET) as real:
        tag = Reference(f"127.0.0.1:{real.port}", "ml/llm", "prod")
        good = real.push("ml/llm", "prod", b"good")
        at.history._clock = time.time_ns
        pace = Pace(period_s=3_600, again_s=0.05)
        with (
            clients() as client_for,
            Reconciler(client_for, [tag], at.history.confirm, pace=pace) as reconciler,
        ):
            at.receiver._ask = lambda told: reconciler.hint(told.registry, told.repository, told.tag)
            wait(lambda: at.history.current(tag) is not None)
            lie = samples.push(timestamp=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2)))
            lie["request"]["host"] = tag.registry
            assert at.send(Channel.DISTRIBUTION, {"events": [lie]}).status == 200
            wait(lambda: len(at.history.history(tag)) == 3)
        assert [move.digest for move in at.history.history(tag)] == [good, A, good]
        assert at.history.strays(tag)[-1].event.digest == A
        (found,) = findings(*judged_with(at.history, tag))
        assert (found.rule, found.holds) == ("told-not-found", False)
