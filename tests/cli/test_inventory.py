"""`eightysix reconstruct` with an inventory: what it adds to a story, and what of it cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eightysix.cli.main import main
from eightysix.lab import recorded
from eightysix.lab.apiserver import ApiServer, User
from tests.context.objects import SCALE_SET, node, pod, scale_set

IDENTITY = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("run")
    for name, data in recorded.open_recording("attack-86s").files.items():
        if name != recorded.TRUTH:
            (made / name).write_bytes(data)
    return made


def attributions(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[list[dict[str, Any]], str]:
    """Whose the sign-ins of the managed identity are, and what standard error says."""
    story, err = told_story(capsys, *arguments)
    uses = [
        use for identity in story["identities"] for use in identity["uses"] if use["service"] == "sign-in"
    ]
    assert uses
    return [use["attribution"] for use in uses], err


def told_story(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, Any], str]:
    """The one story, and what standard error says."""
    capsys.readouterr()
    main(["reconstruct", "--format", "json", "--exit-zero", *arguments])
    told = capsys.readouterr()
    (story,) = json.loads(told.out)["stories"]
    return story, told.err


def test_a_node_of_the_pool_that_nobody_looked_at_keeps_it_open(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    plain, _ = attributions(capsys, str(folder))
    assert [one["certain"] for one in plain] == [True]
    other = node("aks-gpu-31337-vmss000001", f"azure://{SCALE_SET}/virtualMachines/1")
    (tmp_path / "i.json").write_text(json.dumps([node(), other, scale_set()]))
    known, _ = attributions(capsys, str(folder), "--inventory", str(tmp_path))
    assert [one["certain"] for one in known] == [False]
    assert "aks-gpu-31337-vmss000001" in known[0]["why"]
    other_pool = SCALE_SET.replace("aks-gpu-31337", "aks-cpu-1")
    elsewhere = node("aks-cpu-1-vmss000000", f"azure://{other_pool}/virtualMachines/0")
    (tmp_path / "i.json").write_text(json.dumps([node(), elsewhere, scale_set()]))
    again, _ = attributions(capsys, str(folder), "--inventory", str(tmp_path))
    assert [one["certain"] for one in again] == [True]


def test_what_is_declared_counts_where_no_connection_was_seen(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    for file in folder.iterdir():
        if "tetragon" not in file.name and "sensor" not in file.name:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    capsys.readouterr()
    asked = ("--identity", f"ml/inference-sa={IDENTITY}", "--identity", IDENTITY)
    main(["reconstruct", "--format", "json", "--exit-zero", str(tmp_path), *asked])
    told = json.loads(capsys.readouterr().out)
    found = [
        use["attribution"]
        for story in told["stories"]
        for identity in story["identities"]
        for use in identity["uses"]
        if use["service"] == "sign-in"
    ]
    assert found
    assert all(one["grade"] == "D" and not one["certain"] for one in found)


def test_a_live_cluster_is_asked_and_its_refusals_are_told(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    user = {"op": User("mira", "u", ("system:masters",)), "dev": User("dev", "v", ("devs",))}
    with ApiServer(
        [node(), pod("inference-0", "00000000-0000-4000-8000-000000000001")], tokens=user
    ) as server:
        config = {
            "clusters": [{"name": "c", "cluster": {"server": server.url}}],
            "users": [],
            "contexts": [{"name": "x", "context": {"cluster": "c"}}],
            "current-context": "x",
        }
        (tmp_path / "config").write_text(json.dumps(config))
        # Over plain HTTP no token is shown, so the lab's server takes us for nobody: each list is a gap.
        arguments = (str(folder), "--kubeconfig", str(tmp_path / "config"))
        told, err = attributions(capsys, *arguments)
        story, _ = told_story(capsys, *arguments)
        rest, _ = told_story(capsys, *arguments, "--identity", "kube-system/statefulset-controller")
    assert [one["certain"] for one in told] == [True]
    assert "pods: may not be listed (403)" in err
    for one in (story, rest):
        gaps = [gap["text"] for gap in one["gaps"] if gap["text"].startswith("the live cluster")]
        assert any("pods: may not be listed (403)" in text for text in gaps)
        assert len(gaps) == err.count("may not be listed") > 2  # each list is told, none stands for another


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--inventory-at", "noon", "--inventory", "."), "RFC 3339"),
        (("--context", "x"), "is of a kubeconfig"),
        (("--kubeconfig", "absent"), "cannot be read"),
        (("--kubeconfig", "in-cluster"), "runs in no pod"),
    ],
)
def test_wrong_options_exit_2(
    capsys: pytest.CaptureFixture[str], folder: Path, arguments: tuple[str, ...], why: str
) -> None:
    assert main(["reconstruct", str(folder), *arguments]) == 2
    assert why in " ".join(capsys.readouterr().err.split())


def test_what_of_an_inventory_cannot_be_used_is_told(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "i.json").write_text('{"kind":"Pod","metadata":7}\n')
    story, err = told_story(capsys, str(folder), "--inventory", str(tmp_path / "i.json"))
    assert "i.json:1: malformed: wrongly typed" in err
    assert any("one object of the inventory could not be read" in gap["text"] for gap in story["gaps"])
