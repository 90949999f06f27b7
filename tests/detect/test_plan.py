"""Rules are asked about a pod only where they could match, and never less than that."""

from __future__ import annotations

from pathlib import Path

import pytest

from eightysix.context.baseline import Baseline
from eightysix.detect import Engine, Knowledge
from eightysix.detect.contribute import with_contributions
from eightysix.detect.plan import Plan, Plans, Traits, traits_of
from eightysix.rules.catalog import load_packaged
from eightysix.serve.replay import Replay, ReplayOptions
from tests.detect.events import connect, install, metadata, token
from tests.streams import ATTACKS, LOOK_ALIKES, Scenario, Setting, Streams, recordings

PLANS = Plans(with_contributions(load_packaged()))


def asked(*batches: list[object]) -> set[str]:
    engine = Engine((), Knowledge())
    for batch in batches:
        engine.feed(batch)  # type: ignore[arg-type]
    return {
        plan.rule.id
        for state in engine.resolved()
        for plan in PLANS.worth_asking(traits_of(state, baseline=False))
    }


def test_a_server_that_uses_its_identities_is_asked_about_nothing() -> None:
    assert asked([metadata(2.0), token(3.0), connect(4.0), metadata(300.0), connect(301.0)]) == set()


def test_an_install_is_asked_about_no_login_for_publishing() -> None:
    told = asked([metadata(2.0), install(5.0), metadata(8.0), token(9.0)])
    assert told >= {"poisoned-install"}
    assert not told & {"revived-state", "publish-credential"}


def test_a_login_for_publishing_is() -> None:
    login = token(9.0, file_path="/root/.pypirc", activity="pypirc")
    assert "publish-credential" in asked([install(5.0), login, connect(10.0)])


class Everything(Plans):
    """Asks all rules about every pod."""

    def worth_asking(self, traits: Traits) -> tuple[Plan, ...]:
        return tuple(Plan(rule) for rule in with_contributions(load_packaged()))


def written(streams: Streams, folder: Path) -> str:
    folder.mkdir()
    for name, lines in streams.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(folder)


CASES = [case for case in recordings(ATTACKS) + recordings(LOOK_ALIKES) if case[1].name != "rollout-200"]
SOME = [case for case in CASES if case[2] in (case[1].settings[0], case[1].settings[-1])]


@pytest.mark.parametrize(("scenario", "setting"), [case[1:] for case in SOME], ids=[case[0] for case in SOME])
def test_asking_fewer_rules_finds_the_same(scenario: Scenario, setting: Setting, tmp_path: Path) -> None:
    recording = scenario(setting)
    baseline: Baseline | None = None
    if recording.baseline:
        before = Replay((), ReplayOptions())
        before.read([written(recording.baseline, tmp_path / "before")], None)
        baseline, _ = before.build_baseline()
    replay = Replay(load_packaged(), ReplayOptions(baseline=baseline))
    few = replay.read([written(recording.streams, tmp_path / "now")], None).incidents
    replay.engine.plans = Everything(())
    assert replay.report().incidents == few
