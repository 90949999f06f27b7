"""Stories of recorded runs against what the services and the kernel of the lab wrote down: every stage, identity and time,
none invented; whatever source is missing, the rest stays right and the gap is named."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eightysix.lab.recorded import Recording, names, open_recording
from eightysix.model.story import Mark, Reconstruction, Story
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Stage
from eightysix.reconstruct.selection import Selection
from eightysix.rules.catalog import load_packaged
from eightysix.serve.reconstruction import Reconstructing
from eightysix.serve.replay import Replay, ReplayOptions

SECOND = 1_000_000_000
ATTACKS = [name for name in names() if open_recording(name).label.malicious]
TAKES = {
    "metadata-token": "169.254.169.254",
    "api-list-secrets": "list ml/secrets",
    "api-secret": "acr-push-sp",
    "api-pod-created": "node-tuner",
    "sink": "203.0.113.10",
}
"""What the services wrote down, and what a mark of the story says of it."""


def told(files: dict[str, bytes], folder: Path, options: ReplayOptions | None = None) -> Reconstruction:
    for name, text in files.items():
        (folder / name).write_bytes(text)
    run = Reconstructing(load_packaged(), options or ReplayOptions())
    return run.read([str(folder)], None, Selection())


def files_of(recording: Recording) -> dict[str, bytes]:
    from eightysix.lab.interface import Subset

    return dict(recording.subset(Subset.ALL))


def truth_of(recording: Recording) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in recording.files["truth.jsonl"].splitlines()]


def options_of(recording: Recording, folder: Path) -> ReplayOptions:
    from eightysix.lab.interface import Subset

    if not recording.label.before:
        return ReplayOptions()
    folder.mkdir()
    for name, text in recording.before(Subset.ALL).items():
        (folder / name).write_bytes(text)
    earlier = Replay((), ReplayOptions())
    earlier.read([str(folder)], None)
    return ReplayOptions(baseline=earlier.build_baseline()[0])


def worst(reconstruction: Reconstruction) -> Story | None:
    stories = [s for s in reconstruction.stories if s.verdict is not None and s.verdict.rank > 1]
    return stories[0] if stories else None


def near(marks: list[Mark], at_ns: int, word: str) -> bool:
    return any(
        abs(to_ns(mark.at) - at_ns) <= SECOND
        or (mark.until and to_ns(mark.at) - SECOND <= at_ns <= to_ns(mark.until) + SECOND)
        for mark in marks
        if word in mark.detail
    )


@pytest.mark.parametrize("name", ATTACKS)
def test_whole_story(name: str, tmp_path: Path) -> None:
    recording = open_recording(name)
    folder = tmp_path / "now"
    folder.mkdir()
    story = worst(told(files_of(recording), folder, options_of(recording, tmp_path / "before")))
    assert story is not None
    staged = [mark for mark in story.marks if mark.stage is not None]
    assert set(recording.label.stages) <= {
        str(stage) for mark in staged for stage in (mark.stage, *mark.also)
    }
    t0 = to_ns(story.t0)
    truth = [mark for mark in truth_of(recording) if mark["t_ns"] >= t0]
    for mark in truth:
        if mark["mark"] in TAKES:
            assert near(staged, mark["t_ns"], TAKES[mark["mark"]]), mark
    tokens = [mark for mark in truth if mark["mark"] == "metadata-token"]
    for identity in story.identities:
        if identity.kind == "managed-identity" and tokens:
            assert tokens[0]["client_id"] in identity.ids
            assert identity.name.startswith(tokens[0]["client_id"])
            told_by_pod = "own code" in identity.why
            assert told_by_pod or not any(gap.text.startswith("which identity") for gap in story.gaps)
    for told_mark in staged:
        if told_mark.stage in (Stage.REACH, Stage.PIVOT, Stage.LEAVE, Stage.USE):
            assert any(abs(to_ns(told_mark.at) - mark["t_ns"]) <= 2 * SECOND for mark in truth), told_mark


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize(
    "missing", ["tetragon.jsonl", "sensor.jsonl", "kubernetes-audit.jsonl", "managed-identity-sign-ins.jsonl"]
)
def test_one_source_missing(name: str, missing: str, tmp_path: Path) -> None:
    """What is told without a source is true, and the gap that it leaves is named."""
    recording = open_recording(name)
    files = files_of(recording)
    if missing not in files or len(files) == 1:
        return
    (tmp_path / "all").mkdir()
    (tmp_path / "less").mkdir()
    options = options_of(recording, tmp_path / "before")
    whole = worst(told(files, tmp_path / "all", options))
    del files[missing]
    stories = told(files, tmp_path / "less", options).stories
    truth = truth_of(recording)
    for story in stories:
        for mark in story.marks:
            if mark.stage in (Stage.REACH, Stage.PIVOT, Stage.LEAVE, Stage.USE):
                assert any(abs(to_ns(mark.at) - one["t_ns"]) <= 2 * SECOND for one in truth), mark
        text = " ".join(gap.text for gap in story.gaps)
        if missing != "managed-identity-sign-ins.jsonl" or any(
            i.kind == "managed-identity" for i in story.identities
        ):
            assert GAPS[missing] in text, text
        if whole is not None:
            lost = {i.name for i in whole.identities}
            assert {i.name for i in story.identities if i.kind == "secret"} <= lost


GAPS = {
    "tetragon.jsonl": "what the kernel saw",
    "sensor.jsonl": "code",
    "kubernetes-audit.jsonl": "no Kubernetes audit log was read",
    "managed-identity-sign-ins.jsonl": "which identity the metadata service handed out",
}


def _told_without_places(value: object) -> object:
    """What is told, without where it is written: that is another file where files are shuffled."""
    value = None if value is msgspec.UNSET else msgspec.to_builtins(value)
    _forget_places(value)
    return value


def _forget_places(value: object) -> None:
    if isinstance(value, dict):
        value.pop("evidence", None)
        value.pop("records", None)
        for item in value.values():
            _forget_places(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _forget_places(item)


@pytest.mark.parametrize(
    "name", ["attack-86s", "second-pod", "registry-push", "through-curl", "same-tag-new-digest"]
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_order_and_repetition_tells_the_same(name: str, seed: int, tmp_path: Path) -> None:
    recording = open_recording(name)
    files = files_of(recording)
    (tmp_path / "plain").mkdir()
    (tmp_path / "mixed").mkdir()
    options = options_of(recording, tmp_path / "before")
    plain = told(files, tmp_path / "plain", options)
    dice = random.Random(seed)
    mixed: dict[str, bytes] = {}
    for number, (file, text) in enumerate(sorted(files.items(), key=lambda _: dice.random())):
        lines = text.splitlines(keepends=True)
        lines += dice.sample(lines, len(lines) // 3)
        dice.shuffle(lines)
        mixed[f"{number}-{file}"] = b"".join(lines)
    again = told(mixed, tmp_path / "mixed", options)
    for one, other in zip(plain.stories, again.stories, strict=True):
        # A record that is there twice is one record, wherever it is read.
        assert {record.text for record in one.records} == {record.text for record in other.records}
        for field in one.__struct_fields__:
            if field == "records":
                continue
            left, right = getattr(one, field), getattr(other, field)
            if field == "records":  # by place, and a repeated record has several
                assert {record.text for record in left} == {record.text for record in right}
                continue
            assert _told_without_places(left) == _told_without_places(right), field


def test_look_alikes_have_no_story_that_alarms(tmp_path: Path) -> None:
    for name in names():
        recording = open_recording(name)
        if recording.label.malicious:
            continue
        folder = tmp_path / name
        folder.mkdir()
        options = options_of(recording, tmp_path / f"{name}-before")
        assert worst(told(files_of(recording), folder, options)) is None, name
