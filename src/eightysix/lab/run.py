"""Plays a scenario for real, and leaves a folder with what was recorded and what really happened.

Everything that it starts ends with it, in this order: pods, the kernel's sensor, the receiver of the pods' records, the
services, and then the namespaces with whatever else is in them. The order is kept on every way out; where the process is
killed, the kernel ends it all, and the next run removes the empty folders.
"""

from __future__ import annotations

import os
import platform
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from eightysix.lab.interface import FOLDER, TELEMETRY, Scenario, Tier
from eightysix.lab.kernel import strace
from eightysix.lab.pods import choice, network, runs, sensors
from eightysix.lab.pods.backends import Backend, Oci, Rootless
from eightysix.lab.pods.cloud import Cloud
from eightysix.lab.pods.interpreter import find
from eightysix.lab.pods.keeper import Keeper
from eightysix.lab.pods.leaps import Leaps, finish_file
from eightysix.lab.pods.stage import LabStage, Parts
from eightysix.lab.pods.story import Story, Teller
from eightysix.lab.pods.watching import Kernel, Receiving, Traces, Watching
from eightysix.model.errors import LabError, UsageError

__all__ = ["Played", "run"]

SETTLE_S = 0.5
"""Seconds after the script's end in which pods may finish what they were at, and records arrive."""

ADOPT_EVERY_S = 0.25


class Played(Struct, frozen=True):
    """A run that came to its end. `words` of this machine do not belong into a recording, and what stands for each."""

    folder: Path
    tier: Tier
    nonce: str
    words: Mapping[str, str]
    seconds: float
    about: Mapping[str, object]
    """What `run.json` says."""


def run(
    scenario: Scenario,
    tier: Tier,
    output: Path,
    *,
    tell: Teller,
    receiving: Receiving | None = None,
    mechanism: str = "auto",
) -> Played:
    """Play `scenario` and write everything into the folder `output`, which must be new or empty.

    `receiving` opens the receiver of the pods' sensors; without it the pods have none. Raises `LabError` where it cannot be
    played to its end; what was written until then stays, and `run.json` says why it ended.
    """
    if tier is Tier.REPLAY:
        raise LabError("a replay plays nothing", "eightysix lab replay NAME writes the recorded run.")
    _must_be_empty(output)
    runs.sweep()
    began = time.monotonic()
    story = Story(output / "truth.jsonl", tell)
    nonce = secrets.token_hex(16)
    about: dict[str, object] = {
        "scenario": scenario.name,
        "tier": str(tier),
        "python": platform.python_version(),
        "release": platform.release(),
    }
    stage: LabStage | None = None
    try:
        with ExitStack() as ending, story:
            stage = _set_up(ending, tier, output, nonce, receiving, mechanism, about, story)
            about["set_up_s"] = round(time.monotonic() - began, 3)
            with _adopting(stage):
                scenario.play(stage)
                time.sleep(SETTLE_S)
    except (LabError, KeyboardInterrupt) as error:
        about["failed"] = str(error) or "interrupted"
        raise
    finally:
        _finish(scenario, output, about, stage)
    seconds = time.monotonic() - began
    return Played(output, tier, nonce, _words(output), seconds, about)


def _must_be_empty(output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    if any(output.iterdir()):
        raise UsageError(f"{output} is not empty", "Name a new folder: what lies there is not overwritten.")
    (output / "logs").mkdir()


def _set_up(
    ending: ExitStack,
    tier: Tier,
    output: Path,
    nonce: str,
    receiving: Receiving | None,
    mechanism: str,
    about: dict[str, object],
    story: Story,
) -> LabStage:
    """Make the world of the run. What `ending` is given is undone from the last to the first."""
    rootless = tier is Tier.ROOTLESS
    place = runs.Place(cgroups=not rootless)
    ending.callback(place.remove)
    keeper = ending.enter_context(Keeper(place.world, rootless=rootless, cgroups=not rootless))
    network.make_cloud(keeper)
    backend: Backend = Rootless(keeper) if rootless else Oci(keeper, choice.runtime())
    about["runtime"] = backend.version()
    cloud = Cloud(keeper, output, nonce)
    ending.callback(cloud.close)
    sensor, preload = sensors.bring(place.folder / "sensor")
    endpoints = None
    if receiving is not None and sensor:
        endpoints = ending.enter_context(receiving(output / "sensor.jsonl", place.endpoints))
    about["sensor"] = ("preload" if preload else "python") if endpoints is not None else "none"
    watching = _watch(ending, place, output, mechanism, about, keeper)
    if watching is not None:
        backend.wrap = watching.wrap
    parts = Parts(
        keeper=keeper,
        backend=backend,
        cloud=cloud,
        endpoints=endpoints,
        watching=watching,
        python=find(),
        folder=output,
        nonce=nonce,
        ca=cloud.authority(),
        cgroup=place.cgroup,
        sensor=sensor,
        preload=preload,
    )
    stage = LabStage(parts, story.step)
    ending.callback(stage.stop_all)
    return stage


def _watch(
    ending: ExitStack,
    place: runs.Place,
    output: Path,
    mechanism: str,
    about: dict[str, object],
    keeper: Keeper,
) -> Watching | None:
    """Start what looks at the kernel, if it is wanted and can be had; `about` tells which it is, or why there is none."""
    why = strace.missing() if keeper.rootless else ""
    if mechanism == "none" or (why and mechanism == "auto"):
        about["kernel"] = "none"
        about["no_kernel"] = why or "not wanted"
        return None
    watching: Watching
    if not keeper.rootless and mechanism == "strace":
        raise LabError(
            "strace wraps what an ordinary user runs", "Take --mechanism tracefs, or --tier rootless."
        )
    if not keeper.rootless:
        assert place.cgroup_folder is not None  # noqa: S101 - the root tier has made it
        watching = Kernel(place.folder, output, place.cgroup_folder, mechanism=mechanism)
    elif why or mechanism not in ("auto", "strace"):
        raise LabError(f"{mechanism} cannot be used without root: {why or 'only strace can'}")
    else:
        watching = Traces(place.folder, keeper.inside, output)

    def drained() -> None:
        about["kernel_counts"] = dict(watching.close())

    ending.callback(drained)
    about["kernel"] = watching.mechanism
    return watching


@contextmanager
def _adopting(stage: LabStage) -> Iterator[None]:
    """Start what pods make through the API for as long as this is entered; a failure of it is raised at the end."""
    ended = threading.Event()
    failures: list[LabError] = []

    def look() -> None:
        while not ended.wait(ADOPT_EVERY_S):
            try:
                stage.adopt()
            except LabError as error:
                failures.append(error)
                return

    thread = threading.Thread(target=look, name="adopting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if failures:
        raise failures[0]


def _finish(scenario: Scenario, output: Path, about: dict[str, object], stage: LabStage | None) -> None:
    """Move what was stamped by the machine's clock to the run's, and write the label and what the run was."""
    leaps = stage.leaps if stage is not None else []
    moving = Leaps(leaps)
    runtime = stage.runtime if stage is not None else ""
    about["runtime_records"] = finish_file(output / "tetragon.jsonl", moving, runtime)
    finish_file(output / "sensor.jsonl", moving)
    about["leaps"] = [leap.seconds for leap in leaps]
    (output / FOLDER).mkdir(exist_ok=True)
    for name in TELEMETRY:
        if (output / name).exists():
            (output / name).rename(output / FOLDER / name)
    (output / "label.json").write_bytes(_pretty(scenario.label))
    (output / "run.json").write_bytes(_pretty(about))


def _pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def _words(output: Path) -> Mapping[str, str]:
    """What tells of this machine, and what a recording has in its place. A short host name could be part of any word."""
    told = {str(Path.home()): "/root", str(output): "/run"}
    host = socket.gethostname()
    if len(host) > 4 and host != "localhost":
        told[host] = "lab"
    boot = Path("/proc/sys/kernel/random/boot_id")
    if boot.exists():
        told[boot.read_text().strip()] = "86868686-0000-4000-8000-000000000086"
    user = os.environ.get("USER", "")
    if len(user) > 4:
        told[user] = "user"
    return {word: other for word, other in told.items() if word not in ("/", "/root")}
