"""Tests of rules on recordings: what must fire fires, what must stay quiet stays quiet, and a firing recording with its
cause taken away never reaches `contain`.

A rule's folder holds `fires/NAME/` and `quiet/NAME/`, each a folder of telemetry; a subfolder `baseline/` is the time
before, and a file `declared.json` what the operator of that cluster declares.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec.structs import replace

from eightysix.context.addresses import Ranges
from eightysix.context.baseline import Baseline
from eightysix.context.principals import identities
from eightysix.detect.actions import Action, action_of
from eightysix.detect.contribute import contributed
from eightysix.detect.engine import Engine
from eightysix.detect.profile import add_to_baseline
from eightysix.detect.rule import Need, Rule
from eightysix.detect.view import Knowledge
from eightysix.model.errors import UsageError
from eightysix.model.event import Contact, Event
from eightysix.model.words import Outcome, Source, Verdict
from eightysix.rules.catalog import load_packaged, packaged_folder
from eightysix.serve.replay import Replay, ReplayOptions

__all__ = ["MINIMUM", "RuleTestResult", "run_rule_tests"]

MINIMUM = 2
"""Recordings of each kind that a rule needs (DESIGN.md, decision 5)."""

BASELINE = "baseline"
DECLARED = "declared.json"
ELSEWHERE = "another-pod"
_LANDINGS = frozenset({Action.INSTALL, Action.STARTUP_FILE, Action.WRITE})


@dataclass(frozen=True)
class RuleTestResult:
    """One test. `expected` is `fires` or `quiet`; `stream` names the recording and what was done to it."""

    rule: str
    stream: str
    expected: str
    passed: bool
    detail: str = ""


@dataclass
class Recording:
    """The events and process facts of one folder of telemetry, and the baseline that came with it."""

    events: list[Event]
    trees: dict[str, dict[str, tuple[str, int, str, str, str, bool | None]]]
    contacts: dict[str, dict[str, Contact]]
    sources: frozenset[Source]
    baseline: Baseline | None = None
    knowledge: Knowledge = field(default_factory=Knowledge)


class Declared(msgspec.Struct, forbid_unknown_fields=True):
    """`declared.json`: as the options `--egress` and `--identity`."""

    egress: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """The worst that a rule says of a recording."""

    verdict: Verdict | None
    score: int

    @property
    def fires(self) -> bool:
        return self.verdict in (Verdict.SUSPECT, Verdict.CONTAIN)

    def __str__(self) -> str:
        return f"{self.verdict} with {self.score} points" if self.verdict else "quiet"


def run_rule_tests(rules: Sequence[Rule], folder: Path) -> list[RuleTestResult]:
    """Run the recordings in `folder/<rule id>/` for each of `rules`, the mutations of those that fire, and the clean
    corpus: the quiet recordings of all packaged rules and of the others here."""
    results: list[RuleTestResult] = []
    clean = {path: record(path) for path in _clean_corpus(folder)}
    for rule in rules:
        results += _test_rule(rule, folder / rule.id, clean)
    return results


def _test_rule(rule: Rule, folder: Path, clean: dict[Path, Recording]) -> Iterator[RuleTestResult]:
    judge_recording = judge_contribution if rule.contributes else judge_alone
    fires, quiet = _streams(folder / "fires"), _streams(folder / "quiet")
    for kind, found in (("fires", fires), ("quiet", quiet)):
        if len(found) < MINIMUM:
            yield RuleTestResult(rule.id, kind, kind, False, f"has {len(found)} recordings, needs {MINIMUM}")
    for path in fires:
        recording = record(path)
        outcome = judge_recording(rule, recording)
        yield RuleTestResult(rule.id, f"fires/{path.name}", "fires", outcome.fires, str(outcome))
        if rule.contributes:
            alone = judge_alone(rule, recording)
            passed = alone.verdict is None
            yield RuleTestResult(rule.id, f"fires/{path.name}, alone", "quiet", passed, str(alone))
        for name, mutate in MUTATIONS.items():
            yield _mutated(rule, path.name, name, outcome, judge_recording(rule, mutate(recording)))
        known = replace_baseline(recording)
        yield _known(
            rule, path.name, outcome, judge_recording(rule, known), gated=Source.GATE in recording.sources
        )
    for path, recording in clean.items():
        own = path.parent.parent.name == rule.id
        outcome = judge_recording(rule, recording)
        name = f"quiet/{path.name}" if own else f"clean corpus {path.parent.parent.name}/{path.name}"
        yield RuleTestResult(rule.id, name, "quiet", not outcome.fires, str(outcome))


def _mutated(rule: Rule, stream: str, name: str, before: Finding, after: Finding) -> RuleTestResult:
    passed = after.verdict is not Verdict.CONTAIN and after.score <= before.score
    return RuleTestResult(rule.id, f"fires/{stream}, {name}", "quiet", passed, f"{after}, was {before}")


def _known(rule: Rule, stream: str, before: Finding, after: Finding, *, gated: bool) -> RuleTestResult:
    """With all that was done known from before, nothing may count as new; what the gate held stays held."""
    needs_baseline = any(
        need == (Need.BASELINE,) or (Need.BASELINE in need and not gated) for need in rule.needs
    )
    passed = not after.fires if needs_baseline else after.score <= before.score
    return RuleTestResult(
        rule.id, f"fires/{stream}, destinations known", "quiet", passed, f"{after}, was {before}"
    )


def _streams(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _clean_corpus(folder: Path) -> list[Path]:
    roots = {packaged_folder(), folder}
    return sorted({path for root in roots for quiet in root.glob("*/quiet") for path in _streams(quiet)})


def record(folder: Path) -> Recording:
    """Decode a folder of telemetry once."""
    baseline = None
    if (folder / BASELINE).is_dir():
        before = Replay((), ReplayOptions())
        before.read([str(folder / BASELINE)], None)
        baseline, _ = before.build_baseline()
    told = _declared(folder / DECLARED)
    options = ReplayOptions(
        baseline=baseline, egress=Ranges(told.egress), identities=identities(told.identity)
    )
    replay = Replay((), options)
    paths = [str(path) for path in sorted(folder.iterdir()) if path.name not in (BASELINE, DECLARED)]
    events = [event for block in replay.events(paths, None) for event in block]
    engine = replay.engine
    sources = frozenset(replay.recogniser.sources)
    return Recording(events, engine.trees, engine.contacts, sources, baseline, engine.knowledge)


def _declared(path: Path) -> Declared:
    if not path.is_file():
        return Declared()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Declared)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: {error}", 'Write {"egress": ["203.0.113.0/28"], "identity": []}.'
        ) from None


def judge_contribution(rule: Rule, recording: Recording) -> Finding:
    """What a rule that only contributes adds to the incidents of the packaged rules: they are `suspect` or worse without
    it too, or its points would make an incident."""
    others = [other for other in load_packaged() if not other.contributes]
    added = [
        chain
        for case in _engine((*others, rule), recording).cases()
        for chain in case.chains
        if any(contributed(name) == rule.id for name in chain.matches)
    ]
    told = [chain for chain in added if chain.verdict is not Verdict.WATCH]
    points = sum(signal.points for signal in rule.signals.values()) if told else 0
    return Finding(Verdict.SUSPECT if told else Verdict.WATCH if added else None, points)


def judge_alone(rule: Rule, recording: Recording) -> Finding:
    """What `rule` alone says of a recording."""
    engine = _engine((rule,), recording)
    worst = max((c.incident for c in engine.cases()), key=lambda i: (i.verdict.rank, i.score), default=None)
    return Finding(worst.verdict, worst.score) if worst is not None else Finding(None, 0)


def _engine(rules: Sequence[Rule], recording: Recording) -> Engine:
    knowledge = dataclasses.replace(
        recording.knowledge, baseline=recording.baseline, sources=recording.sources
    )
    engine = Engine(rules, knowledge)
    engine.trees.update({key: dict(tree) for key, tree in recording.trees.items()})
    engine.contacts.update({key: dict(contacts) for key, contacts in recording.contacts.items()})
    engine.feed(recording.events)
    return engine


def replace_baseline(recording: Recording) -> Recording:
    """The recording, with a baseline that has seen all of it."""
    baseline = recording.baseline or Baseline()
    known = Baseline(workloads={key: dict(value) for key, value in baseline.workloads.items()})
    engine = _engine((), recording)
    for state in engine.resolved():
        add_to_baseline(known, state, engine.names)
    return dataclasses.replace(recording, baseline=known)


def _with(recording: Recording, events: list[Event]) -> Recording:
    return dataclasses.replace(recording, events=events)


def _reversed(recording: Recording) -> Recording:
    """Effects before causes: every event at the mirrored time."""
    times = [event.time_ns for event in recording.events]
    edges = min(times) + max(times)
    return _with(recording, [replace(event, time_ns=edges - event.time_ns) for event in recording.events])


def _landed_elsewhere(recording: Recording) -> Recording:
    """What landed did so in another pod. An image digest lands with its pod: then the credentials are another pod's."""
    if any(action_of(event) in _LANDINGS for event in recording.events):
        return _moved(recording, lambda event: action_of(event) in _LANDINGS or bool(event.dists))
    return _moved(recording, lambda event: event.domain is not None)


def _moved(recording: Recording, which: Callable[[Event], bool]) -> Recording:
    return _with(
        recording,
        [
            replace(
                event,
                pod_uid=ELSEWHERE,
                pod=ELSEWHERE,
                container_id=ELSEWHERE,
                exec_id=f"{ELSEWHERE}{event.exec_id}",
            )
            if which(event)
            else event
            for event in recording.events
        ],
    )


def _one_domain(recording: Recording) -> Recording:
    """Only the domain that was taken first after the last landing (or first at all) is ever taken."""
    domains = [
        event for event in sorted(recording.events, key=lambda e: e.time_ns) if event.domain is not None
    ]
    landed = max((e.time_ns for e in recording.events if action_of(e) in _LANDINGS), default=0)
    later = [event for event in domains if event.time_ns >= landed] or domains
    keep = later[0].domain if later else None
    return _with(recording, [event for event in recording.events if event.domain in (None, keep)])


def _refused(recording: Recording) -> Recording:
    """Every credential was asked for and refused."""
    return _with(
        recording,
        [replace(e, outcome=Outcome.DENIED) if e.domain is not None else e for e in recording.events],
    )


MUTATIONS: dict[str, Callable[[Recording], Recording]] = {
    "causes reversed": _reversed,
    "landed in another pod": _landed_elsewhere,
    "second domain removed": _one_domain,
    "every credential refused": _refused,
}
