"""`eightysix lab run | list | replay | record | setup | clean`: attacks and their look-alikes, played for real."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.options import add_color, add_format
from eightysix.cli.terminal import inert_line, may_colour, terminal_width
from eightysix.model.errors import LabError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eightysix.lab.interface import Scenario, Tier
    from eightysix.lab.pods.choice import Choice
    from eightysix.lab.run import Played
    from eightysix.model.incident import Report

__all__ = ["add_parser", "run"]

TIERS = ("root", "rootless", "replay")
MECHANISMS = ("auto", "ebpf", "tracefs", "strace", "none")
_STOP = 15


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its actions."""
    parser = commands.add_parser(
        "lab",
        help="play attacks and their look-alikes on this machine, for real",
        description="Runs pod-like containers on this machine and lets real code take real (worthless) credentials in them:"
        " nothing leaves the run's own network namespaces. docs/lab.md tells more.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    playing = actions.add_parser(
        "run", help="play a scenario and say what detection finds", allow_abbrev=False
    )
    playing.add_argument("scenario", metavar="SCENARIO", help="its name (`eightysix lab list`)")
    _writing(playing, "what was recorded (default: a new folder lab-SCENARIO-N here)")
    _tier(playing)
    playing.add_argument("--no-sensor", action="store_true", help="no in-process sensor in the pods")
    playing.add_argument(
        "--no-detect", action="store_true", help="only play: detection is not asked what it finds"
    )
    add_color(playing)
    playing.add_argument("-q", "--quiet", action="store_true", help="no story while it happens")
    listing = actions.add_parser("list", help="the scenarios as a table", allow_abbrev=False)
    add_format(listing, ("plain", "json"))
    replaying = actions.add_parser("replay", help="write a recorded run out again", allow_abbrev=False)
    replaying.add_argument("scenario", metavar="SCENARIO", help="its name (`eightysix lab list`)")
    _writing(replaying, "where to (default: a new folder lab-SCENARIO-N here)")
    replaying.add_argument(
        "--speed",
        default="max",
        metavar="N|max",
        help="N times as fast as it happened, so that eightysix watch can follow (default max: at once)",
    )
    recording = actions.add_parser(
        "record", help="play scenarios and keep them as recordings", allow_abbrev=False
    )
    recording.add_argument("scenario", metavar="SCENARIO", nargs="*", help="names (default: all)")
    _writing(recording, "the recordings, one folder each", required=True)
    _tier(recording)
    setup = actions.add_parser("setup", help="install what pods run with, once", allow_abbrev=False)
    setup.add_argument("environment", nargs="*", metavar="ENVIRONMENT", help="names (default: all but torch)")
    actions.add_parser("clean", help="remove what killed runs left", allow_abbrev=False)
    parser.set_defaults(run=run)


def _writing(parser: argparse.ArgumentParser, told: str, *, required: bool = False) -> None:
    parser.add_argument("--output", metavar="DIR", default="", required=required, help=f"folder for {told}")


def _tier(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tier", choices=TIERS, default="", help="insist on a tier (default: the best that works here)"
    )
    parser.add_argument(
        "--mechanism",
        choices=MECHANISMS,
        default="auto",
        help="what looks at the kernel (default auto: the best)",
    )


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run one action."""
    actions = {
        "run": _run,
        "list": _list,
        "replay": _replay,
        "record": _record,
        "setup": _setup,
        "clean": _clean,
    }
    return actions[args.action](args, out, err)


# --- run


def _run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Play, then say what detection finds beside what really was. 0 where it was played, whatever was found."""
    from eightysix.lab.interface import FOLDER, Tier
    from eightysix.lab.recorded import names

    scenario = _scenario(args.scenario)
    choice = _choose(scenario, args.tier, recorded=scenario.name in names())
    for reason in choice.reasons:
        print(f"eightysix: not possible here: {inert_line(reason)}", file=err)
    output = _folder(args.output, scenario.name)
    print(f"{scenario.name}: {scenario.title} ({choice.tier} tier)", file=out, flush=True)
    if choice.tier is Tier.REPLAY:
        _write_recording(scenario.name, output, 0.0)
    else:
        _play(scenario, choice.tier, output, args, out)
    if not args.no_detect:
        _tell_verdict(scenario, output, args, out)
    print(f"telemetry, label.json and truth.jsonl: {inert_line(str(output))}", file=out)
    print(f"the whole story: eightysix detect {inert_line(str(output / FOLDER))}", file=out)
    return 0


def _choose(scenario: Scenario, forced: str, *, recorded: bool) -> Choice:
    from eightysix.lab.pods.choice import choose

    return choose(scenario.tiers, forced, recorded=recorded)


def _play(scenario: Scenario, tier: Tier, output: Path, args: argparse.Namespace, out: TextIO) -> Played:
    """Play with the story on `out`; SIGTERM ends it as Ctrl-C does, so that everything is removed."""
    import signal

    from eightysix.lab.run import run as play
    from eightysix.serve.lab import receiving

    def tell(seconds: float, kind: str, text: str) -> None:
        if not getattr(args, "quiet", False):
            mark = " " if kind == "step" else "*"
            print(f"  T+{seconds:8.2f} s {mark} {inert_line(text)}", file=out, flush=True)

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        return play(
            scenario,
            tier,
            output,
            tell=tell,
            receiving=None if getattr(args, "no_sensor", False) else receiving,
            mechanism=args.mechanism,
        )
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell_verdict(scenario: Scenario, output: Path, args: argparse.Namespace, out: TextIO) -> None:
    from eightysix.report.interface import RenderOptions
    from eightysix.report.live import story

    report = _detect(output)
    render = RenderOptions(width=terminal_width(), colour=may_colour(args.color, out), verbose=0)
    print(file=out)
    for incident in report.incidents:
        print(story(incident, render), end="", file=out)
    label = scenario.label
    worst = max(report.incidents, key=lambda one: one.verdict.rank, default=None)
    found = str(worst.verdict) if worst is not None else "nothing"
    really = "an attack" if label.malicious else "a look-alike"
    print(f"detection says: {found}; it was {really}, and {label.verdict} is right", file=out)
    if label.telling:
        print(f"what tells it from {label.twin or 'its twin'}: {label.telling}", file=out)


def _detect(output: Path) -> Report:
    """What `eightysix detect` says of the run's telemetry."""
    from eightysix.lab.interface import FOLDER
    from eightysix.rules.catalog import load_all
    from eightysix.serve.replay import Replay, ReplayOptions

    return Replay(load_all("").rules, ReplayOptions()).read([str(output / FOLDER)], None)


# --- list


def _list(args: argparse.Namespace, out: TextIO, _err: TextIO) -> int:
    import json

    from eightysix.lab.recorded import names
    from eightysix.lab.scenarios import load

    recorded = frozenset(names())
    told = [_row(scenario, recorded) for scenario in load().values()]
    if args.format == "json":
        document = {"schema": "eightysix/lab-scenarios/v1", "scenarios": told}
        print(json.dumps(document, indent=1), file=out)
        return 0
    wide = max((len(str(row["name"])) for row in told), default=4)
    for row in told:
        kind = "attack" if row["attack"] else "look-alike"
        extra = [word for word in ("slow", "recorded") if row[word]]
        extra += [f"needs {need}" for need in _words(row["needs"])]
        tiers = "+".join(_words(row["tiers"]))
        line = f"{row['name']:<{wide}}  {kind:<10}  {tiers:<13}  {row['title']}"
        print(line + (f" ({', '.join(extra)})" if extra else ""), file=out)
    return 0


def _row(scenario: Scenario, recorded: frozenset[str]) -> Mapping[str, object]:
    return {
        "name": scenario.name,
        "attack": scenario.label.malicious,
        "title": scenario.title,
        "verdict": scenario.label.verdict,
        "twin": scenario.label.twin,
        "tiers": [str(tier) for tier in scenario.tiers],
        "slow": scenario.slow,
        "needs": list(scenario.needs),
        "recorded": scenario.name in recorded,
    }


def _words(value: object) -> Sequence[str]:
    return value if isinstance(value, list) else ()


# --- replay


def _replay(args: argparse.Namespace, out: TextIO, _err: TextIO) -> int:
    """Write a recording out; a speed paces it, for `watch` to follow."""
    speed = _speed(args.speed)
    from eightysix.lab.interface import FOLDER

    output = _folder(args.output, args.scenario)
    if speed:
        print(f"now: eightysix watch {inert_line(str(output / FOLDER))}", file=out, flush=True)
    lines = _write_recording(args.scenario, output, speed)
    print(f"{lines} records of {inert_line(args.scenario)} in {inert_line(str(output))}", file=out)
    print(f"what is in them: eightysix detect {inert_line(str(output / FOLDER))}", file=out)
    return 0


def _speed(text: str) -> float:
    """0 for all at once."""
    if text == "max":
        return 0.0
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= 1e6:
        raise UsageError(f"--speed takes a number above 0 or max, and {text!r} is neither")
    return speed


def _write_recording(name: str, output: Path, speed: float) -> int:
    from eightysix.lab.pods.pacing import write_out
    from eightysix.lab.recorded import open_recording

    recording = open_recording(name)
    output.mkdir(parents=True, exist_ok=True)
    if any(output.iterdir()):
        raise UsageError(f"{output} is not empty", "Name a new folder: what lies there is not overwritten.")
    return write_out(recording.files, recording.label, output, speed)


# --- record


def _record(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Play, check, scrub and keep; goes on after a scenario that failed, and ends with 1 then."""
    import tempfile

    from eightysix.lab.record import commit
    from eightysix.lab.scenarios import load

    scenarios = [_scenario(name) for name in args.scenario] or list(load().values())
    failed = 0
    for scenario in [] if args.scenario else [scenario for scenario in scenarios if _lacks(scenario)]:
        print(f"eightysix: {scenario.name} is left out: {_lacks(scenario)}", file=err)
        scenarios.remove(scenario)
    for scenario in scenarios:
        print(f"{scenario.name}: {scenario.title}", file=out, flush=True)
        try:
            choice = _choose(scenario, args.tier, recorded=False)
            with tempfile.TemporaryDirectory(prefix="eightysix-lab-") as folder:
                played = _play(scenario, choice.tier, Path(folder, "run"), args, out)
                lines = commit(
                    played.folder, Path(args.output) / scenario.name, words=played.words, nonce=played.nonce
                )
        except LabError as error:
            failed += 1
            print(f"eightysix: {scenario.name} was not recorded: {inert_line(error.what)}", file=err)
            continue
        told = ", ".join(f"{name.removesuffix('.jsonl')} {count}" for name, count in lines.items())
        print(f"  kept: {told}", file=out, flush=True)
    return 1 if failed else 0


def _lacks(scenario: Scenario) -> str:
    """What a scenario needs and this machine was not given; empty where nothing."""
    from eightysix.lab.pods import environments
    from eightysix.lab.pods.interpreter import find

    missing = [name for name in scenario.needs if not environments.ready(name, find())]
    return f"needs {', '.join(missing)} (eightysix lab setup {' '.join(missing)})" if missing else ""


# --- setup, clean


def _setup(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Build the environments, and say what the machine can play and what it cannot, and why."""
    import time

    from eightysix.lab.pods import environments
    from eightysix.lab.pods.choice import root_refusal, rootless_refusal
    from eightysix.lab.pods.interpreter import find

    python = find()
    failed = 0
    for name in args.environment or environments.DEFAULT:
        began = time.monotonic()
        try:
            had = environments.ready(name, python)
            environments.build(name, python)
        except LabError as error:
            failed += 1
            print(f"eightysix: {inert_line(error.what)}", file=err)
            print(f"           {inert_line(error.advice)}", file=err)
            continue
        print(f"{name}: {'was there' if had else f'installed in {time.monotonic() - began:.0f} s'}", file=out)
    for tier, why in (("root", root_refusal()), ("rootless", rootless_refusal())):
        print(f"{tier} tier: {inert_line(why) or 'possible here'}", file=out)
    return 1 if failed else 0


def _clean(_args: argparse.Namespace, out: TextIO, _err: TextIO) -> int:
    from eightysix.lab.pods.runs import sweep

    gone = sweep()
    print(f"removed what {len(gone)} killed runs left" if gone else "nothing was left", file=out)
    return 0


# --- what the actions share


def _scenario(name: str) -> Scenario:
    from eightysix.lab.scenarios import load

    scenarios = load()
    if name not in scenarios:
        raise UsageError(f"no scenario is called {name}", "`eightysix lab list` names them.")
    return scenarios[name]


def _folder(named: str, scenario: str) -> Path:
    """The folder to write into: the named one, or the first that is free here."""
    if named:
        return Path(named).resolve()
    for number in range(1, 10_000):
        folder = Path(f"lab-{scenario}-{number}").resolve()
        if not folder.exists():
            return folder
    raise UsageError("there are 9,999 runs of this scenario here already", "Name a folder with --output.")
