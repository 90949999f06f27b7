"""Hunting in ten million rows: a day of a 200-node cluster, made by DuckDB itself, in a file as the store's hot one.

    python -m bench.hunt [--rows 10000000] [--packs DIR ...] [--output bench/results/hunt.json]

One DuckDB, 1.5 GB of memory, two threads. `EightySixEvents_CL` has all rows: 6,000 pods, executions and connections mostly,
one in 2,000 an install, one in 800 a take of a credential. `CloudProcessEvents` is a view of its executions under the
documented names; `AKSAudit` has a twentieth as many rows; the other tables are empty, which is told of the queries that
read them. `has` stands against a plain `ILIKE` over the same column; each pair is measured in turns, the best of three counts.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import duckdb

from eightysix.hunt.engine import run, sealed, translate
from eightysix.hunt.lexer import tokens
from eightysix.model.errors import QueryError
from eightysix.store import tables
from eightysix.store.columns import create_table

T = TypeVar("T")

NOW_NS = 1_795_564_800_000_000_000  # 2026-11-25T00:00:00Z, the end of the day
_DAY_US = 86_400_000_000

EVENTS = """
INSERT INTO EightySixEvents_CL BY NAME
WITH made AS (
  SELECT i, hash(i) AS h, hash(i, 1) % 6000 AS pod, hash(i, 2) % 10000 AS dice,
    make_timestamp({start} + CAST(i AS BIGINT) * {step}) AS moment
  FROM range({rows}) t(i)
)
SELECT moment AS TimeGenerated, moment AS Timestamp, format('{{:016x}}', h) AS EventId, 'tetragon' AS EventSource,
  'kernel' AS Origin, 'B' AS Grade, 'aks-ml-prod' AS Cluster, 'aks-gpu-vmss' || lpad((pod % 200)::VARCHAR, 6, '0') AS Node,
  'team-' || (pod % 60) AS Namespace, 'service-' || (pod % 1500) || '-' || lower(to_hex(hash(pod) % 65536)) AS PodName,
  'service-' || (pod % 1500) AS Workload, 'Deployment' AS WorkloadKind, 'sa-' || (pod % 60) AS ServiceAccount,
  'registry.example/team/service-' || (pod % 1500) || ':prod' AS Image, 'exec-' || (h % 40000000) AS ExecId,
  'exec-' || (hash(i, 3) % 40000000) AS ParentExecId, (h % 4000000)::BIGINT AS ProcessId,
  CASE WHEN dice < 6000 THEN 'exec' WHEN dice < 9500 THEN 'connect' WHEN dice < 9990 THEN 'resolve' ELSE 'file' END AS Kind,
  CASE WHEN dice < 5 THEN '/usr/bin/pip' WHEN dice % 3 = 0 THEN '/usr/local/bin/python3.11' ELSE '/bin/sh' END AS ProcessPath,
  CASE WHEN dice < 5 THEN 'pip install -q -U package-' || (h % 500)
    WHEN dice < 6 THEN 'curl -s -H Metadata:true http://169.254.169.254/metadata/identity/oauth2/token'
    WHEN dice < 6000 THEN 'python -m worker.serve --shard ' || (h % 100000) || ' --pipeline /opt/app/pipelines/'
      || (hash(i, 4) % 3000) || '.yaml' END AS ProcessCommandLine,
  CASE WHEN dice < 5 THEN 'install' WHEN dice < 200 THEN 'shell' END AS Activity,
  CASE WHEN dice BETWEEN 9400 AND 9406 THEN 'cloud' WHEN dice BETWEEN 9990 AND 9995 THEN 'cluster' END AS CredentialDomain,
  CASE WHEN dice BETWEEN 9400 AND 9406 THEN '169.254.169.254' WHEN dice BETWEEN 6000 AND 9499
    THEN '10.' || (h % 4) || '.' || (h % 200) || '.' || (h % 250) END AS DestinationIp,
  CASE WHEN dice BETWEEN 6000 AND 9499 THEN 443 END AS DestinationPort,
  CASE WHEN dice >= 9990 THEN '/var/run/secrets/kubernetes.io/serviceaccount/token' END AS FilePath, i AS EvidenceLine
FROM made
"""

PROCESSES = """
CREATE VIEW CloudProcessEvents AS SELECT TimeGenerated, Timestamp, '/subscriptions/x/aks-ml-prod' AS AzureResourceId,
  Image AS ContainerImageName, ImageDigest, Namespace AS KubernetesNamespace, PodName AS KubernetesPodName,
  Workload AS KubernetesResource, Workload AS ContainerName, ContainerId, 'ProcessCreated' AS ActionType,
  ProcessPath AS FileName, ProcessPath AS FolderPath, ProcessId, ProcessPath AS ProcessName,
  ParentProcessPath AS ParentProcessName, ExecId AS InitiatingProcessId, ParentExecId AS ParentProcessId,
  ProcessCommandLine, ProcessStarted AS ProcessCreationTime, CAST(NULL AS VARCHAR) AS ProcessCurrentWorkingDirectory,
  CAST(NULL AS VARCHAR) AS AccountName, CAST(NULL AS BIGINT) AS LogonId, CAST(NULL AS VARCHAR) AS AdditionalFields,
  Node AS HostName
FROM EightySixEvents_CL WHERE Kind = 'exec'
"""

AUDIT = """
INSERT INTO AKSAudit BY NAME
WITH made AS (
  SELECT i, hash(i) AS h, hash(i, 1) % 6000 AS pod, make_timestamp({start} + CAST(i AS BIGINT) * {step} * 20) AS moment
  FROM range({rows} // 20) t(i)
)
SELECT moment AS TimeGenerated, moment AS Timestamp, format('{{:016x}}', h) AS AuditId, 'ResponseComplete' AS Stage,
  CASE h % 5 WHEN 0 THEN 'get' WHEN 1 THEN 'list' WHEN 2 THEN 'watch' WHEN 3 THEN 'update' ELSE 'create' END AS Verb,
  json_object('username', 'system:serviceaccount:team-' || (pod % 60) || ':sa-' || (pod % 60), 'extra', json_object(
    'authentication.kubernetes.io/pod-name', ['service-' || (pod % 1500) || '-' || lower(to_hex(hash(pod) % 65536))])) AS User,
  json_object('resource', CASE WHEN h % 1000 = 0 THEN 'secrets' ELSE 'configmaps' END, 'namespace', 'team-' || (pod % 60),
    'name', 'object-' || (h % 5000)) AS ObjectRef,
  json_object('code', 200) AS ResponseStatus, to_json(['10.0.0.' || (h % 250)]) AS SourceIps, 'service/1.0' AS UserAgent
FROM made
"""

CHAIN = """
let window = 86s;
let installs = EightySixEvents_CL
| where TimeGenerated > ago(1d) and Activity == "install"
| project InstallTime = TimeGenerated, Namespace, PodName, InstallCommand = ProcessCommandLine;
let takes = EightySixEvents_CL
| where TimeGenerated > ago(1d) and isnotempty(CredentialDomain)
| project TakeTime = TimeGenerated, Namespace, PodName, CredentialDomain;
installs
| join kind=inner takes on Namespace, PodName
| where TakeTime between (InstallTime .. (InstallTime + window))
| summarize arg_min(TakeTime, InstallTime, InstallCommand, CredentialDomain) by Namespace, PodName
| sort by TakeTime asc
"""

PLAIN = {
    "has": ('EightySixEvents_CL | where ProcessCommandLine has "pip" | count', "%pip%"),
    "has with an s": (
        'EightySixEvents_CL | where ProcessCommandLine has "oauth2/tokens" | count',
        "%oauth2/tokens%",
    ),
    "has of a frequent word": (
        'EightySixEvents_CL | where ProcessCommandLine has "worker" | count',
        "%worker%",
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--packs", nargs="*", default=[], help="folders of queries (default: the pack)")
    parser.add_argument("--output", default="bench/results/hunt.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eightysix-bench-") as folder:
        document = measured(args.rows, Path(folder), [Path(one) for one in args.packs])
    Path(args.output).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document, indent=1))


def measured(rows: int, folder: Path, packs: list[Path]) -> dict[str, object]:
    source = duckdb.connect(str(folder / "hunt.duckdb"))
    source.execute("SET memory_limit = '1500MB'")
    source.execute("SET threads = 2")
    filled = filling(source, rows)
    sealed(source)
    chain, _ = best(lambda: run(CHAIN, source, now=NOW_NS))
    document: dict[str, object] = {
        "rows": rows,
        "machine": f"{platform.machine()}, 2 threads, 1500 MB for DuckDB {duckdb.__version__}",
        "fill_s": filled,
        "chain_86s_s": chain,
        "has": {name: against(source, *pair) for name, pair in PLAIN.items()},
        "pack_s": {},
    }
    from eightysix.hunt.pack import packaged_folder

    found = {}
    for pack in packs or [packaged_folder()]:
        for file in sorted(pack.glob("*/query.kql")):
            found[file.parent.name] = one_query(source, file.read_text(encoding="utf-8"))
    document["pack_s"] = found
    document["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    source.close()
    return document


def filling(source: duckdb.DuckDBPyConnection, rows: int) -> float:
    began = time.monotonic()
    span = {"rows": rows, "start": NOW_NS // 1000 - _DAY_US, "step": _DAY_US // rows}
    for table in tables.load().values():
        if table.name != "CloudProcessEvents":
            source.execute(create_table(table))
    source.execute(EVENTS.format(**span))
    source.execute(AUDIT.format(**span))
    source.execute(PROCESSES)
    source.execute("CHECKPOINT")
    return round(time.monotonic() - began, 1)


def one_query(source: duckdb.DuckDBPyConnection, text: str) -> dict[str, object]:
    read = {one.text for one in tokens(text) if one.kind == "word"} & set(tables.load())
    full = {"EightySixEvents_CL", "CloudProcessEvents", "AKSAudit"}
    began = time.monotonic()
    try:
        translate(text, source)
        translated = time.monotonic() - began
        seconds, result = best(lambda: run(text, source, now=NOW_NS), 2)
    except QueryError as error:
        return {"refused": error.what}
    return {
        "seconds": seconds,
        "translation_s": round(translated, 3),
        "result": len(result.rows),
        "full_tables": sorted(read & full),
        "empty_tables": sorted(read - full),
    }


def against(source: duckdb.DuckDBPyConnection, query: str, pattern: str) -> dict[str, float]:
    sql = "SELECT count(*) FROM EightySixEvents_CL WHERE ProcessCommandLine ILIKE ?"
    ours, theirs = [], []
    for _ in range(3):
        ours.append(best(lambda: run(query, source, now=NOW_NS), 1)[0])
        theirs.append(best(lambda: source.execute(sql, [pattern]).fetchall(), 1)[0])
    return {"has_s": min(ours), "ilike_s": min(theirs), "ratio": round(min(ours) / min(theirs), 2)}


def best(call: Callable[[], T], times: int = 3) -> tuple[float, T]:
    took = []
    while True:
        began = time.monotonic()
        result = call()
        took.append(time.monotonic() - began)
        if len(took) == times:
            return round(min(took), 3), result


if __name__ == "__main__":
    main()
