"""A posture in a file that is replaced while somebody runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from eightysix.context.reach import Asked
from eightysix.model.errors import StateError, UsageError
from eightysix.serve.reaching import LOOK_S, PostureFile, read_reaches


def document(sinks: list[str]) -> dict[str, Any]:
    pod = {
        "id": "pod:ml/Deployment/vllm",
        "namespace": "ml",
        "name": "vllm",
        "kind": "Deployment",
        "density": 1,
        "domains": ["cluster"],
        "sinks": sinks,
        "risk": 1.0,
        "more": {"than": "is read"},
    }
    return {
        "schema": "eightysix/posture/v1",
        "cluster": "",
        "taken_at": "",
        "pods": [pod],
        "identities": [],
        "paths": [],
        "not_seen": [{"what": "x", "why": "y"}],
        "edges": [],
    }


def write(path: Path, text: str) -> None:
    """As `--output` does it: another file takes the place."""
    beside = path.with_suffix(".tmp")
    beside.write_text(text)
    beside.replace(path)


def sinks(posture: PostureFile) -> tuple[str, ...]:
    found = posture.look().of(Asked("ml", workload="vllm"))
    assert found is not None
    return found.sinks


def test_a_posture_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "posture.json"
    write(path, json.dumps(document(["sink:node"])))
    posture = PostureFile(str(path))
    assert sinks(posture) == ("sink:node",)
    write(path, json.dumps(document(["sink:cluster-admin"])))
    assert sinks(posture) == ("sink:cluster-admin",)


def test_a_worse_one_is_told_once_and_leaves_what_was_known(tmp_path: Path) -> None:
    path = tmp_path / "posture.json"
    write(path, json.dumps(document(["sink:node"])))
    posture, told = PostureFile(str(path)), list[str]()
    for text in ("{", '{"schema": "eightysix/incidents/v1"}'):
        write(path, text)
        with pytest.raises(StateError, match="what was read before goes on counting"):
            posture.look()
        assert sinks(posture) == ("sink:node",)
    path.unlink()
    posture.turn(1.0, told.append)
    posture.turn(1.0 + LOOK_S / 2, told.append)
    posture.turn(1.0 + LOOK_S, told.append)
    assert len(told) == 1
    assert "cannot be read" in told[0]
    write(path, json.dumps(document([])))
    posture.turn(1.0 + 2 * LOOK_S, told.append)
    assert (len(told), sinks(posture)) == (1, ())


def test_what_cannot_be_read_at_first_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        PostureFile(str(tmp_path / "nowhere.json"))
    with pytest.raises(UsageError, match="cannot be read"):
        read_reaches(os.fspath(tmp_path))
