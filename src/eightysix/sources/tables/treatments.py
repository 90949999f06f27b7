"""Which column is read how, so that nothing secret is in a row: by table and column, else by the column's type."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from eightysix.context.packages import WITHHELD, host_name
from eightysix.model.table import ScalarType
from eightysix.sources.tables import audit_cells
from eightysix.sources.tables.told import (
    command_line,
    free_text,
    path_text,
    plain_text,
    url_text,
    value_without_secrets,
)

__all__ = ["treatment_of"]

_Treatment = Callable[[object], object]


def _of_text(treat: Callable[[str], str]) -> _Treatment:
    def treated(value: object) -> object:
        return treat(value) if isinstance(value, str) else value_without_secrets(value)

    return treated


def _json_or_text(value: object) -> object:
    """A text column that holds JSON as text stays text; free text is read as such."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        return _json_text(value)
    return free_text(value) if isinstance(value, str) else value_without_secrets(value)


def _json_text(text: str) -> str:
    try:
        return msgspec.json.encode(value_without_secrets(msgspec.json.decode(text))).decode()
    except (ValueError, RecursionError, TypeError):
        return WITHHELD


def _raw_event(value: object) -> object:
    """`RawEventData`: a whole Kubernetes audit event, or an event of a cloud's control plane."""
    if isinstance(value, dict) and ("auditID" in value or "objectRef" in value):
        return audit_cells.audit_event(value)
    return value_without_secrets(value)


def _name(value: object) -> object:
    """A name that was looked up: labels that look like secrets are withheld, because data leaves in them."""
    return host_name(value) or WITHHELD if isinstance(value, str) else None


_command, _path, _url = _of_text(command_line), _of_text(path_text), _of_text(url_text)
_plain, _free = _of_text(plain_text), _of_text(free_text)


def _withheld(value: object) -> object:  # noqa: ARG001 - one signature for all
    return WITHHELD


_BY_COLUMN: Mapping[str, _Treatment] = {
    "ProcessCommandLine": _command,
    "InitiatingProcessCommandLine": _command,
    "FolderPath": _path,
    "InitiatingProcessFolderPath": _path,
    "FileName": _path,
    "ProcessName": _path,
    "ParentProcessName": _path,
    "InitiatingProcessFileName": _path,
    "ProcessCurrentWorkingDirectory": _path,
    "AdditionalFields": _json_or_text,
    "RawEventData": _raw_event,
    "DnsQuery": _name,
    "Uri": _url,
    "RequestUri": _url,
    "requestUri_s": _url,
    "SourceUri": _url,
    "DestinationUri": _url,
    "ReferrerHeader": _url,
    "ObjectKey": _path,
    "Claims": _json_or_text,
    "Properties": _json_or_text,
    "properties_s": _json_or_text,
    "Authorization": _json_or_text,
    "HTTPRequest": _json_or_text,
    "UserAgent": _free,
    "UserAgentHeader": _free,
    "ResultDescription": _free,
    "LogMessage": _withheld,
    "Message": _free,
    "msg_s": _free,
    "log_s": _withheld,
    "querytext_s": _withheld,
    "requestQuery_s": _withheld,
    "AuthenticationHash": _withheld,
}
"""By the name of a column, in whatever table. `AuthenticationHash` holds hashes of keys and of signatures."""

_BY_TABLE: Mapping[str, Mapping[str, _Treatment]] = {
    "AKSAudit": audit_cells.TREATMENTS,
    "AKSAuditAdmin": audit_cells.TREATMENTS,
}


def treatment_of(table: str, column: str, kind: ScalarType) -> _Treatment | None:
    """How the values of a column are read, None where they are numbers, truths or moments."""
    special = _BY_TABLE.get(table, {}).get(column) or _BY_COLUMN.get(column)
    if special is not None:
        return special
    if kind is ScalarType.DYNAMIC:
        return value_without_secrets
    return _plain if kind is ScalarType.STRING else None
