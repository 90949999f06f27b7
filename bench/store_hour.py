"""One hour of many rows leaves the hot file: what sealing it takes, within the memory that a store allows itself.

    python -m bench.store_hour [--rows 20000000] [--memory 1GB] [--folder DIR] [--output bench/results/store_hour.json]

Rows are those of `bench/store.py`, all within one hour: 100,000 of them are made, and copied inside the hot file with their
own event, row id and moment until there are as many as wanted (which is not measured). Then the hour is sealed by `seal` in a
process of its own, so that its peak is that of a store's owner, and counted: rows, ids, and what `verify` says of every byte.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.store import HOUR, T0, TABLE, rows
from eightysix.store.events.accounts import verify
from eightysix.store.events.compacting import compact
from eightysix.store.events.hot import Hot
from eightysix.store.events.sealing import seal

GIVEN = 100_000
COPY = f"""
INSERT INTO hot.{TABLE} SELECT * REPLACE (
  hash(_RowId, {{n}})::HUGEINT % 9223372036854775807 AS _RowId, md5(EventId || '{{n}}') AS EventId,
  make_timestamp({T0 // 1000} + (epoch_us(TimeGenerated) + {{n}}::BIGINT * 137137137) % 3600000000) AS TimeGenerated)
FROM hot.{TABLE} WHERE EvidenceLine >= 0 LIMIT {{rows}}
"""


def make(folder: str, count: int) -> None:
    """A store with `count` hot rows of one hour, in the order of time as far as ten thousandths of it go."""
    with Hot(folder, create=True) as hot:
        hot.append(TABLE, rows(min(GIVEN, count), 86, HOUR))
        with hot.transaction() as connection:
            connection.execute(f"CREATE TABLE hot.given AS FROM hot.{TABLE}")
        left, number = count - min(GIVEN, count), 0
        while left > 0:
            number += 1
            with hot.transaction() as connection:
                text = COPY.format(n=number, rows=min(GIVEN, left)).replace(
                    f"FROM hot.{TABLE}", "FROM hot.given"
                )
                connection.execute(text)
            left -= GIVEN
        with hot.transaction() as connection:
            connection.execute("DROP TABLE hot.given")


def child(folder: str, memory: str) -> None:
    """Seal what is there, and tell what it took."""
    with Hot(folder, memory=memory) as hot:
        began = time.perf_counter()
        done = seal(hot, 0, everything=True)
        wall = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "segments": done.segments,
                "rows": done.rows,
                "segment_bytes": done.bytes,
                "seconds": round(wall, 1),
                "cpu_s": round(used.ru_utime + used.ru_stime, 1),
                "cpu_s_per_million": round((used.ru_utime + used.ru_stime) / max(1, done.rows) * 1e6, 2),
                "peak_mb": used.ru_maxrss // 1024,
            }
        )
    )


def run(folder: str, count: int, memory: str) -> dict[str, object]:
    """Make, seal, count."""
    import duckdb

    make(folder, count)
    told: dict[str, object] = {
        "rows": count, "memory": memory, "cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(), "duckdb": duckdb.__version__,
        "hot_file_bytes": Path(folder, "hot.duckdb").stat().st_size,
    }  # fmt: skip
    command = [sys.executable, "-m", "bench.store_hour", "--child", folder, "--memory", memory]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return told | {"failed": done.stderr.splitlines()[-1:]}
    told["seal"] = json.loads(done.stdout)
    with Hot(folder, memory=memory) as hot:
        with hot.reading() as cursor:
            told["found"] = cursor.execute(
                f"SELECT count(*), approx_count_distinct(EventId) FROM {TABLE}"
            ).fetchone()
        sound = verify(hot)
        told["faults"] = [*map(str, sound.faults), *map(str, sound.strange)]
        joined = compact(hot, T0 + 72 * HOUR)
        told["compact"] = [joined.before, joined.after, joined.rows]
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--memory", default="1GB")
    parser.add_argument(
        "--folder", default="", help="a folder that is not there yet, and stays; a temporary one else"
    )
    parser.add_argument("--output")
    parser.add_argument("--child")
    args = parser.parse_args()
    if args.child:
        child(args.child, args.memory)
        return
    if args.folder:
        told = run(args.folder, args.rows, args.memory)
    else:
        with tempfile.TemporaryDirectory() as name:
            told = run(str(Path(name, "store")), args.rows, args.memory)
    text = json.dumps(told, indent=2) + "\n"
    if args.output:
        Path(args.output).write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
