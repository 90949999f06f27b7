"""The instance metadata service: instance, managed identity, attested data, scheduled events, versions.

Sources: learn.microsoft.com/azure/virtual-machines/instance-metadata-service, learn.microsoft.com/entra/identity/
managed-identities-azure-resources/how-to-use-vm-token, learn.microsoft.com/azure/virtual-machines/linux/scheduled-events.
What the real one does and this one does not is listed in docs/lab-services.md.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote

from eightysix.lab.apiserver import Issued
from eightysix.lab.services.clock import rfc3339
from eightysix.lab.services.directory import IDENTITY, IDENTITY_ID, NODE_GROUP, Directory, resource_of
from eightysix.lab.services.http import Answer, Request, json_answer
from eightysix.lab.services.roster import Roster
from eightysix.lab.services.trust import sign_document
from eightysix.lab.world import NODE, NONCE_PATH, SUBSCRIPTION, TENANT

__all__ = ["VERSIONS", "Metadata"]

VERSIONS = tuple(
    "2017-03-01 2017-04-02 2017-08-01 2017-10-01 2017-12-01 2018-02-01 2018-04-02 2018-10-01 2019-02-01 2019-03-11 "
    "2019-04-30 2019-06-01 2019-06-04 2019-08-01 2019-08-15 2019-11-01 2020-06-01 2020-07-15 2020-09-01 2020-10-01 "
    "2020-12-01 2021-01-01 2021-02-01 2021-03-01 2021-05-01 2021-08-01 2021-10-01 2021-11-01 2021-11-15 2021-12-13 "
    "2023-07-01 2023-11-15 2024-03-15 2024-07-17 2025-04-07".split()
)
"""As the page lists them."""
_EVENT_VERSIONS = frozenset({"2017-11-01", "2019-01-01", "2020-07-01", *VERSIONS})
_IDENTITY_SINCE = "2018-02-01"
_TOKEN_PATH = "/metadata/identity/oauth2/token"  # noqa: S105 - a path
_BAD_VERSION = (
    "Bad request. api-version is invalid or was not specified in the request. "
    "For more information refer to aka.ms/azureimds"
)
_VM_ID = "02aab8a4-74ef-476e-8182-f6d2ba4166a6"
_DEEPEST = 16


class Metadata:
    """Answers at the link-local address."""

    def __init__(self, directory: Directory, attests: Issued, roster: Roster, nonce: str) -> None:
        self._directory = directory
        self._attests = attests
        self._roster = roster
        self._nonce = nonce

    def __call__(self, request: Request) -> Answer:
        """Answer a request."""
        path = request.path.rstrip("/").lower()
        if path == NONCE_PATH:
            return Answer(200, self._nonce.encode() + b"\n", "text/plain")
        if not self._roster.may_reach_metadata(request.peer):
            self._directory.record.mark(
                "metadata-denied", peer=request.peer, port=request.port, path=request.path[:256]
            )
            return Answer(reset=True)
        if request.method != "GET":
            return json_answer(405, {"error": "Method not allowed."})
        return self._get(request, path)

    def tell_refused(self, request: Request) -> Answer:
        """At the nonce's own address: who asks here was refused the way to the metadata service, and gets the nonce alone."""
        path = request.path.rstrip("/").lower()
        if path != NONCE_PATH or self._roster.may_reach_metadata(request.peer):
            return json_answer(404, {"error": "Not found"})
        self._directory.record.mark("metadata-denied", peer=request.peer, port=request.port, path=path)
        return Answer(200, self._nonce.encode() + b"\n", "text/plain")

    def _get(self, request: Request, path: str) -> Answer:
        refused = _refusal(request, identity=path.startswith("/metadata/identity"))
        if refused is not None:
            if path == _TOKEN_PATH:
                self._mark_refused(request, "bad_request_102")
            return refused
        if path == "/metadata/versions":
            return json_answer(200, {"apiVersions": list(VERSIONS)})
        fields = request.fields()
        version = fields.get("api-version", "")
        known = _EVENT_VERSIONS if path == "/metadata/scheduledevents" else VERSIONS
        if version not in known:
            return json_answer(400, {"error": _BAD_VERSION, "newest-versions": list(reversed(VERSIONS[-3:]))})
        if path == _TOKEN_PATH and version >= _IDENTITY_SINCE:
            return self._token(request, fields)
        if path == "/metadata/identity/info" and version >= _IDENTITY_SINCE:
            return json_answer(200, {"tenantId": TENANT})
        if path == "/metadata/scheduledevents":
            return json_answer(200, {"DocumentIncarnation": 1, "Events": []})
        if path == "/metadata/attested/document" and version >= "2018-10-01":
            return self._attested(fields.get("nonce", ""))
        if path == "/metadata/instance" or path.startswith("/metadata/instance/"):
            return _instance(request.path, fields)
        return json_answer(404, {"error": "Not found"})

    def _token(self, request: Request, fields: Mapping[str, str]) -> Answer:
        """A token of the node's identity: whichever process asks."""
        text = fields.get("resource", "")
        wanted = [
            fields[name].lower()
            for name in ("client_id", "object_id", "msi_res_id", "mi_res_id")
            if fields.get(name)
        ]
        if not text:
            return self._refuse(
                request, 400, "invalid_request", "Required query variable 'resource' is missing"
            )
        if len(wanted) > 1:
            why = "Only one of client_id, object_id and msi_res_id may be specified"
            return self._refuse(request, 400, "invalid_request", why)
        if not {*wanted} <= {IDENTITY.client_id, IDENTITY.object_id, IDENTITY_ID.lower()}:
            return self._refuse(request, 400, "invalid_request", "Identity not found")
        resource = resource_of(text)
        if resource is None:
            why = (
                f"AADSTS500011: The resource principal named {text[:256]} was not found in the tenant named {TENANT}. "
                "This can happen if the application has not been installed by the administrator of the tenant or "
                "consented to by any user in the tenant."
            )
            return self._refuse(request, 400, "invalid_resource", why)
        issued = self._directory.issue(IDENTITY, text, how="managed")
        self._directory.sign_in(IDENTITY, resource, how="managed", uti=issued.uti)
        self._directory.record.mark(
            "metadata-token",
            uti=issued.uti,
            resource=text[:256],
            client_id=IDENTITY.client_id,
            peer=request.peer,
            port=request.port,
            pod=self._roster.name_at(request.peer),
            user_agent=request.header("user-agent")[:256],
        )
        seconds = issued.ends - self._directory.clock.now()
        answer = {
            "access_token": issued.token,
            "client_id": IDENTITY.client_id,
            "expires_in": str(seconds),
            "expires_on": str(issued.ends),
            "ext_expires_in": str(seconds - 1),
            "not_before": str(issued.starts),
            "resource": text,
            "token_type": "Bearer",
        }
        return json_answer(200, answer)

    def _refuse(self, request: Request, status: int, error: str, why: str) -> Answer:
        self._mark_refused(request, error)
        return json_answer(status, {"error": error, "error_description": why})

    def _mark_refused(self, request: Request, error: str) -> None:
        self._directory.record.mark("metadata-refused", error=error, peer=request.peer, port=request.port)

    def _attested(self, nonce: str) -> Answer:
        """A document that names the machine, signed (PKCS#7) by a certificate of the run."""
        now = self._directory.clock.now()
        if nonce and (len(nonce) > 10 or not nonce.isascii() or not nonce.isdigit()):
            return json_answer(400, {"error": "Bad request. nonce must be a 10-digit string"})
        document = {
            "licenseType": "",
            "nonce": nonce or rfc3339(now * 1_000_000_000, 0).rstrip(".Z").replace("T", "-").replace(":", ""),
            "plan": {"name": "", "product": "", "publisher": ""},
            "sku": "V2gen2",
            "subscriptionId": SUBSCRIPTION,
            "timeStamp": {"createdOn": _american(now), "expiresOn": _american(now + 6 * 3600)},
            "vmId": _VM_ID,
        }
        signature = base64.b64encode(sign_document(self._attests, document)).decode()
        return json_answer(200, {"encoding": "pkcs7", "signature": signature})


def _refusal(request: Request, *, identity: bool) -> Answer | None:
    """Why a request is none that this service answers: it must not come by way of a proxy or a confused server."""
    why = ""
    if request.header("metadata").lower() != "true":
        why = "Required metadata header not specified"
    elif any(name == "x-forwarded-for" for name, _ in request.headers):
        why = "Request contains an X-Forwarded-For header"
    else:
        names = [name for name, _ in parse_qsl(request.query, keep_blank_values=True)]
        if len(names) != len({*names}):
            why = "Duplicate query parameter names"
    if not why:
        return None
    if identity:
        return json_answer(400, {"error": "invalid_request", "error_description": why})
    return json_answer(400, {"error": f"Bad request. {why}"})


def _instance(path: str, fields: Mapping[str, str]) -> Answer:
    """The machine, or the part of it that the path names."""
    value: object = _MACHINE
    steps = [unquote(step) for step in path.rstrip("/").split("/")[3:]]
    if len(steps) > _DEEPEST:
        return json_answer(404, {"error": "Not found"})
    for step in steps:
        if isinstance(value, dict):
            value = next((value[name] for name in value if name.lower() == step.lower()), None)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step[:4]) < len(value):
            value = value[int(step[:4])]
        else:
            value = None
        if value is None:
            return json_answer(404, {"error": "Not found"})
    form = fields.get("format", "json").lower()
    if form == "text":
        return Answer(200, _as_text(value).encode(), "text/plain; charset=utf-8")
    if form != "json" or not isinstance(value, dict | list):
        return json_answer(400, {"error": "Bad request. format=text is needed for a leaf node"})
    return json_answer(200, value)


def _as_text(value: object) -> str:
    """A leaf as it is; names or indexes of what lies below, one a line, with a slash where more lies below them."""
    if isinstance(value, str):
        return value
    pairs = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    return "\n".join(f"{name}/" if isinstance(below, dict | list) else str(name) for name, below in pairs)


def _american(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%m/%d/%y %H:%M:%S -0000")


_SCALE_SET, _, _INSTANCE = NODE.partition("-vmss")
_MACHINE: dict[str, object] = {
    "compute": {
        "azEnvironment": "AzurePublicCloud",
        "customData": "",
        "evictionPolicy": "",
        "isHostCompatibilityLayerVm": "false",
        "licenseType": "",
        "location": "westeurope",
        "name": f"{_SCALE_SET}-vmss_{int(_INSTANCE or '0')}",
        "offer": "",
        "osProfile": {
            "adminUsername": "azureuser",
            "computerName": NODE,
            "disablePasswordAuthentication": "true",
        },
        "osType": "Linux",
        "placementGroupId": "f67c14ab-e92c-408c-ae2d-da15866ec79a",
        "plan": {"name": "", "product": "", "publisher": ""},
        "platformFaultDomain": "0",
        "platformUpdateDomain": "0",
        "priority": "",
        "provider": "Microsoft.Compute",
        "publicKeys": [],
        "publisher": "",
        "resourceGroupName": NODE_GROUP,
        "resourceId": (
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{NODE_GROUP}/providers/Microsoft.Compute"
            f"/virtualMachineScaleSets/{_SCALE_SET}-vmss/virtualMachines/{int(_INSTANCE or '0')}"
        ),
        "securityProfile": {"secureBootEnabled": "false", "virtualTpmEnabled": "false"},
        "sku": "",
        "storageProfile": {
            "dataDisks": [],
            "imageReference": {"id": "", "offer": "", "publisher": "", "sku": "", "version": ""},
            "osDisk": {
                "caching": "ReadOnly",
                "createOption": "FromImage",
                "diskSizeGB": "128",
                "osType": "Linux",
            },
            "resourceDisk": {"size": "180224"},
        },
        "subscriptionId": SUBSCRIPTION,
        "tags": f"aks-managed-poolName:gpu;aks-managed-resourceNameSuffix:{_SCALE_SET.rpartition('-')[2]}",
        "tagsList": [{"name": "aks-managed-poolName", "value": "gpu"}],
        "userData": "",
        "version": "",
        "virtualMachineScaleSet": {"id": ""},
        "vmId": _VM_ID,
        "vmScaleSetName": f"{_SCALE_SET}-vmss",
        "vmSize": "Standard_NC24ads_A100_v4",
        "zone": "1",
    },
    "network": {
        "interface": [
            {
                "ipv4": {
                    "ipAddress": [{"privateIpAddress": "10.224.0.4", "publicIpAddress": ""}],
                    "subnet": [{"address": "10.224.0.0", "prefix": "16"}],
                },
                "ipv6": {"ipAddress": []},
                "macAddress": "000D3A2B4C5D",
            }
        ]
    },
}
"""A node of AKS. Members as the page's sample has them; all leaves are text, absent ones are empty."""
