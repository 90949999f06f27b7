"""Which files are scanned, in which order, and what is said of the rest."""

from __future__ import annotations

import os
from pathlib import Path

from eightysix.scan.walk import Found, walk


def told(*paths: Path) -> list[tuple[str, str]]:
    top = str(paths[0])
    return [
        (found.path.removeprefix(top).lstrip("/"), found.problem)
        for found in walk(str(path) for path in paths)
    ]


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_folders_are_read_in_the_order_of_names_hidden_ones_too(tmp_path: Path) -> None:
    fill(tmp_path, "b/2", "b/1", "a", "c", ".hidden/x", "b.txt")
    assert [path for path, _ in told(tmp_path)] == [".hidden/x", "a", "b/1", "b/2", "b.txt", "c"]


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    fill(tmp_path, "blobs/model")
    (tmp_path / "snapshot").symlink_to(tmp_path / "blobs" / "model")
    assert told(tmp_path) == [("blobs/model", ""), ("snapshot", "")]


def test_a_link_to_a_folder_is_told_and_not_followed(tmp_path: Path) -> None:
    fill(tmp_path, "a/x")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    told_of = dict(told(tmp_path))
    assert told_of["a/x"] == ""
    assert "not followed" in told_of["a/up"]
    assert len(told_of) == 2


def test_a_link_to_a_folder_that_was_named_is_followed(tmp_path: Path) -> None:
    fill(tmp_path, "real/x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert [found.path for found in walk([str(tmp_path / "link")])] == [str(tmp_path / "link" / "x")]


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    assert told(tmp_path) == [("dangling", "No such file or directory"), ("pipe", "it is no regular file")]
    assert list(walk(["/nowhere/at/all", "nul\0"])) == [
        Found("/nowhere/at/all", "No such file or directory"),
        Found("nul\0", "the path holds a character that no path can"),
    ]


def test_a_path_that_is_no_text_is_found(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\xfe"
    with open(name, "wb") as file:
        file.write(b"x")
    (found,) = walk([str(tmp_path)])
    assert os.fsencode(found.path) == name


def test_depth_is_no_matter(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(300):
        folder = folder / "d"
    folder.mkdir(parents=True)
    (folder / "x").write_text("x")
    assert len(list(walk([str(tmp_path)]))) == 1
