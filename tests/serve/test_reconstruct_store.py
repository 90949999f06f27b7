"""The story out of a store is the story out of the files that went into it."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import given, settings

from eightysix.cli.main import main
from eightysix.lab.interface import Subset
from eightysix.lab.recorded import open_recording
from eightysix.model.event import Event
from eightysix.model.story import Story
from eightysix.model.timestamps import to_ns
from eightysix.reconstruct.selection import Selection, selection
from eightysix.rules.catalog import load_packaged
from eightysix.serve.reconstruction import Reconstructing
from eightysix.serve.replay import ReplayOptions
from eightysix.sources.tables.events import event_of, event_row
from tests.sources.tables.test_event_columns import EVENT

RUNS = ("attack-86s", "registry-push", "second-pod", "through-curl", "startup-hook")
pytest.importorskip("duckdb")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """By run, the folder of its files and the store that they went into."""
    made = {}
    for name in RUNS:
        folder = tmp_path_factory.mktemp(name)
        files, store = folder / "files", folder / "store"
        files.mkdir()
        for file, text in open_recording(name).subset(Subset.ALL).items():
            (files / file).write_bytes(text)
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            assert main(["store", "ingest", "-q", "--incidents", "--store", str(store), str(files)]) == 0
        made[name] = (files, store)
    return made


def out_of_store(store: Path, asked: Selection) -> tuple[Story, ...]:
    return Reconstructing(load_packaged(), ReplayOptions()).read_store(str(store), asked).stories


def steps(story: Story) -> dict[tuple[object, ...], int]:
    """What a story's steps say, and when first; a store keeps microseconds, and knows more starts of programs."""
    told: dict[tuple[object, ...], int] = {}
    for mark in story.marks:
        if mark.stage is not None:
            key = (mark.stage, mark.title, mark.grade, mark.origin)
            told.setdefault(key, to_ns(mark.at) // 1_000_000)
    return told


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("pod", ["", "ml/inference-0"])
def test_the_story_is_the_same(stored: dict[str, tuple[Path, Path]], name: str, pod: str) -> None:
    files, store = stored[name]
    asked = selection(pod=pod) if pod else Selection()
    whole = Reconstructing(load_packaged(), ReplayOptions()).read([str(files)], None, asked).stories
    found = out_of_store(store, asked)
    if pod and not any(story.pod and story.pod.name == "inference-0" for story in whole):
        return
    assert [story.id for story in found] == [story.id for story in whole]
    for one, other in zip(whole, found, strict=True):
        # Files keep the first and the last of a process's plain connections to one place, a store keeps all.
        assert steps(other).keys() == steps(one).keys()
        assert all(abs(at - steps(one)[key]) <= 200 for key, at in steps(other).items())
        assert (one.verdict, one.score, one.domains, one.pod) == (
            other.verdict,
            other.score,
            other.domains,
            other.pod,
        )
        assert {(i.kind, i.name, i.state, i.ids) for i in one.identities} == {
            (i.kind, i.name, i.state, i.ids) for i in other.identities
        }
        assert {gap.text for gap in one.gaps} == {gap.text for gap in other.gaps}


@pytest.mark.parametrize("subset", [Subset.SENSOR, Subset.SENSOR_AUDIT])
@pytest.mark.parametrize("name", ["server-from-index", "attack-86s"])
def test_without_the_kernel_it_is_the_same_too(name: str, subset: Subset, tmp_path: Path) -> None:
    files, store = tmp_path / "files", tmp_path / "store"
    files.mkdir()
    for file, text in open_recording(name).subset(subset).items():
        (files / file).write_bytes(text)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        assert main(["store", "ingest", "-q", "--store", str(store), str(files)]) == 0
    whole = Reconstructing(load_packaged(), ReplayOptions()).read([str(files)], None, Selection()).stories
    found = out_of_store(store, Selection())
    assert whole
    assert [(s.id, s.verdict, s.score, steps(s)) for s in found] == [
        (s.id, s.verdict, s.score, steps(s)) for s in whole
    ]


def test_raw_records_of_incidents_come_with_it(stored: dict[str, tuple[Path, Path]]) -> None:
    _, store = stored["attack-86s"]
    (story,) = out_of_store(store, selection(pod="ml/inference-0"))
    assert any("process_kprobe" in record.text for record in story.records)


def test_a_pod_that_the_store_does_not_know_has_no_story(stored: dict[str, tuple[Path, Path]]) -> None:
    _, store = stored["attack-86s"]
    assert out_of_store(store, selection(pod="ml/nobody")) == ()
    assert out_of_store(store, selection(pod="x' OR 1=1 --/y")) == ()


@given(EVENT)
@settings(max_examples=200)
def test_a_row_is_the_event_again(event: Event) -> None:
    import msgspec

    row = msgspec.json.decode(msgspec.json.encode(event_row(event)))
    assert event_of(row) == msgspec.structs.replace(event, tid=0)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"TimeGenerated": "today"},
        {"TimeGenerated": 1, "EventSource": "nobody", "Origin": "kernel", "Grade": "A", "Kind": "exec"},
        {
            "TimeGenerated": 1,
            "EventSource": "tetragon",
            "Origin": "kernel",
            "Grade": "A",
            "Kind": "exec",
            "ProcessId": "1",
        },
        {
            "TimeGenerated": 1,
            "EventSource": "tetragon",
            "Origin": "kernel",
            "Grade": "A",
            "Kind": "exec",
            "Artifacts": "{",
        },
    ],
)
def test_what_no_event_could_have_made_is_refused(row: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        event_of(row)
