"""How an identity is cut, by its kind: what it may do is taken away where its tokens cannot be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from eightysix.context.credentials import credential_at
from eightysix.context.shell import line
from eightysix.model.story import IdentityStory
from eightysix.reconstruct.changing import change_environment, change_file, change_secret, change_volume
from eightysix.reconstruct.remedies import (
    Remedy,
    az,
    is_guid,
    is_name,
    kubectl,
    option,
    other_pod,
    piped,
    place,
    pod_holds,
    redirected,
    split_account,
)

__all__ = ["cut", "used_from_outside"]

_GROUP: Final = option("resource-group", place("resource group"))
_NODE_GROUP: Final = option("resource-group", place("node resource group"))


def used_from_outside(identity: IdentityStory) -> bool:
    """Whether it was used after it was taken from an address that is none of the cluster's."""
    return any(use.foreign and use.after for use in identity.uses)


def cut(identity: IdentityStory, *, service_account: str, node: str) -> list[Remedy]:
    """What to do about one identity that was taken or used, in this order."""
    case = _Case(identity, service_account, node)
    first, *others = [
        _WORK.get(identity.kind, _changed_file)(case),
        *_MORE.get(identity.kind, _nothing)(case),
    ]
    why = first.why
    if used_from_outside(identity):
        places = sorted({use.source_ip for use in identity.uses if use.foreign and use.after})
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        why = f"It is in use from outside ({places[0]}{more}). {why}"
    if identity.revocation.until:
        why += f" The last token runs out by {identity.revocation.until}."
    told = [replace(first, why=why), *others]
    return [replace(remedy, for_entity=identity.entity) for remedy in told]


class _Case(Struct, frozen=True):
    """What is known beside the identity: the pod's service account (`namespace/name`) and its node."""

    identity: IdentityStory
    service_account: str
    node: str


def _principal(identity: IdentityStory) -> str:
    """The id that `az` knows it by; a placeholder where no record told a well-formed one."""
    known = next((text for text in identity.ids if is_guid(text)), "")
    return known or place("client id or object id of the identity")


def _short(identity: IdentityStory) -> str:
    """What tells an identity without a well-formed name from others, in the name of a file."""
    return identity.entity.rpartition(":")[2]


def _roles(identity: IdentityStory) -> tuple[str, ...]:
    """Its role assignments in every subscription: keep them, to give back what is needed, then delete them. A list is of one
    subscription (`--all`: and of everything in it)."""
    principal = _principal(identity)
    file = principal if is_guid(principal) else _short(identity)
    each = piped(
        az("account list", option("query", "[].id"), option("output", "tsv")),
        line("xargs", "-I", "{}", "az", "role", "assignment", "list", "--subscription", "{}")
        + f" {line(option('assignee', principal), '--all')}",
    )
    return (
        redirected(
            f"{each} {line('--include-groups', option('output', 'json'))}",
            "role-assignments",
            ".json",
            file,
        ),
        piped(
            f"{each} {line(option('query', '[].id'), option('output', 'tsv'))}",
            line("xargs", "-I", "{}", "az", "role", "assignment", "delete", "--ids", "{}"),
        ),
    )


def _managed(case: _Case) -> Remedy:
    identity = case.identity
    cloud = _cloud(case.node)
    if cloud and not any(map(is_guid, identity.ids)):
        return _node_role(identity, cloud)
    return Remedy(
        f"cut the role assignments of managed identity {identity.name}",
        "Its tokens cannot be revoked, so cut what it may do: that counts within 10 minutes. Keep the list: if it is the nodes'"
        " own (kubelet) identity, give AcrPull back at once, or no node pulls an image. Not in it: Key Vault policies, database"
        " users; what it has by a group or an app role stays until its tokens run out.",
        _roles(identity),
    )


def _off_the_machines(case: _Case) -> list[Remedy]:
    """No new tokens of a managed identity."""
    if _cloud(case.node) and not any(map(is_guid, case.identity.ids)):
        return []
    return [
        Remedy(
            f"stop new tokens of managed identity {case.identity.name}",
            "Whatever reaches the metadata service gets more. An identity of the node pool that is not the nodes' own can be"
            " taken off the machines. az aks show tells which is which (identityProfile), and their group (nodeResourceGroup).",
            (
                az(
                    "vmss identity remove",
                    option("identities", place("resource id of the identity")),
                    option("name", _scale_set(case.node) or place("scale set of the node pool")),
                    _NODE_GROUP,
                ),
            ),
        )
    ]


def _cloud(node: str) -> str:
    """Whose node it is, where its name says that it is none of Azure's."""
    if node.startswith("gke-"):
        return "Google"
    return "AWS" if node.endswith((".compute.internal", ".ec2.internal")) else ""


def _node_role(identity: IdentityStory, cloud: str) -> Remedy:
    """What the metadata services of other clouds give out."""
    how = (
        "AWS: attach a policy to the instance role that denies every session from before now (AWSRevokeOlderSessions): that"
        " counts for sessions that were issued. Require IMDSv2 with a hop limit of 1, so that pods do not reach it."
        if cloud == "AWS"
        else "Google: take the roles from the node's service account; tokens that were issued last an hour. Switch on workload"
        " identity federation, so that pods do not reach the node's own."
    )
    return Remedy(
        f"cut the role of the node: managed identity {identity.name}",
        f"{how} All pods of the nodes share it: give back what kubelets need at once.",
    )


_BASE36: Final = frozenset("0123456789abcdefghijklmnopqrstuvwxyz")


def _scale_set(node: str) -> str:
    """The scale set that an AKS node is of: its name ends in six digits of base 36 (learn.microsoft.com/azure/
    virtual-machine-scale-sets, instance ids)."""
    name, number = node[:-6], node[-6:]
    aks = is_name(node) and name.startswith("aks-") and name.endswith("vmss") and _BASE36.issuperset(number)
    return name if aks else ""


def _federated(case: _Case) -> Remedy:
    identity = case.identity
    if identity.kind == "federated-token":
        found = credential_at(identity.name)
        if found is not None and not found.identity.startswith("Azure"):
            return _foreign_cloud(identity, found.identity, case.service_account)
    namespace, account = split_account(case.service_account)
    subject = f"system:serviceaccount:{namespace}:{account}"
    query = [option("query", f"[?subject=='{subject}']")] if account else []
    which = option("identity-name", place("name of the identity"))
    return Remedy(
        f"remove the trust of {identity.name}, then cut its role assignments",
        "The projected token is exchanged for new access tokens from anywhere, also when the pod is gone: without the federated"
        " credential it is worth nothing. Access tokens that were issued cannot be revoked, so the roles go too.",
        (
            az("identity federated-credential list", which, _GROUP, *query, option("output", "json")),
            az(
                "identity federated-credential delete",
                which,
                _GROUP,
                option("name", place("name of the federated credential")),
                "--yes",
            ),
            *_roles(identity),
        ),
    )


def _foreign_cloud(identity: IdentityStory, whose: str, service_account: str) -> Remedy:
    who = f" of service account {service_account}" if all(split_account(service_account)) else ""
    return Remedy(
        f"end the trust of {whose}: {identity.name}",
        f"The token{who} is exchanged for access from anywhere until it runs out. AWS: deny all sessions before now"
        " (AWSRevokeOlderSessions) and take the service account from the role's trust policy. Google: remove the service account"
        " from the workload identity binding. Then cut what it may do.",
        (),
    )


_NAMELESS: Final = "(name not in the telemetry)"
"""How incidents call the pod's own service account when no record names it (`detect.wording`)."""


def _service_account(case: _Case) -> Remedy:
    told = case.identity.name
    whose = other_pod(told)
    namespace, account = split_account(case.service_account if told.endswith(_NAMELESS) else told)
    space = namespace or (whose.partition("/")[0] if "/" in whose else "") or place("namespace")
    user = f"system:serviceaccount:{space}:{account or place('service account')}"
    columns = "KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name,ROLE:.roleRef.name,SUBJECTS:.subjects[*].name"
    both = "get rolebindings,clusterrolebindings"
    bindings = kubectl(both, "--all-namespaces", option("output", f"custom-columns={columns}"))
    return Remedy(
        f"cut what service account {told} may do",
        "Taking its bindings away counts at once, for every token of it. Where a binding names others too, take it out of that"
        f" one (kubectl edit). A token ends with its pod ({'delete that one too' if whose else 'below'}), its Secret (the last"
        " line lists those) or the service account itself. What all service accounts may do, it still may.",
        (
            *((pod_holds(whose),) if whose else ()),
            kubectl("auth can-i", "--list", option("as", user), namespace=space),
            piped(bindings, line("grep", "-F", "-e", account)) if account else bindings,
            redirected(
                kubectl(both, "--all-namespaces", option("output", "yaml")),
                *("bindings", ".yaml", namespace, account or _short(case.identity)),
            ),
            kubectl("delete", f"rolebinding/{place('binding of the list')}", namespace=space),
            kubectl("delete", f"clusterrolebinding/{place('binding of the list')}"),
            kubectl(
                "get secrets",
                option("field-selector", "type=kubernetes.io/service-account-token"),
                namespace=space,
            ),
        ),
    )


def _service_principal(case: _Case) -> Remedy:
    identity = case.identity
    known = next((text for text in identity.ids if is_guid(text)), "")
    app = identity.name if is_guid(identity.name) else place("application id")
    asked = (
        (az("ad sp show", option("id", known), option("query", "appId")),)
        if known and app.startswith("<")
        else ()
    )
    return Remedy(
        f"reset the secrets of service principal {identity.name}, then cut its roles until the old tokens are gone",
        "The reset replaces every secret of the application and prints the new one: run it where no log keeps it. Look for"
        " secrets and federated credentials that were added. Access tokens that were got before cannot be revoked.",
        (
            *asked,
            az("ad app credential list", option("id", app), option("output", "table")),
            az("ad app federated-credential list", option("id", app), option("output", "table")),
            az("ad app credential reset", option("id", app)),
            *_roles(identity),
        ),
    )


def _made(case: _Case) -> Remedy:
    name = case.identity.name
    whose = name.removeprefix("credential of pod ")
    return Remedy(
        f"treat as taken: {name}",
        "A pod that was made with the stolen identity took it. Its bound tokens end when that pod is deleted, after its evidence"
        " is taken; the service account that it ran as has to be cut like the others, and the Secrets that it mounted changed.",
        (pod_holds(whose),) if "/" in whose else (),
    )


def _node(case: _Case) -> Remedy:
    identity = case.identity
    return Remedy(
        f"change what the pods of the node held: {identity.name}",
        "Who is on the node reads the tokens and secrets of every pod on it. Delete these pods and replace the machine (its"
        " kubelet certificate cannot be revoked), then change every secret that they mounted.",
        (),
    )


def _changed_file(case: _Case) -> Remedy:
    return change_file(case.identity)


def _nothing(case: _Case) -> list[Remedy]:  # noqa: ARG001 - as all of `_MORE`
    return []


_MORE: Final[Mapping[str, Callable[[_Case], list[Remedy]]]] = {
    "managed-identity": _off_the_machines,
    "user-assigned-identity": _off_the_machines,
    "system-assigned-identity": _off_the_machines,
}
"""What follows the first step of a kind."""

_Work = Callable[[_Case], Remedy]

_WORK: Final[Mapping[str, _Work]] = {
    "managed-identity": _managed,
    "user-assigned-identity": _managed,
    "system-assigned-identity": _managed,
    "federated-identity": _federated,
    "workload-identity": _federated,
    "federated-token": _federated,
    "service-principal": _service_principal,
    "service-account": _service_account,
    "service-account-token": _service_account,
    "secret": lambda case: change_secret(case.identity),
    "secret-volume": lambda case: change_volume(case.identity),
    "environment": lambda case: change_environment(case.identity),
    "made-pod": _made,
    "node": _node,
}
