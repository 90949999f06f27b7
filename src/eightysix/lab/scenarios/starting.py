"""Pods that install while they start. One is that of the hardest attack and of its twin: it reinstalls azure-identity and a
plug-in. Another has no server before its script installed one."""

from __future__ import annotations

import csv
from collections.abc import Mapping

from eightysix.lab.interface import PodSpec, Wheel
from eightysix.lab.pods import environments, interpreter
from eightysix.lab.scenarios.cast import app, honest, server, start_with
from eightysix.model.errors import LabError

__all__ = ["azure_identity", "installs_server", "reinstalls", "server_package"]


def azure_identity() -> Wheel:
    """azure-identity itself, out of the environment that the pods have: its real code, in a wheel of the lab."""
    python = interpreter.find()
    folder = environments.build("serving", python)
    packages = folder / "lib" / f"python{python.short}" / "site-packages"
    infos = sorted(packages.glob("azure_identity-*.dist-info"))
    if not infos:
        raise LabError(
            f"there is no azure-identity in {folder}", "Remove the folder; the lab builds it again."
        )
    version = infos[0].name.removesuffix(".dist-info").rpartition("-")[2]
    rows = csv.reader((infos[0] / "RECORD").read_text(encoding="utf-8").splitlines())
    paths = [row[0] for row in rows if row and row[0].startswith("azure/") and "__pycache__" not in row[0]]
    return Wheel(
        "azure-identity", version, {path: (packages / path).read_text(encoding="utf-8") for path in paths}
    )


def reinstalls(env: Mapping[str, str]) -> PodSpec:
    """The pod. The plug-in is imported before the server serves, then the application does its own first calls."""
    script = start_with(
        "pip install --quiet --force-reinstall --no-deps azure-identity",
        "pip install --quiet torch-perf-sdk",
    )
    work = {"PLUGINS": "torch_perf_sdk", "AT_START": "token,settings,storage"}
    return server(argv=("sh", "/app/start.sh"), files=script, env={**work, **env})


def server_package() -> Wheel:
    """The server as a package that `python -m mlflow_lab` starts."""
    return honest("mlflow-lab", "3.1.0", more={"mlflow_lab/__main__.py": app("server.py")})


def installs_server(env: Mapping[str, str]) -> PodSpec:
    """The pod without a server in its image: its script installs one and the plug-in, and starts it."""
    lines = ("set -e", "pip install --quiet mlflow-lab", "pip install --quiet torch-perf-sdk")
    work = {"PLUGINS": "torch_perf_sdk", "AT_START": "token,settings,storage"}
    return server(
        name="mlflow-0",
        workload="mlflow",
        container="mlflow",
        labels={"app": "mlflow"},
        argv=("sh", "/app/start.sh"),
        files={"/app/start.sh": "\n".join((*lines, "exec python -m mlflow_lab")) + "\n"},
        env={**work, **env},
    )
