"""Who asked for a token and when: connections to the metadata service and to the login endpoint, and who saw them.

What the kernel saw names a pod, a container, or the node alone. What code in a pod says of itself is kept apart: it adds
candidates where no kernel looked, and explains; it never takes anybody's place.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping

from msgspec import Struct

from eightysix.context.destinations import classify
from eightysix.context.inventory.observing import key_of_pod
from eightysix.context.names import NameIndex, Validity
from eightysix.context.pods import address_key, container_key, node_key
from eightysix.model.event import Contact, Event
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Kind, Origin

__all__ = ["COVERED_NS", "LOGIN_HOSTS", "MAX_CONTACTS", "MINUTE_NS", "Asked", "Contacts"]

MAX_CONTACTS = 2_000_000
"""Contacts kept over all pods and nodes: one a minute of 1,400 pods for a day."""

MINUTE_NS = 60_000_000_000

COVERED_NS = 300_000_000_000
"""A node whose kernel told something within 5 min before and after, or within a minute or two before, is taken to be
looked at (judged): agents on a node that runs pods are never silent for as long, as each probe of a container starts a
program."""

LOGIN_HOSTS = frozenset(
    """
    login.microsoftonline.com login.windows.net login.microsoft.com sts.windows.net login.microsoftonline.us
    login.chinacloudapi.cn login.partner.microsoftonline.cn
    """.split()
)
"""Where federated tokens and secrets are exchanged (learn.microsoft.com/entra/identity-platform/authentication-national-cloud;
the second to fourth are the aliases that instance discovery answers). Regional ones end in `.login.microsoft.com`."""

ProcessFact = tuple[str, int, str, str, str, bool | None]
"""What the engine keeps of a process; the third is when it started (`sources.tetragon.Fact`)."""

_LONGEST_ID = 512

_TOKEN = "/metadata/identity/oauth2/token"  # noqa: S105 - a path


class Asked(Struct, frozen=True, gc=False, order=True, array_like=True):
    """A contact. `key` is a key of `context.pods`; `said` are ids that the pod's own code says it asked for (None: the
    kernel saw it, which reads no request)."""

    time_ns: int
    key: str
    node: str
    origin: str
    said: tuple[str, ...] | None = None


class Contacts:
    """Contacts by kind, and which nodes were looked at when."""

    def __init__(self) -> None:
        self._metadata: set[Asked] = set()
        self._login: set[Asked] = set()
        self._sorted: dict[int, list[Asked]] = {}
        self._seen: dict[str, set[int]] = {}
        self._started: dict[str, set[int]] = {}
        self._looked: dict[str, set[int]] = {}
        self.full = False

    def observe(self, event: Event) -> None:
        """Take what an event tells of contacts."""
        if event.origin is Origin.KERNEL and event.node:
            # Minutes in which a node's kernel told something.
            self._seen.setdefault(event.node, set()).add(event.time_ns // MINUTE_NS)
        if event.kind is Kind.CONNECT or event.kind is Kind.HTTP:
            self._note(event)
        elif event.kind is Kind.RESOLVE and _is_login(event.dst_name):
            self._keep(self._login, event, ())

    def _note(self, event: Event) -> None:
        if _is_login(event.dst_name):
            self._keep(self._login, event, ())
        elif classify(event.dst_ip, event.dst_port, event.dst_name) == "metadata":
            if event.kind is Kind.HTTP and event.url_path and event.url_path != _TOKEN:
                return  # what the machine is, and no token
            self._keep(self._metadata, event, event.principals)

    def _keep(self, table: set[Asked], event: Event, said: tuple[str, ...]) -> None:
        key = key_of_pod(event)
        if not key and event.container_id:
            key = container_key(event.node, event.container_id)
        if not key and event.source_ip and event.kind is Kind.RESOLVE:
            key = address_key(event.source_ip)
        if not key and not event.node:
            return
        kernel = event.origin is not Origin.SUSPECT
        asked = Asked(
            event.time_ns,
            key or node_key(event.node),
            event.node,
            str(event.origin),
            None if kernel else said,
        )
        self._add(table, asked)

    def _add(self, table: set[Asked], asked: Asked) -> None:
        if len(table) < MAX_CONTACTS:
            table.add(asked)
            self._sorted.pop(id(table), None)
        else:
            self.full = True

    def note_plain(
        self, contacts: Mapping[str, Mapping[str, Contact]], names: Mapping[str, Mapping[str, Validity]]
    ) -> None:
        """Take plain connections by pod key, with the names that the resolver told each pod."""
        for key, told in contacts.items():
            index = NameIndex(names.get(key, {}))
            for called, seen in told.items():
                ip = called.split("|")[1] if called.count("|") == 2 else ""
                for time_ns, *_ in seen:
                    self._note_start(called.partition("|")[0], time_ns)
                    if any(map(_is_login, index.at(ip, time_ns))):
                        self._add(self._login, Asked(time_ns, key, "", str(Origin.KERNEL)))

    def note_processes(self, trees: Mapping[str, Mapping[str, ProcessFact]]) -> None:
        """Take starts of programs: of most of them there is no event, and each tells that its node was looked at."""
        for processes in trees.values():
            for exec_id, fact in processes.items():
                try:
                    self._note_start(exec_id, to_ns(fact[2]))
                except ValueError:
                    continue

    def _note_start(self, exec_id: str, time_ns: int) -> None:
        node = _node_of(exec_id)
        if node:
            self._started.setdefault(node, set()).add(time_ns // MINUTE_NS)

    def metadata(self, first_ns: int, last_ns: int) -> list[Asked]:
        """Contacts with the metadata service in a time, both ends included."""
        return self._between(self._metadata, first_ns, last_ns)

    def login(self, first_ns: int, last_ns: int) -> list[Asked]:
        """Contacts with the login endpoint in a time, both ends included."""
        return self._between(self._login, first_ns, last_ns)

    def _between(self, table: set[Asked], first_ns: int, last_ns: int) -> list[Asked]:
        order = self._sorted.get(id(table))
        if order is None:
            order = self._sorted[id(table)] = sorted(table, key=_order)
        start = bisect_left(order, first_ns, key=_time)
        return order[start : bisect_right(order, last_ns, key=_time)]

    @property
    def nodes(self) -> Iterable[str]:
        """Nodes whose kernel told something at some time."""
        return self._seen.keys()

    def _minutes(self, node: str) -> set[int]:
        """Minutes in which a node's kernel told something. What started before its first event was found running by an agent
        that came later."""
        seen = self._seen.get(node)
        if not seen:
            return set()
        held = self._looked.get(node)
        if held is None:
            first = min(seen)
            started = {minute for minute in self._started.get(node, ()) if minute >= first}
            held = self._looked[node] = seen | started
        return held

    def forget(self) -> None:
        """Something new was told."""
        self._looked.clear()

    def is_covered(self, node: str, time_ns: int) -> bool:
        """Whether the kernel of a node was looked at then."""
        minutes = self._minutes(node)
        if not minutes:
            return False
        here, span = time_ns // MINUTE_NS, COVERED_NS // MINUTE_NS
        if here in minutes or here - 1 in minutes:
            return True
        return any(here + step in minutes for step in range(-span, 1)) and any(
            here + step in minutes for step in range(span + 1)
        )


def _node_of(exec_id: str) -> str:
    """The node in Tetragon's id of a process (base64 of `node:ktime_ns:pid`); empty for any other."""
    if len(exec_id) > _LONGEST_ID or ":" in exec_id:
        return ""
    try:
        return base64.b64decode(exec_id, validate=True).decode("ascii").partition(":")[0]
    except (binascii.Error, ValueError):
        return ""


def _time(asked: Asked) -> int:
    return asked.time_ns


def _order(asked: Asked) -> tuple[int, str, str, str, bool, tuple[str, ...]]:
    return (asked.time_ns, asked.key, asked.node, asked.origin, asked.said is None, asked.said or ())


def _is_login(name: str) -> bool:
    name = name.rstrip(".").lower() if name else ""
    return name in LOGIN_HOSTS or name.endswith(".login.microsoft.com")
