"""Some days of a cluster, written: two pods with the same suspect chain, one breach, one chain that is only watched."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import msgspec

from tests.streams import ATTACKS, FULL, KERNEL_AND_AUDIT, KERNEL_ONLY, LOOK_ALIKES, Recording, Setting

__all__ = ["DAY_S", "others_of", "write_days", "write_stream"]

DAY_S = 86_400.0

STREAMS = (
    ("dropper", KERNEL_ONLY, 0, "1"),
    ("dropper", KERNEL_ONLY, 1, "2"),
    ("breach-86s", FULL, 1, "3"),
    ("breach-86s", KERNEL_ONLY, 4, "4"),
)
"""Scenario, setting, day, and the number that makes its pod another one."""

QUIET = (("mlflow-server", KERNEL_AND_AUDIT, 2),)
QUIET_SAME_WORKLOAD = (("worker-respawn", KERNEL_AND_AUDIT, 3),)


def write_days(folder: Path, *, known: bool = False) -> Path:
    """Write a folder for each stream; the same bytes every time. `known`: a pod of the workload that does nothing odd is
    among them, so a baseline knows the workload."""
    for name, setting, day, number in STREAMS:
        write_stream(folder / f"{day}-{name}-{number}", ATTACKS[name](on_day(setting, day)), number)
    for name, setting, day in QUIET + (QUIET_SAME_WORKLOAD if known else ()):
        write_stream(folder / f"{day}-{name}", LOOK_ALIKES[name](on_day(setting, day)))
    return folder


def on_day(setting: Setting, day: int) -> Setting:
    """`setting` with everything `day` days later, on a node of its own."""
    return replace(setting, shift_s=day * DAY_S, first_node=day)


def write_stream(folder: Path, recording: Recording, number: str = "") -> None:
    """Write a recording, in another pod of the same workload where `number` says so."""
    folder.mkdir(parents=True)
    others = others_of(recording, number) if number else {}
    for name, lines in recording.streams.items():
        text = "\n".join(lines) + "\n"
        for old, new in others.items():
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")


def others_of(recording: Recording, number: str) -> dict[str, str]:
    """What names the pod `inference-0` in the records, and what names the other one."""
    for line in recording.streams["tetragon.jsonl"]:
        pod = msgspec.json.decode(line).get("process_exec", {}).get("process", {}).get("pod", {})
        if pod.get("name") == "inference-0":
            uid, container = pod["uid"], pod["container"]["id"].rpartition("/")[2]
            other = blake2b((container + number).encode(), digest_size=len(container) // 2).hexdigest()
            pair = {uid: f"{int(number):08x}{uid[8:]}", "inference-0": f"inference-{number}"}
            return {**pair, container: other, container[:31]: other[:31]}
    raise AssertionError("no record of the pod")
