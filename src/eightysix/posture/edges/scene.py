"""What edges of access control are drawn among: namespaces, accounts, pods by name, and what Pod Security lets pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eightysix.model.posture import Confidence, Edge
from eightysix.posture.edges.grants import Grants
from eightysix.posture.edges.kinds import techniques
from eightysix.posture.rbac import Authorizer, PermissionSet
from eightysix.posture.snapshot import Snapshot, Template
from eightysix.posture.vertices import pod_id

__all__ = ["POD_SECURITY", "Scene", "account_of", "edge", "minor", "spec_path", "would_hold"]

POD_SECURITY = "pod-security.kubernetes.io/enforce"
_SINCE = 23
"""Pod Security admission is on by default since 1.23."""

Evidence = tuple[tuple[str, str], ...]


def edge(
    kind: str,
    source: str,
    target: str,
    evidence: Evidence = (),
    confidence: Confidence = Confidence.PROVED,
    needs: str = "",
) -> Edge:
    """An edge with the techniques of its type."""
    return Edge(kind, source, target, evidence, confidence, techniques(kind), needs)


def minor(server: str) -> int | None:
    """The minor version of a server of version 1."""
    parts = server.removeprefix("v").split(".")
    digits = "".join(letter for letter in parts[1] if letter.isdecimal())[:4] if len(parts) > 1 else ""
    return int(digits) if parts[0] == "1" and digits else None


def spec_path(kind: str) -> str:
    """Where an object of this kind has its pods' spec."""
    if kind == "Pod":
        return "spec"
    return "spec.jobTemplate.spec.template.spec" if kind == "CronJob" else "spec.template.spec"


def account_of(template: Template) -> str:
    """The name of the service account of pods."""
    return template.spec.service_account_name or template.spec.service_account or "default"


class Scene:
    """Objects by what edges ask for."""

    def __init__(self, snapshot: Snapshot, templates: Sequence[Template], authorizer: Authorizer) -> None:
        self.snapshot = snapshot
        self.server = minor(snapshot.server)
        self.templates = templates
        self.authorizer = authorizer
        self.grants = Grants()
        self.accounts: dict[str, dict[str, None]] = {}
        for account in snapshot.service_accounts.values():
            self.add_account(account.metadata.namespace, account.metadata.name)
        for template in templates:
            self.add_account(template.namespace, account_of(template))
        for group, name in authorizer.subjects():
            parts = name.split(":", 3)
            if not group and name.startswith("system:serviceaccount:") and len(parts) == 4:
                self.add_account(parts[2], parts[3])
        self.secrets: dict[str, list[str]] = {}
        for secret in snapshot.secrets.values():
            self.secrets.setdefault(secret.metadata.name, []).append(secret.metadata.namespace)
        self.account_names: dict[str, list[str]] = {}
        for namespace, names in self.accounts.items():
            for name in names:
                self.account_names.setdefault(name, []).append(namespace)
        self.namespaces = sorted(
            {
                *snapshot.namespaces,
                *self.accounts,
                *(secret.metadata.namespace for secret in snapshot.secrets.values()),
                *(held.namespace for held in authorizer.permission_sets() if held.namespace),
            }
        )
        self.made_in = {template.namespace for template in templates if template.kind != "Pod"}
        self.bound: dict[tuple[str, str, str], PermissionSet] = {}
        self.role_hubs: set[str] = set()
        self.bound_role_hubs: set[str] = set()
        self.bound_cluster_role_hubs: set[str] = set()
        self._pods: dict[str, list[tuple[str, str]]] | None = None
        self._sets: dict[tuple[str, str], list[PermissionSet]] | None = None
        self._workloads: dict[str, list[Template]] | None = None
        self._images: dict[str, dict[tuple[str, str], None]] | None = None

    def add_account(self, namespace: str, name: str) -> None:
        """Note a service account."""
        self.accounts.setdefault(namespace, {})[name] = None

    def bindings_of(
        self, kind: str, namespace: str | None, roles: frozenset[str] | None, names: frozenset[str] | None
    ) -> list[PermissionSet]:
        """Permission sets that bind one of `roles` or are of one of the bindings `names` (one of the two is given), in a
        namespace, in all where it is empty, in the whole cluster where it is `None`. By index: there may be a million."""
        if self._sets is None:
            self._sets = {}
            for held in self.authorizer.permission_sets():
                for key in (("role", held.role), ("binding", held.binding)):
                    self._sets.setdefault(key, []).append(held)
        keys = (
            [("binding", name) for name in sorted(names)]
            if names is not None
            else [("role", name) for name in sorted(roles or ())]
        )
        return [
            held
            for key in keys
            for held in self._sets.get(key, ())
            if held.role_kind == kind
            and held.cluster is (namespace is None)
            and (not namespace or held.namespace == namespace)
        ]

    def controllers(self, image: str) -> list[tuple[str, str]]:
        """Accounts (namespace and name) of pods that run an image whose repository ends so."""
        if self._images is None:
            self._images = {}
            for template in self.templates:
                for container in template.spec.containers or ():
                    name = container.image.partition("@")[0]
                    head, colon, tag = name.rpartition(":")
                    repository = (head if colon and "/" not in tag else name).split("/")
                    found = self._images.setdefault("/".join(repository[-2:]), {})
                    found[template.namespace, account_of(template)] = None
        return list(self._images.get(image, ()))

    def workloads_named(self, name: str) -> Iterator[Template]:
        """Workloads of this name."""
        if self._workloads is None:
            self._workloads = {}
            for template in self.templates:
                if template.kind != "Pod":
                    self._workloads.setdefault(template.name, []).append(template)
        return iter(self._workloads.get(name, ()))

    def pods_named(self, namespace: str, name: str) -> Iterator[str]:
        """Pods of this name; as names of a workload's pods begin with its own, by the longest beginning."""
        if self._pods is None:
            self._pods = {}
            for template in self.templates:
                self._pods.setdefault(template.name, []).append((template.namespace, template.kind))
        beginning = name
        while beginning:
            for where, kind in self._pods.get(beginning, ()):
                if (not namespace or where == namespace) and (kind != "Pod" or beginning == name):
                    yield pod_id(where, kind, beginning)
            beginning = beginning.rpartition("-")[0]

    def privileged_pods(self, namespace: str) -> Confidence | None:
        """Whether Pod Security lets a privileged pod pass in a namespace. A level that is none of the three counts as the
        strictest, as there; where the label is missing the cluster's own default holds, which is to let pass."""
        known = self.snapshot.namespaces.get(namespace)
        level = (known.metadata.labels or {}).get(POD_SECURITY) if known is not None else None
        if self.server is not None and self.server < _SINCE:
            return Confidence.INFERRED  # a PodSecurityPolicy may still refuse
        if level is None:
            return Confidence.INFERRED
        return Confidence.PROVED if level == "privileged" else None


def would_hold(scene: Scene, kind: str, namespace: str, name: str) -> PermissionSet | None:
    """The permission set that a new binding of a role would make; `namespace` is where it would grant."""
    found = scene.authorizer.role_rules(kind, namespace, name)
    if found is None:
        return None
    binding = "RoleBinding" if namespace else "ClusterRoleBinding"
    return PermissionSet(f"{name}::*", namespace, name, kind, "*", binding, *found, ())
