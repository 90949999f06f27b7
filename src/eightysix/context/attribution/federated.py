"""Sign-ins with a service account's token (workload identity federation): the credential names the service account."""

from __future__ import annotations

from eightysix.context.attribution.known import Found, Known, nobody, shared
from eightysix.context.attribution.kubernetes import attribute_token, minters
from eightysix.context.federation import federation_parts
from eightysix.context.inventory import SKEW_NS, Federation
from eightysix.model.attribution import Attribution
from eightysix.model.event import Event
from eightysix.model.words import Grade, Origin

__all__ = ["LOGIN_NS", "attribute_federated", "attribute_login"]

LOGIN_NS = 30_000_000_000
"""A token is exchanged within 30 s of the connection to the login endpoint, before or after (judged: connections are kept
open for the second request, and names are looked up before them)."""


def attribute_federated(known: Known, event: Event) -> Attribution:
    """Which pods a sign-in by a federated credential may be of."""
    inventory = known.inventory
    credential, token = federation_parts(event.federation)
    shown = attribute_token(known, event, token) if token else None
    if shown is not None:
        return shown
    told = inventory.federations(credential) if credential else ()
    join_key = "federated-credential"
    if not told:
        told, join_key = inventory.federations_of(event.principals), "client-id+subject"
    accounts = {one.service_account: one for one in told if one.service_account}
    if not told:
        accounts = dict.fromkeys(inventory.accounts_of(event.principals, event.time_ns), Federation("", ""))
        join_key = "client-id+annotation"
    pods: dict[str, Found] = {}
    for account, federation in sorted(accounts.items()):
        words = f"runs as {account}, whose tokens are exchanged"
        told_of = known.running_as(account, event.time_ns, event.time_ns, words)
        for one in _of_cluster(told_of, known, federation):
            pods.setdefault(one.pod.key, one)
    asked = {
        one.pod.key: one for account in sorted(accounts) for one in minters(known, account, event.time_ns)
    }
    if not pods and not asked:
        why = (
            "no pod is known that runs as the subject"
            if accounts
            else "the credential's subject is not known"
        )
        return nobody(join_key, f"{why}: list the federated credentials of the identity")
    return _narrowed(known, event, pods, {k: v for k, v in asked.items() if k not in pods}, join_key)


def _of_cluster(told: list[Found], known: Known, federation: Federation) -> list[Found]:
    """Those of the issuer's cluster, where one of them is known to be of it."""
    cluster = known.inventory.cluster_of(federation.issuer).lower() if federation.issuer else ""
    mine = [one for one in told if one.pod.cluster.lower() == cluster]
    return [*mine, *(one for one in told if not one.pod.cluster)] if cluster and mine else told


def _narrowed(
    known: Known, event: Event, pods: dict[str, Found], asked: dict[str, Found], join_key: str
) -> Attribution:
    connected = _connected(known, event) & pods.keys()
    why = "the credential names the service account"
    if not connected:
        found = [*pods.values(), *asked.values()]
        return shared(Grade.D, Origin.PROVIDER, join_key, found, why=why)
    found = [
        Found(pods[key].pod, f"{pods[key].why}; it reached the login endpoint within 30 s")
        for key in sorted(connected)
    ]
    # Who was not seen to connect stays possible where nobody could have seen it.
    rest = [
        one
        for key, one in pods.items()
        if key not in connected and not known.contacts.is_covered(one.pod.node, event.time_ns)
    ]
    why += ", a connection to the login endpoint the pod"
    return shared(
        Grade.D,
        Origin.PROVIDER,
        f"{join_key}+login-connection",
        [*found, *rest, *asked.values()],
        certain=len(pods) == 1,
        why=why,
    )


def _connected(known: Known, event: Event) -> set[str]:
    """Pods that the kernel, or the cluster's resolver, saw on the way to the login endpoint."""
    near = LOGIN_NS + SKEW_NS
    window = known.contacts.login(event.time_ns - near, event.time_ns + near)
    pods = (known.pod(one.key, one.time_ns) for one in window if one.said is None)
    return {pod.key for pod in pods if pod is not None}


def attribute_login(known: Known, event: Event) -> Attribution:
    """A sign-in with a secret or a certificate: whoever has it, from wherever. An address or time alone."""
    inventory = known.inventory
    holders = inventory.at_address(event.source_ip, event.time_ns) if event.source_ip else ()
    found = [Found(holder.pod, f"had the address {event.source_ip}") for holder in holders]
    if found:
        why = "the address that the sign-in came from"
        return shared(Grade.F, Origin.PROVIDER, "address", found, why=why)
    connected = sorted(_connected(known, event))
    pods = [inventory.pod(key) for key in connected]
    found = [Found(pod, "reached the login endpoint within 30 s") for pod in pods if pod is not None]
    if found:
        why = "time alone: these pods reached the login endpoint within 30 s"
        return shared(Grade.F, Origin.KERNEL, "login-connection+time", found, why=why)
    return nobody("address", "signed in with a secret or a certificate from an address of no known pod")
