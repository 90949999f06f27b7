"""deploy/sensor: valid by Kubernetes's own schemas, with the paths and arguments that the code has, and with one right."""

from __future__ import annotations

import argparse
import copy
from pathlib import Path
from typing import Any

import jsonpatch
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from eightysix.cli import watch
from eightysix.gate.inject import Options, inject
from eightysix.gate.parts import HOME

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "sensor"
MANIFESTS: list[dict[str, Any]] = list(yaml.safe_load_all((FOLDER / "receiver.yaml").read_text()))
WORKLOAD: dict[str, Any] = yaml.safe_load((FOLDER / "workload.yaml").read_text())
BY_KIND = {each["kind"]: each for each in MANIFESTS}
POD = BY_KIND["DaemonSet"]["spec"]["template"]["spec"]
WATCH = POD["containers"][0]


@pytest.mark.parametrize("version", ["1.31", kubernetes_validate.latest_version()])
def test_the_manifests_are_valid(version: str) -> None:
    for each in (*MANIFESTS, WORKLOAD):
        kubernetes_validate.validate(each, version, strict=True)


def test_the_workload_is_injected_and_stays_valid() -> None:
    told = inject(WORKLOAD, Options("registry.example/eightysix-sensor:0.1.0"))
    assert told.patch, told.reason
    after = jsonpatch.JsonPatch(list(told.patch)).apply(copy.deepcopy(WORKLOAD))
    kubernetes_validate.validate(after, kubernetes_validate.latest_version(), strict=True)


def test_the_arguments_are_those_of_the_command() -> None:
    parser = argparse.ArgumentParser()
    watch.add_parser(parser.add_subparsers())
    args = parser.parse_args(WATCH["args"])
    assert args.sensor_sockets == Options("i").pods
    assert args.state == "/var/lib/eightysix"


def test_what_is_named_is_mounted() -> None:
    mounted = {mount["mountPath"]: mount["name"] for mount in WATCH["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    assert set(mounted.values()) == set(volumes)
    assert volumes[mounted[Options("i").pods]]["hostPath"]["path"] == Options("i").pods
    parser = argparse.ArgumentParser()
    watch.add_parser(parser.add_subparsers())
    args = parser.parse_args(WATCH["args"])
    for path in (*args.paths, args.state, args.sensor_sockets, args.sensor_pods_token, args.sensor_pods_ca):
        assert any(path == place or path.startswith(f"{place}/") for place in mounted), path


def test_there_is_one_right() -> None:
    assert BY_KIND["ClusterRole"]["rules"] == [
        {"apiGroups": [""], "resources": ["nodes/pods"], "verbs": ["get"]}
    ]
    assert WATCH["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert "privileged" not in WATCH["securityContext"]


def test_the_image_installs_where_pods_mount_it() -> None:
    text = (FOLDER / "Dockerfile").read_text()
    assert f'"install", "{HOME}"' in text


def test_the_namespace_of_the_receiver_is_never_injected() -> None:
    assert BY_KIND["Namespace"]["metadata"]["name"] in Options("i").never
