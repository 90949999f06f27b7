"""Late evidence and repetition: whatever comes when and how often, the story ends up the same; its id stays, and its revision
changes exactly when evidence is added."""

from __future__ import annotations

import itertools
import json
import random
import tempfile
from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.detect.wording import rfc3339
from eightysix.lab.interface import Subset
from eightysix.lab.recorded import open_recording
from eightysix.model.story import Story
from eightysix.model.timestamps import to_ns
from eightysix.reconstruct.selection import Selection
from eightysix.rules.catalog import load_packaged
from eightysix.serve.reconstruction import Reconstructing
from eightysix.serve.replay import ReplayOptions
from tests.test_reconstructed_runs import _told_without_places

RUNS = ("attack-86s", "registry-push", "second-pod", "through-curl")
LATE = (
    "managed-identity-sign-ins.jsonl",
    "service-principal-sign-ins.jsonl",
    "registry.jsonl",
    "kubernetes-audit.jsonl",
)
"""Files whose rows arrive minutes to a day after what they tell of."""


def told(parts: list[tuple[str, bytes]]) -> tuple[Story, ...]:
    """The stories of files that are read in this order."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, (name, text) in enumerate(parts):
            place = Path(folder) / f"{number}-{name}"
            place.write_bytes(text)
            paths.append(str(place))
        return Reconstructing(load_packaged(), ReplayOptions()).read(paths, None, Selection()).stories


@cache
def lines_of(name: str) -> tuple[tuple[str, bytes], ...]:
    """Every line with the file that it is in."""
    files = open_recording(name).subset(Subset.ALL)
    return tuple(
        (file, line)
        for file, text in sorted(files.items())
        if not file.startswith("truth")
        for line in text.splitlines(keepends=True)
    )


@cache
def whole(name: str) -> tuple[Story, ...]:
    return told(_files(list(lines_of(name))))


def _files(lines: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    found: dict[str, list[bytes]] = {}
    for file, line in lines:
        found.setdefault(file, []).append(line)
    return [(file, b"".join(some)) for file, some in found.items()]


def late(line: bytes) -> bytes:
    """A row that reached the workspace a day after it was made: only when it was ingested differs."""
    row = msgspec.json.decode(line)
    if "Type" not in row:
        return line
    return msgspec.json.encode({**row, "_TimeReceived": "2026-11-24T16:56:16Z"}) + b"\n"


@settings(max_examples=12)
@given(st.sampled_from(RUNS), st.integers(0, 2**32), st.integers(1, 6))
def test_any_split_order_and_repetition_tells_the_same(name: str, seed: int, parts: int) -> None:
    """Files split at random, lines in any order, some twice, and what is late read last or first."""
    dice = random.Random(seed)
    lines = list(lines_of(name))
    lines += dice.sample(lines, len(lines) // 4)
    lines = [(file, late(line) if dice.random() < 0.5 and file in LATE else line) for file, line in lines]
    dice.shuffle(lines)
    split: list[list[tuple[str, bytes]]] = [[] for _ in range(parts)]
    for one in lines:
        split[dice.randrange(parts)].append(one)
    given_files = [file for some in split for file in _files(some)]
    given_files.sort(key=lambda file: file[0] in LATE, reverse=bool(seed % 2))
    for story, other in zip(whole(name), told(given_files), strict=True):
        for field in story.__struct_fields__:
            if field != "records":  # a late row has another text
                left, right = getattr(story, field), getattr(other, field)
                assert _told_without_places(left) == _told_without_places(right), field


@settings(max_examples=12)
@given(st.sampled_from(RUNS), st.sampled_from(LATE), st.integers(0, 2**32))
def test_late_evidence_is_a_new_revision_of_the_same_story(name: str, file: str, seed: int) -> None:
    """Rows of one source come later, some at a time: the id stays; the revision changes when and only when something in
    the story does."""
    dice = random.Random(seed)
    now = [one for one in lines_of(name) if one[0] != file]
    missing = [one for one in lines_of(name) if one[0] == file]
    dice.shuffle(missing)
    half = len(missing) // 2
    steps = [told(_files(now + missing[:some])) for some in (0, half, len(missing))]
    steps.append(told(_files(now + missing + missing[:half])))
    for before, after in itertools.pairwise(steps):
        old = {story.id: story for story in before}
        for story in after:
            known = old.get(story.id)
            if known is not None:
                assert (story.revision == known.revision) == (_evidence(story) == _evidence(known))
    assert {story.id for story in steps[-1]} == {story.id for story in whole(name)}
    assert steps[-1][0].revision == whole(name)[0].revision
    if file in LATE[:3] and steps[0]:
        # What is late in the cloud tells of an incident that is known.
        assert steps[0][0].id == whole(name)[0].id


def test_one_more_of_the_same_is_a_new_revision() -> None:
    """A second request like the first, a minute later: nothing new is told, and yet evidence was added."""
    (before,) = whole("attack-86s")
    audit = [line for file, line in lines_of("attack-86s") if file == "kubernetes-audit.jsonl"]
    again = next(line for line in reversed(audit) if b'"secrets"' in line)
    event = msgspec.json.decode(again)
    later = {**event, "auditID": "0-later", "requestReceivedTimestamp": "2026-11-23T16:57:59.000001Z"}
    more = ("kubernetes-audit.jsonl", msgspec.json.encode(later) + b"\n")
    (after,) = told(_files([*lines_of("attack-86s"), more]))
    assert after.id == before.id
    assert after.revision != before.revision


def _evidence(story: Story) -> object:
    """What a story rests on."""
    return (
        [(mark.id, mark.count, mark.until) for mark in story.marks],
        [(i.entity, i.other_uses, [(use.at, use.count) for use in i.uses]) for i in story.identities],
        [(s.artifact, s.pod, s.how, s.at) for s in story.elsewhere],
    )


@pytest.mark.parametrize("behind", [-1.9, -0.4, 0.0, 1.9])
def test_clocks_that_differ_lose_no_use(behind: float) -> None:
    """The clocks of Azure and of the API server are up to two seconds before or behind the node's."""
    parts = [
        (file, _shifted(line, behind) if file in LATE else line) for file, line in lines_of("attack-86s")
    ]
    (story,), (known,) = told(_files(parts)), whole("attack-86s")
    uses, before = (
        [(i.kind, i.ids, use.service, use.operation, use.target) for i in one.identities for use in i.uses]
        for one in (story, known)
    )
    assert uses == before
    assert {i.name for i in story.identities} == {i.name for i in known.identities}
    assert (story.verdict, story.id) == (known.verdict, known.id)


def _shifted(line: bytes, seconds: float) -> bytes:
    """A row with all of its times moved."""
    row = json.loads(line)
    for name, value in row.items():
        if isinstance(value, str) and value[10:11] == "T" and value.endswith("Z"):
            row[name] = rfc3339(to_ns(value) + int(seconds * 1e9))
    return json.dumps(row).encode() + b"\n"
