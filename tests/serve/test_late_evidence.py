"""Cloud logs that come hours after everything else extend the incident that was told: the same id, a new revision."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from eightysix.context.addresses import Ranges
from eightysix.context.principals import identities
from eightysix.model.incident import Incident
from eightysix.model.words import IdentityState
from eightysix.serve.live.loop import Watch, WatchOptions
from eightysix.serve.replay import Replay, ReplayOptions
from eightysix.store.live import LiveStore
from tests.serve.days import others_of
from tests.serve.test_watch import NOW, RULES, Clock, Lines, outline
from tests.streams import ATTACKS, FULL, KERNEL_AND_AUDIT, LOOK_ALIKES


def streams(base: str) -> tuple[dict[str, list[str]], dict[str, list[str]], ReplayOptions]:
    """What is there at once, the rows of the cloud, and what the operator declares."""
    cloud = ATTACKS["identity-outside"](FULL)
    early = ATTACKS[base](FULL).streams
    declared = ReplayOptions(
        egress=Ranges(cloud.declared["egress"]), identities=identities(cloud.declared["identity"])
    )
    return (
        {file: list(lines) for file, lines in early.items() if "azure" not in file},
        {file: list(lines) for file, lines in cloud.streams.items() if "azure" in file},
        declared,
    )


def meanwhile(hours: float) -> dict[str, list[str]]:
    """Another pod on another node, `hours` later: time goes on."""
    setting = replace(KERNEL_AND_AUDIT, shift_s=hours * 3600.0, first_node=7)
    recording = LOOK_ALIKES["worker-respawn"](setting)
    others = others_of(recording, "9")
    told = {}
    for file, lines in recording.streams.items():
        text = "\n".join(lines)
        for old, new in others.items():
            text = text.replace(old, new)
        told[f"later-{file}"] = text.splitlines()
    return told


def feed(live: Watch, files: dict[str, list[str]]) -> None:
    inputs = Lines(files, random.Random(1))
    while not inputs.ended:
        live.turn(inputs)
    live.turn(Lines({}, random.Random(1)), last=True)


def started(store: LiveStore, told: list[Incident], declared: ReplayOptions) -> Watch:
    return Watch(
        Replay(RULES, declared),
        store,
        told.extend,
        Clock(),
        lambda: NOW,
        options=WatchOptions(expire_s=0.0),
    )


@pytest.mark.parametrize("base", ["breach-86s", "identity-outside"])
@pytest.mark.parametrize("hours", [3.0, 20.0, 23.9])
@pytest.mark.parametrize("restart", [False, True])
def test_rows_that_come_late_extend_the_incident(
    base: str, hours: float, tmp_path: Path, *, restart: bool
) -> None:
    early, late, declared = streams(base)
    told: list[Incident] = []
    with LiveStore(tmp_path / "state.sqlite") as store:
        live = started(store, told, declared)
        feed(live, early)
        feed(live, meanwhile(hours))
        (before,) = live.told.latest.values()
        if not restart:
            feed(live, late)
        known = len(told) if restart else 0
    if restart:
        with LiveStore(tmp_path / "state.sqlite") as store:
            live = started(store, told, declared)
            feed(live, late)
    (after,) = live.told.latest.values()
    assert before.id == after.id
    assert before.revision != after.revision
    assert {incident.id for incident in told[known:]} == {before.id}
    states = [
        {i.state for i in told_then.identities if i.kind == "managed-identity"}
        for told_then in (before, after)
    ]
    assert states == [{IdentityState.TAKEN}, {IdentityState.USED}]
    titles = [stage.title for stage in after.stages]
    assert sum("used from outside" in title for title in titles) == 2
    assert not any("used from outside" in stage.title for stage in before.stages)
    # Another rule may tell it now, in words of its own; what happened when stays.
    assert {(stage.stage, stage.at) for stage in before.stages} <= {(s.stage, s.at) for s in after.stages}
    assert after.score >= before.score
    assert not live.stats.late
    folder = tmp_path / "files"
    folder.mkdir()
    for file, lines in (early | meanwhile(hours) | late).items():
        (folder / file).write_text("\n".join(lines) + "\n")
    over_files = Replay(RULES, declared).read([str(folder)], None).incidents
    assert outline([after]) == outline(list(over_files))
