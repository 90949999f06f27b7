"""Azure's resource logs as columns of the tables that Log Analytics makes of them.

A diagnostic setting writes `time`, `category`, `operationName`, ... beside `properties`, whose members have nearly the
names of the columns. What differs is told here, by category. Sources: the common schema of resource logs and the activity
log's event schema (learn.microsoft.com/azure/azure-monitor/platform), the monitoring references of Key Vault, Blob
Storage and Container Registry, and the tables' own pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

__all__ = ["table_of_category", "values_of"]

_Values = dict[str, object]
_Record = Mapping[str, object]

_TABLES: Mapping[str, str] = {
    "ManagedIdentitySignInLogs": "AADManagedIdentitySignInLogs",
    "ServicePrincipalSignInLogs": "AADServicePrincipalSignInLogs",
    "AuditLogs": "AuditLogs",
    "Administrative": "AzureActivity",
    "Policy": "AzureActivity",
    "ContainerRegistryLoginEvents": "ContainerRegistryLoginEvents",
    "ContainerRegistryRepositoryEvents": "ContainerRegistryRepositoryEvents",
}
_STORAGE = frozenset({"StorageRead", "StorageWrite", "StorageDelete"})
_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
_UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"

_COMMON: Mapping[str, str] = {
    "time": "TimeGenerated",
    "category": "Category",
    "operationName": "OperationName",
    "operationVersion": "OperationVersion",
    "resultType": "ResultType",
    "resultSignature": "ResultSignature",
    "resultDescription": "ResultDescription",
    "durationMs": "DurationMs",
    "callerIpAddress": "CallerIpAddress",
    "correlationId": "CorrelationId",
    "level": "Level",
    "Level": "Level",
}
_decode = msgspec.json.Decoder().decode


def table_of_category(category: str, resource_id: str) -> str:
    """The table of a log's category; empty for one that is not read. `AuditEvent` is Key Vault's name, and others' too;
    the categories of storage are the same for blobs, files, queues and tables."""
    resource = resource_id.upper()
    if category == "AuditEvent":
        return "AZKVAuditLogs" if "/MICROSOFT.KEYVAULT/" in resource else ""
    if category in _STORAGE:
        return "StorageBlobLogs" if "/BLOBSERVICES/" in resource else ""
    return _TABLES.get(category, "")


def values_of(record: _Record, table: str) -> _Values:
    """The columns of a resource log."""
    values: _Values = {column: record[name] for name, column in _COMMON.items() if name in record}
    resource = record.get("resourceId")
    if isinstance(resource, str):
        values["_ResourceId"] = resource.lower()
        values.update(_of_resource(resource))
    properties = _object(record.get("properties"))
    return _MAKERS[table](record, properties, values)


def _object(value: object) -> _Record:
    """An object, or text of one; empty for anything else."""
    if isinstance(value, str) and value[:1] == "{":
        try:
            value = _decode(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _of_resource(resource: str) -> _Values:
    """What a resource id says: `/subscriptions/S/resourceGroups/G/providers/P/...`."""
    parts = resource.split("/")
    told = {parts[at].lower(): parts[at + 1] for at in range(1, min(len(parts) - 1, 7), 2)}
    found = {"_SubscriptionId": told.get("subscriptions")}
    return {name: value for name, value in found.items() if value}


def _sign_in(record: _Record, properties: _Record, values: _Values) -> _Values:
    told = {name: value for name, value in properties.items() if name not in ("location", "resourceId")}
    values = {**values, **told}
    values["AADTenantId"] = record.get("tenantId")
    values["Identity"] = record.get("identity") if isinstance(record.get("identity"), str) else None
    values["Location"] = record.get("location")
    values["LocationDetails"] = properties.get("location") or None
    values["ResourceIdentity"] = properties.get("resourceId")
    values["ConditionalAccessPolicies"] = properties.get("appliedConditionalAccessPolicies")
    status = _object(properties.get("status"))
    if values.get("ResultType") in (None, "") and status.get("errorCode") is not None:
        values["ResultType"] = status["errorCode"]
    if values.get("ResultDescription") in (None, ""):
        values["ResultDescription"] = status.get("failureReason")
    values.pop("_ResourceId", None)
    return values


def _audit(record: _Record, properties: _Record, values: _Values) -> _Values:
    values = {**values, **properties}
    values["AADTenantId"] = record.get("tenantId")
    values["ResourceId"] = record.get("resourceId")
    values["AADOperationType"] = properties.get("operationType")
    values.pop("_ResourceId", None)
    return values


def _activity(record: _Record, properties: _Record, values: _Values) -> _Values:
    identity = _object(record.get("identity"))
    claims, resource = _object(identity.get("claims")), record.get("resourceId")
    told: _Values = {
        "TimeGenerated": record.get("time"),
        "OperationNameValue": record.get("operationName"),
        "CategoryValue": record.get("category"),
        "ActivityStatusValue": record.get("resultType"),
        "ActivitySubstatusValue": record.get("resultSignature"),
        "Caller": claims.get(_UPN) or claims.get(_OBJECT_ID),
        "CallerIpAddress": record.get("callerIpAddress"),
        "CorrelationId": record.get("correlationId"),
        "Level": record.get("level", record.get("Level")),
        "Claims": claims or None,
        "Claims_d": claims or None,
        "Authorization": identity.get("authorization"),
        "Authorization_d": identity.get("authorization"),
        "Properties": properties or None,
        "Properties_d": properties or None,
        "EventDataId": properties.get("eventDataId"),
        "_ResourceId": values.get("_ResourceId"),
        "_SubscriptionId": values.get("_SubscriptionId"),
        "SubscriptionId": values.get("_SubscriptionId"),
    }
    parts = resource.split("/") if isinstance(resource, str) else []
    names = [part.lower() for part in parts]
    for name, column in (("resourcegroups", "ResourceGroup"), ("providers", "ResourceProviderValue")):
        at = names.index(name) + 1 if name in names else len(parts)
        if at < len(parts):
            told[column] = parts[at]
    return told


def _vault(record: _Record, properties: _Record, values: _Values) -> _Values:
    return {**values, **properties, "Identity": record.get("identity")}


def _storage(record: _Record, properties: _Record, values: _Values) -> _Values:
    identity = _object(record.get("identity"))
    requester = _object(identity.get("requester"))
    return {
        **values,
        **properties,
        "SchemaVersion": record.get("schemaVersion"),
        "StatusCode": record.get("statusCode"),
        "StatusText": record.get("statusText"),
        "Protocol": record.get("protocol"),
        "Location": record.get("location"),
        "Uri": record.get("uri"),
        "AuthenticationType": identity.get("type"),
        "AuthenticationHash": identity.get("tokenHash"),
        "AuthorizationDetails": identity.get("authorization"),
        **{
            f"Requester{name[:1].upper()}{name[1:]}": requester.get(name)
            for name in ("appId", "audience", "objectId", "tenantId", "tokenIssuer", "upn")
        },
    }


def _registry(record: _Record, properties: _Record, values: _Values) -> _Values:
    told = {**values, **properties}
    for name, column in (("loginServer", "LoginServer"), ("identity", "Identity"), ("location", "Region")):
        if column not in told and isinstance(record.get(name), str):
            told[column] = record[name]
    return told


_MAKERS: Mapping[str, Callable[[_Record, _Record, _Values], _Values]] = {
    "AADManagedIdentitySignInLogs": _sign_in,
    "AADServicePrincipalSignInLogs": _sign_in,
    "AuditLogs": _audit,
    "AzureActivity": _activity,
    "AZKVAuditLogs": _vault,
    "StorageBlobLogs": _storage,
    "ContainerRegistryLoginEvents": _registry,
    "ContainerRegistryRepositoryEvents": _registry,
}
