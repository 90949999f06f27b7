"""Counts Azure's own logs and Defender's tables: which of them arrive, and how late."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from eightysix.model.timestamps import to_ns
from eightysix.model.visibility import Witness
from eightysix.sources.azure import AzureDecoder
from eightysix.sources.azure_records import Properties, Record
from eightysix.sources.defender import TABLES, Told
from eightysix.sources.survey.audit import note_request
from eightysix.sources.survey.census import Census, Place, Tally, count, short

__all__ = [
    "ACTIVITY",
    "DEFENDER",
    "FEEDS",
    "KEY_VAULT",
    "LOGINS",
    "MANAGED",
    "PRINCIPALS",
    "REPOSITORY",
    "STORAGE",
    "azure_survey",
]

MANAGED, PRINCIPALS = "ManagedIdentitySignInLogs", "ServicePrincipalSignInLogs"
ACTIVITY, KEY_VAULT, STORAGE = "activity", "key-vault", "storage"
LOGINS, REPOSITORY = "ContainerRegistryLoginEvents", "ContainerRegistryRepositoryEvents"
DEFENDER = frozenset(TABLES)

FEEDS: Mapping[str, str] = {
    MANAGED: MANAGED,
    PRINCIPALS: PRINCIPALS,
    f"AAD{MANAGED}": MANAGED,
    f"AAD{PRINCIPALS}": PRINCIPALS,
    LOGINS: LOGINS,
    REPOSITORY: REPOSITORY,
}
"""By category or table; the others are called by what they are of (`sources.azure.CATEGORIES`)."""

_decode_properties = msgspec.json.Decoder(Properties).decode


_KINDS = {**TABLES, "CloudDnsEvents": "question"}


def azure_survey(census: Census) -> AzureDecoder:
    """A decoder that counts into `census` and gives no events."""

    def on_record(record: Record, service: str, time_ns: int, told: Told | None) -> None:
        category = record.category or record.row_type or record.row_category or ""
        name = service if service in DEFENDER else FEEDS.get(category, service)
        place = Place(name, short(told.cluster) if told is not None else "", "")
        request = told.request if told is not None else None
        if request is not None:
            tally = census.tally(place, Witness.AUDIT, "kubernetes-audit")
        elif service == "CloudDnsEvents":
            tally = census.tally(place, Witness.NAMES, "dns")
        else:
            tally = census.tally(place, Witness.PROVIDER, "azure")
        if not census.is_new(hash((_key(record, time_ns), told.native if told is not None else 0))):
            tally.duplicates += 1
            return
        tally.records += 1
        tally.at(time_ns)
        _note_arrival(tally, record, service, time_ns)
        if request is not None:
            count(tally.kinds, "api")
            note_request(census, tally, request, place.cluster, time_ns)
        else:
            count(tally.kinds, _KINDS.get(service, service))

    return AzureDecoder(on_record=on_record)


def _key(record: Record, time_ns: int) -> int:
    """What tells one record from another: its time, its ids, what was done and what it says about it."""
    return hash(
        (
            time_ns,
            record.category or record.row_type,
            record.correlation or record.row_correlation,
            record.resource_id or record.row_resource_id,
            record.row_operation_value or record.row_operation or bytes(record.operation),
            record.row_token_id,
            bytes(record.properties),
            bytes(record.result)
            + bytes(record.row_result)
            + bytes(record.signature)
            + bytes(record.row_signature),
            record.row_app_id,
            record.row_principal_id,
        )
    )


def _note_arrival(tally: Tally, record: Record, service: str, time_ns: int) -> None:
    if record.row_arrived:
        tally.arrived(time_ns, record.row_arrived, "the event and its arrival in Log Analytics")
    elif service == "sign-in":
        created = record.row_created
        if not created and record.properties:
            try:
                created = _decode_properties(record.properties).created
            except (ValueError, RecursionError):
                return
        if created:
            try:
                tally.arrived(to_ns(created), record.time or record.row_time, "the sign-in and its record")
            except ValueError:
                return
