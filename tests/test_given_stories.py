"""Stories of the given runs: every stage and identity of their labels, none invented."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from eightysix.reconstruct.selection import Selection
from eightysix.rules.catalog import load_packaged
from eightysix.serve.reconstruction import Reconstructing
from eightysix.serve.replay import ReplayOptions

pytestmark = pytest.mark.tier("shared-data")


@pytest.mark.parametrize(
    "name", ["attack-86s", "attack-fast", "benign-notebook", "benign-dependencies-at-start"]
)
def test_story_is_that_of_the_label(name: str, shared_data: Path) -> None:
    folder = shared_data / "telemetry" / name
    label = msgspec.json.decode((folder / "label.json").read_bytes())
    told = Reconstructing(load_packaged(), ReplayOptions()).read([str(folder)], None, Selection())
    if not label["malicious"]:
        assert told.stories == ()
        return
    (story,) = told.stories
    assert str(story.verdict) == label["verdict"]
    stages = {stage for mark in story.marks if mark.stage for stage in (mark.stage, *mark.also)}
    assert stages == set(label["stages"])
    named = [f"{identity.kind.replace('-', ' ')} {identity.name}" for identity in story.identities]
    for identity in label["identities"]:
        words = identity.split()
        wanted = next(word for word in words if "/" in word or word.count("-") == 4)
        assert any(wanted in name for name in named), identity
    assert len(named) == len(label["identities"]) + 1  # and the list of secrets, in which the one was found
