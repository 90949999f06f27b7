"""What the scenarios have in common: the inference server and its daily life, packages, and the payload's parts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from msgspec.structs import replace

from eightysix.lab.interface import PodSpec, Stage, Wheel
from eightysix.lab.wheels import unpacked

__all__ = [
    "CLEAN",
    "DAY_OF_WORK_S",
    "PACE",
    "SERVER",
    "app",
    "driver",
    "honest",
    "installed",
    "payload",
    "poisoned",
    "serve",
    "server",
    "start_with",
    "update",
]

DAY_OF_WORK_S = 1500.0
"""A server has run for 25 minutes when something lands in it: longer than the 15 minutes that count as its start."""

PACE = "EIGHTYSIX_LAB_PACE"
"""Seconds from a payload's landing to its last step."""


@cache
def app(name: str) -> str:
    """A file of `lab/app`."""
    return (files("eightysix.lab") / "app" / name).read_text(encoding="utf-8")


@cache
def payload(name: str) -> str:
    """A file of `payloads`."""
    return (files("eightysix.lab.scenarios") / "payloads" / name).read_text(encoding="utf-8")


SERVER: Mapping[str, str] = {"/app/server.py": app("server.py"), "/app/batch.py": app("batch.py")}
"""The application, as the image has it."""


def server(**changes: object) -> PodSpec:
    """The inference server's pod, with what differs; `files` are beside the application's."""
    pod = PodSpec(name="inference-0", files=SERVER)
    extra = changes.pop("files", {})
    assert isinstance(extra, Mapping)  # noqa: S101 - narrows the type for mypy
    return replace(pod, files={**SERVER, **extra}, **changes)


def start_with(*lines: str) -> Mapping[str, str]:
    """The file of a start script: `lines`, then the server takes its place."""
    return {"/app/start.sh": "\n".join(("set -e", *lines, "exec python /app/server.py")) + "\n"}


def serve(stage: Stage, pod: PodSpec) -> None:
    """A pod starts, does its work, and has done it for a while."""
    stage.start(pod)
    work = ("/infer", "/token") if pod.metadata else ("/infer",)
    for path in work:
        stage.call(path, pod=pod.name)
    stage.leap(DAY_OF_WORK_S)
    for path in work:
        stage.call(path, pod=pod.name)


def update(stage: Stage, requirement: str, module: str, *, reload: bool = True) -> None:
    """The server patches itself: pip first, then the import. Both are asked of it over HTTP, as its operators do."""
    stage.call(f"/patch?requirement={requirement}", timeout_s=90.0)
    if reload:
        stage.call(f"/reload/{module}")


def honest(name: str, version: str, *, more: Mapping[str, str] | None = None) -> Wheel:
    """A package that does nothing but its work."""
    module = name.replace("-", "_")
    body = f'"""{name} of the lab."""\n\n__version__ = "{version}"\n\n\ndef tune(value):\n    return value\n'
    return Wheel(name, version, {f"{module}/__init__.py": body, **(more or {})})


CLEAN = honest("torch-perf-utils", "1.4.2")
"""The version that the server has run with all along."""


def poisoned(name: str, version: str, driver_name: str, *, more: Mapping[str, str] | None = None) -> Wheel:
    """A package whose import starts the payload by one of its drivers."""
    module = name.replace("-", "_")
    wheel = honest(name, version)
    body = wheel.files[f"{module}/__init__.py"] + "\n\nfrom . import _boot  # noqa\n"
    parts = {f"{module}/__init__.py": body, **driver(module, driver_name), **(more or {})}
    return replace(wheel, files=parts)


def driver(module: str, name: str) -> Mapping[str, str]:
    """The payload's files inside of a package: its driver and what all drivers share."""
    return {f"{module}/_boot.py": payload(name), f"{module}/_stages.py": payload("stages.py")}


def installed(wheel: Wheel, folder: str) -> Mapping[str, str]:
    """The files of an image in which a package is installed in `folder`."""
    return {f"{folder}/{path}": text for path, text in unpacked(wheel).items()}
