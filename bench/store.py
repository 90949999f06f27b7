"""What the store of events costs: taking rows, sealing, joining, asking, and the floor of each.

    python -m bench.store [--rows 1000000] [--records 600000] [--output bench/results/store.json]

Rows are those of a busy cluster: 200 nodes, 5,000 pods, `EightySixEvents_CL` with some twenty of its columns filled.
`store` starts from rows in memory, made before the clock runs: as dictionaries, as readers of rows hand them over, and by
columns, as readers of events do. Its floor is DuckDB alone reading the same lists from a file into a table, and sorting
and writing the same rows as Parquet. `raw` starts from files with Tetragon's records, as `store ingest` does, in one
process and in several; its floor is msgspec alone decoding the same lines, and the store's. Both are measured alone and
while a query of all rows runs four times a second. Where a machine is shared, seconds of the processor say more than
seconds of the clock; `load` tells what else ran.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec

from bench.corpus import write_corpus
from eightysix.hunt.rows import packed_of
from eightysix.model.table import Columns, Row
from eightysix.serve.crew import Crew
from eightysix.serve.ingest import Writer, fill_from, ingest
from eightysix.sources.tetragon_records import Record
from eightysix.store.events.compacting import compact
from eightysix.store.events.hot import Hot
from eightysix.store.events.packing import MAX_LINE, Batch, Packed
from eightysix.store.events.sealing import seal
from eightysix.store.events.shapes import Shape
from eightysix.store.events.view import open_view
from eightysix.store.tables import load

TABLE = "EightySixEvents_CL"
T0 = 1_795_305_600_000_000_000  # 2026-11-22T00:00:00Z
HOUR = 3_600_000_000_000
SPAN = 24 * HOUR

QUERY = f"SELECT Kind, count(*), max(TimeGenerated) FROM {TABLE} GROUP BY Kind"
PROGRAMS = ("python3", "pip", "curl", "uvicorn", "node", "sh", "gunicorn", "cat")


def rows(count: int, seed: int, span: int = SPAN) -> list[Row]:
    """Rows in the order of time."""
    rng = random.Random(seed)
    made: list[Row] = []
    for number in range(count):
        pod = rng.randrange(5_000)
        program = PROGRAMS[rng.randrange(len(PROGRAMS))]
        made.append(
            {
                "TimeGenerated": T0 + number * span // count,
                "EventId": f"{rng.getrandbits(128):032x}",
                "EventSource": "tetragon", "Origin": "kernel", "Grade": "A",
                "Kind": ("exec", "connect", "file")[rng.randrange(3)],
                "Cluster": "prod", "Node": f"node-{pod % 200}", "Namespace": f"team-{pod % 40}",
                "PodName": f"inference-{pod}", "PodUid": f"8f1d{pod:08x}-0c5e-4a8e-9a51-000000000000",
                "ContainerId": f"{pod:064x}", "ContainerName": "main", "Workload": f"inference-{pod % 300}",
                "WorkloadKind": "Deployment", "Image": f"registry.example/model-{pod % 100}:v3",
                "ExecId": f"bm9kZS0{pod % 200}OjE3{number:012d}", "ProcessId": rng.randrange(1 << 22),
                "ProcessPath": f"/usr/bin/{program}", "ProcessCommandLine": f"{program} … ({rng.randrange(9)} arguments)",
                "EvidenceFile": f"node-{pod % 200}.log", "EvidenceLine": number,
            }
        )  # fmt: skip
    return made


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds by the clock and of the processor, and what it gave."""
    wall, cpu = time.perf_counter(), time.process_time()
    gave = work()
    return time.perf_counter() - wall, time.process_time() - cpu, gave


def rate(count: int, seconds: float) -> int:
    return round(count / seconds)


class Asker:
    """Asks the owner one query after the other, until told to stop."""

    def __init__(self, hot: Hot) -> None:
        self.times: list[float] = []
        self._hot = hot
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Asker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._stopped.wait(0.25):
            began = time.perf_counter()
            with self._hot.reading() as cursor:
                cursor.execute(QUERY).fetchall()
            self.times.append(time.perf_counter() - began)


def by_columns(given: Sequence[Row]) -> list[Columns]:
    """The same rows as readers of events hand them over."""
    parts = (given[start : start + 2_048] for start in range(0, len(given), 2_048))
    return [
        Columns(TABLE, len(part), {name: [row[name] for row in part] for name in part[0]}) for part in parts
    ]


def told_of(count: int, wall: float, cpu: float, floor: float) -> dict[str, Any]:
    """Rows a second, seconds of the processor for a million, and how often the floor fits in."""
    each = cpu / count * 1e6
    return {
        "rows_per_s": rate(count, wall),
        "cpu_s_per_million": round(each, 2),
        "times_the_floor": round(each / floor, 2),
        "load": round(os.getloadavg()[0], 1),
    }


def both(folder: Path, floor: float, work: Callable[[Hot], int]) -> dict[str, Any]:
    """`work` gives how many rows it had a store take; alone, and while it is asked."""
    told: dict[str, Any] = {}
    for name in ("alone", "while_asked"):
        with Hot(folder / name, create=True) as hot:
            with Asker(hot) if name == "while_asked" else nullcontext() as asker:
                before = children()
                wall, cpu, count = timed(lambda: work(hot))
            told[name] = told_of(count, wall, cpu + children() - before, floor)
            if asker is not None:
                told[name]["queries_meanwhile"] = len(asker.times)
                told[name]["query_median_ms"] = round(statistics.median(asker.times or [0.0]) * 1000, 1)
        if name == "while_asked":
            shutil.rmtree(folder / name)
    return told


def children() -> float:
    """Seconds of the processor of processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def taking(folder: Path, given: list[Row], floor: float) -> dict[str, Any]:
    """Rows in memory into a store, sealed too."""

    def rows_by_row(hot: Hot) -> int:
        ingest(hot, ((TABLE, row) for row in given), seal_rows=1 << 60)
        assert hot.total.kept == len(given)
        return len(given)

    columns = by_columns(given)

    def rows_by_columns(hot: Hot) -> int:
        ingest(hot, columns, seal_rows=1 << 60)
        assert hot.total.kept == len(given)
        return len(given)

    return {
        "floor_cpu_s_per_million": round(floor, 2),
        "by_row": both(folder / "by-row", floor, rows_by_row),
        "by_columns": both(folder / "by-columns", floor, rows_by_columns),
    }


def from_files(folder: Path, records: int, store_floor: float) -> dict[str, Any]:
    """Tetragon's records in files of 100,000, as `store ingest` reads them."""
    place = folder / "telemetry"
    place.mkdir()
    for number in range(max(1, records // 100_000)):
        write_corpus(place / f"node-{number}.jsonl", records=min(records, 100_000), seed=86 + number)
    decode = msgspec.json.Decoder(Record).decode
    _, cpu, lines = timed(lambda: sum(_decoded(path, decode) for path in sorted(place.iterdir())))

    def read(hot: Hot, size: int) -> int:
        with Writer(hot) as writer, Crew(hot, writer, size) as crew:
            fill_from(hot, packed_of([str(place)], None, lambda problem: None, taken=crew.take), writer)
            crew.finish()
            writer.finish()
        return hot.total.kept

    told: dict[str, Any] = {"records": lines, "decode_alone_records_per_cpu_s": rate(lines, cpu)}
    with Hot(folder / "count", create=True) as hot:
        rows_made = read(hot, 1)
    floor = cpu / rows_made * 1e6 + store_floor
    told |= {"rows": rows_made, "floor_cpu_s_per_million": round(floor, 2)}
    told["one_process"] = both(folder / "one", floor, lambda hot: read(hot, 1))
    size = os.cpu_count() or 1
    told[f"beside_{size}_more"] = both(folder / "several", floor, lambda hot: read(hot, size))
    return told


def _decoded(path: Path, decode: Callable[[bytes], object]) -> int:
    count = 0
    with path.open("rb") as file:
        while data := file.readlines(1 << 20):
            for line in data:
                decode(line)
            count += len(data)
    return count


def hot_only(folder: Path, given: list[Row]) -> dict[str, Any]:
    """The acknowledgement alone, in batches of three sizes: nothing is sealed."""
    told: dict[str, Any] = {}
    for size, count in ((200, 20_000), (2_000, 100_000), (50_000, len(given))):
        with Hot(folder / f"batch-{size}", create=True) as hot:
            parts = [given[start : start + size] for start in range(0, count, size)]
            wall, _, _ = timed(lambda: [hot.append(TABLE, part) for part in parts])  # noqa: B023
        told[f"append_{size}_rows_per_s"] = rate(count, wall)
        told[f"append_{size}_ms"] = round(wall / len(parts) * 1000, 1)
    with Hot(folder / "again", create=True) as hot:
        part = given[:50_000]
        hot.append(TABLE, part)
        wall, _, _ = timed(lambda: hot.append(TABLE, part))
        assert hot.total.again == len(part)
    told["the_same_again_rows_per_s"] = rate(len(part), wall)
    return told


def floors(folder: Path, given: list[Row]) -> tuple[dict[str, Any], float]:
    """DuckDB alone over the lists that a store makes; and what both together cost for a million rows."""
    import duckdb

    shape = Shape(load()[TABLE], bytes(16))
    parts = by_columns(given)

    def pack() -> list[Packed]:
        packed = []
        for start in range(0, len(parts), 61):  # as many as a store commits at once
            batch = Batch(shape)
            for part in parts[start : start + 61]:
                batch.add_columns(part)
            packed.append(batch.write(folder / f"floor-{start}.ndjson"))
        return packed

    _, packing, packed = timed(pack)
    told: dict[str, Any] = {
        "pack_columns_cpu_s_per_million": round(packing / len(given) * 1e6, 2),
        "bytes_per_row": sum((folder / one.name).stat().st_size for one in packed) // len(given),
    }
    connection = duckdb.connect(str(folder / "floor.duckdb"))
    connection.execute("SET memory_limit = '1GB'")
    connection.execute(f"CREATE TABLE t ({shape.definition})")

    def insert() -> None:
        for one in packed:
            source = (
                f"read_json('{folder / one.name}', format = 'newline_delimited', maximum_object_size = {MAX_LINE},"
                f" columns = {shape.json_columns(one.names)})"
            )
            connection.execute(f"INSERT INTO t BY NAME {shape.unpacked(source, one.names)}")

    def copy() -> None:
        connection.execute(
            f"COPY (SELECT * FROM t ORDER BY Namespace, PodName, TimeGenerated) TO '{folder}/floor.parquet'"
            " (FORMAT parquet, COMPRESSION zstd)"
        )

    wall, inserting, _ = timed(insert)
    told |= {
        "insert_rows_per_s": rate(len(given), wall),
        "insert_cpu_s_per_million": round(inserting / len(given) * 1e6, 2),
    }
    wall, copying, _ = timed(copy)
    told |= {
        "copy_rows_per_s": rate(len(given), wall),
        "copy_cpu_s_per_million": round(copying / len(given) * 1e6, 2),
        "copy_bytes_per_million": (folder / "floor.parquet").stat().st_size * 1_000_000 // len(given),
    }
    connection.close()
    for one in packed:
        (folder / one.name).unlink()
    return told, (inserting + copying) / len(given) * 1e6


def tidying(folder: Path, given: list[Row]) -> dict[str, Any]:
    """Sealing a day that lies hot, in two halves that are then joined, and what it takes on the disk."""
    with Hot(folder / "tidy", create=True) as hot:
        sealing = 0.0
        for half in (given[::2], given[1::2]):
            hot.append(TABLE, half)
            wall, _, _ = timed(lambda: seal(hot, 0, everything=True))
            sealing += wall
        joining, _, done = timed(lambda: compact(hot, T0 + 26 * HOUR))
        sealed = sum(one.bytes for one in hot.manifest.segments)
        assert done.rows == len(given)
    return {
        "seal_rows_per_s": rate(len(given), sealing),
        "compact_rows_per_s": rate(len(given), joining),
        "compact_segments": [done.before, done.after],
        "bytes_per_million_rows": sealed * 1_000_000 // len(given),
    }


def asking(store: Path, count: int) -> dict[str, Any]:
    """One pod's five minutes, and a look at everything, as another process reads it."""
    told: dict[str, Any] = {}
    opened, _, connection = timed(lambda: open_view(store))
    told["open_ms"] = round(opened * 1000, 1)
    five = []
    rng = random.Random(5)
    for _ in range(20):
        pod, minute = rng.randrange(5_000), rng.randrange(24 * 60 - 5)
        first = T0 // 1000 + minute * 60_000_000
        sql = (
            f"SELECT * FROM {TABLE} WHERE Namespace = 'team-{pod % 40}' AND PodName = 'inference-{pod}'"
            f" AND TimeGenerated BETWEEN make_timestamp({first}) AND make_timestamp({first + 300_000_000})"
        )
        five.append(timed(lambda: connection.execute(sql).fetchall())[0])  # noqa: B023
    told["one_pod_five_minutes_median_ms"] = round(statistics.median(five) * 1000, 1)
    told["group_by_kind_ms"] = round(timed(lambda: connection.execute(QUERY).fetchall())[0] * 1000, 1)
    assert connection.execute(f"SELECT count(*) FROM {TABLE}").fetchall() == [(count,)]
    connection.close()
    return told


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--records", type=int, default=600_000)
    parser.add_argument("--output")
    args = parser.parse_args()
    import duckdb

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = rows(args.rows, 86)
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        told: dict[str, Any] = {
            "rows": args.rows, "cpus": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1),
            "python": platform.python_version(), "duckdb": duckdb.__version__,
        }  # fmt: skip
        told["floor"], floor = floors(folder, given)
        told["store"] = taking(folder, given, floor)
        told["asking"] = asking(folder / "by-columns" / "alone", args.rows)
        told["appending"] = hot_only(folder, given)
        told["tidying"] = tidying(folder, given)
        told["peak_mb_beside_the_rows_given"] = round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - held
        )
        given.clear()
        told["raw"] = from_files(folder, args.records, floor)
        told["load_after"] = round(os.getloadavg()[0], 1)
    text = json.dumps(told, indent=2) + "\n"
    if args.output:
        Path(args.output).write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
