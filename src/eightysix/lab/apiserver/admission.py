"""What happens to objects on their way in, and what follows from them: the plug-ins and controllers that no cluster lacks.

Namespaces must be there and get their default account; pods get defaults, an account that exists and its token volume;
roles and bindings are refused where they would give more than their author has (pkg/registry/rbac). Webhooks, quotas,
Pod Security and the controllers of workloads are not here.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

from eightysix.lab.apiserver import escalation, names
from eightysix.lab.apiserver.catalogue import BUILT_IN, Catalogue, Object, Resource
from eightysix.lab.apiserver.messages import User
from eightysix.lab.apiserver.rbac import Rbac
from eightysix.lab.apiserver.status import bad_request, forbidden, invalid, not_found
from eightysix.lab.apiserver.store import Store, Stored

__all__ = ["Admission"]

_RBAC = "rbac.authorization.k8s.io"
_NAMESPACES, _ACCOUNTS, _MAPS, _PODS = (
    next(each for each in BUILT_IN if each.group == "" and each.plural == plural)
    for plural in ("namespaces", "serviceaccounts", "configmaps", "pods")
)


class Admission:
    """Prepares and refuses writes, and does what follows from them. Called under the store's lock."""

    def __init__(
        self, store: Store, rbac: Rbac, catalogue: Catalogue, authority: str, clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._rbac = rbac
        self._catalogue = catalogue
        self._authority = authority
        self._clock = clock

    def creates(self, user: User, resource: Resource, item: Object) -> None:
        """Complete a new object, or refuse it."""
        namespace = item["metadata"].get("namespace", "")
        if namespace and self._store.get(_NAMESPACES, "", namespace) is None:
            raise not_found(_NAMESPACES, namespace)
        if resource.group == _RBAC:
            escalation.check(self._rbac, user, resource, item)
        elif resource == _PODS:
            self._pod(item)
        else:
            self.complete(resource, item)

    def complete(self, resource: Resource, item: Object) -> None:
        """What every new object of a kind gets, whoever makes it."""
        if resource.group:
            return
        if resource.plural == "namespaces":
            metadata = item["metadata"]
            labels = metadata.get("labels") or {}
            metadata["labels"] = {**labels, "kubernetes.io/metadata.name": metadata["name"]}
            item.setdefault("spec", {"finalizers": ["kubernetes"]})
            item["status"] = {"phase": "Active"}
        elif resource.plural == "secrets":
            _secret(item)

    def _pod(self, pod: Object) -> None:
        names.fill_pod(pod)
        spec, metadata = pod["spec"], pod["metadata"]
        name = spec["serviceAccountName"]
        account = self._store.get(_ACCOUNTS, metadata["namespace"], name) if isinstance(name, str) else None
        if account is None:
            why = f'error looking up service account {metadata["namespace"]}/{name}: serviceaccount "{name}" not found'
            raise forbidden(_PODS, metadata["name"], why)
        if (
            spec.get("automountServiceAccountToken", account.read().get("automountServiceAccountToken"))
            is not False
        ):
            names.mount_token(pod)

    def updates(self, user: User, resource: Resource, before: Object, item: Object, subresource: str) -> None:
        """Complete a changed object, or refuse it."""
        if resource.group == _RBAC:
            if before.get("roleRef") != item.get("roleRef"):
                text = f"Invalid value: {item.get('roleRef')}: cannot change roleRef"
                raise invalid(resource, item["metadata"]["name"], [("FieldValueInvalid", text, "roleRef")])
            if any(before.get(part) != item.get(part) for part in ("rules", "subjects", "aggregationRule")):
                escalation.check(self._rbac, user, resource, item)
        elif resource.group == "" and resource.plural == "secrets":
            _secret(item)
        elif resource == _PODS and not subresource:
            _unchanged_pod(before, item)

    def created(self, resource: Resource, stored: Stored) -> None:
        """What controllers do about a new object."""
        if resource == _NAMESPACES:
            for made, body in self._of_namespace():
                if self._store.get(made, stored.name, body["metadata"]["name"]) is None:
                    self._store.put(made, names.made(made, body, stored.name, self._clock()))
        elif resource.plural == "customresourcedefinitions":
            self._catalogue.define(stored.read())

    def _of_namespace(self) -> Iterator[tuple[Resource, Object]]:
        yield _ACCOUNTS, {"metadata": {"name": "default"}}
        yield _MAPS, {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": self._authority}}

    def deleted(self, resource: Resource, stored: Stored) -> None:
        """What controllers do about an object that is gone: a namespace takes everything in it along."""
        if resource != _NAMESPACES:
            return
        for group, plural in list(self._store.resources()):
            held = self._catalogue.named(group, plural)
            if held is not None and held.namespaced:
                for each in self._store.all(held, stored.name):
                    self._store.remove(held, each)


def _secret(item: Object) -> None:
    """The type, and `stringData` encoded; data that is no base64 is refused."""
    item.setdefault("type", "Opaque")
    plain = item.pop("stringData", None)
    data = item.get("data")
    if plain is not None:
        if not isinstance(plain, dict) or not all(isinstance(each, str) for each in plain.values()):
            raise bad_request("json: cannot unmarshal into Go struct field Secret.stringData of type string")
        coded = {
            key: base64.b64encode(value.encode("utf-8", "replace")).decode() for key, value in plain.items()
        }
        item["data"] = data = {**(data if isinstance(data, dict) else {}), **coded}
    if data is not None and not isinstance(data, dict):
        raise bad_request(
            "json: cannot unmarshal into Go struct field Secret.data of type map[string][]uint8"
        )
    for value in (data or {}).values():
        try:
            base64.b64decode(value, validate=True)
        except (TypeError, ValueError) as error:
            raise bad_request(
                'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0'
            ) from error


_MAY_CHANGE = frozenset(
    {"activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations", "schedulingGates"}
)


def _unchanged_pod(before: Object, item: Object) -> None:
    """Of a pod's spec images and a few members may change, and nothing else."""

    def frozen(pod: Object) -> Object:
        spec = pod.get("spec")
        if not isinstance(spec, dict):
            return {}
        kept = {key: value for key, value in spec.items() if key not in _MAY_CHANGE}
        for part in ("containers", "initContainers"):
            if isinstance(kept.get(part), list):
                kept[part] = [
                    {key: value for key, value in each.items() if key != "image"}
                    if isinstance(each, dict)
                    else each
                    for each in kept[part]
                ]
        return kept

    if frozen(before) != frozen(item):
        text = (
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
            "negative)"
        )
        raise invalid(_PODS, item["metadata"]["name"], [("FieldValueForbidden", text, "spec")])
