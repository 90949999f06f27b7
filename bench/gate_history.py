"""The gate's history at 100,000 rows: how fast rows become durable, how long a tag's history takes, how much memory it needs.

    python -m bench.gate_history [--rows 10000 100000] [--folder DIR] [--output bench/results/gate_history.json]

Each number of rows is written by a process of its own (deliveries of 100 events, so that the disk is not what is measured)
and asked by another: 1,000 tags in 50 repositories, pushes in turn, so a tag of 100,000 rows has 100. Memory is the highest
resident set of a process that does all of it, less that of one that only opened the file. Queries: the last 1,000 rows of a
tag (it has fewer), where it points, and gathering with judging one move; 300 of each, the median and the 99th of 100. `told_ms`
is one move of the last 640, judged together with those beside it and written by the feed.
`durable` are single events, each acknowledged after its flush (`synchronous=FULL`), called directly and sent over HTTP by
one sender on one connection; the disk decides it, so CPU time for one is told beside. CPU is user and system time of the
process.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from eightysix.gate.moves import findings
from eightysix.model.gate import Channel, Reference, RegistryAction, RegistryEvent
from eightysix.serve.gate.evidence import judged_with
from eightysix.serve.gate.feeding import Feed
from eightysix.serve.gate.receiver import Endpoint, WebhookReceiver
from eightysix.serve.receiver import Token
from eightysix.store.history import GateHistory

REGISTRY = "registry.acme.example"
TAGS, REPOSITORIES, BATCH, ASKED, SINGLE, BEHIND = 1_000, 50, 100, 300, 2_000, 640
START = 1_790_000_000 * 10**9
SECRET = "correct-horse-battery-staple"  # noqa: S105 - of a receiver that lives for a second


def event(n: int) -> RegistryEvent:
    tag = n % TAGS
    return RegistryEvent(
        id=f"event-{n:09}",
        channel=Channel.DISTRIBUTION,
        action=RegistryAction.PUSH,
        registry=REGISTRY,
        repository=f"ml/model-{tag % REPOSITORIES}",
        tag=f"tag-{tag // REPOSITORIES}",
        digest=f"sha256:{n:064x}",
        media_type="application/vnd.oci.image.manifest.v1+json",
        size=771,
        told_ns=START + n * 10**9,
        actor=f"ci-{tag % 7}",
        address=f"10.0.{tag % 250}.7:{40_000 + n % 20_000}",
        agent="docker/24.0.7 go/go1.20.10 git-commit/311b9ff kernel/6.1 os/linux arch/amd64",
    )


def rss() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def opened(path: Path, rows: int) -> GateHistory:
    return GateHistory.open(path, lambda: START + rows * 10**9)


def write(path: Path, rows: int) -> dict[str, float]:
    with opened(path, rows) as history:
        before, begun = cpu(), time.perf_counter()
        for at in range(0, rows, BATCH):
            history.take([event(n) for n in range(at, at + BATCH)])
        told = {"cpu_s": cpu() - before, "wall_s": time.perf_counter() - begun, "rss_mb": rss()}
    return {**told, "file_mb": path.stat().st_size / 2**20}


def only_open(path: Path, rows: int) -> dict[str, float]:
    before = cpu()
    with opened(path, rows):
        return {"cpu_ms": (cpu() - before) * 1e3, "rss_mb": rss()}


def ask(path: Path, rows: int) -> dict[str, object]:
    chance = random.Random(86)
    tags = [
        Reference(REGISTRY, f"ml/model-{tag % REPOSITORIES}", f"tag-{tag // REPOSITORIES}")
        for tag in chance.choices(range(TAGS), k=ASKED)
    ]
    with GateHistory.open(path, lambda: START, read_only=True) as history:
        told = {
            "history": timed(lambda tag: len(history.history(tag)), tags),
            "current": timed(history.current, tags),
            "digests": timed(lambda tag: len(history.digests(tag)), tags),
            "judged": timed(lambda tag: findings(*judged_with(history, tag)), tags[:30]),
            "told_ms": told_by_feed(history, rows),
            "all_rows_cpu_s": 0.0,
        }
        before = cpu()
        assert sum(1 for _ in history.moves()) == rows
        told["all_rows_cpu_s"] = round(cpu() - before, 3)
        return {**told, "rows_of_a_tag": len(history.history(tags[0])), "rss_mb": rss()}


def told_by_feed(history: GateHistory, rows: int) -> float:
    """CPU of one of the last moves, judged and written as a line by a feed that is that far behind."""
    begun = cpu()
    told = Feed(history, lambda _lines: None, rows - BEHIND).drain()
    assert told == BEHIND
    return round((cpu() - begun) / told * 1e3, 3)


def timed(do: Callable[[Reference], object], tags: list[Reference]) -> dict[str, float]:
    taken = []
    for tag in tags:
        begun = cpu_ns()
        do(tag)
        taken.append(cpu_ns() - begun)
    taken.sort()
    return {
        "p50_ms": round(taken[len(taken) // 2] / 1e6, 3),
        "p99_ms": round(taken[int(len(taken) * 0.99)] / 1e6, 3),
    }


def cpu_ns() -> int:
    return time.process_time_ns()


def durable(path: Path, rows: int) -> dict[str, object]:
    with opened(path, rows + SINGLE * 3) as history:
        before, begun = cpu(), time.perf_counter()
        for n in range(rows, rows + SINGLE):
            history.take([event(n)])
        direct = {
            "rows_per_s": round(SINGLE / (time.perf_counter() - begun)),
            "cpu_us": round((cpu() - before) / SINGLE * 1e6),
        }
        endpoint = Endpoint(Channel.DISTRIBUTION, Token(SECRET), REGISTRY)
        receiver = WebhookReceiver([endpoint], history.take, lambda _: True)
        bodies = [
            json.dumps({"events": [as_sent(event(n))]}).encode()
            for n in range(rows + SINGLE, rows + 2 * SINGLE)
        ]
        with receiver.listen("127.0.0.1", 0) as listener:
            connection = http.client.HTTPConnection("127.0.0.1", listener.port)
            headers = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}
            before, begun = cpu(), time.perf_counter()
            for body in bodies:
                connection.request("POST", "/v1/webhooks/distribution", body, headers)
                answer = connection.getresponse()
                assert answer.status == 200, answer.read()
                answer.read()
            sent = {
                "rows_per_s": round(SINGLE / (time.perf_counter() - begun)),
                "cpu_us": round((cpu() - before) / SINGLE * 1e6),
            }
            connection.close()
        assert sum(1 for _ in history.moves(rows)) == 2 * SINGLE
    return {"direct": direct, "over_http_with_sender": sent}


def as_sent(told: RegistryEvent) -> dict[str, object]:
    return {
        "id": told.id,
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(told.told_ns // 10**9)),
        "action": "push",
        "target": {
            "mediaType": told.media_type,
            "size": told.size,
            "digest": told.digest,
            "length": told.size,
            "repository": told.repository,
            "tag": told.tag,
        },
        "request": {"addr": told.address, "host": REGISTRY, "method": "PUT", "useragent": told.agent},
        "actor": {"name": told.actor},
    }


STEPS: dict[str, Callable[[Path, int], dict[str, object] | dict[str, float]]] = {
    "write": write,
    "open": only_open,
    "ask": ask,
    "durable": durable,
}


def child(step: str, path: Path, rows: int) -> dict[str, object]:
    command = [
        sys.executable,
        "-m",
        "bench.gate_history",
        "--step",
        step,
        "--file",
        str(path),
        "--rows",
        str(rows),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--step", choices=sorted(STEPS))
    parser.add_argument("--file", type=Path)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(STEPS[options.step](options.file, options.rows[0])))
        return
    result: dict[str, object] = {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]}
    }
    for rows in options.rows:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            path = Path(folder) / "gate.sqlite"
            told: dict[str, object] = {}
            for step in STEPS:
                told[step] = child(step, path, rows)
            result[str(rows)] = told
            print(rows, json.dumps(told, indent=1))
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
