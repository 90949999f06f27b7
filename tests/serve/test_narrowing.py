"""One pod out of much: what is searched instead of read changes nothing of its story."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.lab.interface import Subset
from eightysix.lab.recorded import open_recording
from eightysix.model.story import IdentityStory, Reconstruction
from eightysix.reconstruct.selection import selection
from eightysix.rules.catalog import load_packaged
from eightysix.serve import narrowing, reconstruction
from eightysix.serve.narrowing import narrow, needles_of
from eightysix.serve.reconstruction import Reconstructing
from eightysix.serve.replay import ReplayOptions
from eightysix.serve.searching import files_with, holds, lines_with


def cluster(folder: Path) -> Path:
    """Three nodes: one with the attack, two whose pods are others'."""
    renamed = {
        "attack-86s": b"inference-0",
        "self-patching-server": b"inference-1",
        "notebook-upgrades-sdk": b"notebook-0",
    }
    for number, (name, pod) in enumerate(renamed.items()):
        node = folder / f"node-{number}"
        node.mkdir(parents=True)
        for file, text in open_recording(name).subset(Subset.ALL).items():
            place = folder / "control-plane" if file.startswith(("kubernetes", "managed")) else node
            place.mkdir(exist_ok=True)
            # Each on a node of its own, with addresses and service account as recorded.
            text = text.replace(b"inference-0", pod).replace(b"vmss000000", b"vmss%06d" % number)
            (place / f"{number}-{file}").write_bytes(text)
    return folder


def run(folder: Path, *, everything: bool) -> Reconstruction:
    asked = selection(pod="ml/inference-0")
    return Reconstructing(load_packaged(), ReplayOptions()).read(
        [str(folder)], None, asked, everything=everything
    )


def _uses(identity: IdentityStory) -> list[object]:
    return [
        (use.at, use.attribution.grade, use.attribution.certain, [c.pod for c in use.attribution.candidates])
        for use in identity.uses
    ]


def test_the_story_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cluster(tmp_path / "cluster")
    whole = run(folder, everything=True)
    monkeypatch.setattr(reconstruction, "narrow", lambda paths, asked: narrow(paths, asked, worth=0))
    less = run(folder, everything=False)
    assert less.counts.records < whole.counts.records
    (one,), (other,) = whole.stories, less.stories
    for field in one.__struct_fields__:
        if field not in ("gaps", "identities", "marks"):
            assert getattr(one, field) == getattr(other, field), field
    assert [mark.id for mark in one.marks] == [mark.id for mark in other.marks]
    # What another pod's own code says of a sign-in is not searched for; whose it was, the kernel tells.
    assert [_uses(identity) for identity in one.identities] == [_uses(i) for i in other.identities]
    assert {gap.text for gap in other.gaps} - {gap.text for gap in one.gaps} == {
        (
            "4 files of other nodes were searched for what landed, and not read: of identities that nodes share,"
            " fewer uses are certain"
        )
    }
    assert {s.pod for s in other.elsewhere} == {"inference-1"}  # what landed is there, too


def test_further_nodes_are_read_by_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cluster(tmp_path / "cluster")
    monkeypatch.setattr(reconstruction, "narrow", lambda paths, asked: narrow(paths, asked, worth=0))
    monkeypatch.setattr(reconstruction, "MAX_MORE", 0)
    (story,) = run(folder, everything=False).stories
    assert {s.pod for s in story.elsewhere} == {"inference-1"}


def test_little_is_read_whole(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "cluster")
    assert narrow([str(folder)], selection(pod="ml/inference-0")) is None
    assert narrow([str(folder)], selection(), worth=0) is None


def test_a_pod_that_nobody_names_has_no_story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cluster(tmp_path / "cluster")
    monkeypatch.setattr(reconstruction, "narrow", lambda paths, asked: narrow(paths, asked, worth=0))
    asked = selection(pod="ml/nobody")
    assert not Reconstructing(load_packaged(), ReplayOptions()).read([str(folder)], None, asked).stories


def test_processes_of_their_own_find_the_same(tmp_path: Path) -> None:
    files = []
    for number in range(9):
        file = tmp_path / f"{number}.jsonl"
        file.write_bytes(b"x" * number * 1000 + (b"needle\n" if number % 3 == 0 else b"\n"))
        files.append(str(file))
    (tmp_path / "empty").touch()
    files += [str(tmp_path / "empty"), str(tmp_path / "gone")]
    wanted = [file for file in files if holds(file, [b"needle"])]
    assert wanted == [files[0], files[3], files[6], str(tmp_path / "gone")]
    assert files_with(files, [b"needle"]) == wanted
    assert files_with(files, [b"needle"], processes=2, worth=0) == wanted
    assert files_with(files, [b"needle"], processes=5, worth=0) == wanted


@pytest.mark.parametrize("program", ["/bin/false", "/bin/cat", "/nowhere/python", ""])
def test_what_a_process_fails_at_is_searched_here(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [str(tmp_path / f"caf\u00e9-{number}\udcff") for number in range(4)]
    for number, file in enumerate(files):
        Path(file).write_bytes(b"needle" if number % 2 else b"hay")
    assert files_with(files, [b"needle"], processes=3, worth=0) == files[1::2]
    monkeypatch.setattr("eightysix.serve.searching.sys.executable", program)
    assert files_with(files, [b"needle"], processes=3, worth=0) == files[1::2]


def test_who_calls_it_from_a_script_needs_no_guard(tmp_path: Path) -> None:
    """A script whose top level asks is not run again by the processes that search."""
    (tmp_path / "a").write_text("needle")
    (tmp_path / "b").write_text("hay")
    script = tmp_path / "script.py"
    script.write_text(
        "from eightysix.serve.searching import files_with\n"
        f"print(files_with([{str(tmp_path / 'a')!r}, {str(tmp_path / 'b')!r}], [b'needle'], 2, worth=0))\n"
    )
    told = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout == f"[{str(tmp_path / 'a')!r}]\n"
    assert told.stderr == ""


@given(st.lists(st.text("ab\n{}", max_size=12), max_size=20), st.text("ab", min_size=1, max_size=3))
def test_lines_are_those_that_hold_it(texts: list[str], needle: str) -> None:
    import tempfile

    data = "\n".join(texts).encode()
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        found = lines_with(file.name, [needle.encode()])
    assert found == [(n, line) for n, line in enumerate(data.split(b"\n"), 1) if needle.encode() in line]


def test_needles_are_spelled_as_files_are() -> None:
    assert needles_of(["torch-perf-utils", "Ab", 'a"b']) == sorted(
        [b"torch-perf-utils", b"torch_perf_utils", msgspec.json.encode('a"b')[1:-1]]
    )


def test_agents_files_are_told_from_others(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "cluster")
    named = {path.name: narrowing._is_of_a_node(str(path)) for path in folder.rglob("*.jsonl")}
    assert named == {name: not name[2:].startswith(("kubernetes", "managed")) for name in named}
