"""What logs tell about a posture, read: uses of identities, and bindings that came and went.

Audit logs of Kubernetes, sign-ins, and logs of Azure's services, as files in any of the wrappings that their sources read,
or out of a store. Other records that lie beside them are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO, Final

from eightysix.model.incident import Problem
from eightysix.posture.changes import KINDS, Changes
from eightysix.posture.uselog import Feed, UseLog
from eightysix.serve.stored import CLOUD, blocks_of
from eightysix.sources.azure import AzureDecoder
from eightysix.sources.json_text import read_value
from eightysix.sources.kubernetes_audit import KubernetesAuditDecoder, cluster_of
from eightysix.sources.kubernetes_audit_records import AuditEvent, Record
from eightysix.sources.reading import Block, Limits, read_inputs
from eightysix.sources.recognise import Recogniser
from eightysix.store.columns import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["AUDIT", "LogReader"]

AUDIT: Final = ("AKSAudit", "AKSAuditAdmin")
_SIGN_INS: Final = {
    "AADManagedIdentitySignInLogs": Feed.MANAGED,
    "AADServicePrincipalSignInLogs": Feed.PRINCIPALS,
}

_HEAD: Final = 65_536
"""Bytes of a file's first record in which the name of a log has to stand."""

_NAMES: Final = (b"audit.k8s.io/", b'"auditID"', b'"AuditId"', b'"category"', b'"Category"', b'"Type"')

_CALLERS: Final[Mapping[str, str]] = {
    "AKSAudit": (
        "_ResourceId, \"User\"->>'username', CAST(\"User\"->'extra' AS VARCHAR), CAST(SourceIps AS VARCHAR),"
        " ResponseStatus->>'code', ObjectRef->>'resource' = 'serviceaccounts' AND ObjectRef->>'subresource' = 'token'"
    ),
    "AADManagedIdentitySignInLogs": "ServicePrincipalId, AppId, ResultType",
    "AADServicePrincipalSignInLogs": "ServicePrincipalId, AppId, IPAddress, ResultType",
    "AzureActivity": "CAST(Claims AS VARCHAR), CallerIpAddress, ActivityStatusValue",
    "AZKVAuditLogs": "CAST(Identity AS VARCHAR), CallerIpAddress, HttpStatusCode, ResultSignature",
    "StorageBlobLogs": "RequesterObjectId, RequesterAppId, CallerIpAddress, StatusCode",
    "ContainerRegistryLoginEvents": "Identity, CallerIpAddress, ResultType, ResultDescription",
    "ContainerRegistryRepositoryEvents": "Identity, CallerIpAddress, ResultType, ResultDescription",
}
"""What tells one caller from another in a table of a store. Of each the last row is read: the others say nothing more of its
use."""


class LogReader:
    """Reads logs into `uses` and `changes`."""

    def __init__(self) -> None:
        self.uses = UseLog()
        self._changes = Changes()
        audit = KubernetesAuditDecoder(on_request=self._request)
        self._decoders = (audit, AzureDecoder())
        self._recogniser = Recogniser(self._decoders)

    @property
    def found(self) -> bool:
        """Whether any record was one of a log."""
        return bool(self._recogniser.sources)

    def _request(self, record: Record, audit: AuditEvent, cluster: str, time_ns: int) -> None:
        self.uses.on_request(record, audit, cluster, time_ns)
        self._changes.on_request(record, audit, cluster, time_ns)

    def changes(self, cluster: str) -> Changes:
        """What changed in this cluster (see `UseLog.is_of`)."""
        return self._changes.of(lambda told: self.uses.is_of(told, cluster))

    def knows(self, block: Block) -> bool:
        """Whether a file that begins with this block is one of these logs."""
        first = block.data.lstrip(b"\xef\xbb\xbf \t\r\n")
        head = first[:_HEAD]
        if not any(name in head for name in _NAMES):
            return False
        try:
            record = read_value(first.partition(b"\n")[0])
        except (ValueError, RecursionError):
            return False
        return isinstance(record, dict) and any(one.recognises(record) for one in self._decoders)

    def take(self, block: Block) -> None:
        """Take records of a log."""
        self.uses.take(self._recogniser.read(block))

    def read(self, paths: Sequence[str], stdin: BinaryIO | None = None) -> None:
        """Read files and folders of logs. Raises `NothingToReadError` where not one could be opened."""
        for block in read_inputs(paths, stdin, Limits(), self._recogniser.note):
            self.take(block)

    def read_store(self, folder: str, *, memory: str = "1GB") -> None:
        """Read what a store has. Raises `StateError`, `UsageError` where there is none."""
        from eightysix.store.events.view import open_view

        with open_view(folder, memory=memory, on_problem=self._recogniser.note) as connection:
            for table in (*AUDIT, *CLOUD):
                self._hours(connection, table)
                self._latest(connection, table)
            kinds = ", ".join(f"'{resource}'" for resource in KINDS)
            for table in AUDIT:
                where = (
                    f"ObjectRef->>'resource' IN ({kinds}) AND Verb IN ('create', 'update', 'patch', 'delete')"
                )
                for block in blocks_of(connection, table, (where, [])):
                    self.take(block)

    def _hours(self, connection: DuckDBPyConnection, table: str) -> None:
        """In which hours a log has rows."""
        if table not in AUDIT and table not in _SIGN_INS:
            return
        place, reads = ("_ResourceId", "Verb IN ('get', 'list')") if table in AUDIT else ("''", "false")
        rows = connection.execute(
            f"SELECT {place}, {reads}, epoch_ns(min(TimeGenerated)), epoch_ns(max(TimeGenerated))"  # noqa: S608 - our own
            f" FROM {quoted(table)} WHERE TimeGenerated IS NOT NULL GROUP BY 1, 2, date_trunc('hour', TimeGenerated)"
        ).fetchall()
        for where, read, first_ns, last_ns in rows:
            cluster = cluster_of(where)
            feeds = (Feed.CHANGES, Feed.AUDIT) if read else (_SIGN_INS.get(table, Feed.CHANGES),)
            for feed in feeds:
                self.uses.seen(feed, cluster, first_ns, last_ns)

    def _latest(self, connection: DuckDBPyConnection, table: str) -> None:
        """The last row of each caller."""
        caller = _CALLERS["AKSAudit" if table in AUDIT else table]
        where = f"TRUE QUALIFY row_number() OVER (PARTITION BY {caller} ORDER BY TimeGenerated DESC) = 1"
        for block in blocks_of(connection, table, (where, [])):
            self.take(block)

    def end(self) -> list[Problem]:
        """What could not be used. Records that are of no such log are none of it."""
        return [one for one in self._recogniser.problems if one.kind != "unrecognised"]
