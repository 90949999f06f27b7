"""Big inputs: CPU seconds, wall time and peak memory of `eightysix scan` as a child process, against floors of the same run.

    python -m bench.scan.big [--folder FOLDER] [--rounds 3] [--venvs FOLDER] [--output bench/results/scan_big.json]

Files are sparse or streamed, made by a process of its own (a child starts with the peak memory of its parent) and read once
before anything is measured, so that all sides find them in the page cache. Floors: an interpreter that does nothing, and a bare
BLAKE3 of the same bytes in a process of its own, read as the digest of a scan reads them. Medians of the rounds; sides take
turns. Memory is the peak of the process or of a child of it, whichever is higher; Linux counts what the
parent had when it began, so nothing below the 36 MB of this program can be told. With --venvs, peers too: each once, and
those only that end within ten minutes of wall time.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle  # writes numbers only: nothing is loaded
import platform
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.scan.corpus import assembler as a
from bench.scan.corpus.archives import torch_zip
from bench.scan.corpus.weights import tensors
from bench.scan.peers import ROOT
from bench.scan.venvs import HERE, environment

BIG = 2_100_000_000
ARRAY = 500_000_000
PEER_SECONDS = 600
BLAKE3 = """
import sys
from blake3 import blake3
hasher = blake3()
buffer = bytearray(1 << 20)
with open(sys.argv[1], "rb", buffering=0) as file:
    while length := file.readinto(buffer):
        hasher.update(memoryview(buffer)[:length])
print(hasher.hexdigest())
"""


class Target(NamedTuple):
    """What is wanted of one input: CPU seconds, beyond interpreter start or in all, and MB."""

    seconds: float | None
    beyond_start: bool
    megabytes: float


TARGETS = {
    "torch zip, 2.1 GB": Target(0.15, True, 200),
    "safetensors, 2.1 GB": Target(0.15, True, 200),
    "pickle of one array, 500 MB": Target(0.1, True, 40),
    "joblib with an inline array, 500 MB": Target(None, True, 200),
    "pickle of 22 million opcodes": Target(12.0, False, 200),
    "2,000 small files": Target(2.0, False, 200),
}
DIGEST_RATIO = 1.15


class Cost(NamedTuple):
    """What one process took."""

    cpu: float
    wall: float
    peak_mb: float
    exit: int


# --- inputs -------------------------------------------------------------------------------------------------------------


def zeros_crc(length: int) -> int:
    """CRC-32 of zeros."""
    block, crc = bytes(1 << 24), 0
    while length:
        part = min(length, len(block))
        crc = zlib.crc32(block[:part], crc)
        length -= part
    return crc


def tensor_state(elements: int) -> bytes:
    """data.pkl of a state with one tensor."""
    storage = (
        a.tuple_(
            a.binunicode("storage"),
            a.global_("torch", "FloatStorage"),
            a.binunicode("0"),
            a.binunicode("cpu"),
            a.binint(elements),
        )
        + a.BINPERSID
    )
    hooks = a.call(a.global_("collections", "OrderedDict"))
    tensor = a.call(
        a.global_("torch._utils", "_rebuild_tensor_v2"),
        storage,
        a.binint1(0),
        a.tuple_(a.binint(elements)),
        a.tuple_(a.binint1(1)),
        a.NEWFALSE,
        hooks,
    )
    return a.whole(a.dict_((a.binunicode("weight"), tensor)), 2)


def big_torch(path: Path) -> None:
    """A torch zip whose one storage is a hole."""
    state = tensor_state(BIG // 4)
    members = [
        ("m/data.pkl", state, len(state)),
        ("m/byteorder", b"little", 6),
        ("m/data/0", None, BIG),
        ("m/version", b"3\n", 2),
    ]
    directory = b""
    with path.open("wb") as file:
        for name, data, length in members:
            at = file.tell()
            padding = -(at + 30 + len(name) + 4) % 64
            extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
            crc = zeros_crc(length) if data is None else zlib.crc32(data)
            sizes = struct.pack("<III", crc, length, length)
            file.write(
                struct.pack("<4sHHHHH", b"PK\3\4", 20, 0, 0, 0, 0x5A21)
                + sizes
                + struct.pack("<HH", len(name), len(extra))
                + name.encode()
                + extra
            )
            if data is None:
                file.seek(length, os.SEEK_CUR)
            else:
                file.write(data)
            directory += (
                struct.pack("<4sHHHHHH", b"PK\1\2", 20, 20, 0, 0, 0, 0x5A21)
                + sizes
                + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, at)
                + name.encode()
            )
        at = file.tell()
        file.write(
            directory
            + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, len(members), len(members), len(directory), at, 0)
        )


def sparse(path: Path, before: bytes, hole: int, after: bytes = b"") -> None:
    """A file with a hole in it."""
    with path.open("wb") as file:
        file.write(before)
        file.seek(hole, os.SEEK_CUR)
        file.write(after)
        file.truncate(len(before) + hole + len(after))


def big_safetensors(path: Path) -> None:
    """One tensor."""
    sparse(path, tensors({"weight": {"dtype": "F32", "shape": [BIG // 4], "data_offsets": [0, BIG]}}), BIG)


def dtype() -> bytes:
    """NumPy's float64."""
    state = a.tuple_(
        a.binint1(3), a.short("<"), a.NONE, a.NONE, a.NONE, a.binint(-1), a.binint(-1), a.binint1(0)
    )
    return a.call(a.named("numpy", "dtype"), a.short("f8"), a.NEWFALSE, a.NEWTRUE) + state + a.BUILD


def big_array(path: Path) -> None:
    """What pickle writes of one array."""
    start = a.call(
        a.named("numpy._core.multiarray", "_reconstruct"),
        a.named("numpy", "ndarray"),
        a.tuple_(a.binint1(0)),
        a.short_binbytes(b"b"),
    )
    before = (
        a.proto(4)
        + start
        + a.MARK
        + a.binint1(1)
        + a.tuple_(a.binint(ARRAY // 8))
        + dtype()
        + a.NEWFALSE
        + b"\x8e"
        + struct.pack("<Q", ARRAY)
    )
    sparse(path, before, ARRAY, a.TUPLE + a.BUILD + a.STOP)


def big_joblib(path: Path) -> None:
    """What joblib writes of one array: its bytes stand inside the stream."""
    state = a.dict_(
        (a.short("subclass"), a.named("numpy", "ndarray")),
        (a.short("shape"), a.tuple_(a.binint(ARRAY // 8))),
        (a.short("order"), a.short("C")),
        (a.short("dtype"), dtype()),
        (a.short("allow_mmap"), a.NEWTRUE),
        (a.short("numpy_array_alignment_bytes"), a.binint1(16)),
    )
    before = (
        a.proto(4)
        + a.named("joblib.numpy_pickle", "NumpyArrayWrapper")
        + a.EMPTY_TUPLE
        + a.NEWOBJ
        + state
        + a.BUILD
    )
    padding = 16 - (len(before) + 1) % 16
    sparse(path, before + bytes([padding]) + b"\xff" * padding, ARRAY, a.STOP)


def many_opcodes(path: Path) -> None:
    """A list of two million dicts: eleven opcodes each."""
    with path.open("wb") as file:
        pickle.dump(
            [{"id": number, "x": number / 7, "tags": []} for number in range(2_000_000)], file, protocol=4
        )


def small_files(folder: Path) -> None:
    """Two thousand files of four kinds."""
    folder.mkdir()
    for number in range(500):
        state = tensor_state(16)
        (folder / f"{number}.pt").write_bytes(torch_zip(state))
        (folder / f"{number}.pkl").write_bytes(
            a.framed(a.dict_(*((a.short(f"key{n}"), a.binfloat(n + number)) for n in range(40))))
        )
        (folder / f"{number}.json").write_text(
            json.dumps({"model_type": "bert", "hidden_size": number, "labels": [str(n) for n in range(30)]})
        )
        (folder / f"{number}.safetensors").write_bytes(
            tensors(
                {
                    f"w{n}": {"dtype": "F32", "shape": [4], "data_offsets": [16 * n, 16 * n + 16]}
                    for n in range(10)
                },
                bytes(160),
            )
        )


INPUTS: Mapping[str, tuple[str, Callable[[Path], None]]] = {
    "torch zip, 2.1 GB": ("big.pt", big_torch),
    "safetensors, 2.1 GB": ("big.safetensors", big_safetensors),
    "pickle of one array, 500 MB": ("array.pkl", big_array),
    "joblib with an inline array, 500 MB": ("array.joblib", big_joblib),
    "pickle of 22 million opcodes": ("many.pkl", many_opcodes),
    "2,000 small files": ("small", small_files),
}


def warm(path: Path) -> None:
    """Have all of it in the page cache."""
    for file in path.iterdir() if path.is_dir() else (path,):
        with file.open("rb", buffering=0) as opened:
            while opened.read(1 << 24):
                pass


# --- measuring ------------------------------------------------------------------------------------------------------------


def run(command: Sequence[str], variables: Mapping[str, str] | None = None) -> Cost:
    """Run one process to its end, or to the limit of time: then `exit` is negative."""
    begun = time.monotonic()
    process = subprocess.Popen(
        command,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
    signal.alarm(PEER_SECONDS)
    try:
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        signal.alarm(0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(
        usage.ru_utime + usage.ru_stime, time.monotonic() - begun, usage.ru_maxrss / 1024, process.returncode
    )


def ours(path: Path, source: Path, *options: str) -> Cost:
    """`eightysix scan`."""
    variables = {**os.environ, "PYTHONPATH": str(source)}
    return run(
        [sys.executable, "-m", "eightysix", "scan", str(path), "--quiet", "--output", os.devnull, *options],
        variables,
    )


def median(costs: Sequence[Cost]) -> dict[str, float]:
    """The middle of each measure."""
    return {
        "cpu": round(statistics.median(cost.cpu for cost in costs), 3),
        "wall": round(statistics.median(cost.wall for cost in costs), 3),
        "peak_mb": round(max(cost.peak_mb for cost in costs), 1),
        "exit": costs[-1].exit,
    }


def measure(name: str, path: Path, rounds: int, source: Path) -> dict[str, Any]:
    """All sides of one input, taking turns."""
    start, plain, digest, floor = [], [], [], []
    for _ in range(rounds):
        start.append(run([sys.executable, "-c", "pass"]))
        plain.append(ours(path, source))
        if path.is_file():
            floor.append(run([sys.executable, "-c", BLAKE3, str(path)]))
            digest.append(ours(path, source, "--digest"))
    row: dict[str, Any] = {
        "input": name,
        "bytes": path.stat().st_size if path.is_file() else None,
        "start": median(start),
        "scan": median(plain),
    }
    target = TARGETS[name]
    beyond = round(row["scan"]["cpu"] - row["start"]["cpu"], 3)
    row["beyond_start"] = beyond
    row["target"] = target._asdict()
    counted = beyond if target.beyond_start else row["scan"]["cpu"]
    checks = {"memory": row["scan"]["peak_mb"] <= target.megabytes}
    if target.seconds is not None:
        checks["cpu"] = counted <= target.seconds
    if floor:
        row["blake3"], row["scan_digest"] = median(floor), median(digest)
        row["digest_over_blake3"] = round(row["scan_digest"]["cpu"] / row["blake3"]["cpu"], 3)
        if path.stat().st_size >= BIG:
            checks["digest"] = row["digest_over_blake3"] <= DIGEST_RATIO
    row["met"] = checks
    return row


PEERS = {
    "picklescan": ("picklescan", "-p"),
    "modelscan": ("modelscan", "-p"),
    "fickling": ("fickling", "--check-safety"),
    "hayward": ("hayward", "scan"),
    "modelaudit": ("modelaudit", "scan"),
}
DEAR = {
    ("fickling", "pickle of 22 million opcodes"),
    ("modelaudit", "2,000 small files"),
    ("modelaudit", "pickle of 22 million opcodes"),
    ("fickling", "2,000 small files"),
    ("fickling", "pickle of one array, 500 MB"),
    ("fickling", "safetensors, 2.1 GB"),
}


def peers(name: str, path: Path, venvs: Path) -> dict[str, Any]:
    """What the peers take for one input, once each; what took minutes or gigabytes before is left out, and that is told."""
    found: dict[str, Any] = {}
    for tool, words in PEERS.items():
        if (tool, name) in DEAR:
            found[tool] = "not run: minutes or gigabytes"
            continue
        interpreter = environment(venvs, tool, HERE / "requirements-peers" / f"{tool}.txt")
        variables = {
            **os.environ,
            "MODELAUDIT_NO_TELEMETRY": "1",
            "PROMPTFOO_DISABLE_TELEMETRY": "1",
            "NO_ANALYTICS": "1",
        }
        with tempfile.TemporaryDirectory() as work:  # fickling writes a file where it stands
            os.chdir(work)
            cost = run([str(interpreter.parent / words[0]), *words[1:], str(path)], variables)
            os.chdir(ROOT)
        found[tool] = {
            "cpu": round(cost.cpu, 2),
            "wall": round(cost.wall, 2),
            "peak_mb": round(cost.peak_mb, 1),
            "exit": cost.exit,
        }
    return found


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """What was measured beside what was wanted."""
    heads = ("CPU s", "beyond", "wanted", "MB", "wanted", "wall s", "digest", "BLAKE3", "ratio")
    lines = [f"{'input':38}" + "".join(f"{head:>8}" for head in heads) + "  met"]
    for row in rows:
        scan, target = row["scan"], row["target"]
        digest = (
            (row["scan_digest"]["cpu"], row["blake3"]["cpu"], row["digest_over_blake3"])
            if "blake3" in row
            else ()
        )
        cells = [
            f"{scan['cpu']:.2f}",
            f"{row['beyond_start']:.2f}",
            "-" if target["seconds"] is None else f"{target['seconds']:g}",
            f"{scan['peak_mb']:.0f}",
            f"{target['megabytes']:g}",
            f"{scan['wall']:.2f}",
            *([f"{value:.2f}" for value in digest] or ["-"] * 3),
        ]
        met = ", ".join(f"{what} {'yes' if good else 'NO'}" for what, good in row["met"].items())
        lines.append(f"{row['input']:38}" + "".join(f"{cell:>8}" for cell in cells) + f"  {met}")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Make, measure, write."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.scan.big", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--source", type=Path, default=ROOT / "src", help="where eightysix itself lies")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inputs", nargs="+", choices=list(INPUTS), default=list(INPUTS))
    parser.add_argument("--venvs", type=Path, help="measure peers too, in environments there")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--make", nargs=2, metavar=("INPUT", "PATH"), help="only write this input")
    options = parser.parse_args(arguments)
    if options.make:
        INPUTS[options.make[0]][1](Path(options.make[1]))
        return 0
    rows = []
    with tempfile.TemporaryDirectory() as made:
        folder = options.folder or Path(made)
        for name in options.inputs:
            path = folder / INPUTS[name][0]
            if not path.exists():
                subprocess.run(
                    [sys.executable, "-m", "bench.scan.big", "--make", name, str(path)], cwd=ROOT, check=True
                )
            warm(path)
            row = measure(name, path, options.rounds, options.source)
            if options.venvs:
                row["peers"] = peers(name, path, options.venvs)
            rows.append(row)
            print(f"{name}: {row['scan']['cpu']:.2f} CPU seconds", file=sys.stderr)
    print(table(rows))
    if options.output:
        result = {"python": platform.python_version(), "rounds": options.rounds, "rows": rows}
        options.output.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
