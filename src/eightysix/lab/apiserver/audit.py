"""`audit.k8s.io/v1` events, one or more for every request, as kube-apiserver writes them.

Members, their order and which are left out: k8s.io/apiserver's `pkg/audit/request.go` and `endpoints/filters/audit.go`,
checked against the log of a kube-apiserver 1.20; `user.extra` and issued credentials as since 1.30 (KEP-4193).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from msgspec import Struct

from eightysix.lab.apiserver.catalogue import Object
from eightysix.lab.apiserver.messages import Request, User
from eightysix.lab.apiserver.routes import Asked

__all__ = ["LEVELS", "AuditRule", "Policy", "Trail", "micro_time", "second_time"]

LEVELS = ("None", "Metadata", "Request", "RequestResponse")
_STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
_LONGEST_AGENT = 1024
_LONGEST_ID = 64


def micro_time(ns: int) -> str:
    """A moment with microseconds, as MicroTime has it."""
    moment = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ns // 1000 % 1_000_000:06d}Z"


def second_time(ns: int) -> str:
    """A moment in seconds, as Time has it."""
    return f"{datetime.fromtimestamp(ns // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


class AuditRule(
    Struct, frozen=True, rename={"non_resource_urls": "nonResourceURLs", "omit_stages": "omitStages"}
):
    """A rule of a policy. What is empty is not looked at. `resources` are `{"group", "resources", "resourceNames"}`."""

    level: str
    users: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    resources: tuple[Mapping[str, object], ...] = ()
    non_resource_urls: tuple[str, ...] = ()
    omit_stages: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    """Groups of the user (`userGroups` in the policy's own schema)."""

    def covers(self, user: User, asked: Asked) -> bool:
        """Whether the rule speaks of this request."""
        if self.users and user.name not in self.users:
            return False
        if self.groups and not set(self.groups) & set(user.groups):
            return False
        if self.verbs and asked.verb not in self.verbs:
            return False
        if self.namespaces or self.resources:
            return bool(asked.resource) and self._covers_object(asked)
        if self.non_resource_urls:
            return not asked.resource and any(
                asked.path == each or (each.endswith("*") and asked.path.startswith(each[:-1]))
                for each in self.non_resource_urls
            )
        return True

    def _covers_object(self, asked: Asked) -> bool:
        if self.namespaces and asked.namespace not in self.namespaces:
            return False
        if not self.resources:
            return True
        combined = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
        wanted = {
            combined,
            "*",
            f"*/{asked.subresource}",
            f"{asked.resource}/*" if asked.subresource else "*",
        }
        for each in self.resources:
            if each.get("group", "") != asked.group:
                continue
            plurals, names = each.get("resources"), each.get("resourceNames")
            if plurals and not (isinstance(plurals, Sequence) and wanted & set(plurals)):
                continue
            if not names or (isinstance(names, Sequence) and asked.name in names):
                return True
        return False


class Policy(Struct, frozen=True):
    """Which requests are told, and how much of them: the first rule that covers one decides; none is level None."""

    rules: tuple[AuditRule, ...] = (AuditRule("Metadata"),)
    omit: tuple[str, ...] = ("RequestReceived",)

    def decide(self, user: User, asked: Asked) -> tuple[str, tuple[str, ...]]:
        """Level, and stages that are left out."""
        for rule in self.rules:
            if rule.covers(user, asked):
                return rule.level, (*self.omit, *rule.omit_stages)
        return "None", ()

    @classmethod
    def of(cls, item: Object) -> Policy:
        """The policy that an `audit.k8s.io/v1` `Policy` object writes. Raises ValueError."""
        rules = []
        for each in item.get("rules") or ():
            level = each.get("level")
            if level not in LEVELS:
                raise ValueError(f"a rule of an audit policy has the level {level!r}")
            texts = {
                name: tuple(str(value) for value in each.get(key) or ())
                for name, key in (
                    ("users", "users"),
                    ("groups", "userGroups"),
                    ("verbs", "verbs"),
                    ("namespaces", "namespaces"),
                    ("non_resource_urls", "nonResourceURLs"),
                    ("omit_stages", "omitStages"),
                )
            }
            rules.append(AuditRule(level=level, resources=tuple(each.get("resources") or ()), **texts))
        return cls(tuple(rules), tuple(str(each) for each in item.get("omitStages") or ()))


def _user(user: User) -> Object:
    told: Object = {}
    if user.name:
        told["username"] = user.name
    if user.uid:
        told["uid"] = user.uid
    if user.groups:
        told["groups"] = list(user.groups)
    if user.extra:
        told["extra"] = {key: list(values) for key, values in user.extra.items()}
    return told


def _agent(request: Request) -> str:
    agent = request.header("user-agent")
    return agent[:_LONGEST_AGENT] + "...TRUNCATED" if len(agent) > _LONGEST_AGENT else agent


class Trail:
    """The audit of one request. Nothing of it leaves before `write`."""

    def __init__(
        self,
        request: Request,
        asked: Asked,
        user: User | None,
        policy: Policy,
        sink: Callable[[Object], None] | None,
        clock: Callable[[], int],
    ) -> None:
        self.identity = (request.header("audit-id") or str(uuid4()))[:_LONGEST_ID]
        """Of the request: the client's, where it tells one."""
        self.level, self._omit = policy.decide(user or User(""), asked)
        self._sink = sink if self.level != "None" else None
        self._clock = clock
        self._received = clock()
        self._annotations: dict[str, str] = {}
        self._impersonated: User | None = None
        self._status: Object | None = None
        self._bodies: Object = {}
        self._request = request
        self._asked = asked
        self._user = user or User("")
        self._object: dict[str, str] = {
            "resource": asked.resource,
            "namespace": asked.namespace,
            "name": asked.name,
            "uid": "",
            "apiGroup": asked.group,
            "apiVersion": asked.version,
            "resourceVersion": "",
            "subresource": asked.subresource,
        }
        if sink is not None:
            self.write("RequestReceived")

    def annotate(self, key: str, value: str) -> None:
        """Add an annotation."""
        self._annotations[key] = value

    def decided(self, allowed: bool, reason: str) -> None:
        """Tell what authorization said."""
        self.annotate("authorization.k8s.io/decision", "allow" if allowed else "forbid")
        self.annotate("authorization.k8s.io/reason", reason)

    def acts_for(self, user: User) -> None:
        """Tell who is impersonated."""
        self._impersonated = user

    def took(self, item: Object) -> None:
        """The object that was sent: completes what the request is about, and is kept where the level says so."""
        metadata = item.get("metadata")
        if isinstance(metadata, dict):
            for key in ("namespace", "name", "uid", "resourceVersion"):
                if not self._object[key] and isinstance(metadata.get(key), str):
                    self._object[key] = metadata[key]
        self.took_patch(item)

    def took_patch(self, value: object) -> None:
        """The patch that was sent: it names nothing."""
        if self.level in ("Request", "RequestResponse"):
            self._bodies["requestObject"] = value

    def answers(self, code: int, told: Object | None) -> None:
        """What is answered: of a `Status` its bounded members, and any object where the level says so."""
        status: Object = {"metadata": {}}
        if told is not None and told.get("kind") == "Status":
            for key in ("status", "message", "reason", "details"):
                if key in told:
                    status[key] = told[key]
        self._status = {**status, "code": code}
        if told is not None and self.level == "RequestResponse":
            self._bodies["responseObject"] = told

    def refused(self, code: int, message: str) -> None:
        """An answer before anybody is known: there is no object, just words."""
        self._status = {"metadata": {}, "message": message, "code": code}

    def write(self, stage: str) -> None:
        """Write the event of a stage, if it is wanted."""
        if self._sink is None or stage in self._omit:
            return
        request = self._request
        event: Object = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": self.level,
            "auditID": self.identity,
            "stage": stage,
            "requestURI": request.target,
            "verb": self._asked.verb,
            "user": _user(self._user),
        }
        if self._impersonated is not None:
            event["impersonatedUser"] = _user(self._impersonated)
        event["sourceIPs"] = [request.peer]
        if agent := _agent(request):
            event["userAgent"] = agent
        if self._asked.resource:
            event["objectRef"] = {key: value for key, value in self._object.items() if value}
        now = self._clock()
        if stage != "RequestReceived":
            if self._status is not None:
                event["responseStatus"] = self._status
            event |= self._bodies
        event["requestReceivedTimestamp"] = micro_time(self._received)
        event["stageTimestamp"] = micro_time(self._received if stage == "RequestReceived" else now)
        if self._annotations:
            event["annotations"] = dict(self._annotations)
        self._sink(event)
