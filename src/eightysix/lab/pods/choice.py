"""Which tier this machine can play, and why not the others: one line for each."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache

from msgspec import Struct

from eightysix.lab.interface import Tier
from eightysix.model.errors import LabError

__all__ = ["RUNTIMES", "Choice", "choose", "root_refusal", "rootless_refusal", "runtime"]

RUNTIMES = ("crun", "runc")
_PROGRAMS = ("ip", "nsenter", "unshare", "mount", "sh")
_TRY = "mount -t tmpfs none /mnt && ip link add lab0 type veth peer name lab1"
"""What the lab needs namespaces for: mounts and interfaces of its own."""


class Choice(Struct, frozen=True):
    """The tier that is played; `reasons` tells of those that were wanted and not possible."""

    tier: Tier
    reasons: tuple[str, ...] = ()


def choose(possible: Sequence[Tier], forced: str = "", *, recorded: bool = True) -> Choice:
    """The best of the `possible` tiers of a scenario here. Raises `LabError` where none is, or the forced one is not."""
    if forced:
        tier = Tier(forced)
        refusal = _refusal(tier, possible, recorded=recorded)
        if refusal:
            raise LabError(refusal, "Leave out --tier, and the lab takes what is possible here.")
        return Choice(tier)
    reasons: list[str] = []
    for tier in (Tier.ROOT, Tier.ROOTLESS, Tier.REPLAY):
        refusal = _refusal(tier, possible, recorded=recorded)
        if not refusal:
            return Choice(tier, tuple(reasons))
        reasons.append(refusal)
    raise LabError(
        "this scenario cannot be played here: " + "; ".join(reasons),
        "make lab-setup installs what is missing.",
    )


def _refusal(tier: Tier, possible: Sequence[Tier], *, recorded: bool) -> str:
    if tier is Tier.REPLAY:
        return "" if recorded else "replay: no run of this scenario is recorded"
    if tier not in possible:
        return f"{tier}: the scenario is not made for it"
    why = root_refusal() if tier is Tier.ROOT else rootless_refusal()
    return f"{tier}: {why}" if why else ""


def runtime() -> str:
    """The OCI runtime to take, or nothing."""
    named = os.environ.get("EIGHTYSIX_LAB_RUNTIME", "")
    return next((name for name in RUNTIMES if named in ("", name) and shutil.which(name)), "")


def root_refusal() -> str:
    """Why the root tier cannot be played here; empty where it can."""
    if os.name != "posix" or not os.path.isdir("/proc/self/ns"):
        return "this is no Linux"
    if os.geteuid() != 0:
        return "not root"
    if not runtime():
        return f"no OCI runtime ({' or '.join(RUNTIMES)})"
    return _missing() or _tried()


def rootless_refusal() -> str:
    """Why the rootless tier cannot be played here; empty where it can."""
    if os.name != "posix" or not os.path.isdir("/proc/self/ns"):
        return "this is no Linux"
    if not shutil.which("setpriv"):
        return "no setpriv (util-linux)"
    return _missing() or _tried("--user", "--map-root-user")


def _missing() -> str:
    missing = [name for name in _PROGRAMS if not shutil.which(name)]
    return f"not installed: {', '.join(missing)}" if missing else ""


@cache
def _tried(*kinds: str) -> str:
    """Make the namespaces once, and let them go."""
    command = ["unshare", *kinds, "--mount", "--net", "--pid", "--fork", "--mount-proc", "sh", "-ec", _TRY]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"namespaces cannot be tried: {error}"
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().rpartition("\n")[2]
    return f"the kernel allows no namespaces here: {said or f'code {done.returncode}'}"
