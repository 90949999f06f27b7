"""The OCI configuration of a container."""

from __future__ import annotations

from typing import Any

from eightysix.lab.pods.bundle import CAPABILITIES, config

TOLD: Any = config(
    root="/run/lab/root",
    argv=["python", "/app/server.py"],
    env={"A": "b=c", "PATH": "/opt/venv/bin"},
    hostname="inference-0",
    cgroup="/eightysix-lab-1/kubepods/burstable/podu/c",
)


def test_it_runs_the_program_in_the_application_folder_with_the_given_environment() -> None:
    assert TOLD["process"]["args"] == ["python", "/app/server.py"]
    assert TOLD["process"]["env"] == ["A=b=c", "PATH=/opt/venv/bin"]
    assert TOLD["process"]["cwd"] == "/app"


def test_every_namespace_but_the_network_is_made_for_it() -> None:
    assert TOLD["linux"]["namespaces"] == [
        {"type": kind} for kind in ("pid", "ipc", "uts", "mount", "cgroup")
    ]


def test_nothing_of_the_machine_is_mounted_by_the_configuration() -> None:
    assert all(mount["source"] == mount["type"] != "bind" for mount in TOLD["mounts"])


def test_capabilities_are_those_of_an_unprivileged_pod() -> None:
    assert TOLD["process"]["capabilities"]["bounding"] == list(CAPABILITIES)
    assert not {"CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_PTRACE"} & set(CAPABILITIES)
