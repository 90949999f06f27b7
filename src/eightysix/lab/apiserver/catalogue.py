"""Which resources there are: their groups, names, verbs and subresources, as discovery tells them.

The built-in ones that workloads, collectors of posture and kubectl ask for. Source: discovery of a kube-apiserver, and
kubernetes.io/docs/reference/kubernetes-api. A CustomResourceDefinition in the store adds its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

__all__ = ["BUILT_IN", "REVIEWS", "Catalogue", "Object", "Resource"]

Object: TypeAlias = dict[str, Any]
"""An object of the API as JSON has it."""

_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Resource(Struct, frozen=True, gc=False):
    """A resource. `group` is empty for the core; `qualified` is what messages call it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = _VERBS
    categories: tuple[str, ...] = ()
    custom: bool = False

    @property
    def api_version(self) -> str:
        """As `apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`deployments.apps`; `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def stored(self) -> bool:
        """Whether objects of it are kept; reviews are only answered."""
        return self.verbs != ("create",) or self.plural == "bindings"


def _resources(version: str, text: str) -> Iterator[Resource]:
    """Lines of `plural Kind ns|- short,short sub,sub categories`; `-` is nothing."""
    group, _, number = version.rpartition("/")
    for line in text.strip().splitlines():
        plural, kind, scope, short, subresources, *categories = line.split()
        yield Resource(
            group=group,
            version=number,
            plural=plural,
            kind=kind,
            namespaced=scope == "ns",
            short=() if short == "-" else tuple(short.split(",")),
            subresources=() if subresources == "-" else tuple(subresources.split(",")),
            categories=tuple(categories),
        )


def _reviews() -> Iterator[Resource]:
    """What is only created: the answer is in its status."""
    for group, plural, kind, namespaced in (
        ("authentication.k8s.io", "tokenreviews", "TokenReview", False),
        ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview", False),
        ("authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview", False),
        ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False),
        ("authorization.k8s.io", "localsubjectaccessreviews", "LocalSubjectAccessReview", True),
        ("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview", False),
    ):
        yield Resource(group, "v1", plural, kind, namespaced, verbs=("create",))


REVIEWS = tuple(_reviews())

BUILT_IN: tuple[Resource, ...] = (
    *_resources(
        "v1",
        """
        configmaps ConfigMap ns cm -
        endpoints Endpoints ns ep -
        events Event ns ev -
        limitranges LimitRange ns limits -
        namespaces Namespace - ns status,finalize
        nodes Node - no status,proxy
        persistentvolumeclaims PersistentVolumeClaim ns pvc status
        persistentvolumes PersistentVolume - pv status
        pods Pod ns po status,log,exec,attach,portforward,proxy,eviction,binding,ephemeralcontainers all
        podtemplates PodTemplate ns - -
        replicationcontrollers ReplicationController ns rc status,scale all
        resourcequotas ResourceQuota ns quota status
        secrets Secret ns - -
        serviceaccounts ServiceAccount ns sa token
        services Service ns svc status,proxy all
        """,
    ),
    *_resources(
        "apps/v1",
        """
        controllerrevisions ControllerRevision ns - -
        daemonsets DaemonSet ns ds status all
        deployments Deployment ns deploy status,scale all
        replicasets ReplicaSet ns rs status,scale all
        statefulsets StatefulSet ns sts status,scale all
        """,
    ),
    *_resources("batch/v1", "cronjobs CronJob ns cj status all\njobs Job ns - status all"),
    *_resources("autoscaling/v2", "horizontalpodautoscalers HorizontalPodAutoscaler ns hpa status all"),
    *_resources(
        "rbac.authorization.k8s.io/v1",
        """
        clusterrolebindings ClusterRoleBinding - - -
        clusterroles ClusterRole - - -
        rolebindings RoleBinding ns - -
        roles Role ns - -
        """,
    ),
    *_resources(
        "networking.k8s.io/v1",
        """
        ingressclasses IngressClass - - -
        ingresses Ingress ns ing status
        networkpolicies NetworkPolicy ns netpol -
        """,
    ),
    *_resources("policy/v1", "poddisruptionbudgets PodDisruptionBudget ns pdb status"),
    *_resources(
        "admissionregistration.k8s.io/v1",
        """
        mutatingwebhookconfigurations MutatingWebhookConfiguration - - -
        validatingadmissionpolicies ValidatingAdmissionPolicy - - status
        validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding - - -
        validatingwebhookconfigurations ValidatingWebhookConfiguration - - -
        """,
    ),
    *_resources(
        "apiextensions.k8s.io/v1", "customresourcedefinitions CustomResourceDefinition - crd,crds status"
    ),
    *_resources("apiregistration.k8s.io/v1", "apiservices APIService - - status"),
    *_resources(
        "certificates.k8s.io/v1", "certificatesigningrequests CertificateSigningRequest - csr status,approval"
    ),
    *_resources("coordination.k8s.io/v1", "leases Lease ns - -"),
    *_resources("discovery.k8s.io/v1", "endpointslices EndpointSlice ns - -"),
    *_resources("node.k8s.io/v1", "runtimeclasses RuntimeClass - - -"),
    *_resources("scheduling.k8s.io/v1", "priorityclasses PriorityClass - pc -"),
    *_resources(
        "storage.k8s.io/v1",
        """
        csidrivers CSIDriver - - -
        csinodes CSINode - - -
        storageclasses StorageClass - sc -
        volumeattachments VolumeAttachment - - status
        """,
    ),
    *REVIEWS,
)


class Catalogue:
    """The resources by path and by kind."""

    def __init__(self, resources: Iterable[Resource] = BUILT_IN) -> None:
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self._by_kind: dict[tuple[str, str], Resource] = {}
        self._versions: dict[str, dict[str, tuple[Resource, ...]]] = {}
        self._add(resources)

    def _add(self, resources: Iterable[Resource]) -> None:
        """NOTE: into copies, which take the place of what other threads read at this moment."""
        paths, kinds = dict(self._by_path), dict(self._by_kind)
        for resource in resources:
            paths[resource.group, resource.version, resource.plural] = resource
            kinds[resource.api_version, resource.kind] = resource
        versions: dict[str, dict[str, tuple[Resource, ...]]] = {}
        for resource in paths.values():
            group = versions.setdefault(resource.group, {})
            group[resource.version] = (*group.get(resource.version, ()), resource)
        self._by_path, self._by_kind, self._versions = paths, kinds, versions

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource of a path."""
        return self._by_path.get((group, version, plural))

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource that objects of a kind belong to."""
        return self._by_kind.get((api_version, kind))

    def named(self, group: str, plural: str) -> Resource | None:
        """The resource in whichever version it is held."""
        return next(
            (each for each in self._by_path.values() if (each.group, each.plural) == (group, plural)), None
        )

    def versions(self) -> Mapping[str, Mapping[str, tuple[Resource, ...]]]:
        """Resources by group and version, in the order of discovery."""
        return self._versions

    def define(self, definition: Object) -> tuple[Resource, ...]:
        """Add what a CustomResourceDefinition defines, and tell it. What is no proper definition adds nothing."""
        spec = definition.get("spec")
        names = spec.get("names") if isinstance(spec, dict) else None
        if not isinstance(spec, dict) or not isinstance(names, dict):
            return ()
        group, plural, kind = spec.get("group"), names.get("plural"), names.get("kind")
        if not (isinstance(group, str) and isinstance(plural, str) and isinstance(kind, str)):
            return ()
        found = []
        short = names.get("shortNames")
        for version in spec.get("versions") or ():
            number = version.get("name") if isinstance(version, dict) else None
            if not isinstance(number, str) or version.get("served") is False:
                continue
            resource = Resource(
                group,
                number,
                plural,
                kind,
                spec.get("scope") != "Cluster",
                short=tuple(str(each) for each in short) if isinstance(short, list) else (),
                subresources=("status",),
                custom=True,
            )
            held = self.find(group, number, plural)
            if held is None or held.custom:
                found.append(resource)
        self._add(found)
        return tuple(found)
