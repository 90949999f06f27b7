"""Entra ID's part that all stand-ins share: who there is, which resources, the tokens, and the sign-ins they leave.

Claims are those of access tokens v1.0 (learn.microsoft.com/entra/identity-platform/access-token-claims-reference);
`uti` is what the sign-in logs call UniqueTokenIdentifier. A token itself is written nowhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from uuid import NAMESPACE_DNS, uuid4, uuid5

from msgspec import Struct

from eightysix.lab.services import rows
from eightysix.lab.services.clock import rfc3339
from eightysix.lab.services.tokens import Signer
from eightysix.lab.services.truth import Record
from eightysix.lab.world import CLIENT_ID, OBJECT_ID, PUSH_CLIENT_ID, PUSH_SECRET, SUBSCRIPTION, TENANT

__all__ = [
    "IDENTITY",
    "IDENTITY_ID",
    "NODE_GROUP",
    "PUSHER",
    "RESOURCES",
    "RESOURCE_GROUP",
    "Directory",
    "Issued",
    "Presented",
    "Principal",
    "Resource",
    "resource_of",
]

RESOURCE_GROUP = "rg-ml"
NODE_GROUP = "MC_rg-ml_aks-ml-prod_westeurope"
"""The group that AKS makes for nodes and their identities."""
IDENTITY_ID = (
    f"/subscriptions/{SUBSCRIPTION}/resourcegroups/{NODE_GROUP}"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/inference-mi"
)
_MANAGED_LIFE_S = 86_400
"""Tokens of managed identities live for a day; those of service principals for an hour and some minutes."""
_SECRET_LIFE_S = 3_599
_MOST_PRINCIPALS = 100


class Principal(Struct, frozen=True):
    """Somebody that may sign in. `roles` are role definitions that it holds in the lab's subscription."""

    name: str
    client_id: str
    object_id: str
    roles: frozenset[str]
    managed: bool = False
    secret: str = ""
    subject: str = ""
    """Whose service account token is taken in place of a secret (workload identity federation)."""


IDENTITY = Principal(
    "inference-mi",
    CLIENT_ID,
    OBJECT_ID,
    frozenset(
        {"Reader", "Storage Account Key Operator Service Role", "Storage Blob Data Contributor", "AcrPull"}
    ),
    managed=True,
    subject="system:serviceaccount:ml:inference-sa",
)
PUSHER = Principal(
    "acr-push-sp",
    PUSH_CLIENT_ID,
    "44444444-4444-4444-8444-444444444444",
    frozenset({"AcrPull", "AcrPush"}),
    secret=PUSH_SECRET,
)


class Resource(Struct, frozen=True):
    """Something that tokens are for, as sign-in logs call it."""

    name: str
    app_id: str


_ARM = Resource("Windows Azure Service Management API", "797f4846-ba00-4fd7-ba43-dac1f8f63013")
_STORAGE = Resource("Azure Storage", "e406a681-f3d4-42a8-90b6-c2b029497af1")
RESOURCES: Mapping[str, Resource] = {
    "https://management.azure.com": _ARM,
    "https://management.core.windows.net": _ARM,
    "https://storage.azure.com": _STORAGE,
    "https://mlmodels.blob.core.windows.net": _STORAGE,
    "https://vault.azure.net": Resource("Azure Key Vault", "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"),
    "https://graph.microsoft.com": Resource("Microsoft Graph", "00000003-0000-0000-c000-000000000000"),
    "https://containerregistry.azure.net": Resource(
        "Azure Container Registry", "6a0ec4d3-30cb-4a83-91c0-ae56bc0e3d26"
    ),
    "https://cognitiveservices.azure.com": Resource(
        "Microsoft Cognitive Services", "7d312290-28c8-473c-a0ed-8e53749b6d6d"
    ),
}
"""App ID URIs without their last slash; another resource is refused as Entra refuses it (AADSTS500011)."""


def resource_of(text: str) -> Resource | None:
    """The resource that is called so."""
    return RESOURCES.get(text.rstrip("/").lower())


class Issued(Struct, frozen=True):
    """A token that was given out. Never written anywhere as a whole."""

    token: str
    uti: str
    starts: int
    ends: int


class Presented(Struct, frozen=True):
    """Who presented a token, and which one."""

    principal: Principal
    uti: str
    audience: str
    claims: Mapping[str, object]


class Directory:
    """Issues and checks the tokens of the tenant."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.clock = record.clock
        self.signer = Signer(record.clock)
        self.principals = {each.client_id: each for each in (IDENTITY, PUSHER)}

    def named(self, name: str) -> Principal:
        """The principal of this name; one that is not known is made: a service principal that may push."""
        for each in self.principals.values():
            if each.name == name:
                return each
        if not name or len(name) > 64 or not name.isprintable() or len(self.principals) >= _MOST_PRINCIPALS:
            raise ValueError(f"no principal can be called {name[:64]!r}")
        ids = [str(uuid5(NAMESPACE_DNS, f"{kind}.{name}.eightysix.example")) for kind in ("client", "object")]
        made = Principal(name, ids[0], ids[1], frozenset({"AcrPull", "AcrPush"}))
        self.principals[made.client_id] = made
        return made

    def issue(self, who: Principal, audience: str, *, how: str) -> Issued:
        """A token for `audience`; `how` is `managed`, `secret` or `federated`."""
        now = self.clock.now()
        uti = secrets.token_urlsafe(16)
        ends = now + (_MANAGED_LIFE_S if how == "managed" else _SECRET_LIFE_S)
        issuer = f"https://sts.windows.net/{TENANT}/"
        claims: dict[str, object] = {
            "aud": audience,
            "iss": issuer,
            "iat": now,
            "nbf": now - 300,  # as Entra does, for clocks that are behind
            "exp": ends,
            "aio": secrets.token_urlsafe(48),
            "appid": who.client_id,
            "appidacr": "1" if how == "secret" else "2",
            "idp": issuer,
            "idtyp": "app",
            "oid": who.object_id,
            "rh": f"0.{secrets.token_urlsafe(36)}",
            "sub": who.object_id,
            "tid": TENANT,
            "uti": uti,
            "ver": "1.0",
        }
        if who.managed:
            claims["xms_mirid"] = IDENTITY_ID
        return Issued(self.signer.sign(claims, x5t=self.signer.key_id), uti, now - 300, ends)

    def presented(self, token: str, *audiences: str) -> Presented | None:
        """Who presents `token`; None where it is not one of this tenant, is for something else, or has expired."""
        claims = self.signer.check(token)
        if claims is None:
            return None
        audience, uti = claims.get("aud"), claims.get("uti")
        principal = self.principals.get(str(claims.get("appid")))
        if not isinstance(audience, str) or not isinstance(uti, str) or principal is None:
            return None
        if audience.rstrip("/").lower() not in audiences:
            return None
        return Presented(principal, uti, audience, claims)

    def sign_in(
        self,
        who: Principal,
        resource: Resource,
        *,
        how: str,
        uti: str = "",
        address: str = "",
        agent: str = "",
        error: int = 0,
        why: str = "",
    ) -> None:
        """Write the sign-in's row: without an address for a managed identity, as Entra does not know it."""
        managed = how == "managed"
        table = "AADManagedIdentitySignInLogs" if managed else "AADServicePrincipalSignInLogs"
        stamp = rfc3339(self.clock.now_ns())
        values: dict[str, object] = {
            "TenantId": rows.WORKSPACE,
            "SourceSystem": "Azure AD",
            "TimeGenerated": stamp,
            "OperationName": "Sign-in activity",
            "OperationVersion": "1.0",
            "Category": table.removeprefix("AAD"),
            "ResultType": str(error),
            "ResultSignature": "SUCCESS" if not error else "FAILURE",
            "ResultDescription": why,
            "DurationMs": 0,
            "CorrelationId": str(uuid4()),
            "ResourceGroup": "Microsoft.aadiam",
            "Identity": who.name,
            "Level": "4",
            "Location": "" if managed else "NL",
            "AppId": who.client_id,
            "AppOwnerTenantId": TENANT,
            "ClientCredentialType": {"managed": "none", "secret": "clientSecret"}.get(
                how, "federatedIdentityCredential"
            ),
            "ConditionalAccessStatus": "notApplied",
            "CreatedDateTime": stamp,
            "Id": str(uuid4()),
            "IPAddress": "" if managed else address,
            "ResourceDisplayName": resource.name,
            "ResourceIdentity": resource.app_id,
            "ResourceOwnerTenantId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a",
            "ServicePrincipalId": who.object_id,
            "ServicePrincipalName": who.name,
            "UniqueTokenIdentifier": uti,
            "UserAgent": agent[:256],
            "AADTenantId": TENANT,
        }
        file = "managed-identity-sign-ins.jsonl" if managed else "service-principal-sign-ins.jsonl"
        self.record.telemetry(file, rows.row(table, values))
