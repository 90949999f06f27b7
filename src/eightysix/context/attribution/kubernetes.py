"""Requests to the Kubernetes API: the authenticator names the pod, or the id of a token says which one had it."""

from __future__ import annotations

from msgspec.structs import replace

from eightysix.context.attribution.known import LIFE_NS, Found, Known, nobody, of_cluster, shared
from eightysix.context.attribution.tokens import minted_by_node
from eightysix.context.inventory import SKEW_NS, Pod
from eightysix.model.attribution import Attribution
from eightysix.model.event import Event
from eightysix.model.words import Grade, Origin

__all__ = ["attribute_request", "attribute_token", "minters"]

_DEEPEST = 8
"""Tokens that had tokens issued: as deep as they are followed."""


def attribute_request(known: Known, event: Event, depth: int = 0) -> Attribution:
    """Which pods a request may be of."""
    mint = known.tokens.mint(event.credential_id)
    if mint is not None and not minted_by_node(mint) and mint.event_id != event.event_id and depth < _DEEPEST:
        return _by_minter(known, event, mint, depth)
    by_name = _named(known, event)
    if by_name is not None:
        return by_name
    if event.credential_id:
        by_token = _by_token(known, event, mint)
        if by_token is not None:
            return by_token
    if not event.service_account:
        return nobody("user", f"{event.identity[:128]} is no service account", Origin.CONTROL_PLANE)
    return _by_account(known, event)


def attribute_token(known: Known, event: Event, credential_id: str) -> Attribution | None:
    """Whose a service account's token was that was shown elsewhere, by its id; None where no audit event tells of it, before or
    about the time of `event`."""
    mint = known.tokens.mint(credential_id)
    if mint is not None and mint.time_ns > event.time_ns + SKEW_NS:
        return None  # a token is not shown before it is issued: this is another one, or clocks are wrong
    if mint is not None and not minted_by_node(mint):
        told = _by_minter(known, replace(event, credential_id=credential_id, pod="", pod_uid=""), mint, 0)
    else:
        found = _by_token(known, replace(event, credential_id=credential_id), mint)
        if found is None:
            return None
        told = found
    why = f"the sign-in names the service account's token: {told.why}"
    return replace(told, join_key=f"federated-token-id+{told.join_key}", why=why)


_CONFLICT = (
    "records of this one token name different pods, and contradict each other: a token is bound to one"
)


def _named(known: Known, event: Event) -> Attribution | None:
    if event.pod_uid:
        pod = known.inventory.pod(event.pod_uid) or _unknown(event)
        why = "the API server names the pod that the token is bound to"
        found = [Found(pod, "its token was shown"), *_contradicting(known, event, pod)]
        if len(found) > 1:
            why = f"{why}; but {_CONFLICT}"
        return shared(Grade.C, Origin.CONTROL_PLANE, "pod-uid", found, certain=True, why=why)
    if not event.pod:
        return None
    found = [
        Found(pod, "its token was shown")
        for pod in known.inventory.named(event.namespace, event.pod, event.time_ns)
    ]
    found = of_cluster(found, event.cluster) or [Found(_unknown(event), "its token was shown")]
    why = "the API server names the pod that the token is bound to, without its uid"
    return shared(Grade.C, Origin.CONTROL_PLANE, "pod-name+time", found, certain=True, why=why)


def _contradicting(known: Known, event: Event, pod: Pod) -> list[Found]:
    """Pods, by their uids, that other records name for the token of this one: they come after the one that it names."""
    others = [key for key in sorted(known.tokens.showed(event.credential_id)) if key[1:2] != ":"]
    return [
        Found(
            known.inventory.pod(key) or Pod(key, key, "", ""), "another record names it for the same token", 1
        )
        for key in others
        if key not in (event.pod_uid, pod.key)
    ]


def _unknown(event: Event) -> Pod:
    """A pod that only the record itself knows."""
    key = event.pod_uid or f"n:{event.namespace}/{event.pod}"
    return Pod(
        key,
        event.pod_uid,
        event.namespace,
        event.pod,
        node=event.node,
        service_account=event.service_account,
    )


def _by_minter(known: Known, event: Event, mint: Event, depth: int) -> Attribution:
    """Somebody else than a kubelet had the token issued, and holds it: for a pod that it is bound to as well, which may know
    nothing of it."""
    asked = attribute_request(known, mint, depth + 1)
    if asked.candidates:
        return Attribution(
            max(Grade.C, asked.grade),
            Origin.CONTROL_PLANE,
            "issued-credential-id",
            asked.certain,
            asked.candidates,
            asked.others,
            "who had this token issued: wherever it is used, it was theirs first",
        )
    named = _named(known, event) or _by_token(known, event, None)
    why = f"{mint.identity[:128]} had this token issued, and no kubelet"
    if named is None:
        return nobody("issued-credential-id", why, Origin.CONTROL_PLANE)
    return replace(named, certain=False, why=f"{named.why}; {why}")


def _by_token(known: Known, event: Event, mint: Event | None) -> Attribution | None:
    keys = sorted(known.tokens.showed(event.credential_id))
    pods = [(key, known.pod(key, event.time_ns)) for key in keys]
    found = [Found(pod, "this token is bound to it") for _, pod in pods if pod is not None]
    if found:
        unknown = sum(pod is None and key[1:2] != ":" for key, pod in pods)
        several = len({one.pod.key for one in found}) + unknown > 1
        why = _CONFLICT if several else "another record of this token names its pod"
        return shared(
            Grade.C, Origin.CONTROL_PLANE, "credential-id", found, unseen=unknown, certain=True, why=why
        )
    node = minted_by_node(mint) if mint is not None else ""
    if mint is None or not node:
        return None
    account = f"{mint.object_namespace}/{mint.object_name}"
    words = f"ran as {account} on {node} when the token was issued"
    all_of_it = known.running_as(account, mint.time_ns, mint.time_ns, words)
    found = of_cluster([one for one in all_of_it if one.pod.node in (node, "")], mint.cluster)
    if not found:
        return None
    why = f"the kubelet of {node} had this token issued for a pod there"
    # Never certain: a pod that nobody told of may have been started there, too.
    return shared(Grade.C, Origin.CONTROL_PLANE, "issued-credential-id+node", found, why=why)


def minters(known: Known, account: str, time_ns: int) -> list[Found]:
    """Pods that had a token of a service account issued in the day before, and no kubelet."""
    found = []
    for mint in known.tokens.mints_for(account):
        if minted_by_node(mint) or not time_ns - LIFE_NS <= mint.time_ns <= time_ns + SKEW_NS:
            continue
        pod = known.inventory.pod(mint.pod_uid) if mint.pod_uid else None
        if pod is None and mint.pod:
            named = known.inventory.named(mint.namespace, mint.pod, mint.time_ns)
            pod = named[0] if len(named) == 1 else None
        if pod is not None:
            found.append(Found(pod, f"had a token of {account} issued", 2))
    return found


def _by_account(known: Known, event: Event) -> Attribution:
    """The service account alone: no pod is bound to the token, so whoever had it issued may be anybody with that right."""
    account = event.service_account
    pods = of_cluster(
        known.running_as(account, event.time_ns, event.time_ns, f"runs as {account}"), event.cluster
    )
    here = {
        holder.pod.key
        for holder in known.inventory.at_address(event.source_ip, event.time_ns)
        if event.source_ip
    }
    found = [one for one in pods if one.pod.key in here]
    join_key = "service-account+address" if found else "service-account"
    found = found or pods
    found = found + minters(known, account, event.time_ns)
    why = "the token is bound to no pod" + ("; the caller has the pod's address" if here and pods else "")
    if not found:
        return nobody(
            "service-account", f"{why}, and no pod is known to run as {account}", Origin.CONTROL_PLANE
        )
    return shared(Grade.D, Origin.CONTROL_PLANE, join_key, found, why=why)
