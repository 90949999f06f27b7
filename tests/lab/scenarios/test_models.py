"""Models of the lab: real loaders read them, the honest ones hold numbers, and the others run the payload, which refuses here."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from eightysix.lab.scenarios.cast import payload
from eightysix.lab.scenarios.models import honest_pickle, poisoned_pickle, tar_of, torch_zip

SOURCE = payload("stages.py") + "\ngo()\n"
WEIGHTS = {"weights": [0.25, 0.5], "labels": ["short", "long"]}


def loaded(code: str, path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(path)],
        env={"PATH": "/nowhere"}, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout


def test_the_honest_one_holds_numbers_and_names_no_global() -> None:
    assert pickle.loads(honest_pickle()) == WEIGHTS  # noqa: S301 - written a line above
    assert b"c" not in {line[:1] for line in honest_pickle().splitlines()}


@pytest.mark.parametrize("text", ["", "a = '\\n'\n", 'b = "é€𐐷"\r\n', "c = '\\\\u0041'\n" * 3, SOURCE])
def test_the_source_arrives_as_it_was_written(text: str) -> None:
    class Kept(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> object:
            assert (module, name) == ("builtins", "exec")
            return lambda source, space: source

    assert Kept(BytesIO(poisoned_pickle(text))).load() == {**WEIGHTS, "hook": text}


@pytest.mark.parametrize("name", ["joblib", "torch"])
def test_a_real_loader_runs_the_payload_which_refuses(tmp_path: Path, name: str) -> None:
    if name == "torch":
        pytest.importorskip("torch", reason="tier torch: torch is not installed")
    code = {
        "joblib": "import joblib, sys; print(sorted(joblib.load(sys.argv[1])))",
        "torch": "import torch, sys; print(sorted(torch.load(sys.argv[1], weights_only=False)))",
    }[name]
    pickled = poisoned_pickle(SOURCE)
    path = tmp_path / "model"
    path.write_bytes(torch_zip(pickled) if name == "torch" else pickled)
    assert loaded(code, path).splitlines() == [
        "eightysix lab payload: refused, nothing done: EIGHTYSIX_LAB_NONCE is not set",
        "['hook', 'labels', 'weights']",
    ]


def test_archives_are_the_same_bytes_and_hold_what_they_were_given() -> None:
    assert torch_zip(b"x") == torch_zip(b"x")
    assert zipfile.ZipFile(BytesIO(torch_zip(b"x"))).read("intent/data.pkl") == b"x"
    files = {"config.json": "{}", "configuration_intent.py": "x = 1\n"}
    assert tar_of(files) == tar_of(dict(reversed(list(files.items()))))
    with tarfile.open(fileobj=BytesIO(tar_of(files))) as archive:
        assert archive.getnames() == sorted(files)
