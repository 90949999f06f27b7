"""How often the right pod is found for the sign-ins of the recorded runs, and what asking costs in a large cluster.

    python -m bench.attribution [--output bench/results/attribution.json]

The truth of a recording names the pod behind every token that was given out, by its `uti`. Told is, for all sources and with
each one of them removed: how often the right pod is the certain one, one of the candidates, or absent, and how often another
one was certain, which must never be.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from eightysix.context.attribution import Attributor
from eightysix.context.inventory import Inventory
from eightysix.lab import recorded
from eightysix.model.attribution import Attribution
from eightysix.model.event import Event, EventId
from eightysix.model.words import Grade, Kind, Origin, Source
from eightysix.serve.replay import Replay, ReplayOptions

__all__ = ["REMOVED", "Outcome", "main", "measure", "of_recording", "outcomes"]

REMOVED = ("", "tetragon.jsonl", "sensor.jsonl", "kubernetes-audit.jsonl")
"""What is left out; nothing first."""

_TOKENS = ("metadata-token", "entra-token")


class Outcome(msgspec.Struct, frozen=True):
    """What became of one sign-in or request: `answer` is `certain`, `among`, `absent` or `wrong`; `of` how many candidates."""

    recording: str
    kind: str
    answer: str
    of: int
    told: Attribution


def of_recording(
    name: str, removed: str = "", change: Callable[[Event], Event] = lambda event: event
) -> tuple[Attributor, list[Event], list[dict[str, Any]]]:
    """An attributor that was told everything of a recording, its uses of identities, and its truth."""
    recording = recorded.open_recording(name)
    files = {file: data for file, data in recording.files.items() if file not in (removed, recorded.TRUTH)}
    replay, attributor, uses = Replay((), ReplayOptions()), Attributor(), []
    with tempfile.TemporaryDirectory(prefix="eightysix-bench-") as folder:
        for file, data in files.items():
            (Path(folder) / file).write_bytes(data)
        for events in replay.events([folder], None):
            for event in map(change, events):
                attributor.observe(event)
                if event.kind in (Kind.CLOUD, Kind.API):
                    uses.append(event)
    attributor.learn(replay.engine.knowledge.learnt)
    attributor.note_plain(replay.engine.contacts, replay.engine.names)
    attributor.note_processes(replay.engine.trees)
    return attributor, uses, [json.loads(line) for line in recording.files[recorded.TRUTH].splitlines()]


def _uid(truth: Sequence[dict[str, Any]], pod: str, time_ns: int) -> str:
    """The uid of the pod that had this name last when the time came."""
    started = [mark for mark in truth if mark["mark"] == "pod-started" and mark["t_ns"] <= time_ns]
    return next((m["uid"] for m in reversed(started) if f"{m['namespace']}/{m['pod']}" == pod), "")


def _answer(told: Attribution, uid: str, pod: str) -> str:
    """A candidate is the right one by its uid, or by its name where no record has its uid."""
    right = [one for one in told.candidates if (one.uid or uid) == uid and one.pod == pod]
    if told.certain:
        return "certain" if right else "wrong"
    return "among" if right else "absent"


def outcomes(name: str, removed: str = "") -> Iterator[Outcome]:
    """What becomes of the sign-ins of a recording, and of the requests to the API by the id of their token alone."""
    attributor, uses, truth = of_recording(name, removed)
    given = {mark["uti"]: mark for mark in truth if mark["mark"] in _TOKENS}
    for event in uses:
        mark = given.get(event.credential_id) if event.resource == "sign-in" else None
        if mark is not None and mark.get("pod"):
            kind = "managed identity" if mark["mark"] == "metadata-token" else "client secret"
            told = attributor.attribute(event)
            uid = _uid(truth, mark["pod"], mark["t_ns"])
            yield Outcome(
                name, kind, _answer(told, uid, mark["pod"]), len(told.candidates) + told.others, told
            )
    yield from _by_token_alone(name, removed)


def _by_token_alone(name: str, removed: str) -> Iterator[Outcome]:
    """The same requests as an API server before 1.29 tells them, with the id of the token and without its pod."""
    pods: dict[str, tuple[str, str]] = {}

    def bare(event: Event) -> Event:
        if event.kind is not Kind.API or not event.pod_uid:
            return event
        pods[event.event_id] = (event.pod_uid, f"{event.namespace}/{event.pod}")
        return msgspec.structs.replace(event, pod="", pod_uid="", node="", grade=Grade.D)

    attributor, uses, _ = of_recording(name, removed, bare)
    for event in uses:
        if event.event_id in pods:
            told = attributor.attribute(event)
            answer = _answer(told, *pods[event.event_id])
            yield Outcome(name, "token id", answer, len(told.candidates) + told.others, told)


def measure(names: Sequence[str]) -> dict[str, dict[str, dict[str, int]]]:
    """Answers by kind, for what was removed."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for removed in REMOVED:
        table: dict[str, Counter[str]] = {}
        for name in names:
            for outcome in outcomes(name, removed):
                table.setdefault(outcome.kind, Counter())[outcome.answer] += 1
        found[f"without {removed.partition('.')[0]}" if removed else "all sources"] = {
            kind: dict(sorted(counter.items())) for kind, counter in sorted(table.items())
        }
    return found


NODES, PODS, CONTACTS, SIGN_INS = 500, 10_000, 200_000, 2_000
_START = 1_790_000_000_000_000_000
_HOUR = 3_600_000_000_000


def _cluster() -> tuple[Attributor, list[Event]]:
    """An hour of a large cluster: every pod asks the metadata service 20 times, each second somebody signs in."""
    attributor = Attributor(Inventory())
    node = "aks-gpu-31337-vmss{:06d}".format
    for number in range(CONTACTS):
        pod = number * 7919 % PODS
        attributor.observe(
            _event(
                number,
                Kind.CONNECT,
                _START + number * _HOUR // CONTACTS,
                Origin.KERNEL,
                Source.TETRAGON,
                node=node(pod % NODES),
                namespace="ml",
                pod=f"pod-{pod}",
                pod_uid=f"uid-{pod}",
                dst_ip="169.254.169.254",
                dst_port=80,
            )
        )
    rows = [
        _event(
            CONTACTS + number,
            Kind.CLOUD,
            _START + (2 * number + 1) * _HOUR // (2 * SIGN_INS),
            Origin.PROVIDER,
            Source.AZURE,
            resource="sign-in",
            activity="managed-identity",
            principals=("22222222-2222-4222-8222-222222222222",),
        )
        for number in range(SIGN_INS)
    ]
    for row in rows:
        attributor.observe(row)
    return attributor, rows


def _event(number: int, kind: Kind, time_ns: int, origin: Origin, source: Source, **fields: Any) -> Event:
    return Event(
        event_id=EventId(f"{number:032x}"),
        time_ns=time_ns,
        source=source,
        origin=origin,
        grade=Grade.B,
        kind=kind,
        **fields,
    )


def cost() -> dict[str, float | int]:
    """CPU seconds of telling and asking, the least of three, and the memory of the process at its largest."""
    tell, ask = [], []
    for _ in range(3):
        before = _cpu()
        attributor, rows = _cluster()
        told = _cpu()
        attributor.attribute_all(rows)
        tell.append(told - before)
        ask.append(_cpu() - told)
    return {
        "nodes": NODES,
        "pods": PODS,
        "contacts": CONTACTS,
        "sign_ins": SIGN_INS,
        "tell_cpu_s": round(min(tell), 2),
        "ask_cpu_s": round(min(ask), 2),
        "max_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.attribution")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    names = recorded.names()
    result = {"recordings": len(names), "answers": measure(names), "cost": cost(), "cpus": os.cpu_count()}
    text = json.dumps(result, indent=1) + "\n"
    print(text, end="")
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
