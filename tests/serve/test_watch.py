"""Live detection ends where a run over all records ends, however they come, and whenever it is killed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from eightysix.context.addresses import Ranges
from eightysix.context.principals import identities
from eightysix.detect.revisions import ANEW, GONE, LATER, Told
from eightysix.model.incident import Incident
from eightysix.model.words import Verdict
from eightysix.rules.catalog import load_all, packaged_folder
from eightysix.serve.live.loop import Watch, WatchOptions
from eightysix.serve.replay import Replay, ReplayOptions
from eightysix.sources.lines import Block, find_newlines
from eightysix.store.live import LiveStore, SourceRow
from tests.report.sample import breach
from tests.streams import ATTACKS, LOOK_ALIKES, Recording

RULES = load_all("").rules
NOW = 1_900_000_000_000_000_000


class Lines:
    """Lines of several files, given out in pieces; knows how far it was asked, as a follower does."""

    def __init__(
        self, files: dict[str, list[str]], rng: random.Random, at: dict[str, int] | None = None
    ) -> None:
        self.files = files
        self.rng = rng
        self.at = dict(at or {})

    def poll(self, budget_bytes: int) -> list[Block]:
        blocks = []
        for name, lines in self.files.items():
            begin = self.at.get(name, 0)
            end = min(len(lines), begin + self.rng.randrange(0, 12))
            if end > begin:
                data = ("\n".join(lines[begin:end]) + "\n").encode()
                blocks.append(Block(name, begin + 1, data, find_newlines(data)))
                self.at[name] = end
        return blocks

    @property
    def ended(self) -> bool:
        return all(self.at.get(name, 0) >= len(lines) for name, lines in self.files.items())

    def sources(self) -> dict[str, SourceRow]:
        return {name: SourceRow(0, 0, "", offset) for name, offset in self.at.items()}


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 0.01
        return self.seconds


def watch(store: LiveStore, told: list[Incident], **options: float) -> Watch:
    replay = Replay(RULES, ReplayOptions())
    return Watch(replay, store, told.extend, Clock(), lambda: NOW, options=WatchOptions(**options))


def told_by_detect(files: dict[str, list[str]], folder: Path) -> list[Incident]:
    folder.mkdir()
    for name, lines in files.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    return list(Replay(RULES, ReplayOptions()).read([str(folder)], None).incidents)


def outline(incidents: Sequence[Incident]) -> list[tuple[object, ...]]:
    """What must be the same. File names are those of whoever reads, and revisions hold only evidence."""
    return sorted(
        (
            min(i.id, *i.aliases, i.id),
            str(i.verdict),
            i.score,
            i.t0,
            tuple((s.stage, s.at, s.title, s.destination) for s in i.stages),
        )
        for i in incidents
    )


RECORDINGS = {**ATTACKS, **LOOK_ALIKES}


@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_live_ends_where_a_run_over_files_ends(name: str, tmp_path: Path) -> None:
    recording: Recording = RECORDINGS[name]()
    files = {file: list(lines) for file, lines in recording.streams.items()}
    told: list[Incident] = []
    with LiveStore(tmp_path / "state.sqlite") as store:
        live = watch(store, told)
        inputs = Lines(files, random.Random(name))
        while not inputs.ended:
            live.turn(inputs)
        live.turn(inputs, last=True)
        standing = [i for i in live.told.latest.values() if not i.title.startswith("Withdrawn")]
    assert outline(standing) == outline(told_by_detect(files, tmp_path / "files"))


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_nothing_is_lost_when_it_is_killed_between_commits(name: str, tmp_path: Path) -> None:
    recording: Recording = ATTACKS[name]()
    files = {file: list(lines) for file, lines in recording.streams.items()}
    rng = random.Random(name)
    told: list[Incident] = []
    standing: list[Incident] = []
    kept: set[tuple[str, str]] = set()
    for life in range(8):
        with LiveStore(tmp_path / "state.sqlite") as store:
            live = watch(store, told, commit_s=0.1)
            inputs = Lines(files, rng, {name: row.offset for name, row in store.sources().items()})
            for _ in range(rng.randrange(1, 20) if life < 7 else 1_000_000):
                live.turn(inputs)
                if inputs.ended:
                    break
            if life == 7:
                live.turn(inputs, last=True)
                standing = [i for i in live.told.latest.values() if not i.title.startswith("Withdrawn")]
                kept = {(row.id, row.revision) for row in store.told()}
    assert outline(standing) == outline(told_by_detect(files, tmp_path / "files"))
    assert {(i.id, i.revision) for i in standing} <= kept
    assert {i.id for i in standing} <= {i.id for i in told}


def test_a_full_disk_hides_no_incident_and_loses_no_state(tmp_path: Path) -> None:
    files = {file: list(lines) for file, lines in ATTACKS["breach-86s"]().streams.items()}
    told: list[Incident] = []
    with LiveStore(tmp_path / "state.sqlite") as store:
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        live = watch(store, told, commit_s=0.05)
        inputs = Lines(files, random.Random(86))
        while not inputs.ended:
            live.turn(inputs)
        assert live.stats.failed_commits
        assert "make room" in live.stats.trouble
        assert told
        assert store.told() == []
        store._connection.execute("PRAGMA max_page_count = 1000000")
        live.turn(inputs, last=True)
        assert not live.stats.trouble
        assert {(row.id, row.revision) for row in store.told()} == {
            (incident.id, incident.revision) for incident in live.told.latest.values()
        }
    with LiveStore(tmp_path / "state.sqlite") as store:
        again: list[Incident] = []
        live = watch(store, again)
        live.turn(
            Lines(files, random.Random(86), {name: len(lines) for name, lines in files.items()}), last=True
        )
        assert again == []
        assert outline(list(live.told.latest.values())) == outline(told_by_detect(files, tmp_path / "files"))


def test_a_pod_is_let_go_long_after_its_last_record(tmp_path: Path) -> None:
    breach = {file: list(lines) for file, lines in ATTACKS["breach-86s"]().streams.items()}
    later = [
        line.replace("2026-11-24T09", "2026-11-24T15").replace('"uid":"', '"uid":"f')
        for line in LOOK_ALIKES["worker-respawn"]().streams["tetragon.jsonl"]
    ]
    told: list[Incident] = []
    with LiveStore(tmp_path / "state.sqlite") as store:
        live = watch(store, told, keep_s=3600.0, expire_s=0.0)
        inputs = Lines(breach, random.Random(1))
        while not inputs.ended:
            live.turn(inputs)
        (incident,) = live.told.latest.values()
        assert incident.pod is not None
        uid = incident.pod.uid
        assert uid in live.replay.engine.states
        inputs = Lines({"later.jsonl": later}, random.Random(1))
        while not inputs.ended:
            live.turn(inputs)
        before = len(told)
        live.turn(inputs, last=True)
        assert uid not in live.replay.engine.states
        assert live.stats.expired_pods
        assert not live.told.latest
        assert uid not in {key for key, _ in (*store.pods(), *store.journal())}
        inputs = Lines({"late.jsonl": breach["tetragon.jsonl"]}, random.Random(1))
        while not inputs.ended:
            live.turn(inputs)
        assert live.stats.late
        assert not any(incident.title.startswith("Withdrawn") for incident in told[:before])


def test_what_the_pod_says_of_earlier_times_lowers_nothing(tmp_path: Path) -> None:
    """Its sensor claims that it did all of this days before, too: then nothing would be new to it."""
    recording = ATTACKS["breach-86s"]()
    files = {file: list(lines) for file, lines in recording.streams.items()}
    claimed = [line.replace('"t_ns":17955', '"t_ns":17945') for line in files["sensor.jsonl"]]
    assert claimed != files["sensor.jsonl"]
    (incident,) = told_by_detect(files, tmp_path / "seen")
    (after,) = told_by_detect({**files, "claimed.jsonl": claimed}, tmp_path / "claimed")
    assert (after.verdict, after.score) == (incident.verdict, incident.score)


def test_no_revision_comes_twice() -> None:
    told = Told()
    base = breach()
    seen: list[tuple[str, str]] = []
    news = base
    for score in (50, 60, 50, 60, 50):
        (news,) = told.news([replace(base, score=score)])
        seen.append((news.id, news.revision))
        assert told.news([replace(base, score=score)]) == []
    (gone,) = told.take_back([(news, LATER)])
    (back,) = told.news([replace(base, score=50)])
    seen += [(gone.id, gone.revision), (back.id, back.revision)]
    assert len(set(seen)) == len(seen)
    assert seen[0][1] == base.revision


def test_rollouts_end_with_their_pods_and_told_stories_do_not_shrink(tmp_path: Path) -> None:
    recording = ATTACKS["release-takes-credential"]()
    before = Replay((), ReplayOptions())
    (tmp_path / "before").mkdir()
    for file, lines in (recording.baseline or {}).items():
        (tmp_path / "before" / file).write_text("\n".join(lines) + "\n")
    before.read([str(tmp_path / "before")], None)
    baseline, _ = before.build_baseline()
    told: list[Incident] = []
    with LiveStore(tmp_path / "state.sqlite") as store:
        replay = Replay(RULES, ReplayOptions(baseline=baseline))
        live = Watch(
            replay,
            store,
            told.extend,
            Clock(),
            lambda: NOW,
            options=WatchOptions(keep_s=3600.0, expire_s=0.0),
        )
        inputs = Lines({file: list(lines) for file, lines in recording.streams.items()}, random.Random(1))
        while not inputs.ended:
            live.turn(inputs)
        live.turn(inputs, last=True)
        assert any(incident.pod is None for incident in live.told.latest.values())
        later = [
            line.replace("2026-11-24T", "2026-12-24T").replace('"uid":"', '"uid":"f')
            for line in LOOK_ALIKES["worker-respawn"]().streams["tetragon.jsonl"]
        ]
        inputs = Lines({"later.jsonl": later}, random.Random(1))
        while not inputs.ended:
            live.turn(inputs)
        live.turn(inputs, last=True)
        assert not live.told.latest
    with LiveStore(tmp_path / "state.sqlite") as store:
        store.mark([("s", row.id, row.revision) for row in store.unsent()], ["s"])


def restarted(
    tmp_path: Path, files: dict[str, list[str]], before: Replay, after: Replay
) -> tuple[list[Incident], list[Incident]]:
    """What is told of `files`, and what at once after a restart with other rules or options, without a further record."""
    first: list[Incident] = []
    again: list[Incident] = []
    with LiveStore(tmp_path / "state.sqlite") as store:
        live = Watch(before, store, first.extend, Clock(), lambda: NOW)
        inputs = Lines(files, random.Random(1))
        while not inputs.ended:
            live.turn(inputs)
        live.turn(inputs, last=True)
    with LiveStore(tmp_path / "state.sqlite") as store:
        live = Watch(after, store, again.extend, Clock(), lambda: NOW)
        for _ in range(5):
            live.turn(Lines({}, random.Random(1)))
    return first, again


def test_what_a_rule_told_that_is_gone_is_taken_back_at_the_next_start(tmp_path: Path) -> None:
    recording = ATTACKS["breach-86s"]()
    files = {file: list(lines) for file, lines in recording.streams.items()}
    rules = [rule for rule in RULES if rule.id != "poisoned-install"]
    same, other = Replay(RULES, ReplayOptions()), Replay(rules, ReplayOptions())
    first, again = restarted(tmp_path, files, same, other)
    assert {incident.rule for incident in first} == {"poisoned-install"}
    gone = [incident for incident in again if incident.id == first[-1].id]
    assert [(i.title.startswith("Withdrawn"), i.why[-1].text) for i in gone] == [(True, GONE)]
    assert (
        gone[0].verdict is first[-1].verdict is Verdict.CONTAIN
    )  # what was done about it is a person's to undo


def test_what_a_declaration_made_an_incident_is_taken_back_without_it(tmp_path: Path) -> None:
    folder = packaged_folder() / "identity-outside" / "fires" / "vault-and-storage"
    files = {path.name: path.read_text().splitlines() for path in folder.glob("*.jsonl")}
    declared = ReplayOptions(
        egress=Ranges(["203.0.113.0/28"]),
        identities=identities(["ml/inference-sa=67df2e5d-3a9a-47e2-8e48-b77b71e96d78"]),
    )
    first, again = restarted(tmp_path, files, Replay(RULES, declared), Replay(RULES, ReplayOptions()))
    assert {incident.rule for incident in first} == {"identity-outside"}
    assert [(i.id, i.verdict, i.why[-1].text) for i in again] == [(first[-1].id, Verdict.WATCH, ANEW)]


def test_a_restart_with_the_same_options_takes_nothing_back(tmp_path: Path) -> None:
    for name in sorted(ATTACKS):
        recording = ATTACKS[name]()
        files = {file: list(lines) for file, lines in recording.streams.items()}
        (tmp_path / name).mkdir()
        replays = Replay(RULES, ReplayOptions()), Replay(RULES, ReplayOptions())
        _, again = restarted(tmp_path / name, files, *replays)
        assert again == [], name
