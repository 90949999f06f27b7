"""How a process came to be and whose code acts: its ancestors, programs and packages, and the call chain."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import islice, pairwise

from eightysix.context.commands import is_inline, program_kind
from eightysix.context.credentials import TEMPORARY
from eightysix.context.servers import application
from eightysix.detect.actions import Action
from eightysix.detect.loads import loads_of
from eightysix.detect.observe import Observation
from eightysix.detect.view import ANNOUNCED_NS, PodView, distribution_name, runs_python
from eightysix.model.event import Event
from eightysix.model.words import Kind, Origin

__all__ = [
    "at_import_of",
    "is_fresh",
    "is_landed_program",
    "is_own_program",
    "lineage_of",
    "package_behind",
    "root_of",
    "runs_hook",
    "started_by_fresh_code",
]

SKEW_OF_START_NS = 250_000_000
"""The sensor announces a start before the kernel tells of it; their clocks and queues may be apart by this much."""


def lineage_of(view: PodView, observation: Observation) -> tuple[str, ...]:
    """How the acting process came to be: by whom started, from what file."""
    actor = observation.actor
    if not actor:
        return ()
    tree = view.lineage
    path = tree.ancestors(actor)
    found: list[str] = []
    if any(ancestor in view.installers for ancestor in path[1:]):
        found.append("installer")
    if any(is_landed_program(view, ancestor) for ancestor in path):
        found.append("landed-file")
    elif any(any(package_behind(view, ancestor)) for ancestor in path):
        found.append("landed-package")
    if any(ancestor in started_by_fresh_code(view) for ancestor in path):
        found.append("fresh-code")
    if any(_runs_inline(view, *pair) for pair in pairwise(path)):
        found.append("inline-code")
    found += runs_hook(view, actor)
    if loads_of(view).started(actor):
        found.append("load")
    if _in_terminal(view, path):
        found.append("terminal")
    if observation.event.exec_probe:
        found.append("exec-probe")
    if tree.is_exec_session(actor):
        found.append("exec-session")
    elif tree.in_entrypoint_tree(actor):
        found.append("entrypoint")
    return tuple(found)


def _in_terminal(view: PodView, path: tuple[str, ...]) -> bool:
    """Whether the process was started from a shell that a terminal of the container runs: Jupyter's and an IDE's shells
    are children of the server and run neither a script nor `-c`. A shell that reads a script from a pipe looks the same."""
    return any(program_kind(view.lineage.binary(a)) == "shell" and view.lineage.is_bare(a) for a in path[1:])


def runs_hook(view: PodView, actor: str) -> list[str]:
    """The kinds of startup hook that had been written when a Python interpreter, no installer, started."""
    started = view.lineage.started_ns(actor)
    if not started or actor in view.witnessed or not runs_python(view.lineage.binary(actor)):
        return []
    return [name for name, written in view.hooks if written <= started]


def is_landed_program(view: PodView, exec_id: str) -> bool:
    """Whether a process runs a program or script that was written in this pod before, or that lies where only such lie.
    The interpreter of a virtual environment that was made there (Ray does so for each job) is none, unless it was seen
    to be written. Nor is what may be the container's own entrypoint: a job's script often lies in /tmp."""
    tree = view.lineage
    started = tree.started_ns(exec_id)
    for path in tree.programs(exec_id):
        written = view.written.get(path)
        if written is not None and (not started or written <= started):
            return True
        if path in view.installed:
            continue
        if path.startswith(TEMPORARY) and not ("/bin/" in path and runs_python(path)):
            return not tree.may_be_first(exec_id)
    return False


def package_behind(view: PodView, exec_id: str) -> tuple[str, str]:
    """The installed package whose program or script a process runs: the installer that put it among the programs, or the
    distribution in whose folder it lies (the other text is empty). Both are empty where there is none."""
    known = view.package_of.get(exec_id)
    if known is None:
        known = view.package_of[exec_id] = _package_behind(view, exec_id)
    return known


def _package_behind(view: PodView, exec_id: str) -> tuple[str, str]:
    tree = view.lineage
    started = tree.started_ns(exec_id)
    for path in tree.programs(exec_id):
        since, installer = view.installed.get(path, (0, ""))
        if installer and (not started or since <= started):
            return installer, ""
        for folder, since, name in view.packages:
            if path.startswith(folder) and (not started or since <= started):
                return "", name
    return "", ""


def started_by_fresh_code(view: PodView) -> dict[str, str]:
    """Processes that code of a fresh distribution or hook started, by the sensor's word, and the entry that names it: of
    each start that the sensor announced, the child that the kernel saw a moment later."""
    if view.fresh_code is None:
        view.fresh_code = {}
        for observation in view.observations:
            event = observation.event
            if event.kind is not Kind.SPAWN or not event.pid:
                continue
            entry = _fresh_entry(view, observation)
            if entry:
                child = _announced_child(view, event, view.fresh_code)
                if child:
                    view.fresh_code[child] = entry
    return view.fresh_code


def _fresh_entry(view: PodView, observation: Observation) -> str:
    """The entry of fresh code that is at the root of a call or being imported, empty where there is none."""
    told = observation.provenance
    if at_import_of(view, observation).startswith("fresh"):
        return told.at_import
    return (told.root or told.chain[-1]) if root_of(view, observation) == "fresh" else ""


def _announced_child(view: PodView, event: Event, known: Mapping[str, str]) -> str:
    """The child that `event` announces: of the same parent, started within `ANNOUNCED_NS`, of a program of that name."""
    name = _plain_name(event.binary)
    children = view.lineage.children_of(event.container_id, event.pid)
    first = bisect_left(children, (event.time_ns - SKEW_OF_START_NS, ""))
    for started, child in islice(children, first, None):
        if started - event.time_ns > ANNOUNCED_NS:
            break
        if child not in known and _plain_name(view.lineage.binary(child)) == name:
            return child
    return ""


def _plain_name(binary: str) -> str:
    """A program's file name without its version: the program names a link, the kernel the file behind it."""
    return binary.rpartition("/")[2].rstrip("0123456789.")


def _runs_inline(view: PodView, exec_id: str, parent: str) -> bool:
    """Whether a process is an interpreter on code without a file that another program of the container started: not a
    person's or a script's shell, nor what runs a container's command, where such one-liners are usual."""
    tree = view.lineage
    if not is_inline(tree.command(exec_id)) or program_kind(tree.binary(exec_id)) != "interpreter":
        return False
    starter = tree.binary(parent)
    return bool(starter) and program_kind(starter) in ("interpreter", "")


def root_of(view: PodView, observation: Observation) -> str:
    """Whose code asked: `app` where application code is anywhere in the chain (a framework's thread that runs it is not
    the one who asks) or the outermost package is the program that was started (`python -m mlflow`); else the outermost
    code's: `fresh`, `package` or `unknown`. A script that landed is `fresh`, too."""
    told = observation.provenance
    root = told.root or (told.chain[-1] if told.chain else "")
    if not root:
        return "unknown"
    if root.startswith("app:") or any(entry.startswith("app:") for entry in told.chain):
        return "fresh" if _runs_as_landed(view, observation, root) else "app"
    name = distribution_name(root)
    if not name:
        return "unknown"
    fresh = is_fresh(view, root, observation.time_ns)
    if name == _main_module(view, observation.actor) and not fresh:
        return "app"
    if _is_own_package(view, observation.actor, name):
        return "app"
    return "fresh" if fresh else "package"


def _runs_as_landed(view: PodView, observation: Observation, root: str) -> bool:
    """Whether the code at the root is the script that its process was started with, and that script landed."""
    actor = observation.actor
    return root[4:] in view.lineage.programs(actor) and is_landed_program(view, actor)


def _main_module(view: PodView, actor: str) -> str:
    """The top package that a process was started with by `-m`, spelled as a distribution's name."""
    words = view.lineage.command(actor).split(" ")
    place = words.index("-m") + 1 if "-m" in words else len(words)
    return _as_distribution(words[place]) if place < len(words) else ""


def _as_distribution(module: str) -> str:
    return module.partition(".")[0].replace("_", "-").lower()


def _is_own_package(view: PodView, actor: str, name: str) -> bool:
    """Whether the container's own command runs this package: by `-m`, or as the application that it gives to a server.

    Another release of it that the kernel saw land after the process had started is not what was started."""
    served = _as_distribution(application(view.lineage.command(actor)))
    if name not in (_main_module(view, actor), served) or not is_own_program(view, actor):
        return False
    started = view.lineage.started_ns(actor)
    return not started or not any(
        landing.time_ns > started
        and landing.event.origin is Origin.KERNEL
        and any(artifact.kind == "pypi" and artifact.name == name for artifact in landing.artifacts)
        for landing in view.landings
    )


def is_own_program(view: PodView, actor: str) -> bool:
    """Whether the container's own command started the process, with nothing but shells in between: its server, even where
    the start script installed it just before. What a program of the container starts, or becomes, is none. Where the kernel
    tells of no process, the sensor's one and only word stands for it, that this is the container's first process or that
    nothing but installers spoke before it. A second word that differs takes it back."""
    known = view.own_programs.get(actor)
    if known is None:
        known = view.own_programs[actor] = _is_own_program(view, actor)
    return known


def _is_own_program(view: PodView, actor: str) -> bool:
    tree = view.lineage
    if tree.has_processes:
        above = tree.ancestors(actor)[1:]
        return tree.is_from_first(actor) and all(program_kind(tree.binary(a)) in _LAUNCHERS for a in above)
    told = [o.event for o in view.observations if o.event.kind is Kind.START]
    mine = [event for event in told if event.exec_id == actor]
    if len({event.command for event in mine}) != 1:
        return False
    others = [e.time_ns for e in told if e.exec_id != actor and e.activity not in ("install", "download")]
    last = max(event.time_ns for event in mine)
    return all(event.ns_pid == 1 for event in mine) or all(last < time_ns for time_ns in others)


_LAUNCHERS = ("shell", "wrapper")
"""Kinds of programs that stand between a container's command and its server: `sh start.sh`, `tini --`, `env`."""


def at_import_of(view: PodView, observation: Observation) -> str:
    """Which code was being imported at that moment. The program that the container was started with is run, not imported."""
    told = observation.provenance
    entry = told.at_import
    if not entry:
        return "none" if told.chain else "unknown"
    if entry.startswith("pth:"):
        landed = any(is_fresh(view, chained, observation.time_ns) for chained in told.chain)
        landed = landed or any(
            o.action is Action.STARTUP_FILE
            and o.event.file_path == entry[4:]
            and o.time_ns <= observation.time_ns
            for o in view.observations
        )
        return "fresh-pth" if landed else "pth"
    if _is_own_package(view, observation.actor, distribution_name(entry)):
        return "none"
    return "fresh" if is_fresh(view, entry, observation.time_ns) else "package"


def is_fresh(view: PodView, entry: str, time_ns: int) -> bool:
    """Whether a chain's entry is of a distribution that had landed by then."""
    landed = view.fresh.get(distribution_name(entry))
    return landed is not None and landed <= time_ns
