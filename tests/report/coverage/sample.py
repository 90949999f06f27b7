"""What coverage tells of a recorded run, of parts of it, and of an estate with something of everything."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from eightysix.model.visibility import Visibility
from eightysix.rules.catalog import load_packaged
from eightysix.serve.coverage import of_files
from tests.reconstruct.coverage.records import CLUSTER, at, audit, cloud, everything, kernel, write

__all__ = ["troubled", "without"]

RECORDED = Path(__file__).resolve().parents[3] / "src" / "eightysix" / "lab" / "recorded" / "attack-86s"
SOURCES = ("tetragon", "sensor", "kubernetes-audit", "managed-identity-sign-ins")


@functools.cache
def without(source: str = "") -> Visibility:
    """The recorded breach, without one of its sources."""
    paths = [str(RECORDED / f"{name}.jsonl.gz") for name in SOURCES if name != source]
    return of_files(paths, None, load_packaged())


@functools.cache
def troubled() -> Visibility:
    """Two clusters with silence, drops, lateness, strangers and a log without reads."""
    files = everything()
    files["tetragon-aks-gpu-1.jsonl"] = [
        record for record in files["tetragon-aks-gpu-1.jsonl"] if not at(1200) <= record["time"] < at(2400)
    ]
    files["tetragon-aks-gpu-2.jsonl"].append(
        {"rate_limit_info": {"number_of_dropped_process_events": "8600"}, "node_name": "aks-gpu-2",
         "cluster_name": CLUSTER, "time": at(60)}
    )  # fmt: skip
    files["other.jsonl"] = kernel("other-1", cluster="aks-other")
    files["audit.jsonl"] = audit("kube-audit-admin", verbs=("create",))
    files["AzureActivity.jsonl"] = [{**row, "_TimeReceived": at(9 * 3600)} for row in cloud("AzureActivity")]
    del files["sensor-aks-gpu-2.jsonl"], files["flows.jsonl"], files["StorageBlobLogs.jsonl"]
    with tempfile.TemporaryDirectory() as folder:
        return of_files([write(Path(folder), files)], None, load_packaged(), baseline=True)
