"""Writes the streams that ship with the project: `python -m tests.streams.write` (examples and rule folders).

With `--check` nothing is written; it exits with 1 and names the files that are not as they would be written.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from eightysix.lab.generate.scenarios.attack_beyond import AUDIT_ONLY
from eightysix.lab.generate.scene import Streams
from eightysix.lab.generate.settings import LEAN, Setting
from tests.replays import REPLAYS
from tests.streams import (
    ATTACKS,
    FULL,
    KERNEL_AND_AUDIT,
    KERNEL_AND_SENSOR,
    KERNEL_ONLY,
    LOOK_ALIKES,
    SENSOR_AND_AUDIT,
)
from tests.streams.gates import GATED
from tests.streams.ledgers import LEDGERED

__all__ = ["EXAMPLES", "RULES", "committed", "shipped"]

ROOT = Path(__file__).resolve().parents[2]

_FULL = replace(FULL, kernel=LEAN)
_KERNEL_AND_AUDIT = replace(KERNEL_AND_AUDIT, kernel=LEAN)
_KERNEL_ONLY = replace(KERNEL_ONLY, kernel=LEAN)
_KERNEL_AND_SENSOR = replace(KERNEL_AND_SENSOR, kernel=LEAN)


@dataclass(frozen=True)
class Cut:
    """One folder that ships: a scenario in a setting."""

    folder: str
    scenario: str
    setting: Setting


RULES: Mapping[str, tuple[Cut, ...]] = {
    "poisoned-install": (
        Cut("fires/breach", "breach-86s", _FULL),
        Cut("fires/breach-without-sensor", "breach-86s", _KERNEL_AND_AUDIT),
        Cut("fires/breach-without-kernel", "breach-86s", SENSOR_AND_AUDIT),
        Cut("fires/build-backend", "build-backend", _KERNEL_AND_AUDIT),
        Cut("fires/volume-of-a-replaced-pod", "volume-replaced-pod", _FULL),
        Cut("quiet/self-patching-server", "self-patching-server", _FULL),
        Cut("quiet/dependencies-at-start", "dependencies-at-start", _KERNEL_AND_AUDIT),
        Cut("quiet/sdk-at-start", "sdk-at-start", _FULL),
        Cut("quiet/kserve-initializer", "kserve-initializer", _KERNEL_AND_AUDIT),
        Cut("quiet/volume-updated", "volume-updated", _FULL),
    ),
    "startup-hook": (
        Cut("fires/pth", "hook-pth", _FULL),
        Cut("fires/pth-in-session", "hook-pth-session", _KERNEL_AND_AUDIT),
        Cut("quiet/editable-install", "editable-install", _FULL),
        Cut("quiet/setuptools-upgrade", "setuptools-upgrade", _KERNEL_AND_AUDIT),
    ),
    "credential-sweep": (
        Cut("fires/dropper", "dropper", _KERNEL_AND_AUDIT),
        Cut("fires/dropped-script", "dropped-script", _FULL),
        Cut("fires/inline-child", "inline-child", _KERNEL_ONLY),
        Cut("quiet/two-domains-daily", "two-domains-daily", _FULL),
        Cut("quiet/exec-debugging", "exec-debugging", _KERNEL_AND_AUDIT),
        Cut("quiet/inline-workers", "inline-workers", _FULL),
        Cut("quiet/server-from-index", "server-from-index", _KERNEL_AND_AUDIT),
    ),
    "foreign-program": (
        Cut("fires/miner", "ultralytics-8.3.41", _KERNEL_ONLY),
        Cut("fires/dropper", "dropper", _KERNEL_ONLY),
        Cut("quiet/tool-at-start", "tool-at-start", _KERNEL_ONLY),
        Cut("quiet/compiled-helper", "compiled-helper", _KERNEL_AND_AUDIT),
    ),
    "token-outside": (
        Cut("fires/outside", "token-outside", _KERNEL_AND_AUDIT),
        Cut("fires/outside-by-log-alone", "token-outside-by-log-alone", AUDIT_ONLY),
        Cut("fires/elsewhere", "token-elsewhere", _KERNEL_AND_AUDIT),
        Cut("quiet/gateway", "token-by-gateway", AUDIT_ONLY),
        Cut("quiet/through-node", "token-through-node", _KERNEL_AND_AUDIT),
        Cut("quiet/dual-stack", "token-dual-stack", _KERNEL_AND_AUDIT),
        Cut("quiet/declared-pipeline", "token-of-ci", _KERNEL_AND_AUDIT),
        Cut("quiet/konnectivity", "token-through-konnectivity", AUDIT_ONLY),
    ),
    "node-takeover": (
        Cut("fires/namespaces", "node-takeover", _KERNEL_AND_AUDIT),
        Cut("fires/kubelet-folder", "kubelet-folder", _KERNEL_AND_AUDIT),
        Cut("quiet/node-agents", "node-agent-folders", _KERNEL_AND_AUDIT),
        Cut("quiet/operator-debugs", "operator-debugs-node", _KERNEL_AND_AUDIT),
        Cut("quiet/driver-installer", "driver-installer", _KERNEL_AND_AUDIT),
    ),
    "made-pods": (
        Cut("fires/privileged-pods", "privileged-pods", _FULL),
        Cut("fires/daemonset", "daemonset-made", _KERNEL_AND_AUDIT),
        Cut("quiet/ci", "ci-makes-pods", _KERNEL_AND_AUDIT),
        Cut("quiet/scheduler", "operator-makes-workers", _KERNEL_AND_AUDIT),
    ),
    "identity-outside": (
        Cut("fires/vault-and-storage", "identity-outside", _KERNEL_AND_AUDIT),
        Cut("fires/node-identity", "identity-of-the-nodes-outside", _KERNEL_AND_AUDIT),
        Cut("quiet/at-home", "identity-at-home", _KERNEL_AND_AUDIT),
        Cut("quiet/days-later", "identity-days-later", _KERNEL_AND_AUDIT),
    ),
    "model-load": (
        Cut("fires/unpickles", "model-unpickles", _FULL),
        Cut("fires/spawns", "model-spawns", _FULL),
        Cut("fires/remote-code", "model-remote-code", SENSOR_AND_AUDIT),
        Cut("fires/in-release", "model-in-release", _KERNEL_AND_SENSOR),
        Cut("fires/kernel-only", "model-unpickles-known", _KERNEL_ONLY),
        Cut("fires/scan-calls-malicious", "scan-calls-malicious", _KERNEL_AND_SENSOR),
        Cut("fires/scan-knows-nothing", "scan-knows-nothing", _KERNEL_AND_SENSOR),
        Cut("quiet/scan-cleared", "scan-cleared", _KERNEL_AND_SENSOR),
        Cut("quiet/scan-clean", "scan-clean", _KERNEL_AND_SENSOR),
        Cut("quiet/scan-of-another-file", "scan-of-another-file", _KERNEL_AND_SENSOR),
        Cut("quiet/scan-of-another-node", "scan-of-another-node", _KERNEL_AND_SENSOR),
        Cut("quiet/scan-expired", "scan-expired", _KERNEL_AND_SENSOR),
        Cut("quiet/remote-code-start", "remote-code-start", _FULL),
        Cut("quiet/remote-code-own-token", "remote-code-own-token", _KERNEL_AND_SENSOR),
        Cut("quiet/weights-only", "weights-only-load", _FULL),
        Cut("quiet/model-then-token", "model-then-token", _FULL),
        Cut("quiet/model-then-first-token", "model-then-first-token", _KERNEL_AND_AUDIT),
        Cut("quiet/pickle-from-storage", "pickle-from-storage", _KERNEL_AND_SENSOR),
    ),
    "revived-state": (
        Cut("fires/builds-client", "state-builds-client", _FULL),
        Cut("fires/takes-credentials", "state-takes-credentials", SENSOR_AND_AUDIT),
        Cut("fires/redirects-client", "state-redirects-client", _KERNEL_AND_SENSOR),
        Cut("quiet/agent-browses", "agent-browses", _KERNEL_AND_SENSOR),
        Cut("quiet/checkpoint-revival", "checkpoint-revival", _FULL),
        Cut("quiet/cloud-client-revived", "cloud-client-revived", _KERNEL_AND_SENSOR),
        Cut("quiet/saved-chain", "saved-chain", _KERNEL_AND_SENSOR),
    ),
    "untold-metadata-call": (
        Cut("fires/native-thief", "breach-past-the-sensor", _KERNEL_AND_SENSOR),
        Cut("fires/sensor-silenced", "breach-sensor-silenced", _FULL),
        Cut("quiet/native-client", "native-client", _FULL),
        Cut("quiet/native-client-updates", "native-client-updates", _FULL),
    ),
    "publish-credential": (
        Cut("fires/worm-in-build", "worm-in-build", _FULL),
        Cut("fires/worm-without-sensor", "worm-in-build", _KERNEL_ONLY),
        Cut("fires/push-without-history", "push-without-history", _KERNEL_ONLY),
        Cut("quiet/runner-publishes-daily", "runner-publishes-daily", _KERNEL_ONLY),
        Cut("quiet/runner-without-baseline", "runner-without-baseline", _FULL),
        Cut("quiet/notebook-git-push", "notebook-git-push", _KERNEL_ONLY),
        Cut("quiet/exec-git-push", "exec-git-push", _KERNEL_AND_AUDIT),
        Cut("quiet/image-builder", "image-builder", _KERNEL_AND_AUDIT),
        Cut("quiet/gated-model", "gated-model", _FULL),
        Cut("quiet/script-in-tmp", "script-in-tmp", _KERNEL_ONLY),
        Cut("quiet/pip-from-git", "pip-from-git", _KERNEL_ONLY),
    ),
    "release-drift": (
        Cut("fires/takes-credential", "release-takes-credential", _KERNEL_AND_AUDIT),
        Cut("fires/starts-binary", "release-starts-binary", _KERNEL_ONLY),
        Cut("fires/gate-held", "gate-held", _KERNEL_ONLY),
        Cut("fires/gate-held-late", "gate-held-late", _KERNEL_ONLY),
        Cut("quiet/gate-would-hold", "gate-would-hold", _KERNEL_ONLY),
        Cut("quiet/gate-held-elsewhere", "gate-held-elsewhere", _KERNEL_ONLY),
        Cut("quiet/gate-allowed", "gate-allowed", _KERNEL_ONLY),
        Cut("quiet/gate-moved-later", "gate-moved-later", _KERNEL_ONLY),
        Cut("quiet/rollout", "rollout-3", _KERNEL_ONLY),
        Cut("quiet/rollback", "rollback", _FULL),
    ),
}
"""The streams beside each rule. Where a recording has a time before, its streams lie in the subfolder `baseline`."""

NEIGHBOURS: tuple[tuple[str, float], ...] = (
    ("notebook-rebuild", 560.0),
    ("ray-head", 1_488.0),
    ("kserve-initializer", 1_530.0),
    ("mlflow-server", 1_440.0),
    ("ci-runner", 1_480.0),
    ("node-agent-polling", 1_260.0),
)
"""What else goes on in the cluster of the shipped breach, each on a node of its own, and when it begins."""

EXAMPLES: tuple[str, ...] = ("examples/breach-86s", "examples/look-alike")

DOCUMENTED = "examples/replays"
"""Where the breaches that are documented in public lie, a folder each."""


def write(name: str, setting: Setting) -> tuple[Streams, Streams]:
    """The streams of a scenario of any group, and those of the time before it where there are any."""
    if name in LEDGERED:
        return LEDGERED[name](setting)
    if name in GATED:
        return GATED[name](setting)
    scenario = ATTACKS.get(name) or LOOK_ALIKES.get(name)
    if scenario is not None:
        recording = scenario(setting)
        return recording.streams, recording.baseline
    # A rule's own recording is judged without the time before it, unless the rule needs that.
    return REPLAYS[name](setting).streams, {}


def declared(name: str, setting: Setting) -> dict[str, list[str]]:
    """What the operator of a scenario's cluster declares."""
    scenario = ATTACKS.get(name) or LOOK_ALIKES.get(name)
    return scenario(setting).declared if scenario is not None else {}


def breach() -> Streams:
    """The breach, in the middle of a cluster's everyday installs and metadata calls."""
    streams = [write("breach-86s", _FULL)[0]]
    for number, (name, begins) in enumerate(NEIGHBOURS, 1):
        streams.append(write(name, replace(_FULL, first_node=number * 10, shift_s=begins))[0])
    return merge(streams)


def merge(streams: list[Streams]) -> Streams:
    """One file a name, its lines sorted by time; of two lines that are the same one stays."""
    merged: Streams = {}
    for name in sorted({name for one in streams for name in one}):
        lines = dict.fromkeys(line for one in streams for line in one.get(name, []))
        merged[name] = sorted(lines, key=lambda line: (_time(json.loads(line)), line))
    return merged


def shipped() -> Iterator[tuple[str, str]]:
    """Path and text of every file that ships."""
    yield from _files(EXAMPLES[0], breach())
    yield from _files(EXAMPLES[1], write("self-patching-operator", _FULL)[0])
    for name, one in REPLAYS.items():
        replayed = one()
        yield from _files(f"{DOCUMENTED}/{name}", replayed.streams)
        yield from _files(f"{DOCUMENTED}/{name}/baseline", replayed.baseline)
    for rule, cuts in RULES.items():
        for cut in cuts:
            streams, baseline = write(cut.scenario, cut.setting)
            folder = f"src/eightysix/rules/{rule}/{cut.folder}"
            yield from _files(folder, streams)
            yield from _files(f"{folder}/baseline", baseline)
            told = declared(cut.scenario, cut.setting)
            if told:
                yield f"{folder}/declared.json", json.dumps(told, indent=2) + "\n"


def committed() -> set[str]:
    """Paths of the stream files that are there, in the folders that are written here."""
    folders = [ROOT / folder for folder in (*EXAMPLES, DOCUMENTED)]
    folders += [ROOT / "src/eightysix/rules" / rule / group for rule in RULES for group in ("fires", "quiet")]
    return {path.relative_to(ROOT).as_posix() for folder in folders for path in folder.rglob("*.json*")}


def main(arguments: list[str]) -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 where files differ")
    check = parser.parse_args(arguments).check
    wanted = dict(shipped())
    differing = sorted(committed() - wanted.keys())
    for name, text in wanted.items():
        path = ROOT / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        differing.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if not check:
        for name in committed() - wanted.keys():
            (ROOT / name).unlink()
    for name in differing:
        print(name, file=sys.stderr)
    return 1 if check and differing else 0


def _files(folder: str, streams: Streams) -> Iterator[tuple[str, str]]:
    for name, lines in streams.items():
        yield f"{folder}/{name}", "".join(f"{line}\n" for line in lines)


def _time(record: dict[str, object]) -> str:
    """What lines of one form sort by: times of one form compare as text."""
    for key in ("time", "requestReceivedTimestamp", "t_ns"):
        if key in record:
            return str(record[key])
    raise ValueError(f"no time in {sorted(record)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
