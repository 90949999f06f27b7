"""What the API server gives to new objects, and what it refuses: names, uids, times, defaults of a pod's template.

Rules of names: RFC 1123 labels and subdomains, as apimachinery's `pkg/util/validation` has them. Defaults: those of
core/v1 that show in every pod of a real cluster; other kinds are kept as they are sent.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from uuid import uuid4

from eightysix.lab.apiserver.audit import second_time
from eightysix.lab.apiserver.catalogue import Object, Resource
from eightysix.lab.apiserver.status import bad_request, invalid

__all__ = ["fill_pod", "is_subdomain", "made", "mount_token", "suffix", "validate"]

_RANDOM_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Of generated names (apimachinery's util/rand): no vowels, no look-alikes."""
_LABEL_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_PATH_NAMED = frozenset({"apiservices", "clusterroles", "clusterrolebindings", "roles", "rolebindings"})
_MOST_LABELS = 1000
_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def suffix(letters: int = 5) -> str:
    """The random end of a generated name."""
    return "".join(random.choices(_RANDOM_LETTERS, k=letters))  # noqa: S311 - a name, not a secret


def is_subdomain(name: str) -> bool:
    """Whether `name` can be an object's."""
    parts = name.split(".")
    return len(name) <= 253 and all(
        part and set(part) <= _LABEL_LETTERS and part[0] != "-" and part[-1] != "-" for part in parts
    )


def made(
    resource: Resource, item: Object, namespace: str, now: int, uid: Callable[[], object] = uuid4
) -> Object:
    """`item` as a new object: named, stamped, in its namespace. Raises where it cannot be one."""
    metadata = item.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a '
            f"{resource.kind}: json: cannot unmarshal metadata"
        )
    if resource.namespaced:
        told = metadata.get("namespace") or namespace
        if told != namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    if metadata.get("resourceVersion"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    name = metadata.get("name")
    prefix = metadata.get("generateName")
    if not name and isinstance(prefix, str) and prefix:
        metadata["name"] = name = prefix[:58] + suffix()
    validate(resource, item)
    item.setdefault("apiVersion", resource.api_version)
    item.setdefault("kind", resource.kind)
    metadata["uid"] = str(uid())
    metadata["creationTimestamp"] = second_time(now)
    for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
        metadata.pop(key, None)
    return item


def validate(resource: Resource, item: Object) -> None:
    """Refuse what no API server would take: a bad name, labels that are no text, a pod without containers."""
    metadata = item["metadata"]
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        raise invalid(
            resource,
            "",
            [("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")],
        )
    named = "/" not in name and "%" not in name and name not in (".", "..") and len(name) <= 1024
    if not (named if resource.plural in _PATH_NAMED else is_subdomain(name)):
        text = f'Invalid value: "{name[:300]}": {_SUBDOMAIN}'
        raise invalid(resource, name[:300], [("FieldValueInvalid", text, "metadata.name")])
    for part in ("labels", "annotations"):
        value = metadata.get(part)
        if value is None:
            metadata.pop(part, None)
        elif not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
            raise bad_request(
                f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
                f"json: cannot unmarshal into Go struct field ObjectMeta.metadata.{part} of type string"
            )
        elif len(value) > _MOST_LABELS:
            raise invalid(resource, name, [("FieldValueTooMany", "Too many", f"metadata.{part}")])
    for part in ("name", "namespace", "uid", "generateName"):
        if part in metadata and not isinstance(metadata[part], str):
            raise bad_request(
                f"json: cannot unmarshal into Go struct field ObjectMeta.metadata.{part} of type string"
            )
    if resource.group == "" and resource.plural == "pods":
        _validate_pod(resource, item, name)


def _validate_pod(resource: Resource, item: Object, name: str) -> None:
    spec = item.get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not isinstance(containers, list) or not containers:
        raise invalid(resource, name, [("FieldValueRequired", "Required value", "spec.containers")])
    causes = []
    for at, each in enumerate(containers):
        if not isinstance(each, dict):
            raise bad_request(
                "json: cannot unmarshal into Go struct field PodSpec.spec.containers of type v1.Container"
            )
        for part in ("name", "image"):
            if not each.get(part):
                causes.append(("FieldValueRequired", "Required value", f"spec.containers[{at}].{part}"))
            elif not isinstance(each[part], str):
                raise bad_request(
                    f"json: cannot unmarshal into Go struct field Container.{part} of type string"
                )
    if causes:
        raise invalid(resource, name, causes)


def fill_pod(pod: Object) -> None:
    """Give a new pod the defaults that a real one has, and its first status."""
    spec = pod["spec"]
    for container in [*spec["containers"], *(_dicts(spec.get("initContainers")))]:
        image = container.get("image")
        tag = (
            image.rpartition("/")[2].partition(":")[2] if isinstance(image, str) and "@" not in image else "."
        )
        container.setdefault("resources", {})
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        container.setdefault("imagePullPolicy", "Always" if tag in ("", "latest") else "IfNotPresent")
    for key, value in (
        ("restartPolicy", "Always"),
        ("terminationGracePeriodSeconds", 30),
        ("dnsPolicy", "ClusterFirst"),
        ("schedulerName", "default-scheduler"),
        ("enableServiceLinks", True),
        ("preemptionPolicy", "PreemptLowerPriority"),
        ("priority", 0),
    ):
        spec.setdefault(key, value)
    spec.setdefault("securityContext", {})
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = account
    spec.setdefault(
        "tolerations",
        [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
        ],
    )
    status = pod.setdefault("status", {})
    if isinstance(status, dict):
        status.setdefault("phase", "Pending")
        status.setdefault("qosClass", _quality(spec))


def _dicts(value: object) -> list[Object]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _quality(spec: Object) -> str:
    asked, limited = [], []
    for container in _dicts(spec.get("containers")):
        resources = container.get("resources")
        resources = resources if isinstance(resources, dict) else {}
        asked.append(resources.get("requests") or resources.get("limits") or {})
        limited.append(resources.get("limits") or {})
    if not any(asked):
        return "BestEffort"
    whole = all(
        set(limit) >= {"cpu", "memory"} and ask == limit for ask, limit in zip(asked, limited, strict=True)
    )
    return "Guaranteed" if whole else "Burstable"


def mount_token(pod: Object) -> None:
    """Give the containers of a pod the projected volume with token, authority and namespace, as admission does."""
    spec = pod["spec"]
    volumes = spec.setdefault("volumes", [])
    if not isinstance(volumes, list):
        return
    name = f"kube-api-access-{suffix()}"
    path = "/var/run/secrets/kubernetes.io/serviceaccount"
    missing = []
    for container in [*_dicts(spec.get("initContainers")), *_dicts(spec.get("containers"))]:
        mounts = container.setdefault("volumeMounts", [])
        if not any(each.get("mountPath") == path for each in _dicts(mounts)):
            missing.append(mounts)
    if not missing or any(
        str(each.get("name", "")).startswith("kube-api-access-") for each in _dicts(volumes)
    ):
        return
    for mounts in missing:
        mounts.append({"name": name, "readOnly": True, "mountPath": path})
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    volumes.append(
        {
            "name": name,
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {
                        "configMap": {
                            "name": "kube-root-ca.crt",
                            "items": [{"key": "ca.crt", "path": "ca.crt"}],
                        }
                    },
                    {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
                ],
                "defaultMode": 420,
            },
        }
    )
