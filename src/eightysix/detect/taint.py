"""What a process owes to something that landed: the landing that made it, and its oldest tainted ancestor."""

from __future__ import annotations

from eightysix.detect.actions import Action
from eightysix.detect.descent import is_landed_program, package_behind, runs_hook, started_by_fresh_code
from eightysix.detect.observe import Observation
from eightysix.detect.view import PodView, distribution_name

__all__ = ["install_behind", "taint_root", "tainting_landing"]


def taint_root(view: PodView, actor: str) -> str:
    """The oldest process of `actor`'s ancestry (itself included) that taint explains: started by an installer, from a
    file that landed, or as an interpreter after a startup hook was written; empty where there is none."""
    known = view.taint_roots.get(actor)
    if known is None:
        known = view.taint_roots[actor] = _taint_root(view, actor)
    return known


def _taint_root(view: PodView, actor: str) -> str:
    path = view.lineage.ancestors(actor)
    found = ""
    for place, ancestor in enumerate(path):
        below_installer = place + 1 < len(path) and path[place + 1] in view.installers
        if ancestor in view.witnessed:
            break
        if below_installer or _is_tainted(view, ancestor):
            found = ancestor
    return found or (actor if runs_hook(view, actor) else "")


def _is_tainted(view: PodView, exec_id: str) -> bool:
    """Whether a process runs what landed, or was started by it."""
    return (
        is_landed_program(view, exec_id)
        or any(package_behind(view, exec_id))
        or exec_id in started_by_fresh_code(view)
    )


def tainting_landing(view: PodView, taker: str, before_ns: int) -> Observation | None:
    """What landed and made the taker: the file that it or an ancestor runs, the install that started it or brought the
    package whose program it runs or whose code started it, or the hook that its interpreter ran; the latest of them
    before `before_ns`."""
    path = view.lineage.ancestors(taker) if taker else ()
    programs = {program for ancestor in path for program in view.lineage.programs(ancestor)}
    hooked = bool(taker) and bool(runs_hook(view, taker))
    installers, names = _packages_behind(view, path)
    found = [
        o
        for o in view.told()
        if o.time_ns <= before_ns
        and (
            (o.action is Action.WRITE and o.event.file_path in programs)
            or (o.action is Action.INSTALL and o.actor in path and o.actor in view.installers)
            or (
                o.action is Action.INSTALL
                and (o.actor in installers or any(artifact.name in names for artifact in o.artifacts))
            )
            or (o.action is Action.STARTUP_FILE and hooked)
        )
    ]
    return found[-1] if found else None


def _packages_behind(view: PodView, path: tuple[str, ...]) -> tuple[set[str], set[str]]:
    """The installers and the distributions that processes of `path` run programs of or were started by."""
    behind = [package_behind(view, ancestor) for ancestor in path]
    started = [started_by_fresh_code(view).get(ancestor, "") for ancestor in path]
    names = {name for _, name in behind} | {distribution_name(entry) for entry in started if entry}
    return {installer for installer, _ in behind} - {""}, names - {""}


def install_behind(view: PodView, landing: Observation | None) -> Observation | None:
    """The install that wrote what landed, if one did: the story begins when it started. Else `landing` itself."""
    if landing is None or landing.action not in (Action.STARTUP_FILE, Action.WRITE) or not landing.actor:
        return landing
    above = set(view.lineage.ancestors(landing.actor))
    installs = [o for o in view.landings if o.actor in above and o.time_ns <= landing.time_ns]
    return installs[-1] if installs else landing
