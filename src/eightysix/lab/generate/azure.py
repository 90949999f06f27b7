"""Azure's logs about principals, as diagnostic settings write them and as Log Analytics has them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from eightysix.lab.generate.clock import rfc3339
from eightysix.lab.generate.ids import number, uuid_id

__all__ = ["Principal", "activity_row", "key_vault", "registry_row", "sign_in", "storage"]

Record = dict[str, object]

_SUBSCRIPTION = "/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000000/RESOURCEGROUPS/RG-ML/PROVIDERS"
_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"


@dataclass(frozen=True)
class Principal:
    """A managed identity."""

    name: str

    @property
    def client_id(self) -> str:
        """What applications ask for."""
        return uuid_id("client", self.name)

    @property
    def object_id(self) -> str:
        """What role assignments name."""
        return uuid_id("object", self.name)


def key_vault(
    who: Principal, time_ns: int, address: str, *, operation: str = "SecretGet", code: int = 200
) -> Record:
    """`AuditEvent` of a vault."""
    return {
        "time": rfc3339(time_ns, 7),
        "category": "AuditEvent",
        "operationName": operation,
        "resultType": "Success",
        "correlationId": uuid_id("correlation", operation, time_ns),
        "callerIpAddress": address,
        "identity": {"claim": {_OBJECT_ID: who.object_id, "appid": who.client_id, "xms_az_nwperimid": []}},
        "properties": {
            "id": "https://kv-ml.vault.azure.net/secrets/registry-push/8f7e",
            "clientInfo": "Python-urllib/3.11",
            "httpStatusCode": code,
        },
        "resourceId": f"{_SUBSCRIPTION}/MICROSOFT.KEYVAULT/VAULTS/KV-ML",
        "resultSignature": "OK" if code < 400 else "Forbidden",
        "durationMs": str(number(8, 60, "vault", time_ns)),
    }


def storage(
    who: Principal, time_ns: int, address: str, *, operation: str = "GetBlob", code: int = 200
) -> Record:
    """`StorageRead` of a storage account: the caller's address has its port."""
    return {
        "time": rfc3339(time_ns, 7),
        "resourceId": f"{_SUBSCRIPTION}/Microsoft.Storage/storageAccounts/mlmodels/blobServices/default",
        "category": "StorageRead",
        "operationName": operation,
        "schemaVersion": "1.0",
        "statusCode": code,
        "statusText": "Success",
        "durationMs": number(4, 90, "storage", time_ns),
        "callerIpAddress": f"{address}:{number(20_000, 60_000, 'port', time_ns)}",
        "correlationId": uuid_id("correlation", operation, time_ns),
        "identity": {
            "type": "OAuth",
            "requester": {"appId": who.client_id, "objectId": who.object_id, "tenantId": uuid_id("tenant")},
        },
        "properties": {"accountName": "mlmodels", "userAgentHeader": "azsdk-python-storage-blob/12.29.0"},
        "uri": "https://mlmodels.blob.core.windows.net/models/prod.safetensors",
    }


def sign_in(who: Principal, time_ns: int) -> Record:
    """`ManagedIdentitySignInLogs`: there is never an address."""
    return {
        "time": rfc3339(time_ns, 7),
        "resourceId": f"/tenants/{uuid_id('tenant')}/providers/Microsoft.aadiam",
        "operationName": "Sign-in activity",
        "category": "ManagedIdentitySignInLogs",
        "resultType": "0",
        "durationMs": 0,
        "correlationId": uuid_id("correlation", "sign-in", time_ns),
        "properties": {
            "id": uuid_id("sign-in", time_ns),
            "appId": who.client_id,
            "ipAddress": "",
            "servicePrincipalId": who.object_id,
            "servicePrincipalName": who.name,
            "resourceDisplayName": "Azure Key Vault",
            "status": {"errorCode": 0},
            "uniqueTokenIdentifier": "Zm9yIHRlc3RzIG9ubHk",
        },
    }


def activity_row(who: Principal, time_ns: int, address: str) -> Record:
    """A row of the table AzureActivity: keys of a storage account are listed."""
    operation = "MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION"
    return {
        "TimeGenerated": rfc3339(time_ns, 7),
        "OperationNameValue": operation,
        "CategoryValue": "Administrative",
        "ActivityStatusValue": "Success",
        "Caller": who.object_id,
        "CallerIpAddress": address,
        "Claims": json.dumps({"appid": who.client_id, _OBJECT_ID: who.object_id, "uti": "dGVzdA"}),
        "CorrelationId": uuid_id("correlation", operation, time_ns),
        "_ResourceId": f"{_SUBSCRIPTION.lower()}/microsoft.storage/storageaccounts/mlmodels",
        "Type": "AzureActivity",
    }


def registry_row(who: Principal, time_ns: int, address: str, *, operation: str = "Push") -> Record:
    """A row of ContainerRegistryRepositoryEvents."""
    return {
        "TimeGenerated": rfc3339(time_ns, 7),
        "OperationName": operation,
        "Repository": "ml/inference",
        "Tag": "prod",
        "Identity": who.object_id,
        "CallerIpAddress": address,
        "LoginServer": "contosoml.azurecr.io",
        "ResultType": "HttpStatusCode",
        "ResultDescription": "201",
        "CorrelationId": uuid_id("correlation", operation, time_ns),
        "Type": "ContainerRegistryRepositoryEvents",
    }
