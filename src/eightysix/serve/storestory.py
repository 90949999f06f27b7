"""What a story needs out of a store: everything of a time, or one pod with what its identities did."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from eightysix.model.event import Event
from eightysix.reconstruct.identities import HANDED_OUT_NS, SKEW_NS
from eightysix.reconstruct.selection import Selection
from eightysix.serve.replay import Replay
from eightysix.serve.stored import CLOUD, EVENTS, Where, blocks_of, events_of, facts_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["AFTER_NS", "MAX_SIGN_INS", "StoreReader"]

AFTER_NS: Final = 86_400_000_000_000
"""What identities did in the cloud is looked for up to 24 h after the pod: so long their tokens last."""

MAX_SIGN_INS: Final = 64
"""Times at which somebody may have been handed an identity for which all nodes are looked at."""

SIGN_INS: Final = "AADManagedIdentitySignInLogs"

_ACCOUNT: Final = "system:serviceaccount:"
_METADATA: Final = "169.254.169.254"
_LATEST: Final = (1 << 62) - 1


class _Pod(Struct, frozen=True):
    """The pod that is asked for, as the store knows it."""

    uids: tuple[str, ...]
    names: tuple[tuple[str, str], ...]
    containers: tuple[str, ...]
    nodes: tuple[str, ...]
    first_ns: int
    last_ns: int


class StoreReader:
    """Feeds a run with rows. `also` gets the events beside the engine, `note` is told what could not be read."""

    def __init__(
        self,
        connection: DuckDBPyConnection,
        replay: Replay,
        also: Callable[[Sequence[Event]], None],
        note: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._replay = replay
        self._also = also
        self._note = note

    def everything(self, asked: Selection) -> None:
        """All events of the time that is asked for, and what clouds wrote then."""
        span = _between(asked.since_ns, asked.until_ns)
        self._events(span)
        for table in ("AKSAudit", *CLOUD):
            self._rows(table, span)

    def pod(self, asked: Selection) -> bool:
        """The pod that is asked for, with its identities; False where the store has nothing of it."""
        pod = self._find(asked)
        if pod is None:
            return False
        span = _between(
            max(asked.since_ns, pod.first_ns - AFTER_NS), min(asked.until_ns, pod.last_ns + AFTER_NS)
        )
        self._events(_both(_of_pod(pod), span))
        accounts = self._audit(pod, span)
        for table in CLOUD:
            self._rows(table, span)
        made = self._made(pod, accounts, span)
        if made:
            self._events(_both(_of_names(made), span))
        self._moments(pod, span)
        return True

    def artifacts(self, names: Sequence[str], asked: Selection) -> None:
        """What tells of artifacts of these names, wherever it was."""
        if names:
            like = " OR ".join("contains(CAST(Artifacts AS VARCHAR), ?)" for _ in names)
            span = _between(asked.since_ns, asked.until_ns)
            self._events(_both((f"Artifacts IS NOT NULL AND ({like})", names), span))

    def _events(self, where: Where) -> None:
        engine = self._replay.engine
        for events in events_of(self._connection, where, self._note):
            for pod, exec_id, fact in facts_of(events):
                engine.trees.setdefault(pod, {}).setdefault(exec_id, fact)
            self._replay.recogniser.note_events(events)
            self._replay.take_events(events, self._also)

    def _rows(self, table: str, where: Where) -> None:
        self._replay.take_blocks(blocks_of(self._connection, table, where), self._also)

    def _find(self, asked: Selection) -> _Pod | None:
        named = "PodName = ? OR PodUid = ?"
        values: list[object] = [asked.pod, asked.pod]
        if asked.namespace:
            named, values = "PodName = ? AND Namespace = ?", [asked.pod, asked.namespace]
        span = _between(asked.since_ns, asked.until_ns)
        condition, given = _both((named, values), span)
        rows = self._connection.execute(
            "SELECT PodUid, Namespace, PodName, ContainerId, Node, epoch_ns(min(TimeGenerated)),"  # noqa: S608
            f" epoch_ns(max(TimeGenerated)) FROM {EVENTS} WHERE {condition} GROUP BY ALL",
            list(given),
        ).fetchall()
        if not rows:
            return None
        return _Pod(
            _told(row[0] for row in rows),
            tuple(sorted({(row[1] or "", row[2] or "") for row in rows})),
            _told(row[3] for row in rows),
            _told(row[4] for row in rows),
            min(row[5] for row in rows),
            max(row[6] for row in rows),
        )

    def _audit(self, pod: _Pod, span: Where) -> list[str]:
        """Requests by the pod and by its service accounts, and those that tell the addresses of its node."""
        names = [name for _, name in pod.names if name]
        own = 'list_has_any(CAST(json_extract("User", \'$.extra."authentication.kubernetes.io/pod-name"\') AS VARCHAR[]), ?)'
        by_name = _both((own, [names]), span)
        condition, values = by_name
        found = self._connection.execute(
            f"SELECT DISTINCT \"User\"->>'username' FROM AKSAudit WHERE {condition}",  # noqa: S608
            list(values),
        ).fetchall()
        condition, values = _both(_of_pod(pod), span)
        told = self._connection.execute(
            f"SELECT DISTINCT Namespace, ServiceAccount FROM {EVENTS} WHERE ServiceAccount IS NOT NULL AND {condition}",  # noqa: S608
            list(values),
        ).fetchall()
        accounts = {name for (name,) in found if name and name.startswith(_ACCOUNT)}
        for namespace, account in told:
            full = account if "/" in account else f"{namespace}/{account}"
            accounts.add(_ACCOUNT + full.replace("/", ":", 1))
        nodes = [f"system:node:{node}" for node in pod.nodes]
        users = [*sorted(accounts), *nodes]
        self._rows(
            "AKSAudit", _both((f"\"User\"->>'username' IN (SELECT unnest(?)) OR {own}", [users, names]), span)
        )
        return sorted(accounts)

    def _made(self, pod: _Pod, accounts: Sequence[str], span: Where) -> list[tuple[str, str]]:
        """Pods that the pod's identities created, by name."""
        condition, values = _both(
            (
                "Verb = 'create' AND ObjectRef->>'resource' = 'pods' AND \"User\"->>'username' IN (SELECT unnest(?))",
                [list(accounts)],
            ),
            span,
        )
        rows = self._connection.execute(
            f"SELECT DISTINCT ObjectRef->>'namespace', ObjectRef->>'name' FROM AKSAudit WHERE {condition} LIMIT 32",  # noqa: S608
            list(values),
        ).fetchall()
        return sorted((ns, name) for ns, name in rows if ns and name and (ns, name) not in pod.names)

    def _moments(self, pod: _Pod, span: Where) -> None:
        """What every node did in the seconds before sign-ins of managed identities that may be this pod's: whose one was
        depends on who else asked then."""
        condition, values = _both((f"DestinationIp = '{_METADATA}'", []), _both(_of_pod(pod), span))
        asked = self._connection.execute(
            f"SELECT epoch_ns(TimeGenerated) FROM {EVENTS} WHERE {condition} ORDER BY 1 LIMIT 100000",  # noqa: S608
            list(values),
        ).fetchall()
        signed = self._connection.execute(
            f"SELECT DISTINCT epoch_ns(TimeGenerated) FROM {SIGN_INS} WHERE {span[0]} ORDER BY 1 LIMIT 100000",  # noqa: S608
            list(span[1]),
        ).fetchall()
        times = [at for (at,) in asked]
        near = [at for (at,) in signed if _is_near(times, at)]
        for at in near[:MAX_SIGN_INS]:
            then = _between(at - HANDED_OUT_NS - SKEW_NS, at + SKEW_NS)
            self._events(_both((f"DestinationIp = '{_METADATA}'", []), then))
            self._events(_one_of_each_node(then))


def _is_near(times: Sequence[int], at: int) -> bool:
    """Whether any of `times`, sorted, is when a sign-in at `at` may have been asked for."""
    place = bisect_left(times, at - HANDED_OUT_NS - SKEW_NS)
    return place < len(times) and times[place] <= at + SKEW_NS


def _one_of_each_node(near: Where) -> Where:
    """One record of each node's kernel: that somebody looked at it then."""
    condition, values = near
    return (
        f"EventId IN (SELECT min(EventId) FROM {EVENTS} WHERE Origin = 'kernel' AND {condition} GROUP BY Node)",  # noqa: S608
        values,
    )


def _of_pod(pod: _Pod) -> Where:
    """Rows of the pod, those that name its container alone among them."""
    return (
        (
            "(PodUid IN (SELECT unnest(?)) OR (PodName IN (SELECT unnest(?)) AND Namespace IN (SELECT unnest(?)))"
            " OR (PodUid IS NULL AND ContainerId IN (SELECT unnest(?))))"
        ),
        [list(pod.uids), [n for _, n in pod.names], [ns for ns, _ in pod.names], list(pod.containers)],
    )


def _of_names(names: Sequence[tuple[str, str]]) -> Where:
    return (
        "(" + " OR ".join("(Namespace = ? AND PodName = ?)" for _ in names) + ")",
        [x for pair in names for x in pair],
    )


def _between(first_ns: int, last_ns: int) -> Where:
    return (
        "TimeGenerated BETWEEN make_timestamp_ns(?)::TIMESTAMP AND make_timestamp_ns(?)::TIMESTAMP",
        [max(first_ns, 0), min(last_ns, _LATEST)],
    )


def _both(left: Where, right: Where) -> Where:
    return f"({left[0]}) AND ({right[0]})", [*left[1], *right[1]]


def _told(values: object) -> tuple[str, ...]:
    return tuple(sorted({str(value) for value in values if value}))  # type: ignore[attr-defined]
