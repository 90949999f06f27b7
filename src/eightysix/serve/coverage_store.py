"""Counts what a store holds, by SQL: the same census as of files, as far as rows tell it.

Rows hold events and not records: which hook saw something, what an exporter dropped and how late a record was is not in them,
so nothing is said about these of a store.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from eightysix.model.errors import StateError
from eightysix.model.incident import Counts, Problem
from eightysix.model.visibility import Witness
from eightysix.sources.survey.audit import ADMIN, FULL
from eightysix.sources.survey.azure import (
    ACTIVITY,
    KEY_VAULT,
    LOGINS,
    MANAGED,
    PRINCIPALS,
    REPOSITORY,
    STORAGE,
)
from eightysix.sources.survey.census import MAX_PODS, SLOT_S, Census, Place, Tally, short
from eightysix.store.events.asking import Question, ask
from eightysix.store.events.layout import Layout
from eightysix.store.events.view import open_view

__all__ = ["NOTE", "read_store"]

NOTE = "a store holds events: hooks, drops and lateness of the records that they come from are not in it"

_MOST_ROWS = 500_000
_TIMEOUT_S = 600.0

_WITNESSES: Mapping[str, tuple[str, Witness]] = {
    "tetragon": ("tetragon", Witness.KERNEL),
    "falco": ("falco", Witness.KERNEL),
    "sensor": ("sensor", Witness.SENSOR),
    "dns": ("dns", Witness.NAMES),
}

_CLOUD: Mapping[str, str] = {
    "AADManagedIdentitySignInLogs": MANAGED,
    "AADServicePrincipalSignInLogs": PRINCIPALS,
    "AzureActivity": ACTIVITY,
    "AZKVAuditLogs": KEY_VAULT,
    "StorageBlobLogs": STORAGE,
    "ContainerRegistryLoginEvents": LOGINS,
    "ContainerRegistryRepositoryEvents": REPOSITORY,
}
_KINDS: Mapping[str, str] = {
    MANAGED: "sign-in",
    PRINCIPALS: "sign-in",
    LOGINS: "registry",
    REPOSITORY: "registry",
}

_EVENTS = """
SELECT coalesce(EventSource, ''), coalesce(Cluster, ''), coalesce(Node, ''),
  CASE WHEN EventSource = 'dns' THEN CASE WHEN coalesce(DestinationIp, '') = '' THEN 'question' ELSE 'answer' END
  ELSE coalesce(Kind, '') END,
  count(*), min(TimeGenerated), max(TimeGenerated),
  count(*) FILTER (WHERE coalesce(PodName, '') = '' AND coalesce(PodUid, '') = ''),
  count(*) FILTER (WHERE coalesce(PodName, '') = '' AND coalesce(PodUid, '') = '' AND coalesce(ContainerId, '') = ''),
  count(*) FILTER (WHERE Namespace = 'kube-system')
FROM EightySixEvents_CL GROUP BY ALL ORDER BY ALL"""

_SLOTS = """
SELECT coalesce(EventSource, ''), coalesce(Cluster, ''), coalesce(Node, ''),
  CAST(floor(epoch(TimeGenerated) / {width}) AS BIGINT), count(*)
FROM EightySixEvents_CL WHERE EventSource IN ('tetragon', 'falco', 'sensor', 'dns') GROUP BY ALL ORDER BY ALL"""

_PODS = """
SELECT coalesce(Cluster, ''), coalesce(Node, ''), coalesce(Namespace, ''), coalesce(PodName, ''), coalesce(PodUid, ''),
  coalesce(max(Workload), ''), coalesce(max(WorkloadKind), ''),
  bool_or(EventSource IN ('tetragon', 'falco')), bool_or(EventSource = 'sensor'),
  bool_or(EventSource IN ('tetragon', 'falco') AND (ProcessPath LIKE '%/python%' OR ProcessPath LIKE '%/pypy%'))
FROM EightySixEvents_CL
WHERE EventSource IN ('tetragon', 'falco', 'sensor') AND (coalesce(PodName, '') <> '' OR coalesce(PodUid, '') <> '')
GROUP BY Cluster, Node, Namespace, PodName, PodUid ORDER BY ALL LIMIT {most}"""

_AUDIT = """
SELECT lower(coalesce(_ResourceId, '')), coalesce(Verb, ''), coalesce(Level, ''),
  coalesce(json_extract_string(ObjectRef, '$.resource'), '') = 'secrets', count(*), min(TimeGenerated), max(TimeGenerated),
  count(*) FILTER (WHERE RequestObject IS NOT NULL OR ResponseObject IS NOT NULL),
  count(*) FILTER (WHERE {account}),
  count(*) FILTER (WHERE {account} AND json_extract_string(User, '$.extra."authentication.kubernetes.io/pod-name"[0]') IS NULL),
  count(*) FILTER (WHERE {account} AND json_extract_string(User, '$.extra."authentication.kubernetes.io/credential-id"[0]')
    IS NOT NULL)
FROM {table} WHERE Stage <> 'RequestReceived' GROUP BY ALL ORDER BY ALL"""
_ACCOUNT = (
    "json_extract_string(User, '$.username') LIKE 'system:serviceaccount:%'"
    " AND json_extract_string(User, '$.username') NOT LIKE 'system:serviceaccount:kube-system:%'"
)

_KUBELETS = """
SELECT lower(coalesce(_ResourceId, '')), substr(json_extract_string(User, '$.username'), 13),
  CAST(floor(epoch(TimeGenerated) / {width}) AS BIGINT), count(*)
FROM AKSAudit WHERE json_extract_string(User, '$.username') LIKE 'system:node:%' GROUP BY ALL ORDER BY ALL"""

_TABLE = "SELECT count(*), min(TimeGenerated), max(TimeGenerated) FROM {table}"
_SCANS = "SELECT count(*) FROM EightySixFindings_CL"
_GATE = "SELECT count(*) FROM EightySixEvents_CL WHERE EventSource = 'gate'"


class _Reader:
    """Asks the owner of a store where one answers, else the store's own files."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.problems: list[Problem] = []
        self._owned = Layout(folder).socket.exists()
        self._view: Any = None
        if self._owned:
            try:
                self.rows("SELECT 1")
            except StateError:
                self._owned = False
        if not self._owned:
            self._view = open_view(folder, on_problem=self.problems.append)

    def rows(self, sql: str) -> list[Any]:
        """What a query gives."""
        if self._owned:
            question = Question(
                text=sql, now_ns=time.time_ns(), language="sql", limit=_MOST_ROWS, timeout_s=_TIMEOUT_S
            )
            return list(ask(self._folder, question).rows)
        cursor = self._view.execute(sql)
        return list(cursor.fetchmany(_MOST_ROWS))

    def close(self) -> None:
        """Let the store go."""
        if self._view is not None:
            self._view.close()


def read_store(folder: str) -> tuple[Census, Counts, tuple[Problem, ...]]:
    """The census of a store; raises `StateError` and `UsageError` where it cannot be read."""
    census, counts = Census(), Counts()
    with closing(_Reader(folder)) as reader:
        _events(census, reader)
        _pods(census, reader)
        _audit(census, reader)
        _cloud(census, reader)
        census.ledger = bool(reader.rows(_SCANS)[0][0])
        census.gate = bool(reader.rows(_GATE)[0][0])
        problems = tuple(reader.problems)
    counts.records = counts.events = sum(tally.records for tally in census.tallies.values())
    return census, counts, problems


def _ns(moment: Any) -> int:
    """A time of DuckDB, or of an answer, in nanoseconds."""
    if isinstance(moment, int):
        return moment
    if isinstance(moment, str):
        from eightysix.model.timestamps import to_ns

        return to_ns(moment)
    return int(moment.timestamp() * 1_000_000) * 1000 if moment is not None else 0


def _between(tally: Tally, first: Any, last: Any) -> None:
    for moment in (first, last):
        time_ns = _ns(moment)
        if time_ns:
            tally.first_ns = min(tally.first_ns or time_ns, time_ns)
            tally.last_ns = max(tally.last_ns, time_ns)


def _events(census: Census, reader: _Reader) -> None:
    places = 0
    for source, cluster, node, kind, number, first, last, nobody, host, system in reader.rows(_EVENTS):
        if source == "azure" and kind == "exec":
            name, witness, source = "CloudProcessEvents", Witness.PROVIDER, "azure"
            node = ""
            kind = "process"
        elif source in _WITNESSES:
            name, witness = _WITNESSES[source]
        else:
            continue
        places += 1
        tally = census.tally(Place(name, short(cluster), short(node)), witness, source)
        tally.records += number
        tally.kinds[kind] = tally.kinds.get(kind, 0) + number
        tally.of += number - host
        tally.unattributed += nobody - host
        for fact, told in (("host", host), ("kube-system", system)):
            if told:
                tally.facts[fact] = tally.facts.get(fact, 0) + told
        _between(tally, first, last)
    for place, tally, slot, number in _slots(census, reader, _width(census, places)):
        del place
        tally.rhythm.note(slot, number)


def _width(census: Census, places: int) -> int:
    """Seconds of a slot so wide that all slots of all places are few enough to be fetched."""
    first = min((tally.first_ns for tally in census.tallies.values() if tally.first_ns), default=0)
    last = max((tally.last_ns for tally in census.tallies.values()), default=0)
    width = SLOT_S
    while places * ((last - first) / 1e9 / width + 1) > _MOST_ROWS / 2:
        width *= 2
    return width


def _slots(census: Census, reader: _Reader, width: int) -> Iterator[tuple[Place, Tally, int, int]]:
    for source, cluster, node, slot, number in reader.rows(_SLOTS.format(width=width)):
        name, _ = _WITNESSES[source]
        place = Place(name, short(cluster), short(node))
        tally = census.tallies.get(place)
        if tally is not None:
            _coarse(tally, width)
            yield place, tally, slot * (width // SLOT_S), number


def _coarse(tally: Tally, width: int) -> None:
    """Make the tally's slots as wide as those that are fetched: finer ones would look like pauses."""
    while tally.rhythm.slot_s < width:
        tally.rhythm.wider += 1


def _pods(census: Census, reader: _Reader) -> None:
    for cluster, node, namespace, name, uid, workload, kind, kernel, sensor, python in reader.rows(
        _PODS.format(most=MAX_PODS)
    ):
        pod = census.pod(short(cluster), short(uid) or f"{short(node)}/{short(namespace)}/{short(name)}")
        if pod is None:
            continue
        pod.namespace, pod.name = pod.namespace or short(namespace), pod.name or short(name)
        pod.node = pod.node or short(node)
        pod.workload, pod.workload_kind = pod.workload or short(workload), pod.workload_kind or short(kind)
        pod.kernel |= bool(kernel)
        pod.sensor |= bool(sensor)
        pod.python |= bool(python)


def _cluster(resource: str) -> str:
    return short(resource.rstrip("/").rpartition("/")[2])


def _audit(census: Census, reader: _Reader) -> None:
    for table, name in (("AKSAudit", FULL), ("AKSAuditAdmin", ADMIN)):
        for row in reader.rows(_AUDIT.format(table=table, account=_ACCOUNT)):
            resource, verb, level, secrets, number, first, last, bodies, accounts, unbound, ids = row
            if name == ADMIN and Place(FULL, _cluster(resource), "") in census.tallies:
                continue  # rows of AKSAudit are there twice: once as what the category of administrators has
            tally = census.tally(Place(name, _cluster(resource), ""), Witness.AUDIT, "kubernetes-audit")
            tally.records += number
            tally.kinds["api"] = tally.kinds.get("api", 0) + number
            tally.of += accounts
            tally.unattributed += unbound
            facts = {
                f"verb {short(verb)}": number,
                f"level {short(level)}": number,
                "bodies": bodies,
                "bodies untold": number,  # a store keeps none of what it is given
                "token ids": ids,
            }
            if secrets and verb in ("get", "list", "watch"):
                facts["secret reads"] = number
            for fact, told in facts.items():
                if told:
                    tally.facts[fact] = tally.facts.get(fact, 0) + told
            _between(tally, first, last)
    for resource, node, slot, number in reader.rows(_KUBELETS.format(width=60)):
        cluster = _cluster(resource)
        census.heard(cluster, short(node), slot * 60 * 1_000_000_000)
        census.alive[(cluster, short(node))].note(slot * 6, number - 1)


def _cloud(census: Census, reader: _Reader) -> None:
    for table, name in _CLOUD.items():
        number, first, last = reader.rows(_TABLE.format(table=table))[0]
        if number:
            tally = census.tally(Place(name, "", ""), Witness.PROVIDER, "azure")
            tally.records += number
            kind = _KINDS.get(name, name)
            tally.kinds[kind] = tally.kinds.get(kind, 0) + number
            _between(tally, first, last)
