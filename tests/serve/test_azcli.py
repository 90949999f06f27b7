"""The cloud is asked by running `az`: a program of the test stands in for it, with its words, answers and misbehaviour."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eightysix.cli.main import main
from eightysix.posture.reading import SnapshotBuilder
from eightysix.posture.snapshot import Snapshot
from eightysix.serve import azcli

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "posture"
IDENTITY = {
    "id": "/subscriptions/s/resourcegroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app",
    "name": "app",
    "resourceGroup": "rg",
    "clientId": "c",
    "principalId": "p",
    "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
}
ANSWERS: dict[str, Any] = {
    "aks list": [
        {
            "id": "/subscriptions/s/aks",
            "type": "Microsoft.ContainerService/managedClusters",
            "networkProfile": {"podLinkLocalAccess": "None", "networkPolicy": "cilium"},
        }
    ],
    "vmss list": [
        {
            "id": "/subscriptions/s/vmss",
            "name": "aks-gpu-1",
            "type": "Microsoft.Compute/virtualMachineScaleSets",
            "identity": {"userAssignedIdentities": {IDENTITY["id"]: {"clientId": "c", "principalId": "p"}}},
        }
    ],
    "identity list": [IDENTITY],
    "role assignment list": [
        {"principalId": "p", "roleDefinitionName": "AcrPush", "scope": "/subscriptions/s/r"}
    ],
    "acr list": [
        {"id": "/subscriptions/s/registries/acme", "type": "Microsoft.ContainerRegistry/registries"}
    ],
    "identity federated-credential list": [
        {
            "id": f"{IDENTITY['id']}/federatedIdentityCredentials/f",
            "issuer": "https://i",
            "subject": "system:serviceaccount:ml:app",
        }
    ],
}
STUB = """#!{python}
import json, os, sys, time
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "asked.jsonl"), "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
words = " ".join(word for word in sys.argv[1:] if not word.startswith("-"))
told = json.load(open(os.path.join(here, "answers.json"))).get(words)
if isinstance(told, dict):
    if "run" in told:
        exec(told["run"])
    sys.stderr.write(told.get("error", ""))
    sys.exit(told.get("code", 0))
print(json.dumps(told, indent=2))
"""


@pytest.fixture
def az(tmp_path: Path) -> Callable[..., str]:
    """A folder with an `az` that gives these answers; what differs is given by words."""

    def make(**changed: Any) -> str:
        folder = tmp_path / "bin"
        folder.mkdir()
        answers = {**ANSWERS, **{name.replace("_", " "): value for name, value in changed.items()}}
        (folder / "answers.json").write_text(json.dumps(answers))
        program = folder / "az"
        program.write_text(STUB.format(python=sys.executable))
        program.chmod(0o700)
        return str(program)

    return make


def taken(az: str, **more: Any) -> tuple[Snapshot, list[list[str]], int]:
    builder = SnapshotBuilder(manifests=True)
    answers = azcli.collect_azure(builder, az, **more)
    asked = Path(az).with_name("asked.jsonl").read_text().splitlines()
    return builder.snapshot(), [json.loads(one) for one in asked], answers


def test_everything_is_asked_for_and_read(az: Callable[..., str]) -> None:
    snapshot, asked, answers = taken(az(), subscription="prod")
    cloud = snapshot.cloud
    assert answers == 6
    assert [one.client_id for one in cloud.identities] == ["c"]
    assert [(one.subject, one.identity) for one in cloud.federations] == [
        ("system:serviceaccount:ml:app", IDENTITY["id"].lower())
    ]
    assert [one.role for one in cloud.assignments] == ["AcrPush"]
    assert cloud.scale_sets[0].identities == (IDENTITY["id"].lower(),)
    assert (cloud.metadata_restricted, cloud.network_policy) == (True, "cilium")
    assert cloud.registries == ("/subscriptions/s/registries/acme",)
    assert snapshot.not_seen == ()
    assert all(
        {"--subscription=prod", "--output=json", "--only-show-errors"} <= set(words) for words in asked
    )
    assert asked[-1][:3] == ["identity", "federated-credential", "list"]
    assert {"--identity-name=app", "--resource-group=rg"} <= set(asked[-1])


def test_a_name_is_never_an_option(az: Callable[..., str]) -> None:
    names = ["--debug", "-h", "", "x\ny", "a" * 300, "fine; rm -rf ~"]
    program = az(identity_list=[{**IDENTITY, "name": name} for name in names])
    _, asked, _ = taken(program)
    trusts = [words for words in asked if words[:2] == ["identity", "federated-credential"]]
    assert [words[3] for words in trusts] == ["--identity-name=fine; rm -rf ~"]


def test_what_fails_is_a_gap_with_its_command(az: Callable[..., str]) -> None:
    program = az(
        role_assignment_list={"code": 1, "error": "ERROR: \x1b[31mno rights\nmore\n"},
        acr_list={"run": "print('<html>')"},
    )
    snapshot, _, answers = taken(program)
    gaps = {gap.close: gap.what for gap in snapshot.not_seen}
    command = "az role assignment list --all --output=json --only-show-errors"
    assert "it ended with 1: ERROR:" in gaps[command]
    assert "more" not in gaps[command]
    assert any("is no list of JSON" in what for what in gaps.values())
    assert answers == 4
    assert snapshot.cloud.identities


def test_who_does_not_end_or_says_too_much_is_ended_with_all_that_it_started(
    az: Callable[..., str], tmp_path: Path
) -> None:
    mark = tmp_path / "pid"
    child = (
        "import subprocess\n"
        "one = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(mark)!r}, 'w').write(str(one.pid))\n"
        "time.sleep(60)"
    )
    program = az(
        aks_list={"run": child}, vmss_list={"run": "sys.stdout.write('[' * 300_000)\ntime.sleep(60)"}
    )
    limits = azcli.AzLimits(deadline_s=2.0, bytes_=100_000)
    snapshot, _, _ = taken(program, limits=limits)
    whats = [gap.what for gap in snapshot.not_seen]
    assert any("aks list" in what and "no whole answer in 2 s" in what for what in whats)
    assert any("vmss list" in what and "larger than 100000 bytes" in what for what in whats)
    assert snapshot.cloud.identities, "the rest is asked for"
    pid = int(mark.read_text())
    until = time.monotonic() + 5
    while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < until, "what it started lives on"
        time.sleep(0.01)


def test_time_and_identities_are_bounded(az: Callable[..., str]) -> None:
    many = [{**IDENTITY, "name": f"i{number}", "id": f"{IDENTITY['id']}{number}"} for number in range(5)]
    snapshot, asked, _ = taken(az(identity_list=many), limits=azcli.AzLimits(identities=2))
    assert sum(words[1] == "federated-credential" for words in asked) == 2
    assert any("3 more identities" in gap.what for gap in snapshot.not_seen)
    builder = SnapshotBuilder()
    assert azcli.collect_azure(builder, "/nowhere/az", limits=azcli.AzLimits(total_s=0.0)) == 0
    assert any("no time left" in gap.what for gap in builder.snapshot().not_seen)
    builder = SnapshotBuilder()
    assert azcli.collect_azure(builder, "/nowhere/az") == 0
    assert any("No such file" in gap.what for gap in builder.snapshot().not_seen)


@pytest.fixture
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("EIGHTYSIX_")]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("_quiet")
def test_the_command_asks_az_or_tells_what_to_run(
    az: Callable[..., str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["posture", str(EXAMPLE / "cluster.yaml"), "--azure", "--format", "json", "--exit-zero"]
    monkeypatch.setenv("EIGHTYSIX_AZ", az())
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert any(one["ids"] for one in json.loads(out)["identities"] if one["name"] == "app")
    monkeypatch.setenv("EIGHTYSIX_AZ", "/nowhere/az")
    assert main([*arguments, "--azure-subscription", "a b"]) == 0
    err = capsys.readouterr().err
    assert "give the answers with --cloud" in err
    assert "  az role assignment list --all --subscription='a b' --output=json --only-show-errors\n" in err
    assert err.count("\n  az ") == 6
