"""The Kubernetes audit log (`audit.k8s.io`), plain and in the three wrappings in which Azure delivers it.

- plain: one `Event` a line, or an `EventList`;
- Event Hub and storage: `{"category": "kube-audit", "properties": {"log": "<event as text>"}, ...}`, one or in `records`;
- Log Analytics, AzureDiagnostics: `Category` and `log_s`;
- Log Analytics, AKSAudit and AKSAuditAdmin: one column a member.

Only requests that a service account made or was impersonated for, and minted tokens, become events: the rest of a busy
control plane is understood and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Generic, TypeVar

import msgspec

from eightysix.context.addresses import Learnt
from eightysix.context.destinations import address
from eightysix.context.packages import looks_secret
from eightysix.model.event import Event, EventId
from eightysix.model.incident import Problem
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Grade, Kind, Origin, Outcome, Source
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import read_value, why
from eightysix.sources.kubernetes_audit_bodies import asked_of_node, learn, made_name
from eightysix.sources.kubernetes_audit_records import (
    Annotations,
    AuditEvent,
    Caller,
    Extra,
    Properties,
    Record,
    Status,
    Target,
)

__all__ = [
    "KubernetesAuditDecoder",
    "cluster_of",
    "event_of_request",
    "is_of_interest",
    "outcome_of",
    "peer_of",
]

MAX_TEXT = 512
"""Longest text of an event. Kubernetes names end at 253 characters; paths and names of users may be anything."""

MAX_USER_AGENT = 128

_CATEGORIES = frozenset({"kube-audit", "kube-audit-admin"})
_ROWS = frozenset({"AKSAudit", "AKSAuditAdmin"})
_STAGES = frozenset({"ResponseStarted", "ResponseComplete", "Panic"})
_SERVICE_ACCOUNT = "system:serviceaccount:"
_TRIED = 20
"""Members of a list that are looked at to recognise it."""

T = TypeVar("T")

OnRequest = Callable[[Record, AuditEvent, str, int], None]
"""Who counts requests instead of judging them: the record that brought one, the request, its cluster and its time."""

_decode_record = msgspec.json.Decoder(Record).decode
_decode_event = msgspec.json.Decoder(AuditEvent).decode
_decode_properties = msgspec.json.Decoder(Properties | str).decode
_NO_CALLER, _NO_EXTRA, _NO_TARGET = Caller(), Extra(), Target()


class _Column(Generic[T]):
    """A dynamic column: JSON, or text of JSON; empty text is nothing."""

    def __init__(self, kind: type[T]) -> None:
        self._decode: Callable[[msgspec.Raw], T | str | None] = msgspec.json.Decoder(kind | str | None).decode
        self._decode_text: Callable[[str], T | None] = msgspec.json.Decoder(kind | None).decode

    def __call__(self, column: msgspec.Raw) -> T | None:
        value = self._decode(column) if column else None
        if isinstance(value, str):
            return self._decode_text(value) if value else None
        return value


_user, _status, _target = _Column(Caller), _Column(Status), _Column(Target)
_annotations, _addresses = _Column(Annotations), _Column(list[str])


class KubernetesAuditDecoder:
    """Decodes blocks of audit records; `learnt` receives what they tell beside events.

    Counting: a list (`records`, `items`) counts as the records in it. Understood records are of kind `api`, and
    `request-received` where they only announce a request that another record completes. `on_request` is told of every
    one of them, and then none becomes an event.
    """

    source = Source.KUBERNETES_AUDIT

    def __init__(self, learnt: Learnt | None = None, *, on_request: OnRequest | None = None) -> None:
        self._learnt = learnt if learnt is not None else Learnt()
        self._on_request = on_request

    def recognises(self, record: Mapping[str, object]) -> bool:
        """See `Decoder.recognises`; a list is recognised by any of its first records."""
        return _recognises(record)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`.

        Line by line on purpose: `decode_lines` takes any white space between values, so it cannot tell which line a
        value is on, and the calls cost a tenth of it.
        """
        batch = Batch()
        place = _Place(file, first_line, batch, self._learnt, self._on_request)
        view, find, decode, take = memoryview(block), block.find, _decode_record, place.take
        start, size = 0, len(block)
        while start < size:
            end = find(b"\n", start)
            end = size if end < 0 else end
            try:
                record = decode(view[start:end])
            except (ValueError, RecursionError) as error:
                self._unusable(block[start:end], error, place)
            else:
                batch.records += 1
                if not take(record):
                    batch.leftover.append((place.line, block[start:end]))
            start = end + 1
            place.line += 1
        return batch

    def _unusable(self, line: bytes, error: Exception, place: _Place) -> None:
        if not line.strip():
            return
        place.batch.records += 1
        try:
            value = read_value(line)
        except ValueError as reason:
            place.problem(str(reason))
            return
        if isinstance(value, dict) and _recognises(value):
            place.problem(why(error))
        else:
            place.batch.leftover.append((place.line, line))


class _Place:
    """Where in the input we are, and the batch that takes what is found there."""

    def __init__(
        self, file: str, line: int, batch: Batch, learnt: Learnt, on_request: OnRequest | None
    ) -> None:
        self.on_request = on_request
        self.record: Record | None = None
        self.learnt = learnt
        self.file = file
        self.line = line
        self.batch = batch

    def problem(self, reason: str) -> None:
        self.batch.problems.append(Problem(self.file, self.line, "malformed", reason))

    def take(self, record: Record, *, nested: bool = False) -> bool:
        """Use `record`, whichever wrapping it is; False if it is none of ours."""
        self.record = record
        if record.audit_id is not None and record.stage is not None:
            self._event(record, "")
        elif record.category is not None and record.category in _CATEGORIES:
            self._resource_log(record)
        elif record.records is not None and not nested:
            return self._list(record.records)
        elif record.api_version is not None and record.api_version.startswith("audit.k8s.io/"):
            if record.kind == "EventList" and record.items is not None and not nested:
                return self._list(record.items)
            self.problem("an audit record without auditID or stage")
        elif record.row_category is not None and record.row_category in _CATEGORIES:
            self._text(record.log_s, cluster_of(record.row_diagnostics_id or record.row_resource_id))
        elif record.row_audit_id is not None and record.row_stage is not None:
            self._row(record)
        else:
            return False
        return True

    def _list(self, items: list[msgspec.Raw]) -> bool:
        """Records in a list, each for itself: one that is damaged or of another kind loses nothing else."""
        foreign: list[tuple[int, bytes]] = []
        for item in items:
            try:
                used = self.take(_decode_record(item), nested=True)
            except (ValueError, RecursionError) as error:
                used = _is_ours(item)
                if used:
                    self.problem(why(error))
            if not used:
                foreign.append((self.line, bytes(item)))
        if not items:
            self.batch.recognised += 1
        elif len(foreign) == len(items):
            return False  # as one record: another decoder may know this list
        self.batch.records += max(0, len(items) - 1)
        self.batch.leftover += foreign
        return True

    def _resource_log(self, record: Record) -> None:
        try:
            properties = _decode_properties(record.properties or b"{}")
            if isinstance(properties, str):
                properties = msgspec.json.decode(properties, type=Properties)
        except (ValueError, RecursionError) as error:
            self.problem(f"properties: {why(error)}")
            return
        self._text(properties.log, cluster_of(record.resource_id))

    def _text(self, log: AuditEvent | str | None, cluster: str) -> None:
        """The audit event that another record carries."""
        try:
            event = _decode_event(log) if isinstance(log, str) else log
        except (ValueError, RecursionError) as error:
            self.problem(f"log: {why(error)}")
            return
        if event is None or event.audit_id is None or event.stage is None:
            self.problem("log: no audit event")
            return
        self._event(event, cluster)

    def _row(self, row: Record) -> None:
        """A row of AKSAudit: put together again as the event that it was made of."""
        try:
            event = AuditEvent(
                level=row.row_level,
                audit_id=row.row_audit_id,
                stage=row.row_stage,
                uri=row.row_uri,
                verb=row.row_verb,
                user=_user(row.row_user),
                source_ips=_addresses(row.row_source_ips),
                user_agent=row.row_user_agent,
                target=_target(row.row_target),
                status=_status(row.row_status),
                received=row.row_received,
                staged=row.row_staged,
                annotations=_annotations(row.row_annotations),
                request=row.row_request,
                response=row.row_response,
            )
        except (ValueError, RecursionError) as error:
            self.problem(f"a column: {why(error)}")
            return
        self._event(event, cluster_of(row.row_resource_id))

    def _event(self, audit: AuditEvent, cluster: str) -> None:
        batch = self.batch
        if audit.stage not in _STAGES and audit.stage != "RequestReceived":
            self.problem("unknown stage")
            return
        try:
            time_ns = to_ns(audit.received or audit.staged or "")
        except ValueError as error:
            self.problem(str(error))
            return
        batch.recognised += 1
        batch.first_ns = min(batch.first_ns or time_ns, time_ns)
        batch.last_ns = max(batch.last_ns, time_ns)
        if audit.stage == "RequestReceived":
            batch.kinds["request-received"] = batch.kinds.get("request-received", 0) + 1
            return
        batch.kinds["api"] = batch.kinds.get("api", 0) + 1
        if self.on_request is not None and self.record is not None:
            self.on_request(self.record, audit, cluster, time_ns)
            return
        learn(self.learnt, audit, peer_of(audit.source_ips))
        if is_of_interest(audit):
            batch.events.append(event_of_request(audit, time_ns, cluster, self.file, self.line))


def is_of_interest(audit: AuditEvent) -> bool:
    """Whether a service account is behind the request, or a token of one is minted (also by the kubelet)."""
    user = audit.user
    if user is not None and user.username is not None and user.username.startswith(_SERVICE_ACCOUNT):
        return True
    if audit.impersonated is not None and (audit.impersonated.username or "").startswith(_SERVICE_ACCOUNT):
        return True
    return _mints(audit, audit.target or _NO_TARGET)


def _mints(audit: AuditEvent, target: Target) -> bool:
    return target.subresource == "token" and target.resource == "serviceaccounts" and audit.verb == "create"


def event_of_request(audit: AuditEvent, time_ns: int, cluster: str, file: str, line: int) -> Event:
    """The event of one request, without anything that the client could have put a secret into."""
    caller, target = audit.user or _NO_CALLER, audit.target or _NO_TARGET
    extra = caller.extra or _NO_EXTRA
    username = caller.username or ""
    namespace, service_account = _service_account(username)
    pod, pod_uid = _first(extra.pod_name), _first(extra.pod_uid)
    impersonated = audit.impersonated.username if audit.impersonated else None
    path = _path(audit.uri or "", target.subresource)
    issued = audit.annotations.issued if audit.annotations and _mints(audit, target) else None
    made, host, outcome = made_name(audit), asked_of_node(audit), outcome_of(audit)
    did = (made, issued or "", *host, "denied" if outcome is Outcome.DENIED else "")
    return Event(
        event_id=_event_id(audit, (username, impersonated or ""), path, time_ns, did),
        time_ns=time_ns,
        source=Source.KUBERNETES_AUDIT,
        origin=Origin.CONTROL_PLANE,
        grade=Grade.C if pod or pod_uid else Grade.D if service_account else Grade.F,
        kind=Kind.API,
        file=file,
        line=line,
        cluster=cluster,
        node=_first(extra.node_name),
        namespace=namespace,
        pod=pod,
        pod_uid=pod_uid,
        service_account=service_account,
        url_path=path,
        outcome=outcome,
        identity=_short(username),
        impersonated=_short(impersonated),
        credential_id=_credential(extra.credential_id),
        issued_credential_id=_short(issued).removeprefix("JTI="),
        verb=_short(audit.verb),
        resource=_short(target.resource),
        subresource=_short(target.subresource),
        object_namespace=_short(target.namespace),
        object_name=_short(target.name or made),
        host=host,
        user_agent=_product(audit.user_agent),
        source_ip=peer_of(audit.source_ips),
    )


def _event_id(
    audit: AuditEvent, callers: tuple[str, str], path: str, time_ns: int, did: Iterable[str]
) -> EventId:
    """The same for one request however it was exported, and for each of its stages. `did` is what came of it beyond its
    path: the name that was given, the token that was issued, what was asked of the node.

    NOTE: not of the audit ID alone: the API server takes it from the client's `Audit-ID` header as it is
    (apiserver/pkg/endpoints/filters/audit_init.go), so a repeated one would make a later request look like a duplicate: a
    second pod, made within the same second, with the rights of the node.
    Seconds, because exports keep 3 to 9 digits of them.
    """
    parts = (
        audit.audit_id or "",
        *callers,
        audit.verb or "",
        path,
        str(time_ns // 1_000_000_000),
        *filter(None, did),
    )
    text = "kubernetes-audit\0" + "\0".join(parts)
    return EventId(blake2b(text.encode(errors="replace"), digest_size=16).hexdigest())


def _service_account(username: str) -> tuple[str, str]:
    """Namespace and `namespace/name`, empty where `username` is not a service account's."""
    if not username.startswith(_SERVICE_ACCOUNT):
        return "", ""
    namespace, _, name = username[len(_SERVICE_ACCOUNT) :].partition(":")
    return (_short(namespace), _short(f"{namespace}/{name}")) if namespace and name else ("", "")


def _path(uri: str, subresource: str | None) -> str:
    """The path alone: no query, no host; of a proxied request nothing that is meant for the application behind it."""
    if not uri.startswith("/"):
        uri = "/" + uri.partition("://")[2].partition("/")[2]
    path = uri.partition("?")[0].partition("#")[0]
    if subresource == "proxy":
        before, found, _ = path.partition("/proxy/")
        path = before + "/proxy" if found else path
    return path[:MAX_TEXT]


def peer_of(addresses: list[str] | None) -> str:
    """The last of `sourceIPs`: "all but the last IP can be arbitrarily set by the client" (audit.k8s.io/v1 reference)."""
    return address(addresses[-1]) if addresses else ""


def _credential(ids: list[str] | None) -> str:
    """The token id of `JTI=...`; another kind (`X509SHA256=...`) keeps its prefix."""
    for text in ids or ():
        if text.startswith("JTI="):
            return _short(text[4:])
    return _first(ids)


def outcome_of(audit: AuditEvent) -> Outcome:
    """Whether the request was let through: refused by who may, or failed for another reason, which is neither."""
    code = audit.status.code if audit.status else None
    if code in (401, 403) or (audit.annotations is not None and audit.annotations.decision == "forbid"):
        return Outcome.DENIED
    return Outcome.ALLOWED if code and 0 < code < 400 else Outcome.UNKNOWN


def cluster_of(resource_id: str | None) -> str:
    """The last segment of an Azure resource id, in small letters: exports write the same id in either case."""
    return _short((resource_id or "").rstrip("/").rpartition("/")[2].lower())


def _product(agent: str | None) -> str:
    """The product of a user agent (`kubectl/v1.30.2`), which is all that tells one client from another: what stands behind
    it is the client's to choose, and may be anything. Empty where it looks like no product."""
    product = (agent or "")[:MAX_USER_AGENT].partition(" ")[0]
    name, _, version = product.partition("/")
    harmless = _PRODUCT.issuperset(name) and _PRODUCT.issuperset(version) and len(version) <= 64
    return product if name and harmless and not (looks_secret(name) or looks_secret(version)) else ""


_PRODUCT = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_+")


def _short(text: str | None) -> str:
    return text[:MAX_TEXT] if text else ""


def _first(texts: list[str] | None) -> str:
    return texts[0][:MAX_TEXT] if texts else ""


def _is_in(value: object, names: frozenset[str]) -> bool:
    return isinstance(value, str) and value in names


def _is_ours(item: msgspec.Raw) -> bool:
    try:
        value = read_value(bytes(item))
    except ValueError:
        return True
    return isinstance(value, dict) and _recognises(value)


def _recognises(record: Mapping[str, object]) -> bool:
    version, listed = record.get("apiVersion"), record.get("records")
    if isinstance(version, str) and version.startswith("audit.k8s.io/"):
        return record.get("kind") in ("Event", "EventList")
    if "auditID" in record and "stage" in record:
        return True
    if isinstance(listed, list):
        return any(isinstance(item, dict) and _recognises(item) for item in listed[:_TRIED])
    if _is_in(record.get("category"), _CATEGORIES):
        return "properties" in record
    if _is_in(record.get("Category"), _CATEGORIES):
        return "log_s" in record
    return _is_in(record.get("Type"), _ROWS) or ("AuditId" in record and "Stage" in record)
