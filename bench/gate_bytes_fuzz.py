"""Fuzzes what reads other people's bytes before anything is believed: manifests, webhooks, lines of the gate's feed.

    python -m bench.gate_bytes_fuzz [--minutes 3] [--seed 1] [--output bench/results/gate_bytes_fuzz.json]
    python -m bench.gate_bytes_fuzz --seed 1 --only 12345

An input is a manifest or index, the body of a webhook of any registry, or a line for detection, after one to four changes.
It must hold that nothing is raised; that a manifest is read with digests, sizes and counts within bounds, or told as
unreadable; that a body is taken whole with names and digests that a registry can have, or refused with a status; that a line
becomes an event with such a digest, or a problem; that none takes a second of CPU. Each input follows from the seed and its
number.
"""

from __future__ import annotations

import argparse
import collections
import json
import platform
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path

from bench.gate_fuzz import changed
from eightysix.context.gated import is_image_digest
from eightysix.gate.digests import is_digest
from eightysix.gate.events import decode
from eightysix.gate.manifests import Limits, Unreadable, decode_manifest
from eightysix.gate.mediatypes import DOCKER_INDEX, DOCKER_MANIFEST, EMPTY, OCI_INDEX, OCI_MANIFEST
from eightysix.gate.references import is_repository, is_tag
from eightysix.sources.gate import GateDecoder
from tests.gate.events import samples

SLOW_S = 1.0
A, B = samples.A, samples.B
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def described(kind: str, digest: str = A, **more: object) -> dict[str, object]:
    return {"mediaType": kind, "digest": digest, "size": 5, **more}


def manifests() -> list[bytes]:
    image: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": described(EMPTY, size=2, data="e30="),
        "layers": [
            described(LAYER, annotations={"org.opencontainers.image.title": "model.safetensors"}),
            described(LAYER, B),
        ],
    }
    platforms = [{"os": "linux", "architecture": name} for name in ("amd64", "arm64")]
    index: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [described(OCI_MANIFEST, d, platform=p) for d, p in zip((A, B), platforms, strict=True)],
    }
    signature = {**image, "subject": described(OCI_MANIFEST, B), "artifactType": "application/x"}
    docker = {**image, "mediaType": DOCKER_MANIFEST}
    several = {**index, "mediaType": DOCKER_INDEX}
    made = (image, index, signature, docker, several, {**image, "annotations": {"a": "b"}})
    return [json.dumps(each).encode() for each in made]


def bodies() -> list[bytes]:
    grids = [[samples.grid()], [samples.validation()], samples.cloud(), [samples.cloud(), samples.cloud()]]
    harbors = [samples.harbor(), samples.harbor_cloud(), samples.harbor(kind="DELETE_ARTIFACT")]
    several = samples.distribution(samples.push(), samples.push(tag="staging", digest=B, id="2"))
    return [samples.distribution(), several, samples.acr(), samples.acr("delete")] + [
        json.dumps(each).encode() for each in (*grids, *harbors)
    ]


def lines() -> list[bytes]:
    told = {
        "id": "move-7", "kind": "move", "time": "2026-11-24T09:00:00.000000001Z", "registry": "r.example", "tag": "prod",
        "repository": "ml/llm", "digest": A, "previous": B, "told_of": ["tag-moved"], "actor": "ci", "channel": "reconciler",
        "confirmed": True, "schema": "eightysix/gate-event/v1",
    }  # fmt: skip
    decided = {
        **told,
        "id": "4f",
        "kind": "decision",
        "ruling": "hold",
        "mode": "enforce",
        "held_for": ["signer-drift"],
    }
    return [json.dumps(each).encode() for each in (told, decided)]


def of_manifest(chance: random.Random, data: bytes) -> str:
    kind = chance.choice([OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST, "", "text/html", "\x00"])
    limits = Limits()
    found = decode_manifest(data, kind, limits)
    if isinstance(found, Unreadable):
        assert found.reasons
        assert max(map(len, found.reasons)) < 1_000
        return f"manifest {found.verdict.value}"
    parts = [*found.layers, *found.manifests]
    assert len(parts) <= limits.layers
    assert all(is_digest(each.digest) and 0 <= each.size < 1 << 63 for each in parts)
    return "manifest read"


def of_body(chance: random.Random, data: bytes) -> str:
    kinds = [
        "application/json",
        "application/vnd.docker.distribution.events.v1+json",
        "application/cloudevents+json",
    ]
    content_type = chance.choice([*kinds, "application/cloudevents-batch+json", "text/plain", "", "\xff"])
    found = decode(data, content_type, {"aeg-event-type": "Notification"} if chance.random() < 0.3 else {})
    if found.status:
        assert found.problems
        assert not found.events
        assert found.status in {400, 415}
        return f"body {found.status}"
    for each in found.events:
        assert is_repository(each.repository)
        assert not each.tag or is_tag(each.tag)
        assert not each.digest or is_digest(each.digest)
        assert each.id
        assert max(map(len, (each.actor, each.agent, each.address))) <= 512 * 6
    return "body taken" if found.events else "body ignored"


def of_line(chance: random.Random, data: bytes) -> str:
    del chance
    batch = GateDecoder().decode(data, "gate.jsonl", 1)
    assert batch.records == len(batch.events) + len(batch.problems) + len(batch.leftover)
    for event in batch.events:
        assert not event.image_digest or is_image_digest(event.image_digest)
    return "line read" if batch.events else "line told" if batch.problems else "line left over"


SOURCES: list[tuple[Callable[[random.Random, bytes], str], list[bytes]]] = [
    (of_manifest, manifests()),
    (of_body, bodies()),
    (of_line, lines()),
]


def problem(seed: int, number: int, done: collections.Counter[str]) -> str:
    chance = random.Random(f"{seed}:{number}")
    reader, given = chance.choice(SOURCES)
    data = chance.choice(given)
    for _ in range(chance.randrange(1, 5)):
        data = changed(chance, data, given)
    begin = time.process_time()
    try:
        done[reader(chance, data)] += 1
    except Exception as error:  # noqa: BLE001 - that nothing is raised is what is asked
        return f"{reader.__name__} raised {type(error).__name__}: {error}"
    taken = time.process_time() - begin
    return f"{reader.__name__} took {taken:.1f} s" if taken > SLOW_S else ""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("--output")
    options = parser.parse_args()
    done: collections.Counter[str] = collections.Counter()
    if options.only is not None:
        print(problem(options.seed, options.only, done) or f"holds: {dict(done)}")
        return 0
    failures: dict[int, str] = {}
    until, number = time.monotonic() + options.minutes * 60, 0
    while time.monotonic() < until:
        if told := problem(options.seed, number, done):
            failures[number] = told[:500]
            print(number, told[:500], flush=True)
        number += 1
    result = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "seed": options.seed,
        "minutes": options.minutes,
        "inputs": number,
        "outcomes": dict(sorted(done.items())),
        "failures": failures,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    text = json.dumps(result, indent=1) + "\n"
    print(text, end="")
    if options.output:
        Path(options.output).write_text(text, encoding="utf-8")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
