"""The members of Azure's log records that are decoded, and no others: no hashes of tokens, no URLs, no headers.

Sources: the common schema of resource logs (learn.microsoft.com/azure/azure-monitor/platform/resource-logs-schema), the
activity log's event schema, Key Vault logging, the storage monitoring data reference, and Azure Monitor's tables
AzureActivity, AADManagedIdentitySignInLogs, AADServicePrincipalSignInLogs, StorageBlobLogs, AZKVAuditLogs,
AzureDiagnostics, ContainerRegistryLoginEvents and ContainerRegistryRepositoryEvents.
"""

from __future__ import annotations

from msgspec import Raw, Struct

__all__ = ["Claims", "Identity", "Properties", "Record"]

_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"


class Claims(Struct, gc=False, rename={"object_id": _OBJECT_ID}):
    """Claims of the token that was presented. Of a person they hold more, which is not read."""

    appid: str | None = None
    oid: str | None = None
    object_id: str | None = None
    uti: str | None = None


class Requester(Struct, gc=False, rename={"object_id": "objectId", "app_id": "appId"}):
    """`identity.requester` of a storage log."""

    object_id: str | None = None
    app_id: str | None = None


class Identity(Struct, gc=False):
    """`identity`: `claims` in the activity log, `claim` in Key Vault's, `requester` in storage's."""

    claims: Claims | None = None
    claim: Claims | None = None
    requester: Requester | None = None


class Managed(Struct, gc=False, rename={"token": "federatedTokenId"}):
    """`managedServiceIdentity` of a sign-in: the id of the token that it was taken for, where it was one of another issuer."""

    token: str | None = None


class Status(Struct, gc=False, rename={"code": "errorCode"}):
    """`properties.status` of a sign-in."""

    code: int | None = None


class Properties(
    Struct,
    gc=False,
    rename={
        "app_id": "appId",
        "principal_id": "servicePrincipalId",
        "address": "ipAddress",
        "token_id": "uniqueTokenIdentifier",
        "target": "resourceDisplayName",
        "account": "accountName",
        "login_server": "loginServer",
        "created": "createdDateTime",
        "federation": "federatedCredentialId",
        "managed": "managedServiceIdentity",
        "login_id": "jwtId",
    },
):
    """`properties`: of sign-ins, of storage and of a registry."""

    id: str | None = None
    app_id: str | None = None
    principal_id: str | None = None
    address: str | None = None
    token_id: str | None = None
    target: str | None = None
    status: Status | None = None
    account: str | None = None
    login_server: str | None = None
    created: str | None = None
    federation: str | None = None
    managed: Raw = Raw()
    login_id: str | None = None


class Record(
    Struct,
    gc=False,
    rename={
        "operation": "operationName",
        "result": "resultType",
        "signature": "resultSignature",
        "description": "resultDescription",
        "caller": "callerIpAddress",
        "resource_id": "resourceId",
        "status": "statusCode",
        "login_server": "loginServer",
        "correlation": "correlationId",
        "row_type": "Type",
        "row_category": "Category",
        "row_time": "TimeGenerated",
        "row_arrived": "_TimeReceived",
        "row_created": "CreatedDateTime",
        "row_operation": "OperationName",
        "row_operation_value": "OperationNameValue",
        "row_caller": "CallerIpAddress",
        "row_caller_old": "CallerIPAddress",
        "row_ip": "IPAddress",
        "row_resource_id": "_ResourceId",
        "row_resource": "Resource",
        "row_provider": "ResourceProvider",
        "row_claims": "Claims",
        "row_activity_status": "ActivityStatusValue",
        "row_result": "ResultType",
        "row_signature": "ResultSignature",
        "row_description": "ResultDescription",
        "row_status": "StatusCode",
        "row_http": "HttpStatusCode",
        "row_app_id": "AppId",
        "row_principal_id": "ServicePrincipalId",
        "row_token_id": "UniqueTokenIdentifier",
        "row_target": "ResourceDisplayName",
        "row_requester_object": "RequesterObjectId",
        "row_requester_app": "RequesterAppId",
        "row_account": "AccountName",
        "row_identity": "Identity",
        "row_login_server": "LoginServer",
        "row_federation": "FederatedCredentialId",
        "row_managed": "ManagedServiceIdentity",
        "row_login_id": "JwtId",
        "row_correlation": "CorrelationId",
        "row_claim_app": "identity_claim_appid_g",
        "row_claim_oid": "identity_claim_oid_g",
        "row_claim_object": "identity_claim_http_schemas_microsoft_com_identity_claims_objectidentifier_g",
    },
):
    """A line: a resource log (small letters) or a row of Log Analytics. What may be text, number or object is `Raw`."""

    records: list[Raw] | None = None
    time: str | None = None
    category: str | None = None
    operation: Raw = Raw()
    result: Raw = Raw()
    signature: Raw = Raw()
    description: Raw = Raw()
    caller: str | None = None
    resource_id: str | None = None
    status: Raw = Raw()
    login_server: str | None = None
    correlation: str | None = None
    identity: Raw = Raw()
    properties: Raw = Raw()
    row_type: str | None = None
    row_category: str | None = None
    row_time: str | None = None
    row_arrived: str | None = None
    row_created: str | None = None
    row_operation: str | None = None
    row_operation_value: str | None = None
    row_caller: str | None = None
    row_caller_old: str | None = None
    row_ip: str | None = None
    row_resource_id: str | None = None
    row_resource: str | None = None
    row_provider: str | None = None
    row_claims: Raw = Raw()
    row_activity_status: str | None = None
    row_result: Raw = Raw()
    row_signature: Raw = Raw()
    row_description: Raw = Raw()
    row_status: Raw = Raw()
    row_http: Raw = Raw()
    row_app_id: str | None = None
    row_principal_id: str | None = None
    row_token_id: str | None = None
    row_target: str | None = None
    row_requester_object: str | None = None
    row_requester_app: str | None = None
    row_account: str | None = None
    row_identity: Raw = Raw()
    row_login_server: str | None = None
    row_federation: str | None = None
    row_managed: Raw = Raw()
    row_login_id: str | None = None
    row_correlation: str | None = None
    row_claim_app: str | None = None
    row_claim_oid: str | None = None
    row_claim_object: str | None = None
