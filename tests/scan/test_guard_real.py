"""The guard before the real torch, numpy and pandas: a tier of its own, as they are too large for the test dependencies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eightysix.model.errors import ScanRefusedError
from eightysix.scan.guard import guard
from tests.scan.second.streams import call
from tests.tiers import require_tier


def library(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError:
        return require_tier("model-libraries", f"{name} is not installed")


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    path = tmp_path / "evil.pkl"
    path.write_bytes(call("os", "mkdir", str(tmp_path / "made")))
    return path


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("mapped", [True, False])
def test_torch(tmp_path: Path, evil: Path, zipped: bool, mapped: bool) -> None:
    torch = library("torch")
    weights = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.bias": torch.ones(2)}
    path = tmp_path / "weights.pt"
    torch.save(weights, path, _use_new_zipfile_serialization=zipped)
    more = {"mmap": True} if mapped and zipped else {}
    with guard():
        for only_weights in (True, False):
            got = torch.load(path, weights_only=only_weights, **more)
            assert torch.equal(got["layer.weight"], weights["layer.weight"])
            assert torch.equal(got["layer.bias"], weights["layer.bias"])
        with open(path, "rb") as stream:
            assert torch.equal(torch.load(stream)["layer.bias"], weights["layer.bias"])
        with pytest.raises(ScanRefusedError):
            torch.load(evil, weights_only=False)
    assert not (tmp_path / "made").exists()


def test_numpy(tmp_path: Path, evil: Path) -> None:
    numpy = library("numpy")
    plain, objects, many = tmp_path / "plain.npy", tmp_path / "objects.npy", tmp_path / "many.npz"
    numpy.save(plain, numpy.arange(5))
    numpy.save(objects, numpy.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    numpy.savez(many, first=numpy.arange(3), second=numpy.ones(2))
    with guard():
        assert numpy.load(plain).tolist() == [0, 1, 2, 3, 4]
        assert numpy.load(plain, "r", True).tolist() == [0, 1, 2, 3, 4]
        assert numpy.load(objects, allow_pickle=True).tolist() == [{"a": 1}, None]
        with numpy.load(many, allow_pickle=True) as archive:
            assert archive["second"].tolist() == [1.0, 1.0]
        with pytest.raises(ScanRefusedError):
            numpy.load(evil, allow_pickle=True)


@pytest.mark.parametrize("end", ["pkl", "pkl.gz", "pkl.bz2", "pkl.xz", "zip"])
def test_pandas(tmp_path: Path, evil: Path, end: str) -> None:
    pandas = library("pandas")
    frame = pandas.DataFrame([[1, 2.5], [3, 4.5]])
    path = tmp_path / f"frame.{end}"
    frame.to_pickle(path)
    with guard():
        assert pandas.read_pickle(path).equals(frame)
        with pytest.raises(ScanRefusedError):
            pandas.read_pickle(evil)


def test_joblib_with_arrays(tmp_path: Path) -> None:
    numpy, joblib = library("numpy"), library("joblib")
    path = tmp_path / "arrays.joblib"
    joblib.dump({"inline": numpy.arange(1000.0), "more": [numpy.ones(3)]}, path)
    with guard():
        assert joblib.load(path)["inline"].sum() == 499500.0
        assert joblib.load(path, mmap_mode="r")["more"][0].tolist() == [1.0, 1.0, 1.0]
