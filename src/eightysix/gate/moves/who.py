"""Who moved a tag, against who did so before in the same scope, and how much at once.

A registry names a user (Harbor always, distribution with authentication), an address and a program; ACR's webhook names the
program alone, and a row that we found by asking names nobody. What is not told is not judged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from eightysix.gate.moves.context import Case, finding
from eightysix.gate.scopes import tag_class
from eightysix.model.finding import Severity
from eightysix.model.gate import GateFinding, Outcome, Stray, TagMove

__all__ = ["AT_ONCE", "KNOWN_AFTER", "STEADY_HOSTS", "WINDOW_NS", "many_at_once", "new_pusher"]

KNOWN_AFTER = 3
"""Moves after which it is known who pushes to a scope; as many as runs make a baseline of signers (gate/baseline.py)."""

STEADY_HOSTS = 2
"""Addresses that a scope is pushed from where those are steady: a runner and its spare. More of them are a pool, in which a
new one means nothing."""

WINDOW_NS = 600 * 10**9
AT_ONCE = 8
"""Different artifacts that one pusher puts under existing tags within ten minutes. Judged: a release puts one artifact under
three or four tags, which counts as one; a pipeline for a handful of models stays below. Who was let to do more is held only at
more than twice that; having done it, or half of it, is no excuse."""

_MAX_NAME = 64
_PARSED = 1_024
"""Addresses and programs kept apart: every move is judged with the same thousands of rows."""


class Who(NamedTuple):
    """Who moved a tag; each may be empty. `host` is without the port, which differs each time, `tool` without its version."""

    actor: str
    host: str
    tool: str


class _Known:
    """Who pushed to a scope so far. It learns from the first moves, and then from none that would be new to it but those that a
    decision let land: who is held once does not become known by it."""

    def __init__(self) -> None:
        self.actors = _Names()
        self.hosts = _Names()
        self.tools = _Names()

    def learn(self, who: Who, accepted: bool) -> None:
        """Take a move in."""
        if accepted or not any(self.new(who)):
            self.actors.add(who.actor)
            self.hosts.add(who.host)
            self.tools.add(who.tool)

    def new(self, who: Who) -> tuple[bool, bool, bool]:
        """Whether the user, the machine and the program are new, each only where it is known who is not."""
        steady = len(self.hosts.different) <= STEADY_HOSTS
        return (
            self.actors.lack(who.actor),
            steady and self.hosts.lack(who.host),
            self.tools.lack(who.tool),
        )


class _Names:
    """Names of one kind, and how many moves told one."""

    __slots__ = ("different", "told")

    def __init__(self) -> None:
        self.different: set[str] = set()
        self.told = 0

    def add(self, name: str) -> None:
        """A move told this; empty where it told none."""
        if name:
            self.different.add(name)
            self.told += 1

    def lack(self, name: str) -> bool:
        """Whether a name is none of these, where enough moves told one."""
        return bool(name) and self.told >= KNOWN_AFTER and name not in self.different


def new_pusher(case: Case) -> Iterable[GateFinding]:
    """Somebody who is not known to move tags of this scope."""
    heard = _heard(case.context.strays)
    known = _Known()
    for move in case.rows:
        if _same_scope(move, case.move):
            known.learn(_who(move, heard), case.accepted(move))
    who = _who(case.move, heard)
    stranger, elsewhere, otherwise = known.new(who)
    if stranger:
        yield finding(
            case,
            "new-pusher",
            Severity.HIGH,
            "Somebody pushed who is not known to push here",
            f"{_shown(who.actor)}; known {_list(known.actors.different)}",
            holds=True,
            techniques=("T1078",),
        )
    elif elsewhere and otherwise:
        name = f"{_shown(who.actor)} pushed" if who.actor else "the push came"
        why = f"{name} from {_shown(who.host)} with {_shown(who.tool)}"
        yield finding(
            case,
            "pusher-elsewhere",
            Severity.HIGH,
            "A push from another machine, with another program",
            f"{why}; known {_list(known.hosts.different)} with {_list(known.tools.different)}",
            holds=True,
            techniques=("T1078", "T1528"),
        )
    elif otherwise:
        why = f"{_shown(who.tool)}; known {_list(known.tools.different)}"
        yield finding(
            case, "new-push-program", Severity.MEDIUM, "A push with a program that is new here", why
        )
    elif elsewhere:
        why = f"{_shown(who.host)}; known {_list(known.hosts.different)}"
        yield finding(case, "new-push-address", Severity.LOW, "A push from an address that is new here", why)


def many_at_once(case: Case) -> Iterable[GateFinding]:
    """One pusher who puts many artifacts under existing tags within minutes, and never was let to do so before."""
    heard = _heard(case.context.strays)
    who = _who(case.move, heard)
    if not any(who) or not case.move.previous:
        return
    window: deque[TagMove] = deque()
    most = 0
    for move in case.rows:
        if not (move.previous and move.digest) or _who(move, heard) != who:
            continue
        window.append(move)
        while window[0].seen_ns < move.seen_ns - WINDOW_NS:
            window.popleft()
        if move.seen_ns < case.move.seen_ns - WINDOW_NS and case.accepted(move):
            most = max(most, _artifacts(window))
    now = _artifacts(window)
    if now >= AT_ONCE and now > 2 * most:
        before = f"never let to do more than {most}" if most else "and never was let to do so"
        name = next(_shown(each) for each in who if each)
        yield finding(
            case,
            "many-tags-moved",
            Severity.HIGH,
            "Many tags were moved at once",
            f"{name} put {now} artifacts under existing tags within {WINDOW_NS // (60 * 10**9)} minutes, {before}",
            holds=True,
            techniques=("T1078",),
        )


def _artifacts(moves: Iterable[TagMove]) -> int:
    return len({(move.registry, move.repository, move.digest) for move in moves})


def _same_scope(move: TagMove, subject: TagMove) -> bool:
    return (
        move.sequence < subject.sequence
        and (move.registry, move.repository) == (subject.registry, subject.repository)
        and tag_class(move.tag) == tag_class(subject.tag)
        and bool(move.digest)
    )


def _heard(strays: Iterable[Stray]) -> dict[tuple[str, str, str, str], Who]:
    """Who pushed what we had found before its webhook came, by tag and digest; the latest word for each."""
    heard = {}
    for stray in sorted(strays, key=lambda stray: (stray.seen_ns, stray.event.id)):
        told = stray.event
        if stray.outcome is Outcome.SAME:
            place = (told.registry, told.repository, told.tag, told.digest)
            heard[place] = Who(told.actor, _host(told.address), _tool(told.agent))
    return heard


def _who(move: TagMove, heard: Mapping[tuple[str, str, str, str], Who]) -> Who:
    """Who moved the tag: what the row says, else what was heard later."""
    who = Who(move.actor, _host(move.address), _tool(move.agent))
    if any(who):
        return who
    return heard.get((move.registry, move.repository, move.tag, move.digest), who)


@lru_cache(maxsize=_PARSED)
def _host(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, colon, port = address.rpartition(":")
    return host if colon and ":" not in host and port.isdecimal() else address


@lru_cache(maxsize=_PARSED)
def _tool(agent: str) -> str:
    return agent.strip().partition(" ")[0].partition("/")[0].lower()


def _shown(text: str) -> str:
    """A name that somebody else chose, in a sentence: in quotes, short, on one line."""
    return repr(text[:_MAX_NAME])


def _list(names: Iterable[str]) -> str:
    different = sorted(names)
    told = ", ".join(map(_shown, different[:3]))
    return told + (f" and {len(different) - 3} others" if len(different) > 3 else "")
