"""From a pod to the identities that its credentials are: service accounts, identities of the cloud, keys, vaults.

A federated token is not what is automounted: a pod of the same service account without one is not its identity. So the
trust is drawn from a vertex of its own (`federated_id`), which stands for all tokens that the account can be given, and
`minted` leads to it from whatever may make pods or tokens of the account.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from eightysix.model.posture import Confidence, Credential, Edge, VertexKind
from eightysix.posture.cloudtokens import CLIENT, metadata_id
from eightysix.posture.domains import credentials
from eightysix.posture.edges.make import VAULT, edge, evidence_of, vault_id, weaker
from eightysix.posture.holder import Holder
from eightysix.posture.lookup import Lookup, lookup, text
from eightysix.posture.metadata import metadata_reach
from eightysix.posture.objects import Binding, PolicyRule
from eightysix.posture.snapshot import ScaleSet, Snapshot, Template
from eightysix.posture.vertices import node_id, service_account_id, vertex_id

__all__ = ["edges", "federated_id", "minted"]

_TOKENS = frozenset({"automounted-token", "projected-token", "token-secret"})
_FEDERATED = frozenset({"workload-identity", "irsa", "gke-workload-identity", "aad-pod-identity"})
_BINDING_GROUP = "cid.wi.aks.azure.com"
_BINDING_VERB = "use-managed-identity"
"""What an account must be allowed to for an AKS identity binding; the resource is the client id (learn.microsoft.com/azure/
aks/identity-bindings)."""

_STATIC = "credential of a manifest"


def federated_id(namespace: str, account: str) -> str:
    """All tokens of a service account, those for other audiences among them."""
    return vertex_id(VertexKind.CREDENTIAL, namespace, f"tokens of {account}")


def edges(snapshot: Snapshot, templates: Sequence[Template]) -> Iterator[Edge]:
    """Edges of all templates, and those of trusts and of the metadata service, which no template is needed for."""
    known = lookup(snapshot)
    for template in templates:
        holder = Holder(template, known)
        for credential in credentials(template, snapshot):
            yield from _one(holder, credential)
    yield from _trusts(known)
    yield from _services(known)


def _one(holder: Holder, credential: Credential) -> Iterator[Edge]:
    signal, evidence, sure = credential.signal, evidence_of(credential), credential.confidence
    if signal in _TOKENS:
        if credential.target:
            yield edge("SA_TOKEN_MOUNTED", holder.vertex, credential.target, evidence, sure)
    elif signal == "metadata-service":
        reach = metadata_reach(holder.template, holder.known)
        told = (*evidence, *reach.evidence)
        yield edge("IMDS_NODE_ID", holder.vertex, credential.target, told, sure, reach.doubt)
    elif signal == "identity-binding":
        yield from _bound(holder, credential)
    elif signal in _FEDERATED:
        yield from _federated(holder, credential)
    elif signal == "azure-json":
        yield from _azure_json(holder, credential)
    elif signal == "secret-provider-class":
        yield from _vault(holder, credential)
    elif signal == "cloud-variable":
        yield from _static(holder, credential)


def _federated(holder: Holder, credential: Credential) -> Iterator[Edge]:
    """By the account's own vertex where an identity trusts it, else straight to what the annotation names."""
    evidence = evidence_of(credential)
    if credential.signal == "workload-identity":
        target = federated_id(holder.namespace, holder.account)
        # Whether an identity takes the tokens is a doubt of the next edge, and counts once.
        yield edge("WI_FEDERATED", holder.vertex, target, evidence)
    elif credential.target:
        yield edge("WI_FEDERATED", holder.vertex, credential.target, evidence, credential.confidence)


def _trusts(known: Lookup) -> Iterator[Edge]:
    """Who takes a service account's tokens: federated credentials of the cloud, annotations where nobody listed them."""
    told: set[tuple[str, str]] = set()
    for subject, federations in known.federations.items():
        parts = subject.split(":")
        if len(parts) != 4 or parts[:2] != ["system", "serviceaccount"]:
            continue
        source = federated_id(parts[2], parts[3])
        client = _client(known, parts[2], parts[3])
        for index, federation in federations:
            if not federation.identity:
                continue
            target = known.identity_id(federation.identity)
            told.add((source, target))
            sure = client != "" and known.identity_id(client) == target
            yield edge(
                "WI_FEDERATED",
                source,
                target,
                (("cloud", f"federations[{index}]"),),
                Confidence.PROVED if sure else Confidence.INFERRED,
                "" if sure else f"the cluster's issuer is {federation.issuer[:200]}",
            )
    if known.snapshot.cloud.given and known.federations:
        return
    for account in known.snapshot.service_accounts.values():
        namespace, name = account.metadata.namespace, account.metadata.name
        client = _client(known, namespace, name)
        source, target = federated_id(namespace, name), known.identity_id(client)
        if client and (source, target) not in told:
            at = ((f"ServiceAccount/{namespace}/{name}", f"metadata.annotations['{CLIENT}']"),)
            yield edge("WI_FEDERATED", source, target, at, Confidence.INFERRED)


def _client(known: Lookup, namespace: str, name: str) -> str:
    account = known.account(namespace, name)
    return ((account.metadata.annotations or {}).get(CLIENT, "") if account is not None else "").strip()


def minted(edges: Iterable[Edge], snapshot: Snapshot) -> Iterator[Edge]:
    """For each edge by which somebody can run as a service account or have tokens of it made (from a hub or a permission set,
    never from a pod that holds one token, nor by impersonation), the same edge to all tokens of the account, where an
    identity of the cloud trusts it."""
    trusted: dict[str, str] = {}
    for one in _trusts(lookup(snapshot)):
        place = one.source.removeprefix(f"{VertexKind.CREDENTIAL}:")
        namespace, _, name = place.partition("/")
        trusted[service_account_id(namespace, name.removeprefix("tokens of "))] = one.source
    makers = (f"{VertexKind.NAMESPACE}:", f"{VertexKind.CLUSTER}:", f"{VertexKind.PERMISSION_SET}:")
    for one in edges:
        target = trusted.get(one.target)
        if target is not None and one.source.startswith(makers) and "IMPERSONATE" not in one.type:
            yield Edge(one.type, one.source, target, one.evidence, one.confidence, one.techniques, one.needs)


def _bound(holder: Holder, credential: Credential) -> Iterator[Edge]:
    client = _client(holder.known, holder.namespace, holder.account)
    if not client:
        return
    evidence, sure = evidence_of(credential), credential.confidence
    snapshot = holder.known.snapshot
    allowed = _may_use(snapshot, holder.namespace, holder.account, client)
    if allowed:
        evidence, sure = (*evidence, (allowed, "rules")), Confidence.PROVED
    elif snapshot.cluster_roles:
        sure = Confidence.ASSUMED
    yield edge("WI_IDENTITY_BINDING", holder.vertex, holder.known.identity_id(client), evidence, sure)


def _may_use(snapshot: Snapshot, namespace: str, account: str, client: str) -> str:
    """The cluster role that lets an account use a bound identity, empty where none does. The request is for the whole
    cluster, so bindings of a namespace do not count."""
    for binding in snapshot.cluster_role_bindings.values():
        role = snapshot.cluster_roles.get(binding.role_ref.name)
        if role is not None and _names(binding, namespace, account):
            if any(_lets_use(rule, client) for rule in role.rules or ()):
                return f"ClusterRole/{binding.role_ref.name}"
    return ""


def _names(binding: Binding, namespace: str, account: str) -> bool:
    groups = ("system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return any(
        (one.kind == "ServiceAccount" and (one.namespace, one.name) == (namespace, account))
        or (one.kind == "Group" and one.name in groups)
        for one in binding.subjects or ()
    )


def _lets_use(rule: PolicyRule, client: str) -> bool:
    resources = [resource.lower() for resource in rule.resources or ()]
    return (
        not {_BINDING_VERB, "*"}.isdisjoint(rule.verbs)
        and not {_BINDING_GROUP, "*"}.isdisjoint(rule.api_groups or ())
        and not {client.lower(), "*"}.isdisjoint(resources)
    )


def _azure_json(holder: Holder, credential: Credential) -> Iterator[Edge]:
    """The file names the kubelet's identity, or holds a service principal's secret (clusters of old)."""
    if holder.known.clouds and "azure" not in holder.known.clouds:
        return
    kubelet = holder.known.snapshot.cloud.kubelet_client_id
    target = (
        holder.known.identity_id(kubelet) if kubelet else vertex_id(VertexKind.CREDENTIAL, "", "azure.json")
    )
    sure = credential.confidence if holder.known.clouds else Confidence.ASSUMED
    yield edge("AZURE_JSON", holder.vertex, target, evidence_of(credential), sure)


def _vault(holder: Holder, credential: Credential) -> Iterator[Edge]:
    """What a SecretProviderClass mounts, and the identity that it does it with."""
    class_ = holder.known.classes.get(f"{holder.namespace}/{credential.name}")
    if class_ is None:
        return
    where = f"SecretProviderClass/{holder.namespace}/{credential.name}"
    parameters: Mapping[str, object] = {}
    spec = class_.get("spec")
    if isinstance(spec, Mapping) and isinstance(spec.get("parameters"), Mapping):
        parameters = spec["parameters"]
    name = text(parameters, "keyvaultName") or text(parameters, "roleName") or text(spec, "provider")
    if not name:
        return
    evidence = (*evidence_of(credential), (where, "spec.parameters"))
    yield edge("CSI_KV_ACCESS", holder.vertex, vault_id(name), evidence)
    yield edge("KV_READ", vault_id(name), VAULT, ((where, "spec.parameters.objects"),))
    client = text(parameters, "clientID") or text(parameters, "userAssignedIdentityID")
    machine = text(parameters, "useVMManagedIdentity").lower() == "true"
    if client and not machine:  # of the machine: reached by the metadata service, or not at all
        target = holder.known.identity_id(client.strip())
        yield edge("CSI_KV_ACCESS", holder.vertex, target, evidence, Confidence.INFERRED)


def _static(holder: Holder, credential: Credential) -> Iterator[Edge]:
    """A key that does not end: the identity whose client id stands beside it, else a vertex of its own."""
    evidence, sure = evidence_of(credential), credential.confidence
    target = vertex_id(VertexKind.CREDENTIAL, holder.namespace, credential.name or _STATIC)
    for path, container in holder.containers():
        if not credential.path.startswith(f"{path}."):
            continue
        for index, variable in enumerate(container.env or ()):
            if variable.name in ("AZURE_CLIENT_ID", "ARM_CLIENT_ID") and variable.value:
                target = holder.known.identity_id(variable.value.strip()[:128])
                evidence = (*evidence, (holder.object, f"{path}.env[{index}]"))
                sure = weaker(sure, Confidence.INFERRED)
    yield edge("STATIC_CLOUD_KEY", holder.vertex, target, evidence, sure)


def _services(known: Lookup) -> Iterator[Edge]:
    """The metadata service hands out every identity of the machine that it runs on, to whoever asks: by its client id, its
    object id or its resource id (learn.microsoft.com/entra/identity/managed-identities-azure-resources)."""
    cloud = known.snapshot.cloud
    kubelet = known.identity_id(cloud.kubelet_client_id) if cloud.kubelet_client_id else ""
    for index, pool in enumerate(cloud.scale_sets):
        yield edge(
            "IMDS_NODE_ID",
            metadata_id(""),
            metadata_id(pool.name),
            (("cloud", f"scaleSets[{index}]"),),
            Confidence.ASSUMED,
            "the pod may run on this pool",
        )
        yield from _pool(known, index, pool, kubelet)
    if kubelet:
        told = (("cloud", "kubeletClientId"),)
        yield edge("IMDS_NODE_ID", metadata_id(""), kubelet, told)
    for name in known.snapshot.nodes:
        found = known.pool_of(name)
        if found is not None or kubelet:
            place = metadata_id(found.name if found is not None else "")
            yield edge("IMDS_NODE_ID", node_id(name), place, ((f"Node/{name}", "spec.providerID"),))


def _pool(known: Lookup, index: int, pool: ScaleSet, kubelet: str) -> Iterator[Edge]:
    for place, told in enumerate(pool.identities):
        target = known.identity_id(told.removeprefix("system:"))
        own = told.startswith("system:") or target == kubelet
        evidence = (("cloud", f"scaleSets[{index}].identities[{place}]"),)
        yield edge("IMDS_NODE_ID" if own else "IMDS_OTHER_UAMI", metadata_id(pool.name), target, evidence)
