"""Logs of a posture, from files and out of a store: the same answer."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from eightysix.cli.main import main
from eightysix.model.errors import NothingToReadError, UsageError
from eightysix.posture.changes import KINDS
from eightysix.posture.uselog import Feed
from eightysix.serve.posturelogs import LogReader

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "posture"
LOGS = EXAMPLE / "logs.jsonl"
AKS = "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/AKS"


def told(reader: LogReader, cluster: str = "") -> tuple[object, ...]:
    changes = reader.changes(cluster)
    return (
        list(reader.uses.uses(cluster)),
        [reader.uses.reach(feed, cluster, 0) for feed in Feed],
        list(changes.lives(KINDS.values())),
        list(changes.removed()),
    )


def read(*paths: str) -> LogReader:
    reader = LogReader()
    reader.read(paths)
    return reader


def stored(folder: Path, *paths: str) -> LogReader:
    assert main(["store", "ingest", *paths, "--store", str(folder), "-q"]) in (0, 10)
    reader = LogReader()
    reader.read_store(str(folder))
    return reader


def test_a_store_tells_what_its_files_told(tmp_path: Path) -> None:
    first, second = read(str(LOGS)), stored(tmp_path / "kept", str(LOGS))
    uses, reach, lives, removed = told(first)
    assert (len(uses), len(lives), removed) == (2, 1, [])  # type: ignore[arg-type]
    # of each caller the last use is kept, hours are whole, bodies are what a store keeps of them
    assert told(second)[:2] == (uses, reach)
    assert [(one.key, one.since_ns, one.until_ns) for one in told(second)[2]] == [  # type: ignore[attr-defined]
        (one.key, one.since_ns, one.until_ns)
        for one in lives  # type: ignore[attr-defined]
    ]
    assert first.end() == second.end() == []


def wrapped(records: Sequence[object]) -> str:
    """As Azure's diagnostic settings write audit events."""
    return "".join(
        json.dumps({"category": "kube-audit", "resourceId": AKS, "properties": {"log": json.dumps(one)}})
        + "\n"
        for one in records
    )


def test_azures_wrapping_names_the_cluster(tmp_path: Path) -> None:
    records = [json.loads(line) for line in LOGS.read_text().splitlines()]
    audit = [one for one in records if "auditID" in one]
    (tmp_path / "audit.jsonl").write_text(wrapped(audit))
    plain = read(str(LOGS))
    for reader in (
        read(str(tmp_path / "audit.jsonl")),
        stored(tmp_path / "kept", str(tmp_path / "audit.jsonl")),
    ):
        assert reader.uses.clusters == ("aks",)
        for cluster in ("", "aks", "AKS"):
            assert reader.uses.reach(Feed.AUDIT, cluster, 0) == plain.uses.reach(Feed.AUDIT, "", 0)
            assert len(list(reader.changes(cluster).lives(KINDS.values()))) == 1
        assert list(reader.uses.uses("other")) == []
        assert list(reader.changes("other").lives(KINDS.values())) == []
        assert reader.uses.reach(Feed.AUDIT, "other", 0).last_ns == 0


def test_files_of_logs_are_told_from_objects_by_their_first_record(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(LOGS.read_bytes()))
    (tmp_path / "objects.yaml").write_text((EXAMPLE / "cluster.yaml").read_text())
    (tmp_path / "list.json").write_text(
        '{"kind": "List", "items": [{"kind": "Pod", "metadata": {"name": "Type"}}]}'
    )
    from eightysix.posture.reading import SnapshotBuilder
    from eightysix.serve.posture import read_paths

    builder, logs = SnapshotBuilder(), LogReader()
    read_paths(builder, [str(tmp_path)], logs=logs)
    assert told(logs) == told(read(str(LOGS)))
    assert builder.kinds["Deployment"] == 2
    assert builder.unknown == {}


def test_other_records_beside_them_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "tetragon.jsonl").write_text('{"process_exec": {}, "node_name": "n"}\n' * 50)
    (tmp_path / "broken.jsonl").write_text(LOGS.read_text().splitlines()[0] + "\n{broken\n")
    reader = read(str(tmp_path))
    assert [problem.kind for problem in reader.end()] == ["malformed"]
    assert reader.found
    assert not read(str(tmp_path / "tetragon.jsonl")).found


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NothingToReadError):
        read(str(tmp_path / "absent"))
    with pytest.raises(UsageError, match="no store"):
        LogReader().read_store(str(tmp_path))
