"""What the store of events costs: taking rows, sealing, joining, asking, and the floor of each in plain DuckDB.

    python -m bench.store [--rows 1000000] [--output bench/results/store.json]

Rows are those of a busy cluster: 200 nodes, 5,000 pods, `EightySixEvents_CL` with some twenty of its columns filled. They
are made before the clock runs, and what is measured starts from rows in memory, as readers hand them over. The floor of
taking rows is DuckDB alone reading the same lines from a file into a table, and of a segment one COPY of the same rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eightysix.model.table import Row
from eightysix.serve.ingest import ingest
from eightysix.store.events.compacting import compact
from eightysix.store.events.hot import Hot
from eightysix.store.events.sealing import seal
from eightysix.store.events.shapes import Shape, Taken
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


def taking(folder: Path, given: list[Row]) -> tuple[dict[str, Any], Path]:
    """Rows into a store, alone and while it is asked."""
    told: dict[str, Any] = {}
    for name in ("alone", "while_asked"):
        store = folder / name
        with Hot(store, create=True) as hot:
            if name == "alone":
                wall, cpu, _ = timed(lambda: ingest(hot, ((TABLE, row) for row in given), seal_rows=1 << 60))
            else:
                with Asker(hot) as asker:
                    wall, cpu, _ = timed(
                        lambda: ingest(hot, ((TABLE, row) for row in given), seal_rows=1 << 60)
                    )
                told["queries_meanwhile"] = len(asker.times)
                told["query_median_ms"] = (
                    round(statistics.median(asker.times) * 1000, 1) if asker.times else None
                )
            assert hot.total.kept == len(given)
        told[f"rows_per_s_{name}_sealed_too"] = rate(len(given), wall)
        told[f"cpu_s_{name}"] = round(cpu, 2)
    return told, folder / "alone"


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


def floors(folder: Path, given: list[Row]) -> dict[str, Any]:
    """DuckDB alone, over the lines that the store makes, and Python alone making them."""
    import duckdb

    shape = Shape(load()[TABLE], bytes(16))
    taken = Taken()
    wall, _, lines = timed(lambda: [shape.line(row, taken)[2] for row in given])  # type: ignore[index]
    path = folder / "rows.ndjson"
    path.write_bytes(b"".join(lines))
    told: dict[str, Any] = {
        "lines_rows_per_s": rate(len(given), wall),
        "line_bytes": path.stat().st_size // len(given),
    }
    del lines
    connection = duckdb.connect(str(folder / "floor.duckdb"))
    connection.execute("SET memory_limit = '1GB'")
    connection.execute(f"CREATE TABLE t ({shape.definition})")
    source = f"read_json('{path}', format = 'newline_delimited', columns = {shape.json_columns})"
    wall, _, _ = timed(
        lambda: connection.execute(f"INSERT INTO t BY NAME SELECT {shape.from_json} FROM {source}")
    )
    told["insert_rows_per_s"] = rate(len(given), wall)
    wall, _, _ = timed(
        lambda: connection.execute(
            f"COPY (SELECT * FROM t ORDER BY Namespace, PodName, TimeGenerated) TO '{folder}/floor.parquet'"
            " (FORMAT parquet, COMPRESSION zstd)"
        )
    )
    told["copy_rows_per_s"] = rate(len(given), wall)
    told["copy_bytes_per_million"] = (folder / "floor.parquet").stat().st_size * 1_000_000 // len(given)
    connection.close()
    path.unlink()
    return told


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
        told["taking"], store = taking(folder, given)
        told["asking"] = asking(store, args.rows)
        told["appending"] = hot_only(folder, given)
        told["tidying"] = tidying(folder, given)
        told["peak_mb_beside_the_rows_given"] = round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - held
        )
        told["floor"] = floors(folder, given)
        told["load_after"] = round(os.getloadavg()[0], 1)
    text = json.dumps(told, indent=2) + "\n"
    if args.output:
        Path(args.output).write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
