"""What counts as a startup hook that was written, where the telemetry tells how a file was touched and where not."""

from __future__ import annotations

import pytest

from eightysix.detect import Engine, Knowledge
from eightysix.model.event import Artifact, Event
from eightysix.model.words import Access, Kind, Source, Verdict
from eightysix.rules.catalog import load_packaged
from tests.detect.events import BASE_NS, SECOND, api_server, event, install, metadata, token

RULES = load_packaged()
KNOWLEDGE = Knowledge(sources=frozenset({Source.TETRAGON}))
HOOK = "/usr/lib/python3/dist-packages/telemetry-agent.pth"


def worker(number: int, access: Access, touched_after: float = 0.1) -> list[Event]:
    """A worker that the server started: it touches a hook, then takes two identities."""
    start = 2000.0 + 100 * number
    who = {"exec_id": f"worker-{number}", "process_started_ns": BASE_NS + round(start * SECOND)}
    hook = event(
        Kind.FILE, start + touched_after, file_path=HOOK, access=access, activity="startup-file",
        artifacts=(Artifact("file", "telemetry-agent.pth"),), **who,
    )  # fmt: skip
    taken = [metadata(start + 10, **who), token(start + 11, **who), api_server(start + 12, **who)]
    return [hook, *taken]


def rules_told(events: list[Event]) -> set[str]:
    engine = Engine(RULES, KNOWLEDGE)
    engine.feed(events)
    return {incident.rule for incident in engine.incidents() if incident.verdict is not Verdict.WATCH}


@pytest.mark.parametrize("access", [Access.UNKNOWN, Access.READ])
def test_workers_that_read_a_hook_at_their_start_are_quiet(access: Access) -> None:
    assert rules_told([e for number in range(4) for e in worker(number, access)]) == set()


@pytest.mark.parametrize(
    ("access", "after"), [(Access.WRITE, 0.1), (Access.WRITE, 20.0), (Access.UNKNOWN, 20.0)]
)
def test_a_hook_that_one_wrote_and_the_next_runs_is_told(access: Access, after: float) -> None:
    assert "startup-hook" in rules_told(
        [*worker(0, access, after), *worker(1, Access.READ), *worker(2, Access.READ)]
    )


def test_a_hook_that_an_installer_touched_was_written() -> None:
    pip = install(1990.0, exec_id="pip", activity="install")
    hook = worker(0, Access.UNKNOWN)[0]
    written = event(
        Kind.FILE, 1990.5, file_path=HOOK, access=Access.UNKNOWN, activity="startup-file",
        artifacts=hook.artifacts, exec_id="pip", process_started_ns=pip.process_started_ns,
    )  # fmt: skip
    told = rules_told([pip, written, *worker(1, Access.UNKNOWN)])
    assert "startup-hook" in told or "poisoned-install" in told
