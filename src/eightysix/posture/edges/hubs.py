"""Hubs: one vertex for all pods, service accounts, Secrets, nodes... of a namespace or of the cluster, so that a grant over all
of them is one edge and not as many as there are."""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.model.posture import Confidence, Edge, VertexKind
from eightysix.posture.edges.scene import POD_SECURITY, Scene, edge
from eightysix.posture.holder import object_name
from eightysix.posture.rbac import MASTERS
from eightysix.posture.vertices import (
    CLUSTER,
    CLUSTER_ADMIN,
    group_id,
    hub_id,
    node_id,
    ns_admin_id,
    pod_id,
    secret_id,
    service_account_id,
    user_id,
    vertex_id,
)

__all__ = ["hubs"]

ACCOUNTS = "service-accounts"
_NO_TOKEN_SECRETS = 24
"""Since 1.24 no Secret with a token is made for an account that nobody asked for (LegacyServiceAccountTokenNoAutoGeneration)."""
_TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 - a type of Secret
_TOKEN_OF = "kubernetes.io/service-account.name"  # noqa: S105 - an annotation


def hubs(scene: Scene) -> Iterator[Edge]:
    """What hubs contain, and what full control and a new pod give."""
    yield edge("CLUSTER_ADMIN", CLUSTER, CLUSTER_ADMIN)
    yield edge("CLUSTER_ADMIN", group_id(MASTERS), CLUSTER, (("Group/system:masters", ""),))
    for what in ("namespaces", "nodes"):
        yield edge("CONTAINS", CLUSTER, hub_id("", what))
    yield edge(
        "NODE_ROOT", hub_id("", "nodes"), vertex_id(VertexKind.SINK, "", "node")
    )  # also where no node is known
    for namespace in scene.namespaces:
        yield from _namespace(scene, namespace)
    for name in scene.snapshot.nodes:
        yield edge("CONTAINS", hub_id("", "nodes"), node_id(name), ((f"Node/{name}", "metadata.name"),))
    yield from _members(scene)
    yield from _subjects(scene)


def _namespace(scene: Scene, namespace: str) -> Iterator[Edge]:
    whole = hub_id(namespace)
    yield edge("CONTAINS", hub_id("", "namespaces"), whole)
    yield edge("NS_ADMIN", whole, ns_admin_id(namespace))
    for what in ("pods", ACCOUNTS, "secrets", "workloads"):
        yield edge("CONTAINS", whole, hub_id(namespace, what))
        yield edge("CONTAINS", hub_id("", what), hub_id(namespace, what))
    if scene.server is not None and scene.server < _NO_TOKEN_SECRETS and not scene.snapshot.secrets:
        told = "a Secret with the token of each account, as the control plane made before 1.24"
        yield edge(
            "SECRET_OF_ACCOUNT",
            hub_id(namespace, "secrets"),
            hub_id(namespace, ACCOUNTS),
            (("the API server", "version"),),
            Confidence.INFERRED,
            told,
        )
    making = hub_id(namespace, "workloads")
    yield edge("CREATE_POD_WITH_ACCOUNT", making, hub_id(namespace, ACCOUNTS))
    yield edge("MOUNT_SECRET", making, hub_id(namespace, "secrets"))
    passes = scene.privileged_pods(namespace)
    if passes is not None:
        evidence = ((f"Namespace/{namespace}", f"metadata.labels['{POD_SECURITY}']"),)
        needs = "no other admission that refuses privileged pods"
        yield edge("CREATE_PRIVILEGED_POD", making, hub_id("", "nodes"), evidence, passes, needs)


def _members(scene: Scene) -> Iterator[Edge]:
    for template in scene.templates:
        pods = pod_id(template.namespace, template.kind, template.name)
        told = ((object_name(template), "metadata.namespace"),)
        yield edge("CONTAINS", hub_id(template.namespace, "pods"), pods, told)
    for namespace, names in scene.accounts.items():
        for name in names:
            yield edge("CONTAINS", hub_id(namespace, ACCOUNTS), service_account_id(namespace, name))
    for secret in scene.snapshot.secrets.values():
        meta = secret.metadata
        here = secret_id(meta.namespace, meta.name)
        yield edge("CONTAINS", hub_id(meta.namespace, "secrets"), here)
        owner = (meta.annotations or {}).get(_TOKEN_OF, "")
        if secret.type == _TOKEN_TYPE and owner:
            evidence = ((f"Secret/{meta.namespace}/{meta.name}", f"metadata.annotations['{_TOKEN_OF}']"),)
            yield edge("SECRET_OF_ACCOUNT", here, service_account_id(meta.namespace, owner), evidence)


_ANYBODY = ((True, "system:unauthenticated"), (False, "system:anonymous"))
"""Whom the API server takes those for who show no token (kubernetes.io/docs/reference/access-authn-authz/authentication,
anonymous requests)."""


def _without_token(scene: Scene) -> Iterator[Edge]:
    """What bindings give to everybody, every pod has, with a token or not. What every cluster gives them (versions, health) is
    nothing that an edge leads on from."""
    for subject in _ANYBODY:
        bound = [held for held in scene.authorizer.sets_of(subject) if scene.grants.of(held)]
        if not bound:
            continue
        target = group_id(subject[1]) if subject[0] else user_id(subject[1])
        evidence = ((bound[0].binding_object, "subjects"),)
        needs = "the API server lets anonymous requests in (--anonymous-auth, the default)"
        for template in scene.templates:
            pods = pod_id(template.namespace, template.kind, template.name)
            yield edge("ASKS_WITHOUT_TOKEN", pods, target, evidence, Confidence.INFERRED, needs)


def _subjects(scene: Scene) -> Iterator[Edge]:
    """Users and groups that bindings name, what they hold, and the groups that accounts are in."""
    authorizer = scene.authorizer
    for group, name in authorizer.subjects():
        here = group_id(name) if group else user_id(name)
        if here.startswith(f"{VertexKind.SUBJECT}:"):
            hub = hub_id("", "groups" if group else "users")
            if name != MASTERS:
                yield edge("CONTAINS", hub, here)
        for held in authorizer.sets_of((group, name)):
            evidence = ((held.binding_object, "subjects"),)
            yield edge(
                "HOLDS", here, vertex_id(VertexKind.PERMISSION_SET, held.namespace, held.name), evidence
            )
    yield from _without_token(scene)
    everybody = [
        name
        for name in ("system:serviceaccounts", "system:authenticated")
        if authorizer.sets_of((True, name))
    ]
    for namespace, names in scene.accounts.items():
        own = f"system:serviceaccounts:{namespace}"
        groups = [*everybody, *([own] if authorizer.sets_of((True, own)) else [])]
        for name in names:
            for member in groups:
                yield edge("MEMBER_OF", service_account_id(namespace, name), group_id(member))
