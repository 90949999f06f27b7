"""Azure Resource Manager: one subscription with what the lab's world has, behind the roles of whoever presents a token.

Sources: learn.microsoft.com/rest/api (resources, storagerp, authorization), learn.microsoft.com/azure/azure-monitor/platform/
activity-log-schema. As the real activity log this one has no reads: only writes, deletes and actions leave rows.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from uuid import uuid4

import msgspec

from eightysix.lab.services import rows
from eightysix.lab.services.clock import rfc3339
from eightysix.lab.services.directory import (
    IDENTITY,
    IDENTITY_ID,
    PUSHER,
    RESOURCE_GROUP,
    Directory,
    Presented,
)
from eightysix.lab.services.http import Answer, Request, json_answer
from eightysix.lab.services.roster import Roster
from eightysix.lab.world import CLUSTER, STORAGE_HOST, SUBSCRIPTION, TENANT

__all__ = ["Arm"]

_AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
_ROOT = f"/subscriptions/{SUBSCRIPTION}"
_GROUP = f"{_ROOT}/resourceGroups/{RESOURCE_GROUP}"
_ACCOUNT = STORAGE_HOST.partition(".")[0]
_ACCOUNT_ID = f"{_GROUP}/providers/Microsoft.Storage/storageAccounts/{_ACCOUNT}"
_REGISTRY_ID = f"{_GROUP}/providers/Microsoft.ContainerRegistry/registries/contosoml"
_CLUSTER_ID = f"{_GROUP}/providers/Microsoft.ContainerService/managedClusters/{CLUSTER}"
_LIST_KEYS = "Microsoft.Storage/storageAccounts/listKeys/action"

_ROLES = {
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "Storage Account Key Operator Service Role": "81a9662b-bebf-436f-a333-f67b29880f12",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "AcrPush": "8311e382-0749-4cb8-b61a-304f252e45ec",
}
"""Built-in roles with their ids (learn.microsoft.com/azure/role-based-access-control/built-in-roles)."""
_READERS = frozenset({"Reader"})
_KEY_OPERATORS = frozenset({"Storage Account Key Operator Service Role"})


class Arm:
    """Answers for `management.azure.com`."""

    def __init__(self, directory: Directory, roster: Roster) -> None:
        self._directory = directory
        self._roster = roster
        self._keys = [base64.b64encode(secrets.token_bytes(64)).decode() for _ in range(2)]

    def __call__(self, request: Request) -> Answer:
        """Answer a request."""
        header, token = request.header("authorization"), request.bearer()
        who = self._directory.presented(token, *_AUDIENCES) if token else None
        if who is None:
            self._mark(request, "", 401, None)
            return _unauthenticated(header, token)
        if "api-version" not in request.fields():
            why = "The api-version query parameter (?api-version=) is required for all requests."
            return _error(400, "MissingApiVersionParameter", why)
        return self._act(request, who)

    def _act(self, request: Request, who: Presented) -> Answer:
        path = request.path.rstrip("/").lower()
        if path == "/subscriptions" and request.method == "GET":
            value = [_SUBSCRIPTION] if who.principal.roles & _READERS else []
            self._mark(request, "Microsoft.Resources/subscriptions/read", 200, who)
            return json_answer(200, {"value": value, "count": {"type": "Total", "value": len(value)}})
        if path != _ROOT.lower() and not path.startswith(f"{_ROOT.lower()}/"):
            self._mark(request, "", 404, who)
            return _error(404, "SubscriptionNotFound", "The subscription could not be found.")
        known = _READS.get(path)
        if request.method == "GET" and known is not None:
            operation, value_of = known
            if not who.principal.roles & _READERS:
                return self._forbidden(request, operation, who)
            self._mark(request, operation, 200, who)
            return json_answer(200, value_of())
        if request.method == "POST" and path == f"{_ACCOUNT_ID.lower()}/listkeys":
            return self._list_keys(request, who)
        if request.method in (
            "PUT",
            "PATCH",
            "POST",
            "DELETE",
        ):  # no principal of the lab may change anything
            return self._forbidden(request, _operation(request), who)
        self._mark(request, "", 404, who)
        return _error(
            404,
            "ResourceNotFound",
            "The resource was not found. For more details see aka.ms/ARMResourceNotFoundFix",
        )

    def _list_keys(self, request: Request, who: Presented) -> Answer:
        if not who.principal.roles & _KEY_OPERATORS:
            return self._forbidden(request, _LIST_KEYS, who)
        self._mark(request, _LIST_KEYS, 200, who)
        correlation = str(uuid4())
        for status in ("Start", "Success"):
            self._activity(request, who, _LIST_KEYS, _ACCOUNT_ID, status, correlation)
        created = "2025-11-03T09:12:44.0000000Z"
        keys = [
            {"creationTime": created, "keyName": f"key{number}", "value": value, "permissions": "FULL"}
            for number, value in enumerate(self._keys, 1)
        ]
        return json_answer(200, {"keys": keys})

    def _forbidden(self, request: Request, operation: str, who: Presented) -> Answer:
        self._mark(request, operation, 403, who)
        scope = request.path[:512]
        if not operation.endswith("/read"):
            self._activity(request, who, operation, scope, "Failure", str(uuid4()))
        oid = who.principal.object_id
        why = (
            f"The client '{who.principal.client_id}' with object id '{oid}' does not have authorization to perform action "
            f"'{operation}' over scope '{scope}' or the scope is invalid. "
            "If access was recently granted, please refresh your credentials."
        )
        return _error(403, "AuthorizationFailed", why)

    def _mark(self, request: Request, operation: str, status: int, who: Presented | None) -> None:
        self._directory.record.mark(
            "arm-call",
            operation=operation,
            method=request.method,
            path=request.path[:512],
            status=status,
            uti=who.uti if who else "",
            object_id=who.principal.object_id if who else "",
            peer=request.peer,
            port=request.port,
            pod=self._roster.name_at(request.peer),
        )

    def _activity(
        self, request: Request, who: Presented, operation: str, scope: str, status: str, correlation: str
    ) -> None:
        """One row of the activity log: the real one tells an operation when it starts and when it ends."""
        now_ns = self._directory.clock.now_ns()
        stamp = rfc3339(now_ns)
        provider = operation.partition("/")[0].upper()
        substatus = {"Start": "", "Success": "OK", "Failure": "Forbidden"}[status]
        authorization = {"action": operation, "scope": scope}
        claims = {name: who.claims[name] for name in _TOLD if name in who.claims}
        claims |= {renamed: str(who.claims.get(name, "")) for name, renamed in _RENAMED.items()}
        http = {"clientRequestId": str(uuid4()), "clientIpAddress": request.peer, "method": request.method}
        group = scope.split("/")[4] if scope.lower().startswith(f"{_ROOT.lower()}/resourcegroups/") else ""
        properties = {
            "eventCategory": "Administrative",
            "entity": scope,
            "message": operation,
            "hierarchy": f"{TENANT}/{SUBSCRIPTION}",
        }
        values: dict[str, object] = {
            "OperationName": _NAMES.get(operation, operation),
            "OperationNameValue": operation.upper(),
            "Level": "4" if status != "Failure" else "2",
            "ActivityStatus": {"Start": "Started", "Success": "Succeeded", "Failure": "Failed"}[status],
            "ActivityStatusValue": status,
            "ActivitySubstatus": substatus,
            "ActivitySubstatusValue": substatus,
            "ResourceGroup": group,
            "SubscriptionId": SUBSCRIPTION,
            "CorrelationId": correlation,
            "Caller": who.principal.object_id,
            "CallerIpAddress": request.peer,
            "Category": "Administrative",
            "CategoryValue": "Administrative",
            "HTTPRequest": _text(http),
            "Properties": _text(properties),
            "Properties_d": properties,
            "EventSubmissionTimestamp": stamp,
            "Authorization": _text(authorization),
            "Authorization_d": authorization,
            "ResourceId": scope,
            "OperationId": correlation,
            "ResourceProvider": provider,
            "ResourceProviderValue": provider,
            "Resource": scope.rpartition("/")[2],
            "EventDataId": str(uuid4()),
            "TenantId": rows.WORKSPACE,
            "TimeGenerated": stamp,
            "SourceSystem": "Azure",
            "Claims": _text(claims),
            "Claims_d": claims,
            "Hierarchy": f"{TENANT}/{SUBSCRIPTION}",
            "_ResourceId": scope.lower(),
            "_SubscriptionId": SUBSCRIPTION,
        }
        self._directory.record.telemetry("azure-activity.jsonl", rows.row("AzureActivity", values))


_TOLD = ("aud", "iss", "iat", "nbf", "exp", "aio", "appid", "appidacr", "uti", "ver", "xms_mirid")
"""Claims of the presented token that the activity log repeats; the token itself is not among them."""
_RENAMED = {
    "idp": "http://schemas.microsoft.com/identity/claims/identityprovider",
    "oid": "http://schemas.microsoft.com/identity/claims/objectidentifier",
    "tid": "http://schemas.microsoft.com/identity/claims/tenantid",
    "sub": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
}
_NAMES = {_LIST_KEYS: "List Storage Account Keys"}
_SUBSCRIPTION: dict[str, object] = {
    "id": _ROOT,
    "authorizationSource": "RoleBased",
    "managedByTenants": [],
    "subscriptionId": SUBSCRIPTION,
    "tenantId": TENANT,
    "displayName": "ml-production",
    "state": "Enabled",
    "subscriptionPolicies": {
        "locationPlacementId": "Public_2014-09-01",
        "quotaId": "EnterpriseAgreement_2014-09-01",
        "spendingLimit": "Off",
    },
}


def _resource(resource_id: str, type_: str, **more: object) -> dict[str, object]:
    name = resource_id.rpartition("/")[2]
    return {"id": resource_id, "name": name, "type": type_, "location": "westeurope", **more}


def _resources() -> dict[str, object]:
    return {
        "value": [
            _resource(_CLUSTER_ID, "Microsoft.ContainerService/managedClusters"),
            _resource(
                _REGISTRY_ID,
                "Microsoft.ContainerRegistry/registries",
                sku={"name": "Premium", "tier": "Premium"},
            ),
            _resource(
                _ACCOUNT_ID,
                "Microsoft.Storage/storageAccounts",
                kind="StorageV2",
                sku={"name": "Standard_LRS"},
            ),
            _resource(IDENTITY_ID, "Microsoft.ManagedIdentity/userAssignedIdentities"),
        ]
    }


def _account() -> dict[str, object]:
    properties = {
        "accessTier": "Hot",
        "allowBlobPublicAccess": False,
        "allowSharedKeyAccess": True,
        "primaryEndpoints": {"blob": f"https://{STORAGE_HOST}/"},
        "provisioningState": "Succeeded",
    }
    return _resource(
        _ACCOUNT_ID,
        "Microsoft.Storage/storageAccounts",
        kind="StorageV2",
        sku={"name": "Standard_LRS"},
        properties=properties,
    )


def _assignments() -> dict[str, object]:
    """Who has which role. Role names are told by the id of their definition, as the real ones."""
    value = []
    for who in (IDENTITY, PUSHER):
        for role in sorted(who.roles):
            properties = {
                "roleDefinitionId": f"{_ROOT}/providers/Microsoft.Authorization/roleDefinitions/{_ROLES[role]}",
                "principalId": who.object_id,
                "principalType": "ServicePrincipal",
                "scope": _GROUP,
            }
            name = f"{_ROLES[role][:24]}{who.object_id[24:]}"
            kind = "Microsoft.Authorization/roleAssignments"
            value.append(
                {
                    "properties": properties,
                    "id": f"{_GROUP}/providers/{kind}/{name}",
                    "type": kind,
                    "name": name,
                }
            )
    return {"value": value}


def _groups() -> dict[str, object]:
    group = _resource(
        _GROUP, "Microsoft.Resources/resourceGroups", properties={"provisioningState": "Succeeded"}
    )
    return {"value": [group]}


_STORAGE = "providers/Microsoft.Storage/storageAccounts"
_ASSIGNED = "providers/Microsoft.Authorization/roleAssignments"
_READS: Mapping[str, tuple[str, Callable[[], object]]] = {
    path.lower(): (operation, value)
    for path, operation, value in (
        (_ROOT, "Microsoft.Resources/subscriptions/read", lambda: _SUBSCRIPTION),
        (f"{_ROOT}/resourceGroups", "Microsoft.Resources/subscriptions/resourceGroups/read", _groups),
        (f"{_ROOT}/resources", "Microsoft.Resources/subscriptions/resources/read", _resources),
        (
            f"{_GROUP}/resources",
            "Microsoft.Resources/subscriptions/resourceGroups/resources/read",
            _resources,
        ),
        (f"{_ROOT}/{_STORAGE}", "Microsoft.Storage/storageAccounts/read", lambda: {"value": [_account()]}),
        (f"{_GROUP}/{_STORAGE}", "Microsoft.Storage/storageAccounts/read", lambda: {"value": [_account()]}),
        (_ACCOUNT_ID, "Microsoft.Storage/storageAccounts/read", _account),
        (f"{_ROOT}/{_ASSIGNED}", "Microsoft.Authorization/roleAssignments/read", _assignments),
        (f"{_GROUP}/{_ASSIGNED}", "Microsoft.Authorization/roleAssignments/read", _assignments),
    )
}
"""What can be read: paths in small letters with the operation that a role must allow."""


def _operation(request: Request) -> str:
    """The operation that a change of this resource is called."""
    kind = request.path.strip("/").partition("/providers/")[2] or "Microsoft.Resources/unknown"
    steps = [step for step in kind.split("/") if step.isalnum() or "." in step][:16]
    name = "/".join([*steps[:1], *steps[1::2]])[:200]
    verb = {"DELETE": "delete", "POST": "action"}.get(request.method, "write")
    return f"{name}/{verb}"


def _unauthenticated(header: str, token: str) -> Answer:
    if not header:
        code, why = "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
    elif not token:
        code, why = (
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is provided in an invalid format.",
        )
    else:
        code, why = "InvalidAuthenticationToken", "The access token is invalid."
    challenge = f'Bearer authorization_uri="https://login.windows.net/{TENANT}", error="invalid_token", error_description="{why}"'
    return json_answer(401, {"error": {"code": code, "message": why}}, (("www-authenticate", challenge),))


def _error(status: int, code: str, why: str) -> Answer:
    return json_answer(status, {"error": {"code": code, "message": why}})


def _text(value: Mapping[str, object]) -> str:
    return msgspec.json.encode(value).decode()
