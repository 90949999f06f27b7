"""Fuzzes the scanner for some minutes and writes down what it found.

    python -m bench.fuzz [--minutes 30] [--seed 1] [--output bench/results/fuzz.json] [--failures .fuzz]
    python -m bench.fuzz --seed 1 --only 12345

Every input follows from the seed, its number, and the samples at hand. It must hold that no reader fails, that nothing
takes long or much memory, and that no file is clean whose pickle would have CPython import what the index does not have.
What refutes one of these is made as short as it can be, and written to the folder of failures: it is a test to be.
"""

from __future__ import annotations

import argparse
import collections
import gzip
import json
import os
import platform
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.fuzz.grammar import random_pickle
from bench.fuzz.judge import IN_TEXT, MEMORY, SECOND_ALONE, Judge
from bench.fuzz.mutate import mutated, wrapped
from eightysix.scan.second.engine import open_engine

SAMPLE = 32 << 10
"""Bytes of a sample that is still mutated."""

KEPT = 5
"""Inputs of one kind of failure that are kept."""

MINIMISE_S = 20.0


def samples() -> list[bytes]:
    """Files of the shared data, where there are any: see tests/conftest.py."""
    named = os.environ.get("EIGHTYSIX_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    paths = sorted(path for path in (folder / "scan").rglob("*") if path.is_file())
    return [path.read_bytes() for path in paths if 0 < path.stat().st_size <= SAMPLE]


def made(seed: int, number: int, given: list[bytes]) -> tuple[str, bytes, bytes | None]:
    """An input: how it was made, its bytes, and the pickle in it where it is a whole container."""
    chance = random.Random(f"{seed}:{number}")
    way = chance.random()
    if way < 0.45:
        return "grammar", random_pickle(chance), None
    if way < 0.6:
        return "grammar mutated", mutated(chance, random_pickle(chance)), None
    if way < 0.72:
        inner = random_pickle(chance)
        return "container", wrapped(chance, inner), inner
    if way < 0.8 or not given:
        return "container mutated", mutated(chance, wrapped(chance, random_pickle(chance))), None
    return "sample mutated", mutated(chance, chance.choice(given)), None


def minimised(judge: Judge, data: bytes, inner: bytes | None, kind: str) -> tuple[bytes, bytes | None]:
    """The shortest part found in the time that fails alike; of a pickle in a container, in a plain one."""
    if inner is None:
        return shortened(data, lambda part: kind in judge(part).kinds), None
    if kind not in judge(gzip.compress(inner), inner).kinds:
        return data, inner
    inner = shortened(inner, lambda part: kind in judge(gzip.compress(part), part).kinds)
    return gzip.compress(inner, mtime=0), inner


def shortened(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """`data` without all that can be left out one piece at a time, halving the pieces."""
    until = time.monotonic() + MINIMISE_S
    size = max(1, len(data) // 2)
    while size:
        at = 0
        while at < len(data) and time.monotonic() < until:
            shorter = data[:at] + data[at + size :]
            if shorter and fails(shorter):
                data = shorter
            else:
                at += size
        size //= 2
    return data


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="bench.fuzz")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="judge the input of this number, and print it")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--failures", type=Path, default=Path(".fuzz"))
    args = parser.parse_args()
    given = samples()
    with open_engine() as engine:
        judge = Judge(engine, MEMORY)
        if args.only is not None:
            way, data, inner = made(args.seed, args.only, given)
            print(way, data.hex(), judge(data, inner), sep="\n")
            return 0
        told = fuzz(judge, args, given)
    # Of the second engine's processes, now that they have ended.
    told["child_peak_memory_mb"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    text = json.dumps(told, indent=2) + "\n"
    if args.output:
        args.output.write_text(text)
    print(text, end="")
    return 1 if told["failures"] else 0


def fuzz(judge: Judge, args: argparse.Namespace, given: list[bytes]) -> dict[str, object]:
    """What the minutes brought."""
    ways: collections.Counter[str] = collections.Counter()
    verdicts: collections.Counter[str] = collections.Counter()
    forms: collections.Counter[str] = collections.Counter()
    failed: collections.Counter[tuple[str, str]] = collections.Counter()
    kept: list[dict[str, object]] = []
    slowest = (0.0, 0)
    started = time.monotonic()
    number = 0
    args.failures.mkdir(exist_ok=True)
    current = os.open(args.failures / "current", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    while time.monotonic() - started < args.minutes * 60:
        way, data, inner = made(args.seed, number, given)
        os.pwrite(current, b"%20d" % number, 0)  # what is left of a process that was killed over it
        judgement = judge(data, inner)
        ways[way] += 1
        verdicts[judgement.verdict.value] += 1
        forms[judgement.form] += 1
        slowest = max(slowest, (judgement.cpu_s, number))
        for failure in judgement.failures:
            failed[failure] += 1
            if failed[failure] > 1 or sum(one["kind"] == failure[0] for one in kept) >= KEPT:
                continue
            short, pickle = minimised(judge, data, inner, failure[0])
            (args.failures / f"{failure[0].replace(' ', '-')}-{number}.bin").write_bytes(short)
            one = {
                "kind": failure[0],
                "which": failure[1],
                "number": number,
                "way": way,
                "hex": short.hex()[:2000],
            }
            kept.append(one if pickle is None else {**one, "pickle": pickle.hex()[:2000]})
            print(
                f"{failure[0]} {failure[1]!r} at {number}: {(pickle or short)[:80]!r}",
                file=sys.stderr,
                flush=True,
            )
        number += 1
    seconds = time.monotonic() - started
    os.close(current)
    kinds: collections.Counter[str] = collections.Counter()
    for (kind, _), count in failed.items():
        kinds[kind] += count
    alone = {kind: kinds.pop(kind) for kind in SECOND_ALONE if kind in kinds}
    in_text = kinds.pop(IN_TEXT, 0)
    return {
        "minutes": round(seconds / 60, 1),
        "inputs": number,
        "executions_per_second": round(number / seconds),
        "seed": args.seed,
        "samples": len(given),
        "failures": dict(kinds),
        "second_engine_alone": alone,
        IN_TEXT: in_text,
        "kept": kept,
        "made_by": dict(ways.most_common()),
        "verdicts": dict(verdicts.most_common()),
        "formats": dict(forms.most_common()),
        "slowest": {"cpu_s": round(slowest[0], 3), "number": slowest[1]},
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
