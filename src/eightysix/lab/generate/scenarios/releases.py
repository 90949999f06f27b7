"""Rollouts: replicas of one workload under an old and a new image digest, and what each digest does."""

from __future__ import annotations

from eightysix.lab.generate.audit import Request
from eightysix.lab.generate.cluster import Image
from eightysix.lab.generate.label import Label, attack, look_alike
from eightysix.lab.generate.programs import (
    METADATA,
    REDIS,
    STORAGE,
    Endpoint,
    api_request,
    boot_python,
    call,
    managed_identity,
    read_service_account,
    storage,
)
from eightysix.lab.generate.scene import Process, Scene, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import FULL, KERNEL_AND_AUDIT, KERNEL_ONLY, Setting

__all__: list[str] = []

_APP = Stack(("app:/app/main.py",), thread=5)
_DAY = 86_400.0
_BEACON = Endpoint("198.51.100.140", 443, "beacon.model-metrics.example")


def _replica(scene: Scene, release: str, replica: int, started: float) -> Process:
    """One replica doing what the workload always does: its model from storage, its cache, its managed identity."""
    pod = scene.pod("chat", replica=replica, node=replica // 10, release=release)
    container = scene.container(
        pod, Image(f"registry.example/ml/chat:2026.{release}", release), started=started, name="chat"
    )
    server = scene.entrypoint(
        started + 0.3, container, "/opt/venv/bin/python", "-m uvicorn main:app --host 0.0.0.0"
    )
    boot_python(server, started + 0.3, ["python", "-m", "uvicorn", "main:app", "--host", "0.0.0.0"])
    server.read(started + 0.9, "/proc/self/cgroup")
    call(server, started + 1.5, REDIS, _APP)
    managed_identity(server, started + 2.1, _APP)
    storage(server, started + 2.3, STORAGE, _APP)
    return server


def _before(setting: Setting, replicas: int) -> Streams:
    """A day of the old digest: start, a restart of one replica, a token refresh."""
    scene = Scene(setting)
    servers = [_replica(scene, "10", number, -_DAY + number * 20.0) for number in range(replicas)]
    for place, server in enumerate(servers):
        managed_identity(server, -_DAY / 2 + place * 7.0, _APP)
        storage(server, -_DAY / 2 + place * 7.0 + 1.1, STORAGE, _APP)
    return scene.streams()


def _drift(servers: list[Process], stages: tuple[str, ...], telling: str) -> Label:
    return Label(
        malicious=True,
        at_least="suspect" if "pivot" in stages else "watch",
        at_most="contain",
        telling=telling,
        twin="rollout-200",
        stages=stages,
        rules=("release-drift",),
        t0_s=0.0,
        pod_uid=servers[0].container.pod.uid,
        notes="told once for the rollout, not once for each of its pods",
    )


@attack("release-takes-credential", FULL, KERNEL_AND_AUDIT)
def release_takes_credential(setting: Setting) -> tuple[Streams, Label, Streams]:
    """Three pods of a new digest read the service account token and list secrets, which the old one never did."""
    scene = Scene(setting)
    servers = [_replica(scene, "11", number, number * 30.0) for number in range(3)]
    for place, server in enumerate(servers):
        at = place * 30.0 + 12.0
        read_service_account(server, at, _APP)
        api_request(
            server, at + 0.003, Request("list", "secrets", "ml", user_agent="python-requests/2.34.2"), _APP
        )
    label = _drift(
        servers,
        ("land", "reach", "pivot"),
        "no pod of the previous digest ever took the service account",
    )
    return scene.streams(), label, _before(setting, 3)


@attack("release-starts-binary", FULL, KERNEL_ONLY)
def release_starts_binary(setting: Setting) -> tuple[Streams, Label, Streams]:
    """Three pods of a new digest start a program that the old one did not have; it asks the metadata service."""
    scene = Scene(setting)
    servers = [_replica(scene, "11", number, number * 30.0) for number in range(3)]
    for place, server in enumerate(servers):
        at = place * 30.0 + 9.0
        helper = server.exec(at, "/usr/local/lib/.perf/gpu-tuned", "--daemon")
        call(helper, at + 4.0, METADATA, None)
        call(helper, at + 5.0, _BEACON, None)
    label = _drift(
        servers,
        ("land", "run", "reach", "leave"),
        "no pod of the previous digest ever started this program",
    )
    return scene.streams(), label, _before(setting, 3)


@attack("release-reaches-destination", FULL, KERNEL_ONLY)
def release_reaches_destination(setting: Setting) -> tuple[Streams, Label, Streams]:
    """Three pods of a new digest send to a host that the old one never knew, right after their usual token."""
    scene = Scene(setting)
    servers = [_replica(scene, "11", number, number * 30.0) for number in range(3)]
    for place, server in enumerate(servers):
        call(server, place * 30.0 + 6.0, _BEACON, _APP, path="/v2/m", method="POST")
    label = _drift(
        servers, ("land", "reach", "leave"), "no pod of the previous digest ever reached this host"
    )
    return scene.streams(), label, _before(setting, 3)


def _rollout(setting: Setting, replicas: int, release: str, twin: str) -> tuple[Streams, Label, Streams]:
    scene = Scene(setting)
    servers = [_replica(scene, release, number, number * 2.5) for number in range(replicas)]
    label = Label(
        malicious=False,
        at_least="none",
        at_most="none",
        telling="every pod does what the pods of the previous digest did",
        twin=twin,
        pod_uid=servers[0].container.pod.uid,
    )
    return scene.streams(), label, _before(setting, min(replicas, 12))


@look_alike("rollout-200", FULL, KERNEL_ONLY)
def rollout_200(setting: Setting) -> tuple[Streams, Label, Streams]:
    """200 replicas of a new digest start within nine minutes, each with its token and its model, as ever."""
    return _rollout(setting, 200, "11", "release-takes-credential")


@look_alike("rollout-3", FULL, KERNEL_ONLY)
def rollout_3(setting: Setting) -> tuple[Streams, Label, Streams]:
    """The same with three replicas."""
    return _rollout(setting, 3, "11", "release-reaches-destination")


@look_alike("rollback", FULL, KERNEL_ONLY)
def rollback(setting: Setting) -> tuple[Streams, Label, Streams]:
    """Three pods go back to the digest that ran before."""
    return _rollout(setting, 3, "10", "release-starts-binary")
