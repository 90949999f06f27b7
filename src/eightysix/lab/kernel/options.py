"""The command line of `python -m eightysix.lab.kernel`. A part of the lab starts it, so it is plain: options and values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from eightysix.lab.kernel import MECHANISMS
from eightysix.lab.world import CLUSTER, NODE
from eightysix.model.errors import UsageError

__all__ = ["USAGE", "Options", "parse"]

USAGE = """\
usage: python -m eightysix.lab.kernel --cgroup DIR --output FILE [--pods FILE] [--mechanism auto|ebpf|tracefs]
         [--deny ADDRESS]... [--node NAME] [--cluster NAME] [--offset SECONDS] [--ring BYTES]
       python -m eightysix.lab.kernel --mechanism strace --trace FIFO --output FILE [--pods FILE] [--place PATH]

Writes what the processes in a cgroup (version 2) and below do, in the form of Tetragon's export. One line of JSON tells
that it is ready. It ends on SIGTERM or at the end of its input, and a last line tells counts and what was lost. A line
{"leap": SECONDS} on its input makes all that follows that much later, {"deny": ADDRESS} refuses connections from then on
(eBPF alone can). With strace, the processes are those that
`lab.kernel.strace.wrap` wrapped to write to FIFO, and of the pod whose `cgroup` in the pods file is PATH.
"""


class Options(Struct, frozen=True, kw_only=True):
    """What was asked for."""

    output: Path
    cgroup: Path | None = None
    trace: Path | None = None
    place: str = ""
    pods: Path | None = None
    mechanism: str = "auto"
    deny: tuple[str, ...] = ()
    node: str = NODE
    cluster: str = CLUSTER
    offset: float = 0.0
    ring: int = 0


def parse(arguments: Sequence[str]) -> Options:
    """Options from words. Raises `UsageError`."""
    given: dict[str, str] = {}
    deny: list[str] = []
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            value = next(words, "")
        if name not in _NAMES or not value:
            raise UsageError(f"cannot use {word!r}", USAGE)
        if name == "--deny":
            deny.append(value)
        else:
            given[name] = value
    mechanism = given.get("--mechanism", "auto")
    needed = ("--output", "--trace" if mechanism == "strace" else "--cgroup")
    if any(name not in given for name in needed):
        raise UsageError(f"{' and '.join(needed)} are needed", USAGE)
    if mechanism not in ("auto", *MECHANISMS):
        raise UsageError(f"--mechanism is one of auto, {', '.join(MECHANISMS)}", USAGE)
    try:
        offset, ring = float(given.get("--offset", "0")), int(given.get("--ring", "0"))
    except ValueError:
        raise UsageError("--offset and --ring are numbers", USAGE) from None
    paths = {name[2:]: Path(given[name]) for name in ("--cgroup", "--trace", "--pods") if name in given}
    return Options(
        **paths, output=Path(given["--output"]), mechanism=mechanism, deny=tuple(deny), node=given.get("--node", NODE),
        cluster=given.get("--cluster", CLUSTER), place=given.get("--place", "").strip("/"), offset=offset, ring=ring,
    )  # fmt: skip


_NAMES = frozenset(
    "--cgroup --trace --place --output --pods --mechanism --deny --node --cluster --offset --ring".split()
)
