"""Every way under the sensor with its native part, under the sensor in Python alone, and under the kernel's sensor.

    python -m bench.evasion.play [--output bench/results/evasion.json] [--only NAME...]
    python -m bench.evasion.play --page docs/evasion.md bench/results/evasion.json

Needs root. Everything happens in a network namespace and a cgroup of its own, with the metadata service's address on the
loopback device. The interpreter that runs this runs the ways; uvloop and pycurl are tried where it has them.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.evasion.kernel import Kernel
from bench.evasion.table import NOTHING, WAYS, Way, table
from bench.hooks import CLONE_NEWNS, own_namespaces

__all__ = ["compiled", "main", "measure", "missing", "play"]

ROOT = Path(__file__).resolve().parents[2]
ADDRESS, PORT = "169.254.169.254", 80
"""Where every cloud's metadata service is; here it is this machine's own."""

BEGIN, END = "<!-- evasion -->\n", "<!-- /evasion -->\n"
TOKEN = "secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
STATIC = """
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
int main(int count, char **words)
{
    struct sockaddr_in to = {AF_INET, htons((unsigned short)atoi(words[count - 1])), {inet_addr(words[1])}, {0}};
    return connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof to);
}
"""
POISONED = """
def by_compile(code, file):
    exec(compile(code, file, "exec"), {})

def by_replace(code, file):
    exec(compile(code, "<string>", "exec").replace(co_filename=file), {})
"""
ORDINARY = frozenset({"import", "connect", "sendto", "open", "resolve", "heartbeat"})
"""Events that are no trace of hiding: what every program does, and what the ways are after."""

PR_SET_PDEATHSIG = 1
TIMEOUT_S = 60


@dataclass(frozen=True)
class World:
    """Where the ways are gone."""

    folder: Path
    token: Path
    static: str
    native: str
    kernel: Kernel


def missing() -> str:
    """Why this cannot run here; empty where it can."""
    if os.geteuid() != 0:
        return "needs root"
    if not shutil.which("ip"):
        return "no command ip (Debian: iproute2)"
    return ""


def compiled(folder: Path) -> str:
    """The native part, compiled; empty where that is not possible."""
    done = subprocess.run(
        [sys.executable, ROOT / "sensor" / "native" / "compile.py", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def measure(only: Sequence[str] = ()) -> dict[str, Any]:
    """Every way, or those named. Call it in a process of its own: it moves it into other namespaces."""
    own_namespaces()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eightysix-evasion-")))
        stack.enter_context(_servers())
        kernel = stack.enter_context(Kernel(folder, [way.name for way in WAYS]))
        token = folder / TOKEN
        token.parent.mkdir(parents=True)
        token.write_text("not a token\n")
        (folder / "innocent.txt").symlink_to(token)
        for column in ("native", "python"):
            _environment(folder, column)
        world = World(folder, token, _static(folder), compiled(folder / "native-part"), kernel)
        usual = {
            column: _events(play(world, Way(NOTHING, "", ""), column)[1]) for column in ("native", "python")
        }
        ways = {way.name: _way(world, way, usual) for way in WAYS if not only or way.name in only}
        kernel.stop()
        for way in WAYS:
            if way.name in ways:
                not_run = [ways[way.name][column].get("not_run") for column in ("native", "python")]
                if all(not_run):
                    ways[way.name]["kernel"] = {"not_run": not_run[0]}
                    continue
                ways[way.name]["kernel"] = kernel.told(way, ADDRESS, PORT, str(token))
        return {
            "python": platform.python_version(),
            "kernel": platform.release().split("-")[0],
            "machine": platform.machine(),
            "mechanism": kernel.mechanism or f"none: {kernel.reason}",
            "ways": ways,
        }


def _way(world: World, way: Way, usual: dict[str, set[str]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for column in ("native", "python"):
        if column == "native" and not world.native:
            told[column] = {"not_run": "no compiler"}
            continue
        said, records = play(world, way, column)
        if said.startswith("not here: "):
            told[column] = {"not_run": said.removeprefix("not here: ").strip()}
            continue
        if said != "done\n" and way.name != "exec_without_preload":
            told[column] = {"not_run": f"failed: {said.strip()[-200:]}"}
            continue
        seen = any(_is_it(record, way.goal) for record in records)
        told[column] = {"seen": seen, "traces": sorted(_events(records) - usual[column] - ORDINARY)}
    return told


def _events(records: list[dict[str, Any]]) -> set[str]:
    return {str(record["event"]) for record in records}


def _is_it(record: dict[str, Any], goal: str) -> bool:
    path = record.get("path")
    if goal == "connect":
        return record["event"] in ("connect", "sendto") and (record.get("dst"), record.get("port")) == (
            ADDRESS,
            PORT,
        )
    if record["event"] not in ("open", "file") or not isinstance(path, str):
        return False
    if goal == "file":
        return path.endswith(TOKEN)
    return path.endswith({"environ": "/environ", "memory": "/mem"}.get(goal, "\0"))


def play(world: World, way: Way, column: str) -> tuple[str, list[dict[str, Any]]]:
    """Go one way in a process of its own; what it said, and the sensor's records."""
    records = world.folder / f"{way.name}-{column}.jsonl"
    with ExitStack() as stack:
        handed, channel = _hand(way, world, stack)
        told = {
            "address": ADDRESS, "port": PORT, "token": str(world.token), "link": str(world.folder / "innocent.txt"),
            "static": world.static,
            "handed": handed, "channel": channel,
        }  # fmt: skip
        env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "EVASION": json.dumps(told),
            "EVASION_SECRET": "not a secret",
            "EIGHTYSIX_SENSOR": f"file:{records}",
            "EIGHTYSIX_SENSOR_HOME": str(ROOT / "sensor" / "src"),
        }
        if column == "native":
            env["LD_PRELOAD"] = world.native
        python = world.folder / column / "bin" / "python"
        if way.name == "code_in_pth":
            stack.enter_context(_first_pth(world.folder / column))
        command = [str(python), *way.flags, str(Path(__file__).with_name("ways.py")), way.act or way.name]
        descriptors = tuple(one for one in (handed, channel) if one >= 0)
        enter = world.kernel.entering(way.name)
        done = subprocess.run(
            command, env=env, cwd=world.folder, capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
            pass_fds=descriptors, preexec_fn=lambda: _begin(enter),
        )  # fmt: skip
    lines = records.read_text().splitlines() if records.exists() else []
    return done.stdout if done.returncode == 0 else done.stderr or f"code {done.returncode}", [
        json.loads(x) for x in lines
    ]


def _begin(enter: str) -> None:
    """In the child, before it becomes another program. A mount namespace of its own makes it a container's process: what
    shares the host's is the runtime to the kernel's sensor, and left out."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.unshare(CLONE_NEWNS)
    if enter:
        Path(enter).write_text("0")


def _hand(way: Way, world: World, stack: ExitStack) -> tuple[int, int]:
    """What this process, which is not watched, opens and hands on: a descriptor, or a channel in which one waits."""
    if not way.hands:
        return -1, -1
    if way.hands.startswith("file"):
        opened = os.open(world.token, os.O_RDONLY)
    else:
        opened = socket.create_connection((ADDRESS, PORT)).detach()
    stack.callback(os.close, opened)
    if not way.hands.endswith("message"):
        return opened, -1
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    stack.enter_context(ours)
    stack.enter_context(theirs)
    socket.send_fds(ours, [b"!"], [opened])
    return -1, theirs.fileno()


def _environment(folder: Path, column: str) -> None:
    """An environment whose Python has what this one has; for Python alone, with a `.pth` that starts the sensor."""
    made = folder / column
    venv.create(made, with_pip=False, symlinks=True)
    (site,) = made.glob("lib/python3.*/site-packages")
    (site / "zz_more.pth").write_text(f"{sysconfig.get_path('platlib')}\n{sysconfig.get_path('purelib')}\n")
    _distributions(site)
    if column == "python":
        home = str(ROOT / "sensor" / "src")
        line = f"import sys; sys.path.insert(0, {home!r}); import eightysix_sensor.boot as b; sys.path.remove({home!r})"
        (site / "00_eightysix.pth").write_text(f"{line}; b.start(None)\n")


def _distributions(site: Path) -> None:
    """Two distributions: one that does nothing, and one whose code takes the other's name."""
    for name, code in (("innocent", "NOTHING = None\n"), ("poisoned", POISONED)):
        (site / name).mkdir()
        (site / name / "__init__.py").write_text(code)
        about = site / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "RECORD").write_text(
            f"{name}/__init__.py,,\n{about.name}/METADATA,,\n{about.name}/RECORD,,\n"
        )


@contextmanager
def _first_pth(environment: Path) -> Iterator[None]:
    """A `.pth` that sorts before any that begins with a letter or digit."""
    (site,) = environment.glob("lib/python3.*/site-packages")
    file = site / "!first.pth"
    # once: in an environment of its own, Python runs each line twice (site.venv, then site.addsitepackages)
    once = "import os, socket; os.environ.setdefault('FIRST_PTH', '') or os.environ.__setitem__('FIRST_PTH', '1') or "
    file.write_text(f"{once}socket.create_connection(({ADDRESS!r}, {PORT})).close()\n")
    try:
        yield
    finally:
        file.unlink()


def _static(folder: Path) -> str:
    """A static program that connects; empty where none can be made."""
    source, made = folder / "static.c", folder / "static"
    source.write_text(STATIC)
    for compiler in ("musl-gcc", "cc"):
        if shutil.which(compiler):
            done = subprocess.run([compiler, "-static", "-o", made, source], capture_output=True, check=False)
            if done.returncode == 0:
                return str(made)
    return ""


@contextmanager
def _servers() -> Iterator[None]:
    """The address on this namespace's own loopback, and listening sockets whose queue takes every connection."""
    subprocess.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    with (
        socket.create_server((ADDRESS, PORT), backlog=1024),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.bind((ADDRESS, PORT))
        yield


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument(
        "--page",
        nargs=2,
        type=Path,
        metavar=("PAGE", "RESULTS"),
        help="measure nothing: write the page's table",
    )
    args = parser.parse_args()
    if args.page:
        page, results = args.page
        before, begin, rest = page.read_text().partition(BEGIN)
        page.write_text(
            before + begin + table(json.loads(results.read_text())) + END + rest.partition(END)[2]
        )
        return
    reason = missing()
    if reason:
        sys.exit(f"not measured: {reason}")
    text = json.dumps(measure(args.only), indent=1) + "\n"
    if args.output:
        args.output.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
