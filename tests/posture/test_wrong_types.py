"""Every member of objects as they come, replaced by everything that JSON can say: told, judged and written, never a crash."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from eightysix.posture.judge import judge
from eightysix.posture.reading import SnapshotBuilder
from eightysix.report.interface import RenderOptions
from eightysix.report.posture.interface import get_posture_format

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "posture"
WRONG: list[Any] = [None, True, -1, 1e308, 10**30, 2**64 - 1, "", [], {}, [None], {"a": None}, [[[]]], "x"]
KINDS = {"Pod", "Deployment", "ClusterRole", "Role", "RoleBinding", "ServiceAccount", "Node", "NetworkPolicy"}


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in items:
        yield from places(inner, (*at, key))


def altered(one: Any) -> Iterator[Any]:
    for at in places(one):
        for number, wrong in enumerate(WRONG):
            changed = copy.deepcopy(one)
            inner = changed
            for key in at[:-1]:
                inner = inner[key]
            inner[at[-1]] = wrong
            if at[0] != "metadata" or len(at) > 1 and at[1] != "name":
                changed["metadata"]["name"] = f"{one['metadata']['name']}-{len(at)}-{number}"
            yield changed


def samples() -> list[Any]:
    """One object of each kind, the largest."""
    found: dict[str, Any] = {}
    for one in yaml.safe_load_all((EXAMPLE / "cluster.yaml").read_text()):
        if one and one["kind"] in KINDS and len(str(one)) > len(str(found.get(one["kind"], ""))):
            found[one["kind"]] = one
    return list(found.values())


def test_whatever_a_member_is_it_costs_its_object_alone() -> None:
    good = samples()
    assert {one["kind"] for one in good} >= {"Deployment", "Role", "RoleBinding", "ServiceAccount"}
    builder = SnapshotBuilder()
    builder.take(
        "\n".join(json.dumps(one) for sample in good for one in altered(sample)).encode(), "wrong.jsonl"
    )
    builder.take("\n".join(json.dumps(one) for one in good).encode(), "good.jsonl")
    assert builder.malformed > 300
    assert not [one for one in builder.problems if one.file == "good.jsonl"]
    told = judge(builder.snapshot(), places=builder.places)
    for name in ("plain", "json", "sarif", "html", "opengraph"):
        assert "".join(get_posture_format(name).write(told, RenderOptions(width=80)))


@pytest.mark.parametrize("number", [10**30, -(10**30), 2**63, 2**64])
@pytest.mark.parametrize("as_yaml", [False, True])
def test_a_number_larger_than_any_is_told(number: int, as_yaml: bool) -> None:
    text = '{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", '
    text += f'"securityContext": {{"runAsUser": {number}}}}}]}}}}'
    builder = SnapshotBuilder()
    (builder.take_yaml if as_yaml else builder.take)(text.encode(), "file")
    assert not builder.snapshot().pods
    assert "runAsUser" in builder.problems[0].reason


def test_a_custom_resource_with_such_a_number_may_come_twice() -> None:
    text = '{"kind": "SecretProviderClass", "apiVersion": "secrets-store.csi.x-k8s.io/v1", "metadata": {"name": "k"}, '
    text += '"spec": {"parameters": {"n": 1000000000000000000000000}}}'
    builder = SnapshotBuilder()
    builder.take(f"{text}\n{text}".encode(), "file")
    assert (len(builder.snapshot().custom["SecretProviderClass"]), builder.problems) == (1, [])
