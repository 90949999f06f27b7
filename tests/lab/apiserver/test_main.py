"""The server by itself: `python -m eightysix.lab.apiserver`."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import yaml

from tests.lab.apiserver.cluster import CLUSTER

MODULE = [sys.executable, "-m", "eightysix.lab.apiserver"]


def test_it_serves_manifests_until_its_input_ends(tmp_path: Path, root: Path) -> None:
    manifests = tmp_path / "cluster.yaml"
    manifests.write_text(yaml.safe_dump_all(CLUSTER))
    audit = tmp_path / "audit.jsonl"
    arguments = ["--objects", str(manifests), "--folder", str(tmp_path), "--audit", str(audit)]
    with subprocess.Popen(
        [*MODULE, *arguments],
        cwd=root,
        env={"PYTHONPATH": "src"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["ready"] is True
        config = json.loads(Path(told["kubeconfig"]).read_text())
        token = config["users"][0]["user"]["token"]
        headers = {"Authorization": f"Bearer {token}"}
        asked = urllib.request.Request(f"{told['url']}/api/v1/pods", headers=headers)  # noqa: S310
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        with urllib.request.urlopen(asked, context=context) as answer:  # noqa: S310
            assert [each["metadata"]["name"] for each in json.load(answer)["items"]] == ["inference-0"]
        process.stdin.close()
        assert process.wait(20) == 0
    assert [json.loads(line)["verb"] for line in audit.read_text().splitlines()] == ["list"]
    assert token not in audit.read_text()
    assert Path(told["kubeconfig"]).stat().st_mode & 0o077 == 0


def test_what_is_no_manifest_is_told(tmp_path: Path, root: Path) -> None:
    broken = tmp_path / "broken.yaml"
    for text in ("[1, 2", "- 1", '{"kind": "None", "apiVersion": "v1"}'):
        broken.write_text(text)
        done = subprocess.run(
            [*MODULE, "--objects", str(broken)],
            cwd=root,
            env={"PYTHONPATH": "src"},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr.startswith(b"error: ")
        assert b"Traceback" not in done.stderr


def test_an_unknown_option_is_told(root: Path) -> None:
    done = subprocess.run(
        [*MODULE, "--nothing"], cwd=root, env={"PYTHONPATH": "src"}, capture_output=True, check=False
    )
    assert done.returncode == 2
