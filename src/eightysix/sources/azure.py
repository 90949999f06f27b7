"""Azure's own logs about principals: the activity log, sign-ins of managed identities and service principals, Key Vault,
storage, the container registry; and Defender's tables about processes, names and requests (`sources.defender`).

Three wrappings: resource logs as diagnostic settings write them (Event Hub and storage, one a line or in `records`), rows
of Log Analytics, and what Defender streams. A row becomes an event where it names a principal by its object or
application id; what people do, and what is done with keys and signatures, is understood and counted.

Traps: sign-ins of managed identities carry no address; storage writes the port behind it; the activity log tells each
operation when it starts and when it ends; a registry writes `HttpStatusCode` as its result, and the number as the
description. All of it arrives minutes late, so it confirms and never contains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import TypeVar

import msgspec
from msgspec import Struct

from eightysix.context.destinations import address
from eightysix.context.federation import federation_text
from eightysix.context.packages import looks_secret
from eightysix.model.event import Event, EventId
from eightysix.model.incident import Problem
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Grade, Kind, Origin, Outcome, Source
from eightysix.sources import defender
from eightysix.sources.azure_records import Claims, Identity, Managed, Properties, Record
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import read_value, why

__all__ = ["CATEGORIES", "AzureDecoder"]

CATEGORIES: Mapping[str, str] = {
    "Administrative": "activity",
    "AzureActivity": "activity",
    "ManagedIdentitySignInLogs": "sign-in",
    "ServicePrincipalSignInLogs": "sign-in",
    "AADManagedIdentitySignInLogs": "sign-in",
    "AADServicePrincipalSignInLogs": "sign-in",
    "StorageRead": "storage",
    "StorageWrite": "storage",
    "StorageDelete": "storage",
    "StorageBlobLogs": "storage",
    "StorageFileLogs": "storage",
    "StorageQueueLogs": "storage",
    "StorageTableLogs": "storage",
    "AuditEvent": "key-vault",
    "AZKVAuditLogs": "key-vault",
    "ContainerRegistryLoginEvents": "registry",
    "ContainerRegistryRepositoryEvents": "registry",
}
"""What a log's category, or a row's table, is of."""

_SIGN_INS = {
    "ManagedIdentitySignInLogs": "managed-identity",
    "AADManagedIdentitySignInLogs": "managed-identity",
    "ServicePrincipalSignInLogs": "service-principal",
    "AADServicePrincipalSignInLogs": "service-principal",
}
"""Whose sign-ins a log is of. Their own time is when they happened; that of a resource log is when it was written, minutes
later (learn.microsoft.com/azure/azure-monitor/reference/tables/aadmanagedidentitysigninlogs, `CreatedDateTime`)."""

_TRIED = 20
_LONGEST = 128
_HARMLESS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./_- ")
_HEX = frozenset("0123456789abcdef-")
_IN_DESCRIPTION = "HttpStatusCode"
"""What a registry writes as the type of its result; the number is the description
(learn.microsoft.com/azure/azure-monitor/reference/tables/containerregistryrepositoryevents)."""

_REFUSED = frozenset({"401", "403", "unauthorized", "forbidden"})
_FAILED = frozenset({"failure", "failed", "failed."})
_ALLOWED = frozenset(
    {"0", "ok", "success", "succeeded", "succeeded.", "start", "started", "accept", "created"}
)

_T = TypeVar("_T")

OnRecord = Callable[[Record, str, int, defender.Told | None], None]
"""Who counts records instead of judging them: the record, the log that it is of, its time, and what a row of Defender says."""
_decode = msgspec.json.Decoder(Record).decode
_decode_any = msgspec.json.Decoder().decode


class _Told(Struct):
    """What of a record makes an event."""

    service: str
    time: str
    operation: str
    principals: tuple[str, ...]
    caller: str
    target: str
    result: str
    token_id: str = ""
    native: str = ""
    how: str = ""
    federation: str = ""


class AzureDecoder:
    """Decodes blocks of Azure logs; keeps no state. `kinds` counts by what a log is of (`sign-in`, `storage`, ...).

    `every_start` asks for an event at each start of a program that Defender tells of, which detection has no use for.
    `on_record` is told of every record, and then none becomes an event.
    """

    source = Source.AZURE

    def __init__(self, *, every_start: bool = False, on_record: OnRecord | None = None) -> None:
        self._every_start = every_start
        self._on_record = on_record

    def recognises(self, record: Mapping[str, object]) -> bool:
        """See `Decoder.recognises`; a list is recognised by any of its first records."""
        listed = record.get("records")
        if isinstance(listed, list):
            return any(isinstance(item, dict) and self.recognises(item) for item in listed[:_TRIED])
        return bool(
            _service(_text_of(record, "category"), _text_of(record, "resourceId"))
            or _service(_text_of(record, "Type"), "")
            or defender.table_of(_text_of(record, "Type"), _text_of(record, "category") or None)
            or (_text_of(record, "Category") == "AuditEvent" and "OperationName" in record)
        )

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`."""
        batch = Batch()
        for line, text in enumerate(block.split(b"\n"), first_line):
            if not text.strip():
                continue
            batch.records += 1
            if not self._line(text, file, line, batch):
                batch.leftover.append((line, text))
        return batch

    def _line(self, text: bytes, file: str, line: int, batch: Batch, *, nested: bool = False) -> bool:
        """Use one record; False where it is none of ours. One that is ours and damaged is a problem."""
        try:
            record = _decode(text)
        except (ValueError, RecursionError) as error:
            try:
                value = read_value(text)
            except ValueError as reason:
                batch.problems.append(Problem(file, line, "malformed", str(reason)))
                return True
            if not isinstance(value, dict) or not self.recognises(value):
                return False
            batch.problems.append(Problem(file, line, "malformed", why(error)))
            return True
        if record.records is not None and not nested:
            return self._list(record.records, file, line, batch)
        service = _service_of(record)
        if not service:
            return self._defender(record, text, file, line, batch)
        try:
            told = _read(record, service)
            time_ns = to_ns(told.time)
        except (ValueError, RecursionError) as error:
            known = isinstance(error, msgspec.MsgspecError | RecursionError)
            batch.problems.append(Problem(file, line, "malformed", why(error) if known else str(error)))
            return True
        _count(batch, service, time_ns)
        if self._on_record is not None:
            self._on_record(record, service, time_ns, None)
        elif told.principals:
            batch.events.append(_event(told, time_ns, file, line))
        return True

    def _defender(self, record: Record, text: bytes, file: str, line: int, batch: Batch) -> bool:
        """Use a row of one of Defender's tables; False where it is none."""
        table = defender.table_of(record.row_type, record.category)
        if not table:
            return False
        try:
            told = defender.read_row(record.properties if record.category else text, table, file, line)
        except (ValueError, RecursionError) as error:
            known = isinstance(error, msgspec.MsgspecError | RecursionError)
            batch.problems.append(Problem(file, line, "malformed", why(error) if known else str(error)))
            return True
        _count(batch, told.kind, told.time_ns)
        if self._on_record is not None:
            self._on_record(record, table, told.time_ns, told)
        elif told.event is not None and (self._every_start or defender.is_worth_telling(told.event)):
            batch.events.append(told.event)
        return True

    def _list(self, items: list[msgspec.Raw], file: str, line: int, batch: Batch) -> bool:
        foreign = [
            (line, bytes(item))
            for item in items
            if not self._line(bytes(item), file, line, batch, nested=True)
        ]
        if items and len(foreign) == len(items):
            return False
        batch.recognised += not items
        batch.records += max(0, len(items) - 1)
        batch.leftover += foreign
        return True


def _count(batch: Batch, kind: str, time_ns: int) -> None:
    batch.recognised += 1
    batch.kinds[kind] = batch.kinds.get(kind, 0) + 1
    batch.first_ns = min(batch.first_ns or time_ns, time_ns)
    batch.last_ns = max(batch.last_ns, time_ns)


def _text_of(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""


def _service(category: str | None, resource_id: str | None) -> str:
    """What a log of this category is of; `AuditEvent` is Key Vault's name for its log, and other services' too."""
    service = CATEGORIES.get(category or "", "")
    if service == "key-vault" and category == "AuditEvent":
        return service if "MICROSOFT.KEYVAULT" in (resource_id or "").upper() else ""
    return service


def _service_of(record: Record) -> str:
    if record.category is not None:
        return _service(record.category, record.resource_id)
    if record.row_type == "AzureDiagnostics" or (
        record.row_type is None and record.row_category == "AuditEvent"
    ):
        vault = f"{record.row_provider} {record.row_resource_id}".upper()
        return "key-vault" if record.row_category == "AuditEvent" and "MICROSOFT.KEYVAULT" in vault else ""
    return _service(record.row_type, "")


def _read(record: Record, service: str) -> _Told:
    return _resource_log(record, service) if record.category is not None else _row(record, service)


def _resource_log(record: Record, service: str) -> _Told:
    """As diagnostic settings write it."""
    identity = _object(record.identity, Identity)
    properties = _object(record.properties, Properties) or Properties()
    ids: list[str | None] = []
    token = ""
    if identity is not None:
        for claims in (identity.claims, identity.claim):
            if claims is not None:
                ids += [claims.object_id, claims.oid, claims.appid]
                token = token or claims.uti or ""
        if identity.requester is not None:
            ids += [identity.requester.object_id, identity.requester.app_id]
    ids += [_plain(record.identity), properties.principal_id, properties.app_id]
    signature = _plain(record.status) or _plain(record.signature) or _plain(record.result)
    if signature == _IN_DESCRIPTION:
        signature = _plain(record.description)
    if service == "sign-in" and properties.status is not None and properties.status.code is not None:
        signature = str(properties.status.code)
    target = record.login_server or properties.login_server or properties.account or properties.target
    return _Told(
        service,
        (properties.created if service == "sign-in" else None) or record.time or "",
        _plain(record.operation),
        _principals(ids),
        record.caller or properties.address or "",
        target or _last(record.resource_id),
        signature,
        properties.token_id or token or properties.login_id or "",
        properties.id or record.correlation or "",
        _SIGN_INS.get(record.category or "", ""),
        _federation(properties.federation, properties.managed),
    )


def _row(record: Record, service: str) -> _Told:
    """As a query of Log Analytics gives it."""
    claims = _object(record.row_claims, Claims) or Claims()
    identity = _object(record.row_identity, Identity)
    claim = (identity.claim or identity.claims) if identity is not None else None
    ids = [
        record.row_principal_id,
        record.row_requester_object,
        record.row_claim_oid,
        record.row_claim_object,
    ]
    ids += [claims.object_id, claims.oid, _plain(record.row_identity)]
    ids += [claim.object_id, claim.oid, claim.appid] if claim is not None else []
    ids += [record.row_app_id, record.row_requester_app, record.row_claim_app, claims.appid]
    result = record.row_activity_status or ""
    for raw in (record.row_http, record.row_status, record.row_signature, record.row_result):
        result = result or _plain(raw)
    if result == _IN_DESCRIPTION:
        result = _plain(record.row_description)
    target = record.row_login_server or record.row_account or record.row_target or record.row_resource
    return _Told(
        service,
        (record.row_created if service == "sign-in" else None) or record.row_time or "",
        record.row_operation_value or record.row_operation or "",
        _principals(ids),
        record.row_caller or record.row_caller_old or record.row_ip or "",
        target or _last(record.row_resource_id),
        result,
        record.row_token_id or claims.uti or record.row_login_id or "",
        record.row_correlation or "",
        _SIGN_INS.get(record.row_type or record.row_category or "", ""),
        _federation(record.row_federation, record.row_managed),
    )


def _federation(credential: str | None, managed: msgspec.Raw) -> str:
    """The federated credential and the id of the token that was shown for it."""
    try:
        told = _object(managed, Managed)
    except (ValueError, RecursionError):  # nobody documents what the column holds
        told = None
    return federation_text(credential or "", (told.token if told is not None else "") or "")


def _object(raw: msgspec.Raw, kind: type[_T]) -> _T | None:
    """An object, or text of one; None for anything else (a registry's `identity` is a name)."""
    if not raw:
        return None
    if bytes(memoryview(raw)[:1]) == b"{":
        return msgspec.json.decode(raw, type=kind)
    text = _plain(raw)
    return msgspec.json.decode(text, type=kind) if text.startswith("{") else None


def _plain(raw: msgspec.Raw) -> str:
    """A text or number as text; empty for anything else. Some members are text in one log and a number in another."""
    if not raw or len(memoryview(raw)) > 65_536:
        return ""
    value = _decode_any(raw)
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _principals(ids: Sequence[str | None]) -> tuple[str, ...]:
    """Object and application ids, each once, in small letters; what is no GUID is somebody's name."""
    found = (text.lower() for text in ids if text and len(text) == 36)
    return tuple(dict.fromkeys(text for text in found if text.count("-") == 4 and _HEX.issuperset(text)))


def _event(told: _Told, time_ns: int, file: str, line: int) -> Event:
    caller = _peer(told.caller)
    operation, target = _short(told.operation), _short(told.target).lower()
    native = (
        *(told.service, operation, target, caller, *told.principals),
        *(str(time_ns), told.result, told.native, told.token_id),
    )
    text = "azure\0" + "\0".join(native)
    return Event(
        event_id=EventId(blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()),
        time_ns=time_ns,
        source=Source.AZURE,
        origin=Origin.PROVIDER,
        grade=Grade.F,
        kind=Kind.CLOUD,
        file=file,
        line=line,
        outcome=_outcome(told.result),
        identity=told.principals[0],
        principals=told.principals,
        credential_id=told.token_id[:_LONGEST],
        verb=operation,
        resource=told.service,
        object_name=target,
        source_ip=caller,
        activity=told.how,
        federation=told.federation,
    )


def _peer(text: str) -> str:
    """The caller's address without the port that storage and registries write behind it."""
    text = text[:128].strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return address(text)


def _outcome(result: str) -> Outcome:
    result = result[:64].strip().lower()
    if result in _REFUSED:
        return Outcome.DENIED
    if result in _ALLOWED or (result.isdigit() and len(result) == 3 and result < "400"):
        return Outcome.ALLOWED
    return Outcome.DENIED if result in _FAILED else Outcome.UNKNOWN


def _last(resource_id: str | None) -> str:
    return (resource_id or "")[:1024].rstrip("/").rpartition("/")[2]


def _short(text: str) -> str:
    """Names of operations and resources; what has other characters than such a name, or looks like a secret, is left out."""
    text = text[:_LONGEST]
    return text if _HARMLESS.issuperset(text) and not looks_secret(text) else ""
