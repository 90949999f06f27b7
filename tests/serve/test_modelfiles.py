"""A model's folder: each file once, all its digests; links and special files told and not followed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from blake3 import blake3

from eightysix.gate.attest import FileKind, HashPlan
from eightysix.model.errors import NothingToReadError
from eightysix.serve import modelfiles
from eightysix.serve.modelfiles import read_model


def test_every_file_with_every_digest(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    data = os.urandom((2 << 20) + 7)
    (tmp_path / "weights.bin").write_bytes(data)
    (tmp_path / "sub" / ".hidden").write_bytes(b"")
    found = read_model(str(tmp_path), HashPlan("blake2b"))
    assert sorted(found) == ["sub/.hidden", "weights.bin"]
    weights = found["weights.bin"]
    assert (weights.kind, weights.size, weights.shards) == (FileKind.FILE, len(data), {})
    assert weights.digests == {
        "sha256": hashlib.sha256(data).hexdigest(),
        "blake2b": hashlib.blake2b(data).hexdigest(),
        "blake3": blake3(data).hexdigest(),
    }
    assert found["sub/.hidden"].size == 0


@pytest.mark.parametrize("size", [0, 1, 99_999, 100_000, 100_001, 300_000, (1 << 20) + 5])
@pytest.mark.parametrize("algorithm", ["sha256", "blake3"])
def test_parts(tmp_path: Path, size: int, algorithm: str) -> None:
    data = os.urandom(size)
    (tmp_path / "w").write_bytes(data)
    found = read_model(str(tmp_path), HashPlan(algorithm, 100_000))["w"]
    parts = {f"{n}:{min(n + 100_000, size)}": data[n : n + 100_000] for n in range(0, size, 100_000)}
    new = blake3 if algorithm == "blake3" else hashlib.sha256
    assert found.shards == {name: new(part).hexdigest() for name, part in parts.items()}
    assert found.digests["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_single_file(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"x")
    assert list(read_model(str(tmp_path / "model.gguf"), HashPlan())) == ["model.gguf"]


def test_links_and_special_files_are_told_and_never_opened(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    model = tmp_path / "model"
    model.mkdir()
    (model / "file").symlink_to(outside / "secret")
    (model / "folder").symlink_to(outside)
    (model / "nowhere").symlink_to("nothing")
    os.mkfifo(model / "pipe")
    found = read_model(str(model), HashPlan())
    assert {path: file.kind.value for path, file in found.items()} == {
        "file": "link",
        "folder": "link",
        "nowhere": "link",
        "pipe": "other",
    }
    assert all(not file.digests for file in found.values())
    assert read_model(str(model / "file"), HashPlan())["file"].kind is FileKind.LINK


def test_folders_in_folders_without_end(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(80):
        deep /= "d"
    deep.mkdir(parents=True)
    (deep / "evil.pkl").write_bytes(b"x")
    found = read_model(str(tmp_path), HashPlan())
    assert [file.kind for file in found.values()] == [FileKind.OTHER]


def test_names_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff")).write_bytes(b"x")
    assert list(read_model(str(tmp_path), HashPlan())) == [os.fsdecode(b"\xff")]


def test_too_many_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NothingToReadError):
        read_model(str(tmp_path / "none"), HashPlan())
    monkeypatch.setattr(modelfiles, "MAX_FILES", 3)
    for n in range(4):
        (tmp_path / str(n)).write_bytes(b"")
    with pytest.raises(NothingToReadError, match="more than 3 files"):
        read_model(str(tmp_path), HashPlan())
