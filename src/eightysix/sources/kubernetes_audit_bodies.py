"""What audit bodies and the node's own requests tell beside events: who has which address, what a new pod asks of the
node, which cloud principal a service account stands for.

Bodies are there where the audit policy logs at level Request or above. They add; a body that cannot be read costs nothing
but what it would have told.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from eightysix.context.addresses import Learnt
from eightysix.context.workloads import MAKERS
from eightysix.sources.kubernetes_audit_records import AuditEvent, Body, PodSpec

__all__ = ["asked_of_node", "learn", "made_name"]

_NODE = "system:node:"
_LONGEST = 512
_WRITES = frozenset({"create", "update", "patch"})

_body: Callable[[msgspec.Raw], Body | str | None] = msgspec.json.Decoder(Body | str | None).decode
_body_of_text: Callable[[str], Body | None] = msgspec.json.Decoder(Body | None).decode


def _read(raw: msgspec.Raw) -> Body | None:
    """The body, also where a column has it as text."""
    if not raw:
        return None
    try:
        value = _body(raw)
        return (
            _body_of_text(value)
            if isinstance(value, str) and value
            else value
            if isinstance(value, Body)
            else None
        )
    except (ValueError, RecursionError):
        return None


def learn(learnt: Learnt, audit: AuditEvent, peer: str) -> None:
    """Note what a request tells of addresses and principals. A node is known by the certificate of its kubelet, so where
    that one calls from is the node's address as the API server sees it."""
    username = (audit.user.username if audit.user is not None else None) or ""
    target, code = audit.target, audit.status.code if audit.status is not None else None
    refused = code is not None and code >= 400
    if username.startswith(_NODE) and not refused:
        node = username[len(_NODE) :][:_LONGEST]
        learnt.note_node(node, (peer,))
        if target is not None and target.resource == "pods" and target.subresource == "status":
            _learn_status(learnt, audit, node)
    if target is not None and target.resource == "pods" and not target.subresource and not refused:
        if audit.verb == "create":
            _learn_made(learnt, audit)
    if target is not None and target.resource == "serviceaccounts" and not refused:
        if not target.subresource and audit.verb in _WRITES:
            _learn_principal(learnt, audit)
        elif target.subresource == "token" and audit.verb == "create":
            _learn_token(learnt, audit)


def _learn_status(learnt: Learnt, audit: AuditEvent, node: str) -> None:
    target = audit.target
    for body in (_read(audit.request), _read(audit.response)):
        if body is None or body.status is None or target is None:
            continue
        status = body.status
        own = [status.pod_ip or "", *(one.ip for one in status.pod_ips or ())]
        uid = body.metadata.uid if body.metadata is not None else None
        learnt.note_pod((uid or f"{target.namespace}/{target.name}")[:_LONGEST], own)
        learnt.note_node(node, [status.host_ip or "", *(one.ip for one in status.host_ips or ())])


def _learn_token(learnt: Learnt, audit: AuditEvent) -> None:
    """The pod that a new token is bound to. The token itself, which the response has, is not decoded."""
    issued = (audit.annotations.issued if audit.annotations is not None else None) or ""
    for body in (_read(audit.request), _read(audit.response)):
        bound = body.spec.bound if body is not None and body.spec is not None else None
        if issued and bound is not None and bound.kind == "Pod" and bound.uid:
            learnt.note_token(issued.removeprefix("JTI=")[:_LONGEST], bound.uid[:_LONGEST])
            if bound.name and audit.target is not None and audit.target.namespace:
                learnt.note_name(bound.uid[:_LONGEST], f"{audit.target.namespace}/{bound.name}"[:_LONGEST])
            return


def _learn_made(learnt: Learnt, audit: AuditEvent) -> None:
    """The claims of a new pod, and what it runs as. Its uid is in the response alone; without that it is known by its name."""
    target = audit.target
    asked, made = _read(audit.request), _read(audit.response)
    spec = next((body.spec for body in (made, asked) if body is not None and body.spec is not None), None)
    named = [body.metadata for body in (made, asked) if body is not None and body.metadata is not None]
    uid = next((metadata.uid for metadata in named if metadata.uid), "")
    name = (target.name if target is not None else None) or next((m.name for m in named if m.name), "")
    if spec is None or target is None or not target.namespace:
        return
    if uid and name:
        learnt.note_name(uid[:_LONGEST], f"{target.namespace}/{name}"[:_LONGEST])
    if spec.account and (uid or name):
        called = (uid or f"{target.namespace}/{name}")[:_LONGEST]
        learnt.note_account(called, f"{target.namespace}/{spec.account}"[:_LONGEST])
    for volume in spec.volumes or ():
        if volume.claim is not None and volume.claim.name and (uid or name):
            claim = f"{target.namespace}/{volume.claim.name}"[:_LONGEST]
            learnt.note_claim((uid or f"{target.namespace}/{name}")[:_LONGEST], claim)


def _learn_principal(learnt: Learnt, audit: AuditEvent) -> None:
    target = audit.target
    for body in (_read(audit.request), _read(audit.response)):
        if target is None or body is None or body.metadata is None or body.metadata.annotations is None:
            continue
        name = target.name or body.metadata.name
        client = body.metadata.annotations.client_id
        if name and client and len(client) <= 64:
            learnt.note_principal(f"{target.namespace}/{name}"[:_LONGEST], client)


def made_name(audit: AuditEvent) -> str:
    """The name that the API server gave to something that was created without one (`generateName`)."""
    target = audit.target
    if audit.verb != "create" or target is None or target.name or target.resource not in MAKERS:
        return ""
    body = _read(audit.response)
    return (body.metadata.name or "") if body is not None and body.metadata is not None else ""


def asked_of_node(audit: AuditEvent) -> tuple[str, ...]:
    """What of the node a new pod or workload asks for: `privileged`, `host-path`, `host-pid`, `host-network`, `host-ipc`."""
    target = audit.target
    if audit.verb not in _WRITES or target is None or target.resource not in MAKERS or target.subresource:
        return ()
    body = _read(audit.request) or _read(audit.response)
    spec = body.spec if body is not None else None
    if spec is None:
        return ()
    job = spec.job.spec if spec.job is not None else None
    holders = (spec.template, job.template if job is not None else None)
    specs: list[PodSpec] = [
        spec,
        *(holder.spec for holder in holders if holder is not None and holder.spec is not None),
    ]
    return tuple(sorted({word for one in specs for word in _of_spec(one)}))


def _of_spec(spec: PodSpec) -> set[str]:
    found = {
        word
        for word, asked in (
            ("host-pid", spec.host_pid),
            ("host-network", spec.host_network),
            ("host-ipc", spec.host_ipc),
        )
        if asked
    }
    if any(volume.host_path is not None for volume in spec.volumes or ()):
        found.add("host-path")
    containers = [*(spec.containers or ()), *(spec.first or ())]
    if any(one.security is not None and one.security.privileged for one in containers):
        found.add("privileged")
    return found
