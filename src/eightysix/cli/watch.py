"""`eightysix watch PATH...`: detection that goes on, keeps its state, and tells people."""

from __future__ import annotations

import argparse
import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.instruments import METRICS_PORT, Instruments, add_receiving, add_sensors
from eightysix.cli.options import (
    add_color,
    add_format,
    add_judging,
    add_posture,
    add_reading,
    add_verbosity,
    catalog_and_options,
)
from eightysix.cli.terminal import environment
from eightysix.cli.voice import Voice
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from eightysix.model.incident import Incident, Problem
    from eightysix.serve.deliver.threads import DeliveryThreads
    from eightysix.serve.follow.notify import Wake
    from eightysix.serve.live.inputs import StoredInputs
    from eightysix.serve.live.loop import Watch
    from eightysix.serve.live.service import Following
    from eightysix.serve.live.stored import Storing
    from eightysix.serve.reaching import PostureFile
    from eightysix.store.casebook import Casebook

__all__ = ["add_parser", "run"]

FORMATS = ("plain", "jsonl")
COLLECT_S = 300.0
"""Seconds between two collections of cycles; they are few."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options; every option has an environment variable `EIGHTYSIX_*`."""
    parser = commands.add_parser(
        "watch",
        help="find chains as they happen, and tell people",
        description="Follows telemetry (files and folders through rotation, - for standard input), and tells each incident"
        " when it appears and when its story changes. Ends when standard input ends, if nothing else is followed, or when"
        " it is stopped.",
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="file, folder, or - for standard input")
    add_reading(parser)
    add_posture(parser.add_argument_group("knowing what is within reach"), "; read anew when it is replaced")
    add_judging(parser)
    living = parser.add_argument_group("living")
    living.add_argument(
        "--state",
        default=environment("STATE"),
        metavar="DIR",
        help="folder for what outlives a restart (EIGHTYSIX_STATE; without it nothing does)",
    )
    living.add_argument(
        "--store",
        default=environment("STORE"),
        metavar="DIR",
        help="keep what is read and told there for hunting, and answer hunts (EIGHTYSIX_STORE; docs/store.md)",
    )
    living.add_argument(
        "--keep",
        type=_hours,
        default=environment("KEEP", "72"),
        metavar="HOURS",
        help="how long a pod is kept after its last record (EIGHTYSIX_KEEP; default 72)",
    )
    living.add_argument(
        "--silence",
        type=_seconds,
        default=environment("SILENCE", "120"),
        metavar="SECONDS",
        help="after how long an input that stops counts as silent (EIGHTYSIX_SILENCE; default 120)",
    )
    living.add_argument(
        "--metrics",
        default=environment("METRICS"),
        metavar="ADDRESS",
        help=f"serve /metrics and /healthz there, as 127.0.0.1:{METRICS_PORT} (EIGHTYSIX_METRICS)",
    )
    add_receiving(parser)
    add_sensors(parser)
    telling = parser.add_argument_group("telling")
    telling.add_argument(
        "--deliver",
        action="append",
        metavar="KIND:TARGET",
        default=None,
        help="where incidents go, repeatable (EIGHTYSIX_DELIVER, separated by spaces); see docs/deliver.md",
    )
    add_format(telling, FORMATS, "of what is printed")
    add_color(telling)
    add_verbosity(telling, "tell every incident in full")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run the command; returns the exit code."""
    if not args.paths and not args.listen and not args.sensor_sockets:
        raise UsageError(
            "nothing to watch was named",
            "name files or folders with telemetry, - for standard input, --listen, or --sensor-sockets",
        )
    if args.sensor_sockets and not args.state:
        raise UsageError(
            "what --sensor-sockets takes must outlive the process, and nothing does without a state",
            "name a folder with --state",
        )
    if args.listen and not args.state:
        raise UsageError(
            "what --listen accepts must outlive the process, and nothing does without a state",
            "name a folder with --state",
        )
    with ExitStack() as stack:
        return _watch(args, Voice(args, out, err), stack)


def _watch(args: argparse.Namespace, voice: Voice, stack: ExitStack) -> int:
    from eightysix.serve.follow.notify import Wake
    from eightysix.serve.live.inputs import open_inputs
    from eightysix.serve.live.loop import Watch, WatchOptions
    from eightysix.serve.live.service import Outlets, serve
    from eightysix.serve.replay import Replay
    from eightysix.store.live import LiveStore

    catalog, options = catalog_and_options(args)
    replay = Replay(catalog.rules, options)
    folder = _state_folder(args.state, stack)
    _refuse_own_state(args.paths, folder)
    store = stack.enter_context(LiveStore(folder / "shard-00.sqlite"))
    wake = Wake()
    stack.callback(wake.close)
    stack.callback(voice.close)
    stopped = stack.enter_context(_stopped_by_signals(wake))
    instruments = Instruments(args, folder, stack)
    threads = _threads(args, folder, wake, stack)
    outlets = Outlets(threads, store, _casebook(args, stack), voice.warn)
    kept = _Beside(args.store, args.posture, voice.warn)

    def tell(incidents: Sequence[Incident]) -> None:
        outlets.tell(incidents)
        voice.tell(incidents)
        kept.tell(incidents)

    watch = Watch(
        replay, store, tell, time.monotonic, time.time_ns, exceptions=catalog.exceptions,
        options=WatchOptions(keep_s=args.keep * 3600, silence_s=args.silence), delivers=bool(threads.courier.names),
    )  # fmt: skip

    def problem(problem: Problem) -> None:
        replay.recogniser.note(problem)
        watch.stats.unreadable += problem.kind == "unreadable"
        instruments.note(problem)
        voice.problem(problem)

    watch.on_problem = problem
    instruments.receive_sensors(voice.warn, stack)
    watch.received, watch.sensors = instruments.folders, instruments.sensor_folders
    spool = (*watch.received, *watch.sensors)
    kept.open(watch, stack)
    inputs = open_inputs([*args.paths, *spool], 0, store.sources(), wake, problem, consumed=spool)
    stack.callback(inputs.close)
    voice.begin(stopped, wake.set)

    def each_turn() -> None:
        now = time.monotonic()
        outlets.turn()
        voice.turn(watch, now)
        kept.turn()
        instruments.turn(watch, inputs, threads.courier, now)

    stack.callback(
        gc.unfreeze
    )  # at its end Python collects what is not frozen, and DuckDB's binding complains of the rest
    serve(watch, kept.inputs(inputs), stopped, each_turn, time.sleep, _collector())
    left = outlets.finish()
    if left:
        then = "they go out at the next start" if args.state else "without --state they are lost"
        voice.warn(f"not taken by receivers: {left} of what was to be delivered; {then}")
    voice.end(watch)
    return 0


class _Beside:
    """What stands beside a watch where it was named: the store, with who answers questions about it, and the posture by which
    incidents tell what their pods could reach."""

    def __init__(self, folder: str, posture: str, warn: Callable[[str], None]) -> None:
        self._folder = folder
        self._warn = warn
        self._posture: PostureFile | None = None
        if posture:
            from eightysix.serve.reaching import PostureFile

            self._posture = PostureFile(posture)
        self._storing: Storing | None = None

    def open(self, watch: Watch, stack: ExitStack) -> None:
        """Own the store, and keep what `watch` reads from now on; what it tells has the reach of pods."""
        if self._posture is not None:
            watch.dress = self._posture.dress
        if not self._folder:
            return
        from eightysix.serve.answering import answer
        from eightysix.serve.live.stored import Storing
        from eightysix.store.events.asking import Server
        from eightysix.store.events.hot import Hot

        hot = stack.enter_context(Hot(self._folder, create=True, name="eightysix watch"))
        stack.enter_context(Server(hot, answer))
        self._storing = Storing(hot, self._warn, watch.received, watch.sensors)
        watch.on_read = self._storing.take
        stack.callback(self._storing.close)
        self._storing.start()

    def tell(self, incidents: Sequence[Incident]) -> None:
        """Keep what is told."""
        if self._storing is not None:
            self._storing.tell(incidents)

    def turn(self) -> None:
        """Say what the store has to say, and look whether there is another posture."""
        if self._posture is not None:
            self._posture.turn(time.monotonic(), self._warn)
        if self._storing is not None:
            self._storing.turn()

    def inputs(self, inputs: StoredInputs) -> Following:
        """`inputs`, kept on the way if there is a store."""
        if self._storing is None:
            return inputs
        from eightysix.serve.live.stored import KeptInputs

        return KeptInputs(inputs, self._storing)


def _collector() -> Callable[[], None]:
    """Cycles are collected while nothing is to be read. What a watch allocates is state that stays: to look through
    100,000 objects of it took 0.1 to 0.2 seconds in the middle of an incident, through 5,000 it takes 5 ms."""
    gc.freeze()  # what was loaded stays
    gc.set_threshold(5_000, 1_000, 1_000)
    last = time.monotonic()

    def rest() -> None:
        nonlocal last
        if time.monotonic() - last >= COLLECT_S:
            gc.collect()
            last = time.monotonic()

    return rest


def _hours(text: str) -> float:
    return _positive(text, 0.1)


def _seconds(text: str) -> float:
    return _positive(text, 1.0)


def _positive(text: str, least: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:g} to 1000000")
    return value


def _state_folder(named: str, stack: ExitStack) -> Path:
    if named:
        return Path(named)
    from tempfile import TemporaryDirectory

    return Path(stack.enter_context(TemporaryDirectory(prefix="eightysix-")))


def _refuse_own_state(paths: Sequence[str], folder: Path) -> None:
    own = folder.resolve()
    for path in paths:
        watched = Path(path).resolve()
        if path != "-" and (watched == own or watched in own.parents):
            raise UsageError(
                f"the state folder {folder} lies in {path}, which is watched: it would read what it writes",
                "name another folder with --state, or watch the files beside it",
            )


@contextmanager
def _stopped_by_signals(wake: Wake) -> Iterator[Callable[[], bool]]:
    """Whether SIGINT or SIGTERM came: the loop then ends after the turn that is on, with everything committed."""
    import signal

    came: list[int] = []

    def note(number: int, _: object) -> None:
        came.append(number)
        wake.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _threads(args: argparse.Namespace, folder: Path, wake: Wake, stack: ExitStack) -> DeliveryThreads:
    import random

    from eightysix.serve.deliver.courier import Courier
    from eightysix.serve.deliver.interface import open_sink
    from eightysix.serve.deliver.threads import DeliveryThreads

    sinks = [open_sink(text, os.environ) for text in args.deliver or environment("DELIVER").split()]
    courier = Courier(
        sinks, str(folder / "dead-letters.jsonl"), time.monotonic, random.random, wall=time.time
    )
    stack.callback(courier.close)
    threads = DeliveryThreads(courier, time.monotonic, wake.set)
    stack.callback(threads.stop, 5.0)
    return threads


def _casebook(args: argparse.Namespace, stack: ExitStack) -> Casebook | None:
    """The casebook beside a state that is kept; what is not kept has none."""
    if not args.state:
        return None
    from eightysix.store.casebook import Casebook

    book = Casebook(args.state, time.time, create=True)
    stack.callback(book.close)
    return book
