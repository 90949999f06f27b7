"""Short inline telemetry for the review's tests: Tetragon, audit and sensor records of one or more pods."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eightysix.context.baseline import Baseline
from eightysix.model.incident import Incident, Report
from eightysix.rules.catalog import load_packaged
from eightysix.serve.replay import Replay, ReplayOptions

BASE = 1_795_500_000
NODE = "aks-gpu-1-vmss000000"
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
FEDERATED = "/var/run/secrets/azure/tokens/azure-identity-token"
IMDS = ("169.254.169.254", 80)
API = ("10.96.0.1", 443)
STORE = ("203.0.113.20", 443)
EVIL = ("203.0.113.10", 443)
INDEX = ("203.0.113.30", 443)


def iso(at: float, digits: int = 6) -> str:
    ns = round((BASE + at) * 1e6) * 1000
    text = datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{ns % 10**9:09d}"[: 20 + digits] + "Z"


class Pod:
    """One pod; records collect in `kernel`, `audit` and `sensor`."""

    def __init__(
        self, name: str = "inference-0", n: int = 1, workload: str = "inference", **fields: Any
    ) -> None:
        self.name, self.n, self.workload = name, n, workload
        self.namespace = fields.pop("namespace", "ml")
        self.kind = fields.pop("kind", "StatefulSet")
        self.started = fields.pop("started", 0.0)
        self.digest = fields.pop("digest", "5e" * 32)
        self.init_tree = fields.pop("init_tree", True)
        self.parents = fields.pop("parents", True)
        self.container_start = fields.pop("container_start", True)
        self.uid = f"86868686-0000-4000-8000-{n:012d}"
        self.kernel: list[dict[str, Any]] = []
        self.audit: list[dict[str, Any]] = []
        self.sensor: list[dict[str, Any]] = []
        self.serial = 0

    def container(self, name: str = "server", started: float | None = None) -> dict[str, Any]:
        cid = (f"{self.n:04x}{name.encode().hex()}" + "ab12" * 16)[:64]
        told = {
            "id": f"containerd://{cid}",
            "name": name,
            "image": {
                "id": f"registry.example/ml/{self.workload}@sha256:{self.digest}",
                "name": f"registry.example/ml/{self.workload}:prod",
            },
            "pid": 1,
        }
        if self.container_start:
            told["start_time"] = iso(self.started if started is None else started)
        return told

    def process(
        self,
        at: float,
        binary: str,
        arguments: str = "",
        parent: Process | None = None,
        *,
        pid: int = 0,
        container: str = "server",
        container_started: float | None = None,
        tree: bool | None = None,
        session: bool = False,
    ) -> Process:
        self.serial += 1
        return Process(
            self,
            at,
            binary,
            arguments,
            parent,
            pid or 9000 + self.n * 1000 + self.serial,
            container,
            container_started,
            tree,
            session,
        )

    def api(
        self,
        at: float,
        verb: str,
        resource: str,
        name: str = "",
        code: int = 200,
        pod: bool = True,
        jti: str = "",
        sub: str = "",
        issued: str = "",
        impersonate: str = "",
        sa: str = "inference-sa",
        uid: bool = False,
    ) -> None:
        extra: dict[str, Any] = {}
        if pod:
            extra["authentication.kubernetes.io/pod-name"] = [self.name]
            if uid:
                extra["authentication.kubernetes.io/pod-uid"] = [self.uid]
        if jti:
            extra["authentication.kubernetes.io/credential-id"] = [f"JTI={jti}"]
        record: dict[str, Any] = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": f"0c600bd1-{self.n:04d}-4000-8000-{len(self.audit):012d}",
            "stage": "ResponseComplete",
            "requestURI": f"/api/v1/namespaces/{self.namespace}/{resource}" + (f"/{name}" if name else ""),
            "verb": verb,
            "user": {"username": f"system:serviceaccount:{self.namespace}:{sa}", "extra": extra},
            "sourceIPs": ["10.244.1.5"],
            "userAgent": "Python-urllib/3.11",
            "objectRef": {
                "resource": resource,
                "namespace": self.namespace,
                "name": name,
                "apiVersion": "v1",
            },
            "responseStatus": {"code": code},
            "requestReceivedTimestamp": iso(at),
            "stageTimestamp": iso(at + 0.001),
        }
        if sub:
            record["objectRef"]["subresource"] = sub
        if issued:
            record["annotations"] = {"authentication.kubernetes.io/issued-credential-id": f"JTI={issued}"}
        if impersonate:
            record["impersonatedUser"] = {"username": impersonate}
        self.audit.append(record)

    def sense(
        self,
        at: float,
        event: str,
        pid: int,
        chain: list[str],
        *,
        at_import: str | None = None,
        tid: int = 7,
        age: float | None = None,
        **fields: Any,
    ) -> None:
        self.sensor.append(
            {
                "time": BASE + at,
                "sensor": "py",
                "event": event,
                "pid": pid,
                "tid": tid,
                "actor": chain[0] if chain else "",
                "chain": chain,
                "at_import": at_import,
                "dyn": False,
                "actor_age_s": age,
                "site": [],
                **fields,
            }
        )


class Process:
    """One process as the kernel tells it."""

    def __init__(
        self,
        pod: Pod,
        at: float,
        binary: str,
        arguments: str,
        parent: Process | None,
        pid: int,
        container: str,
        container_started: float | None,
        tree: bool | None,
        session: bool,
    ) -> None:
        self.pod, self.at, self.parent, self.pid = pod, at, parent, pid
        self.exec_id = base64.b64encode(f"{NODE}:{round((BASE + at) * 1e6)}:{pid}".encode()).decode()
        self.cont = pod.container(container, container_started)
        self.told: dict[str, Any] = {
            "exec_id": self.exec_id,
            "pid": pid,
            "uid": 0,
            "cwd": "/app",
            "binary": binary,
            "arguments": arguments,
            "flags": "execve clone",
            "start_time": iso(at),
            "auid": 4294967295,
            "pod": {
                "namespace": pod.namespace,
                "name": pod.name,
                "uid": pod.uid,
                "container": self.cont,
                "workload": pod.workload,
                "workload_kind": pod.kind,
            },
            "docker": self.cont["id"][13:44],
            "tid": pid,
        }
        if parent is not None and pod.parents:
            self.told["parent_exec_id"] = parent.exec_id
        if pod.init_tree:
            inherited = parent.told.get("in_init_tree") if parent is not None else None
            if tree is True or (inherited and not session):
                self.told["in_init_tree"] = True
            else:
                self.told["in_init_tree"] = False
        self._record(at, "process_exec")

    def _record(self, at: float, kind: str, **fields: Any) -> None:
        body: dict[str, Any] = {"process": self.told, **fields}
        if self.parent is not None and self.pod.parents:
            body["parent"] = {
                k: self.parent.told[k] for k in ("exec_id", "pid", "binary", "docker", "start_time")
            }
        self.pod.kernel.append(
            {kind: body, "node_name": NODE, "time": iso(at), "cluster_name": "aks-ml-prod"}
        )

    def exit(self, at: float) -> None:
        self._record(at, "process_exit")

    def connect(self, at: float, to: tuple[str, int], **fields: Any) -> None:
        sock = {
            "family": "AF_INET",
            "type": "SOCK_STREAM",
            "protocol": "IPPROTO_TCP",
            "saddr": "10.244.1.5",
            "daddr": to[0],
            "sport": 48875,
            "dport": to[1],
            "state": "TCP_SYN_SENT",
        }
        self._record(
            at,
            "process_kprobe",
            function_name="tcp_connect",
            args=[{"sock_arg": sock}],
            action="KPROBE_ACTION_POST",
            policy_name="connections",
            **fields,
        )

    def file(self, at: float, path: str, mask: int = 4) -> None:
        self._record(
            at,
            "process_kprobe",
            function_name="security_file_permission",
            args=[{"file_arg": {"path": path, "permission": "-rw-r--r--"}}, {"int_arg": mask}],
            action="KPROBE_ACTION_POST",
            policy_name="files",
        )

    def installs(self, at: float, dist: str, version: str, *hooks: str) -> None:
        site = "/opt/venv/lib/python3.11/site-packages"
        name = dist.replace("-", "_")
        self.connect(at, INDEX)
        self.file(at + 0.2, f"{site}/{name}/__init__.py", 2)
        self.file(at + 0.21, f"{site}/{name}-{version}.dist-info/METADATA", 2)
        for hook in hooks:
            self.file(at + 0.22, f"{site}/{hook}", 2)
        self.file(at + 0.3, f"{site}/{name}-{version}.dist-info/RECORD", 2)


def write(folder: Path, name: str, records: list[dict[str, Any]]) -> str:
    path = folder / name
    path.write_text("".join(json.dumps(r, separators=(",", ":")) + "\n" for r in records))
    return str(path)


def judge(
    folder: Path, *pods: Pod, sources: str = "kas", baseline: Baseline | None = None, hint: str = ""
) -> Report:
    """The report over the pods' records: `k`ernel, `a`udit, `s`ensor."""
    paths = []
    for letter, name in (("k", "kernel"), ("a", "audit"), ("s", "sensor")):
        records = [r for pod in pods for r in getattr(pod, name)]
        if letter in sources and records:
            paths.append(write(folder, f"{name}.jsonl", records))
    return Replay(load_packaged(), ReplayOptions(baseline=baseline, pod=hint)).read(paths, None)


def verdicts(report: Report) -> list[str]:
    return [str(i.verdict) for i in report.incidents if not i.suppressed_by]


def worst(report: Report) -> str:
    return verdicts(report)[0] if report.incidents else "none"


def told(incident: Incident) -> list[tuple[str, float]]:
    return [(str(s.stage), s.offset_s) for s in incident.stages]
