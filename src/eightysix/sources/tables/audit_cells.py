"""What of an audit event may be told, member by member: lists of what is kept, never lists of what is not.

Secret data, environment variables, commands, annotations of objects (`last-applied-configuration` holds whole manifests),
queries of URLs and messages stay out. Of bodies it is kept who is bound to what, and what a pod asks of its node.
Sources: audit.k8s.io/v1, and the API reference of the kinds that are named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from eightysix.context.packages import WITHHELD, looks_secret, starts_as_token
from eightysix.sources.tables.told import MAX_DEPTH

__all__ = ["TREATMENTS", "audit_event"]

_LONGEST = 512
_MOST = 256
"""Items of one list that are kept."""

_Keep = Mapping[str, object]
"""Member -> what is kept of it: `_TEXT`, `_TRUTH`, `_NUMBER`, a nested mapping, or a list of one of these."""

_TEXT, _TRUTH, _NUMBER = "text", "truth", "number"
_AUTHENTICATION = "authentication.kubernetes.io/"
_ANNOTATIONS = frozenset(
    {
        "authorization.k8s.io/decision",
        "authorization.k8s.io/reason",
        _AUTHENTICATION + "issued-credential-id",
        "authentication.k8s.io/legacy-token",
        "pod-security.kubernetes.io/enforce-policy",
        "pod-security.kubernetes.io/exempt",
        "k8s.io/deprecated",
        "k8s.io/removed-release",
    }
)
"""Annotations that the API server writes itself (kubernetes.io/docs/reference/labels-annotations-taints/audit-annotations)
and that hold no text of somebody else's, as `audit-violations` and `stale-token` do."""

_REASON = "authorization.k8s.io/reason"
_BY_RBAC = "RBAC: "
"""How the reason of the API server's own authorizer begins; a webhook's may say anything."""

_REASONS = frozenset(
    (
        "Unauthorized Forbidden NotFound AlreadyExists Conflict Gone Invalid ServerTimeout StoreReadError Timeout"
        " TooManyRequests BadRequest MethodNotAllowed NotAcceptable RequestEntityTooLarge UnsupportedMediaType"
        " InternalError Expired ServiceUnavailable Success Failure Valid"
    ).split()
)
"""StatusReason of k8s.io/apimachinery, and the values of `status`."""

_EXTRAS = ("oid",)
"""Extras beside `authentication.kubernetes.io/`: AKS writes the object id of an Entra identity."""

_METADATA: _Keep = {
    "name": _TEXT,
    "namespace": _TEXT,
    "uid": _TEXT,
    "generateName": _TEXT,
    "creationTimestamp": _TEXT,
    "annotations": {"azure.workload.identity/client-id": _TEXT, "azure.workload.identity/tenant-id": _TEXT},
    "ownerReferences": [{"kind": _TEXT, "name": _TEXT, "uid": _TEXT}],
}
_SECURITY: _Keep = {
    "privileged": _TRUTH,
    "allowPrivilegeEscalation": _TRUTH,
    "readOnlyRootFilesystem": _TRUTH,
    "runAsNonRoot": _TRUTH,
    "runAsUser": _NUMBER,
    "capabilities": {"add": [_TEXT], "drop": [_TEXT]},
}
_RESOURCES: _Keep = {
    name: {
        "cpu": _TEXT,
        "memory": _TEXT,
        "nvidia.com/gpu": _TEXT,
        "amd.com/gpu": _TEXT,
        "gpu.intel.com/i915": _TEXT,
        "habana.ai/gaudi": _TEXT,
    }
    for name in ("limits", "requests")
}
_CONTAINER: _Keep = {
    "name": _TEXT,
    "image": _TEXT,
    "securityContext": _SECURITY,
    "resources": _RESOURCES,
    "volumeMounts": [{"name": _TEXT, "mountPath": _TEXT, "readOnly": _TRUTH}],
    "targetContainerName": _TEXT,
}
_VOLUME: _Keep = {
    "name": _TEXT,
    "hostPath": {"path": _TEXT, "type": _TEXT},
    "secret": {"secretName": _TEXT},
    "configMap": {"name": _TEXT},
    "persistentVolumeClaim": {"claimName": _TEXT},
    "projected": {
        "sources": [
            {
                "secret": {"name": _TEXT},
                "configMap": {"name": _TEXT},
                "serviceAccountToken": {"audience": _TEXT, "expirationSeconds": _NUMBER, "path": _TEXT},
            }
        ]
    },
}
_POD: _Keep = {
    "serviceAccountName": _TEXT,
    "automountServiceAccountToken": _TRUTH,
    "nodeName": _TEXT,
    "hostPID": _TRUTH,
    "hostIPC": _TRUTH,
    "hostNetwork": _TRUTH,
    "runtimeClassName": _TEXT,
    "securityContext": _SECURITY,
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
    "ephemeralContainers": [_CONTAINER],
    "volumes": [_VOLUME],
}
_TEMPLATE: _Keep = {"spec": _POD}
_SPEC: _Keep = {
    **_POD,
    "replicas": _NUMBER,
    "template": _TEMPLATE,
    "jobTemplate": {"spec": {"template": _TEMPLATE}},
    "audiences": [_TEXT],
    "expirationSeconds": _NUMBER,
    "boundObjectRef": {"kind": _TEXT, "name": _TEXT, "uid": _TEXT},
    "resourceAttributes": {
        "namespace": _TEXT,
        "verb": _TEXT,
        "group": _TEXT,
        "resource": _TEXT,
        "subresource": _TEXT,
        "name": _TEXT,
    },
}
"""`spec` of pods and of what makes them, of TokenRequest and of access reviews."""

_BODY: _Keep = {
    "kind": _TEXT,
    "apiVersion": _TEXT,
    "metadata": _METADATA,
    "spec": _SPEC,
    "status": {
        "phase": _TEXT,
        "podIP": _TEXT,
        "hostIP": _TEXT,
        "expirationTimestamp": _TEXT,
        "code": _NUMBER,
        "reason": _TEXT,
        "allowed": _TRUTH,
    },
    "roleRef": {"apiGroup": _TEXT, "kind": _TEXT, "name": _TEXT},
    "subjects": [{"apiGroup": _TEXT, "kind": _TEXT, "name": _TEXT, "namespace": _TEXT}],
    "rules": [
        {
            "apiGroups": [_TEXT],
            "resources": [_TEXT],
            "resourceNames": [_TEXT],
            "verbs": [_TEXT],
            "nonResourceURLs": [_TEXT],
        }
    ],
    "imagePullSecrets": [{"name": _TEXT}],
    "secrets": [{"name": _TEXT}],
}
_USER: _Keep = {"username": _TEXT, "uid": _TEXT, "groups": [_TEXT]}
_REF: _Keep = dict.fromkeys(
    ("resource", "namespace", "name", "uid", "apiGroup", "apiVersion", "resourceVersion", "subresource"),
    _TEXT,
)
_STATUS: _Keep = {"code": _NUMBER, "status": _TEXT, "reason": _TEXT}


def body(value: object) -> object:
    """`requestObject` or `responseObject`: kind, names, rights, and what a pod asks of its node."""
    return _kept(value, _BODY, 0)


def user(value: object) -> object:
    """`user`: name, groups, and what the authenticator knows of the token."""
    told = _kept(value, _USER, 0)
    if not isinstance(told, dict) or not isinstance(value, dict):
        return None
    groups = [one for one in told.pop("groups", None) or () if _is_group(one)]
    if groups:
        told["groups"] = groups
    extra = value.get("extra")
    if isinstance(extra, dict):
        kept = {
            name: texts
            for name, one in extra.items()
            if isinstance(name, str) and (name.startswith(_AUTHENTICATION) or name in _EXTRAS)
            if (texts := _kept(one, [_TEXT], 0))
        }
        if kept:
            told["extra"] = kept
    return told or None


def object_ref(value: object) -> object:
    """`objectRef`."""
    return _kept(value, _REF, 0)


def status(value: object) -> object:
    """`responseStatus` without its message, which repeats what was asked for."""
    told = _kept(value, _STATUS, 0)
    if not isinstance(told, dict):
        return None
    return {name: one for name, one in told.items() if name == "code" or one in _REASONS} or None


def notes(value: object) -> object:
    """The annotations of the API server's own."""
    if not isinstance(value, dict):
        return None
    found = {name: _scalar(one, _TEXT) for name, one in value.items() if name in _ANNOTATIONS}
    reason = found.get(_REASON)
    if isinstance(reason, str) and not reason.startswith(_BY_RBAC):
        found[_REASON] = WITHHELD
    return {name: one for name, one in found.items() if one is not None} or None


def addresses(value: object) -> object:
    """`sourceIPs`."""
    return _kept(value, [_TEXT], 0)


def path_of(value: object) -> object:
    """`requestURI`: the path alone, without the query (a command of `exec` stands there), and of a proxied request nothing
    that is meant for the application behind it."""
    if not isinstance(value, str):
        return None
    if not value.startswith("/"):
        value = "/" + value.partition("://")[2].partition("/")[2]
    path = value.partition("?")[0].partition("#")[0]
    before, found, _ = path.partition("/proxy/")
    return (before + "/proxy" if found else path)[:_LONGEST]


_PRODUCT = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_+")


def product(value: object) -> object:
    """A user agent's product and version: what stands behind it is the client's to choose (as in detection's events)."""
    if not isinstance(value, str):
        return None
    told = value[:128].partition(" ")[0]
    name, _, version = told.partition("/")
    harmless = _PRODUCT.issuperset(name) and _PRODUCT.issuperset(version) and len(version) <= 64
    return told if name and harmless and not (looks_secret(name) or looks_secret(version)) else None


TREATMENTS: Mapping[str, Callable[[object], object]] = {
    "User": user,
    "SourceIps": addresses,
    "ObjectRef": object_ref,
    "ResponseStatus": status,
    "Annotations": notes,
    "RequestObject": body,
    "ResponseObject": body,
    "RequestUri": path_of,
    "UserAgent": product,
}
"""By column of AKSAudit and AKSAuditAdmin."""

_OF_EVENT: Mapping[str, Callable[[object], object]] = {
    "user": user,
    "impersonatedUser": lambda value: _kept(value, {"username": _TEXT}, 0),
    "sourceIPs": addresses,
    "objectRef": object_ref,
    "responseStatus": status,
    "annotations": notes,
    "requestObject": body,
    "responseObject": body,
    "requestURI": path_of,
    "userAgent": product,
}
_PLAIN = (
    "kind",
    "apiVersion",
    "level",
    "auditID",
    "stage",
    "verb",
    "requestReceivedTimestamp",
    "stageTimestamp",
)


def audit_event(value: Mapping[str, object]) -> dict[str, object]:
    """A whole audit event, where another record carries one."""
    told: dict[str, object] = {
        name: _told(one[:_LONGEST]) for name in _PLAIN if isinstance(one := value.get(name), str)
    }
    for name, treat in _OF_EVENT.items():
        kept = treat(value.get(name))
        if kept is not None:
            told[name] = kept
    return told


def _kept(value: object, keep: object, depth: int) -> object:
    """Of `value` what `keep` names; None where that is nothing."""
    if isinstance(keep, str):
        return _scalar(value, keep)
    if depth >= MAX_DEPTH:
        return None
    if isinstance(keep, list):
        if not isinstance(value, list):
            return None
        items = [_kept(one, keep[0], depth + 1) for one in value[:_MOST]]
        return [one for one in items if one is not None] or None
    if not isinstance(value, dict) or not isinstance(keep, dict):
        return None
    found = {name: _kept(value[name], inner, depth + 1) for name, inner in keep.items() if name in value}
    return {name: one for name, one in found.items() if one is not None} or None


def _is_group(group: object) -> bool:
    """Groups of the API server, and ids of Entra's: other names are an identity provider's, which may say anything."""
    if not isinstance(group, str):
        return False
    return group.startswith("system:") or (
        len(group) == 36 and group.count("-") == 4 and _ID.issuperset(group)
    )


_ID = frozenset("0123456789abcdefABCDEF-")


@lru_cache(maxsize=8192)
def _told(text: str) -> str:
    return WITHHELD if starts_as_token(text) else text


def _scalar(value: object, kind: str) -> object:
    if kind == _TEXT:
        if isinstance(value, str):
            return _told(value[:_LONGEST]) or None
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
    if kind == _TRUTH:
        return value if isinstance(value, bool) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
