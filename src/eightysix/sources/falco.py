"""Falco's JSON output and falcosidekick's payloads.

An alert holds what its rule's output names and no more. What happened is read from `evt.type` and the fields; a process
is known by `proc.pid` with `proc.pid.ts`, so outputs without a pid tell what was done and not by whom
(`deploy/falco` has rules and an `append_output` with all that is read here). Alerts of the `k8s_audit` plugin become
requests; Falco's word on events that it dropped is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from eightysix.context.pods import container_key, node_key, pod_key
from eightysix.model.event import Event
from eightysix.model.incident import Problem
from eightysix.model.words import Source
from eightysix.sources.falco_events import (
    Actor,
    actor_of,
    ancestors_of,
    event_of,
    kind_of,
)
from eightysix.sources.falco_records import Fields, Record
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import read_value, why
from eightysix.sources.kubernetes_audit import event_of_request, is_of_interest
from eightysix.sources.kubernetes_audit_records import (
    Annotations,
    AuditEvent,
    Caller,
    Impersonated,
    Status,
    Target,
)
from eightysix.sources.tetragon import Trees
from eightysix.sources.tetragon_events import is_landed_command

__all__ = ["FalcoDecoder"]

_SYSCALLS = frozenset({"syscall", "syscalls", ""})
_INTERNAL = "Falco internal:"
_ENOUGH = 65_536
"""Processes and started programs that are remembered before starting over."""

_LANDING = frozenset({"install", "download", "build-hook"})
_TIMES = ("evt.time", "evt.rawtime", "evt.time.iso8601", "evt.datetime")

OnAlert = Callable[[Record, Fields, str, str, int], None]
"""Who counts alerts instead of judging them: the alert, its fields, what it is counted as, its container, and its time."""

_decode = msgspec.json.Decoder(Record).decode


class FalcoDecoder:
    """Decodes blocks of Falco's alerts.

    `trees` receives the process facts (the acting process, and the ancestors that an output names); `first_execs` asks for
    an event at the first start of each program in each pod, which only baselines and rules about program starts need.
    `grown` receives the pods whose trees grew or changed. `on_alert` is told of every alert about a system call and of what
    Falco says about itself, and then none of them becomes an event.
    """

    source = Source.FALCO

    def __init__(
        self,
        trees: Trees,
        *,
        first_execs: bool = False,
        grown: set[str] | None = None,
        on_alert: OnAlert | None = None,
    ) -> None:
        self._trees = trees
        self.grown = grown if grown is not None else set()
        self.changed: set[str] = set()
        """Pods of which facts that were told before are told otherwise since somebody emptied this."""
        self._first_execs = first_execs
        self._on_alert = on_alert
        self._started: set[tuple[str, str]] = set()
        self._seen: dict[str, tuple[int, int]] = {}

    def recognises(self, record: Mapping[str, object]) -> bool:
        """An alert names its rule and priority, and has its output as text or as fields."""
        if not isinstance(record.get("rule"), str) or "priority" not in record:
            return False
        return isinstance(record.get("output"), str) or any(
            isinstance(record.get(name), dict) for name in ("output_fields", "outputFields")
        )

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`."""
        batch = Batch()
        for line, text in enumerate(block.split(b"\n"), first_line):
            if not text.strip():
                continue
            batch.records += 1
            try:
                record = _decode(text)
            except (ValueError, RecursionError) as error:
                self._unusable(text, error, (file, line), batch)
                continue
            if not _is_alert(record):
                batch.leftover.append((line, text))
                continue
            problem = self._add(record, (file, line), batch)
            if problem:
                kind, reason = problem
                batch.problems.append(Problem(file, line, kind, reason))
        return batch

    def _unusable(self, text: bytes, error: Exception, place: tuple[str, int], batch: Batch) -> None:
        try:
            value = read_value(text)
        except ValueError as reason:
            if text.isascii() and b": Falco " in text[:80]:  # what Falco says at its start, in `kubectl logs`
                _count(batch, "message", 0)
                return
            batch.problems.append(Problem(*place, "malformed", str(reason)))
            return
        if isinstance(value, dict) and self.recognises(value):
            batch.problems.append(Problem(*place, "malformed", why(error)))
        else:
            batch.leftover.append((place[1], text))

    def _add(self, record: Record, place: tuple[str, int], batch: Batch) -> tuple[str, str] | None:
        """Add what an alert tells to `batch`; kind and reason of a problem where it cannot be used."""
        fields = record.fields
        rule, source = record.rule or "", (record.source or "").lower()
        time_ns = fields.time_ns(*_TIMES) or Fields({"time": record.time}).time_ns("time")
        if rule.startswith(_INTERNAL):
            told = "dropped" if _drops(rule, fields) else "internal"
            _count(batch, told, time_ns)
            if self._on_alert is not None:
                self._on_alert(record, fields, told, "", time_ns)
            return None
        if not time_ns:
            return "malformed", "no usable time"
        if source == "k8s_audit":
            return _add_request(fields, time_ns, place, batch)
        if source not in _SYSCALLS:
            return "unrecognised", "an alert of a Falco plugin that is not read"
        actor = actor_of(record, fields, time_ns)
        kind = kind_of(record, fields)
        # Without a process nothing can be joined by lineage, so it is not counted as what rules need.
        counted = kind if actor.exec_id or kind == "other" else f"{kind} without pid"
        _count(batch, counted, time_ns)
        if self._on_alert is not None:
            self._on_alert(record, fields, counted, actor.container, time_ns)
            return None
        self._note(fields, actor, time_ns)
        event = event_of(record, fields, kind, actor, time_ns, place)
        if event is not None and (kind != "exec" or self._is_worth_telling(event)):
            batch.events.append(event)
        return None

    def _is_worth_telling(self, event: Event) -> bool:
        """As `TetragonDecoder`: something lands or has landed, or it is the first start of a program, where asked for."""
        if event.activity in _LANDING or is_landed_command(event):
            return True
        name = (_key_of(event.pod_uid, event.node, event.container_id), event.binary)
        if not self._first_execs or name in self._started:
            return False
        if len(self._started) >= _ENOUGH:
            self._started.clear()
        self._started.add(name)
        return True

    def _note(self, fields: Fields, actor: Actor, time_ns: int) -> None:
        """Note the process and its ancestors in the pod's tree, in any order of arrival: the parent as it was told first
        (orphans get another one), the program as it was told last (one process may run several), and when that began."""
        if not actor.exec_id:
            return
        uid = fields.text("k8s.pod.uid", "k8smeta.pod.uid", longest=253)
        key = _key_of(uid, actor.node, actor.container)
        tree = self._trees.setdefault(key, {})
        self.grown.add(key)
        known = tree.get(actor.exec_id)
        if len(self._seen) >= _ENOUGH:
            self._seen.clear()
        first, last = self._seen.get(actor.exec_id, (0, 0) if known is None else (1, 1))
        parent, binary, started = actor.parent_exec_id, actor.binary, actor.started
        entrypoint = actor.entrypoint
        if known is not None:
            vague = known[0].endswith(":0") and not parent.endswith(":0")
            parent = known[0] if known[0] and first <= time_ns and not vague else parent or known[0]
            binary = known[3] if last > time_ns or not binary else binary
            started = max(known[2], started)  # one form of text, so the later one
            entrypoint = known[5] if entrypoint is None else entrypoint
        fact = (parent, actor.pid, started, binary, actor.container, entrypoint)
        if known is not None and known != fact:
            self.changed.add(key)
        tree[actor.exec_id] = fact
        self._seen[actor.exec_id] = (min(first or time_ns, time_ns), max(last, time_ns))
        self._note_others(tree, fields, actor, time_ns)

    def _note_others(
        self,
        tree: dict[str, tuple[str, int, str, str, str, bool | None]],
        fields: Fields,
        actor: Actor,
        time_ns: int,
    ) -> None:
        """The ancestors that have no alert of their own, and the name by which a descendant may call this process that does
        not know when it started."""
        for key, parent, pid, started, binary in ancestors_of(fields, actor, time_ns):
            if key not in tree:
                tree[key] = (parent, pid if started else 0, started, binary, actor.container, None)
        if actor.exec_id.endswith(":0"):
            return
        vague = f"falco:{actor.node}/{actor.container}:{actor.pid}:0"
        before = tree.get(vague)
        if before is None or before[2] <= actor.started:
            tree[vague] = (actor.exec_id, 0, actor.started, actor.binary, actor.container, None)


def _key_of(uid: str, node: str, container: str) -> str:
    if uid:
        return pod_key(uid)
    return container_key(node, container) if container else node_key(node)


def _is_alert(record: Record) -> bool:
    """`FalcoDecoder.recognises`, for a decoded record."""
    if record.rule is None or record.priority is None:
        return False
    return record.output is not None or record.output_fields is not None or record.camel_fields is not None


def _drops(rule: str, fields: Fields) -> bool:
    """Whether Falco says that it missed something: in a message for that, or among its metrics."""
    if "drop" in rule:
        return True
    return fields.number("scap.n_drops") > max(0, fields.number("scap.n_drops_prev"))


def _add_request(
    fields: Fields, time_ns: int, place: tuple[str, int], batch: Batch
) -> tuple[str, str] | None:
    """An alert about a request to the API server. It names who asked for what; the token's pod and id are not in it, so it
    finds its pod only where one account has one."""
    name, verb = fields.text("ka.user.name", longest=512), fields.text("ka.verb", longest=64)
    if not name or not verb:
        return (
            "unrecognised",
            "an alert about a request that does not name user and verb (ka.user.name, ka.verb)",
        )
    if fields.text("ka.stage", longest=64) == "RequestReceived":
        _count(batch, "request-received", time_ns)
        return None
    code = fields.number("ka.response.code")
    impersonated = fields.text("ka.impuser.name", longest=512)
    decision = fields.text("ka.auth.decision", longest=64)
    audit = AuditEvent(
        audit_id=fields.text("ka.auditid", longest=128) or None,
        stage=fields.text("ka.stage", longest=64) or None,
        uri=fields.text("ka.uri"),
        verb=verb,
        user=Caller(username=name),
        impersonated=Impersonated(username=impersonated) if impersonated else None,
        source_ips=list(fields.texts("ka.sourceips")),
        user_agent=fields.text("ka.useragent"),
        target=Target(
            resource=fields.text("ka.target.resource", longest=253),
            namespace=fields.text("ka.target.namespace", longest=253),
            name=fields.text("ka.target.name", longest=253),
            subresource=fields.text("ka.target.subresource", longest=253),
        ),
        status=Status(code) if code >= 0 else None,
        annotations=Annotations(decision=decision) if decision else None,
    )
    _count(batch, "api", time_ns)
    if is_of_interest(audit):
        batch.events.append(replace(event_of_request(audit, time_ns, "", *place), source=Source.FALCO))
    return None


def _count(batch: Batch, kind: str, time_ns: int) -> None:
    batch.recognised += 1
    batch.kinds[kind] = batch.kinds.get(kind, 0) + 1
    if time_ns:
        batch.first_ns = min(batch.first_ns or time_ns, time_ns)
        batch.last_ns = max(batch.last_ns, time_ns)
