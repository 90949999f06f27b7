"""Hunting in ten million rows: a day of a 200-node cluster, made by DuckDB itself, in a file as the store's hot one.

    python -m bench.hunt [--rows 10000000] [--packs DIR ...] [--output bench/results/hunt.json]

One DuckDB with what `hunt run` gives it, two threads; the file is made by another process, so that the peak of memory is that of
the queries. `EightySixEvents_CL` has all rows: 6,000 pods, executions and connections mostly,
one in 2,000 an install, one in 800 a take of
a credential; connections and files are those of one server a pod. Twenty pods more have the whole chain, and the chain
queries must tell these and no other. `CloudProcessEvents` is a view of its executions under the
documented names; `AKSAudit` has a twentieth as many rows; the other tables are empty, which is told of the queries that
read them. `has` stands against a plain `ILIKE` over the same column; each pair is measured in turns, the best of three counts.
Results of some are compared with those of SQL that was written by hand. CPU is user and system time of all threads: where other
work runs beside, it is the number to compare.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import duckdb

from eightysix.hunt.engine import run, sealed, translate
from eightysix.hunt.lexer import tokens
from eightysix.hunt.local import MEMORY_MB
from eightysix.hunt.values import time_text
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
  'registry.example/team/service-' || (pod % 1500) || ':prod' AS Image,
  CASE WHEN dice < 6000 THEN 'exec-' || i ELSE 'server-' || pod END AS ExecId,
  'server-' || pod AS ParentExecId, (h % 4000000)::BIGINT AS ProcessId,
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

PLANTED = """
INSERT INTO EightySixEvents_CL BY NAME
WITH pods AS (SELECT k, make_timestamp({start} + 43200000000 + k * 60000000) AS t FROM range(20) r(k)),
steps(after, kind, exec, parent, path, line, activity, domain, ip) AS (VALUES
  (-600, 'exec', 'server', 'init', '/usr/local/bin/python3.11', 'python -m worker.serve', NULL, NULL, NULL),
  (0, 'exec', 'installer', 'server', '/usr/bin/pip', 'pip install planted', 'install', NULL, NULL),
  (5, 'exec', 'child', 'installer', '/usr/bin/python3', 'python3 -c x', NULL, NULL, NULL),
  (20, 'connect', 'child', 'installer', '/usr/bin/python3', NULL, NULL, 'cloud', '169.254.169.254'),
  (30, 'file', 'child', 'installer', '/usr/bin/python3', NULL, NULL, 'cluster', NULL),
  (50, 'connect', 'child', 'installer', '/usr/bin/python3', NULL, NULL, NULL, '203.0.113.9'))
SELECT t + to_seconds(after) AS TimeGenerated, t + to_seconds(after) AS Timestamp, 'tetragon' AS EventSource,
  'kernel' AS Origin, 'B' AS Grade, 'aks-ml-prod' AS Cluster, 'aks-gpu-vmss000000' AS Node, 'team-0' AS Namespace,
  'planted-' || k AS PodName, 'planted' AS Workload, exec || '-planted-' || k AS ExecId,
  parent || '-planted-' || k AS ParentExecId, kind AS Kind, path AS ProcessPath, line AS ProcessCommandLine,
  activity AS Activity, domain AS CredentialDomain, ip AS DestinationIp, CASE WHEN ip IS NOT NULL THEN 443 END AS DestinationPort
FROM pods, steps
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

BY_HAND = {
    "the chain": (
        CHAIN,
        """
SELECT Namespace, PodName, min(TakeTime), arg_min(InstallTime, TakeTime), arg_min(Line, TakeTime), arg_min(Domain, TakeTime)
FROM (SELECT i.Namespace, i.PodName, i.TimeGenerated AS InstallTime, i.ProcessCommandLine AS Line,
    c.TimeGenerated AS TakeTime, c.CredentialDomain AS Domain
  FROM EightySixEvents_CL i JOIN EightySixEvents_CL c ON i.Namespace = c.Namespace AND i.PodName = c.PodName
    AND c.TimeGenerated BETWEEN i.TimeGenerated AND i.TimeGenerated + INTERVAL 86 SECONDS
  WHERE i.Activity = 'install' AND c.CredentialDomain <> '' AND i.TimeGenerated > $now - INTERVAL 1 DAY
    AND c.TimeGenerated > $now - INTERVAL 1 DAY)
GROUP BY Namespace, PodName ORDER BY 3
""",
    ),
    "commands by a term": (
        (
            'CloudProcessEvents | where ProcessCommandLine has_any ("pip", "curl")'
            " | summarize Rows = count() by KubernetesNamespace | sort by KubernetesNamespace asc"
        ),
        r"""
SELECT KubernetesNamespace, count(*) FROM CloudProcessEvents
WHERE regexp_matches(ProcessCommandLine, '(?i)(^|[^\pL\pN])(pip|curl)($|[^\pL\pN])') GROUP BY 1 ORDER BY 1
""",
    ),
    "credentials by hour": (
        (
            'EightySixEvents_CL | where isnotempty(CredentialDomain) and Outcome != "denied"'
            " | summarize Pods = dcount(PodName), Rows = count() by bin(TimeGenerated, 1h), CredentialDomain"
            " | sort by TimeGenerated asc, CredentialDomain asc"
        ),
        """
SELECT date_trunc('hour', TimeGenerated), CredentialDomain, count(DISTINCT PodName), count(*) FROM EightySixEvents_CL
WHERE CredentialDomain <> '' AND Outcome IS DISTINCT FROM 'denied' GROUP BY 1, 2 ORDER BY 1, 2
""",
    ),
}
"""KQL, and SQL that means the same."""

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
    file = str(folder / "hunt.duckdb")
    began = time.monotonic()
    filler = multiprocessing.get_context("spawn").Process(target=filling, args=(file, rows))
    filler.start()
    filler.join()
    if filler.exitcode:
        raise SystemExit(f"the tables could not be filled: {filler.exitcode}")
    filled = round(time.monotonic() - began, 1)
    source = duckdb.connect(file, read_only=True)
    source.execute(f"SET memory_limit = '{MEMORY_MB}MB'")
    source.execute("SET threads = 2")
    source.execute("SET temp_directory = ?", [str(folder / "spill")])
    sealed(source)
    translate("print 1", source)  # imports the translator
    document: dict[str, object] = {
        "rows": rows,
        "machine": f"{platform.machine()}, 2 threads, {MEMORY_MB} MB for DuckDB {duckdb.__version__}",
        "others": f"load average {os.getloadavg()[0]:.1f} before, on {os.cpu_count()} processors",
        "fill_s": filled,
        "chain_86s": timed(lambda: run(CHAIN, source, now=NOW_NS))[0],
        "has": {name: against(source, *pair) for name, pair in PLAIN.items()},
        "as_by_hand": {name: compared(source, *pair) for name, pair in BY_HAND.items()},
    }
    from eightysix.hunt.pack import packaged_folder

    found = {}
    for pack in packs or [packaged_folder()]:
        for query in sorted(pack.glob("*/query.kql")):
            found[query.parent.name] = one_query(source, query.read_text(encoding="utf-8"))
    document["pack"] = found
    for kind in ("seconds", "cpu_s"):
        document[f"over_5_{kind}"] = {
            name: one.get(kind)
            for name, one in found.items()
            if "refused" in one or float(str(one[kind])) >= 5
        }
    document["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    document["others"] = f"{document['others']}, {os.getloadavg()[0]:.1f} after"
    source.close()
    return document


def filling(file: str, rows: int) -> None:
    """Make the tables, in a process of its own."""
    source = duckdb.connect(file)
    source.execute("SET enable_progress_bar = false")
    source.execute("SET memory_limit = '1500MB'")
    source.execute("SET threads = 2")
    span = {"rows": rows, "start": NOW_NS // 1000 - _DAY_US, "step": _DAY_US // rows}
    for table in tables.load().values():
        if table.name != "CloudProcessEvents":
            source.execute(create_table(table))
    source.execute(EVENTS.format(**span))
    source.execute(PLANTED.format(**span))
    source.execute(AUDIT.format(**span))
    source.execute(PROCESSES)
    source.execute("CHECKPOINT")
    source.close()


def one_query(source: duckdb.DuckDBPyConnection, text: str) -> dict[str, object]:
    read = {one.text for one in tokens(text) if one.kind == "word"} & set(tables.load())
    full = {"EightySixEvents_CL", "CloudProcessEvents", "AKSAudit"}
    try:
        translation, _ = timed(lambda: translate(text, source), 1)
        took, result = timed(lambda: run(text, source, now=NOW_NS))
    except QueryError as error:
        return {"refused": error.what}
    place = next((at for at, one in enumerate(result.columns) if one.name == "PodName"), -1)
    planted = sum(place >= 0 and str(row[place]).startswith("planted-") for row in result.rows)
    return {
        **took,
        "translation_cpu_s": translation["cpu_s"],
        "result": len(result.rows),
        **({"planted": planted} if planted else {}),
        "full_tables": sorted(read & full),
        "empty_tables": sorted(read - full),
    }


def against(source: duckdb.DuckDBPyConnection, query: str, pattern: str) -> dict[str, float]:
    sql = "SELECT count(*) FROM EightySixEvents_CL WHERE ProcessCommandLine ILIKE ?"
    ours, theirs = [], []
    for _ in range(5):
        ours.append(timed(lambda: run(query, source, now=NOW_NS), 1)[0])
        theirs.append(timed(lambda: source.execute(sql, [pattern]).fetchall(), 1)[0])
    best = {
        f"{name}_{kind}": min(one[kind] for one in found)
        for name, found in (("has", ours), ("ilike", theirs))
        for kind in ("seconds", "cpu_s")
    }
    return {**best, "ratio_of_cpu": round(best["has_cpu_s"] / best["ilike_cpu_s"], 2)}


def compared(source: duckdb.DuckDBPyConnection, query: str, sql: str) -> dict[str, object]:
    """Whether KQL gives what SQL gives, and what each costs."""
    now = datetime.fromtimestamp(NOW_NS // 1_000_000_000, UTC).replace(tzinfo=None)
    took, result = timed(lambda: run(query, source, now=NOW_NS))
    named = {"now": now} if "$now" in sql else None
    theirs, raw = timed(lambda: source.execute(sql, named).fetchall())
    wanted = [
        tuple(time_text(value) if isinstance(value, datetime) else value for value in row) for row in raw
    ]
    same = list(result.rows) == wanted
    return {
        "same": same,
        "rows": len(wanted),
        **took,
        "sql_seconds": theirs["seconds"],
        "sql_cpu_s": theirs["cpu_s"],
    }


def timed(call: Callable[[], T], times: int = 3) -> tuple[dict[str, float], T]:
    """The least time and CPU of some calls, and the result of the last."""
    seconds, used = [], []
    while True:
        began, before = time.monotonic(), _cpu()
        result = call()
        seconds.append(time.monotonic() - began)
        used.append(_cpu() - before)
        if len(seconds) == times:
            return {"seconds": round(min(seconds), 3), "cpu_s": round(min(used), 3)}, result


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
