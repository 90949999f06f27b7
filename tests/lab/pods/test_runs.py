"""What is left of killed runs, and who takes it away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eightysix.lab.pods import runs


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "eightysix" / "lab" / "runs"


def test_a_run_that_lives_is_left_alone_and_one_that_ended_leaves_nothing(cache: Path) -> None:
    place = runs.Place(cgroups=False)
    assert runs.sweep() == []
    assert place.world.is_dir()
    assert place.endpoints.is_dir()
    place.remove()
    assert list(cache.iterdir()) == []


def test_what_a_dead_process_left_is_removed(cache: Path) -> None:
    script = "from eightysix.lab.pods.runs import Place; import os; print(Place(cgroups=False).id, flush=True); os._exit(9)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 9, done.stderr
    assert runs.sweep() == [done.stdout.strip()]
    assert list(cache.iterdir()) == []


def test_a_pid_that_another_process_has_now_does_not_keep_a_run(cache: Path) -> None:
    place = runs.Place(cgroups=False)
    owner = place.folder / "owner.json"
    told = json.loads(owner.read_text())
    owner.write_text(json.dumps({**told, "start": "another-boot/1"}))
    assert runs.sweep() == [place.id]


def test_a_folder_that_is_none_of_ours_stays(cache: Path) -> None:
    (cache / "else").mkdir(parents=True)
    (cache / "broken").mkdir()
    (cache / "broken" / "owner.json").write_text("{}")
    assert runs.sweep() == []
    assert sorted(path.name for path in cache.iterdir()) == ["broken", "else"]
