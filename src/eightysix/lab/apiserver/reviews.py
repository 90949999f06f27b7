"""What is created only to be answered: token requests, token reviews, and reviews of who may do what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eightysix.lab.apiserver.audit import second_time
from eightysix.lab.apiserver.catalogue import BUILT_IN, Object, Resource
from eightysix.lab.apiserver.messages import Answer, User, json_answer
from eightysix.lab.apiserver.rbac import Rbac
from eightysix.lab.apiserver.rest import Call, read_body
from eightysix.lab.apiserver.routes import Asked
from eightysix.lab.apiserver.status import bad_request, conflict, invalid, not_found
from eightysix.lab.apiserver.store import Store, Stored
from eightysix.lab.apiserver.tokens import Tokens

__all__ = ["Reviews"]

_PODS, _SECRETS, _NODES, _ACCOUNTS = (
    next(each for each in BUILT_IN if each.group == "" and each.plural == plural)
    for plural in ("pods", "secrets", "nodes", "serviceaccounts")
)
_REQUESTS = Resource("authentication.k8s.io", "v1", "tokenrequests", "TokenRequest", True)
_LEAST_S = 600
_MOST_S = 1 << 32
_USUAL_S = 3600
_ISSUED = "authentication.kubernetes.io/issued-credential-id"


def _part(item: object, name: str) -> Object:
    value = item.get(name) if isinstance(item, dict) else None
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


class Reviews:
    """Answers token requests and reviews."""

    def __init__(self, store: Store, tokens: Tokens, rbac: Rbac, clock: Callable[[], int]) -> None:
        self._store = store
        self._tokens = tokens
        self._rbac = rbac
        self._clock = clock

    def serve(self, call: Call) -> Answer:
        """Answer a review."""
        item = read_body(call.request)
        spec = _part(item, "spec")
        silent = {**spec, "token": ""} if "token" in spec else spec  # no token enters a log
        call.trail.took({**item, "spec": silent} if "spec" in item else item)
        status = {
            "tokenreviews": self._token,
            "subjectaccessreviews": self._subject,
            "localsubjectaccessreviews": self._local,
            "selfsubjectaccessreviews": self._self,
            "selfsubjectrulesreviews": self._rules,
            "selfsubjectreviews": self._who,
        }[call.resource.plural](call, spec)
        answer: Object = {
            "kind": call.resource.kind,
            "apiVersion": call.resource.api_version,
            "metadata": {"creationTimestamp": None},
        }
        if call.resource.plural == "selfsubjectreviews":
            return json_answer(201, {**answer, "status": status})
        made = json_answer(201, {**answer, "spec": spec, "status": status})
        return Answer(201, made.body, told={**answer, "spec": silent, "status": status})

    def _token(self, call: Call, spec: Object) -> Object:
        del call
        audiences = _texts(spec.get("audiences"))
        found = self._tokens.check(_text(spec, "token"), self._clock() // 1_000_000_000, audiences)
        if isinstance(found, str):
            return {"user": {}, "error": f"[invalid bearer token, {found}]"}
        user, meant = found
        return {"authenticated": True, "user": _told(user), "audiences": list(meant)}

    def _who(self, call: Call, spec: Object) -> Object:
        del spec
        return {"userInfo": _told(call.user)}

    def _subject(self, call: Call, spec: Object) -> Object:
        extra = {key: _texts(value) for key, value in _part(spec, "extra").items()}
        user = User(_text(spec, "user"), _text(spec, "uid"), _texts(spec.get("groups")), extra)
        if not user.name and not user.groups:
            text = "Invalid value: at least one of user or group must be specified"
            raise invalid(call.resource, "", [("FieldValueInvalid", text, "spec.user")])
        return self._may(call, user, spec)

    def _local(self, call: Call, spec: Object) -> Object:
        if _text(_part(spec, "resourceAttributes"), "namespace") != call.asked.namespace:
            text = "Invalid value: must match metadata.namespace"
            raise invalid(
                call.resource, "", [("FieldValueInvalid", text, "spec.resourceAttributes.namespace")]
            )
        return self._subject(call, spec)

    def _self(self, call: Call, spec: Object) -> Object:
        return self._may(call, call.user, spec)

    def _may(self, call: Call, user: User, spec: Object) -> Object:
        resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if isinstance(resource, dict) is isinstance(other, dict):
            text = (
                "Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be specified"
            )
            raise invalid(call.resource, "", [("FieldValueInvalid", text, "spec.resourceAttributes")])
        if isinstance(resource, dict):
            asked = Asked(
                _text(resource, "verb"),
                "",
                _text(resource, "group"),
                _text(resource, "version"),
                _text(resource, "resource") or "-",
                _text(resource, "subresource"),
                _text(resource, "namespace"),
                _text(resource, "name"),
            )
        else:
            asked = Asked(
                _text(_part(spec, "nonResourceAttributes"), "verb"),
                _text(_part(spec, "nonResourceAttributes"), "path"),
            )
        decision = self._rbac.decide(user, asked)
        return {"allowed": decision.allowed, **({"reason": decision.reason} if decision.reason else {})}

    def _rules(self, call: Call, spec: Object) -> Object:
        namespace = _text(spec, "namespace")
        if not namespace:
            raise bad_request("no namespace on request")
        rules = self._rbac.rules(call.user, namespace)
        return {
            "resourceRules": [rule.to_object() for rule in rules if not rule.non_resource_urls],
            "nonResourceRules": [rule.to_object() for rule in rules if rule.non_resource_urls],
            "incomplete": False,
        }

    def request_token(self, call: Call) -> Answer:
        """Issue a token of a service account (`serviceaccounts/token`)."""
        item = read_body(call.request)
        call.trail.took(item)
        spec = _part(item, "spec")
        asked = call.asked
        account = self._store.get(_ACCOUNTS, asked.namespace, asked.name)
        if account is None:
            raise not_found(_ACCOUNTS, asked.name)
        seconds = self._seconds(call, spec)
        audiences = _texts(spec.get("audiences"))
        pod, secret, node = self._bound(account, spec.get("boundObjectRef"))
        now = self._clock()
        minted = self._tokens.mint(
            account, seconds, now // 1_000_000_000, audiences=audiences, pod=pod, secret=secret, node=node
        )
        call.trail.annotate(_ISSUED, minted.credential)
        ref = spec.get("boundObjectRef")
        answer: Object = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": account.name,
                "namespace": account.namespace,
                "uid": account.uid,
                "creationTimestamp": second_time(now),
            },
            "spec": {
                "audiences": list(audiences or self._tokens.audiences),
                "expirationSeconds": seconds,
                "boundObjectRef": ref if isinstance(ref, dict) else None,
            },
            "status": {
                "token": minted.token,
                "expirationTimestamp": second_time(now + seconds * 1_000_000_000),
            },
        }
        told = {
            **answer,
            "status": {**answer["status"], "token": ""},
        }  # audit never has the token (request.go omits it)
        made = json_answer(201, answer)
        return Answer(made.status, made.body, told=told)

    def _seconds(self, call: Call, spec: Object) -> int:
        seconds = spec.get("expirationSeconds")
        if seconds is None:
            return _USUAL_S
        if not isinstance(seconds, int) or isinstance(seconds, bool):
            raise bad_request(
                "json: cannot unmarshal into Go struct field TokenRequestSpec.spec.expirationSeconds of type int64"
            )
        field, name = "spec.expirationSeconds", call.asked.name
        request = _REQUESTS
        if seconds < _LEAST_S:
            text = f"Invalid value: {seconds}: may not specify a duration less than 10 minutes"
            raise invalid(request, name, [("FieldValueInvalid", text, field)])
        if seconds > _MOST_S:
            text = f"Invalid value: {seconds}: may not specify a duration larger than 2^32 seconds"
            raise invalid(request, name, [("FieldValueInvalid", text, field)])
        return seconds

    def _bound(self, account: Stored, ref: object) -> tuple[Stored | None, Stored | None, Stored | None]:
        """Pod, secret and node that a token is bound to."""
        if not isinstance(ref, dict):
            return None, None, None
        kind, name, version = _text(ref, "kind"), _text(ref, "name"), _text(ref, "apiVersion")
        resource = {"Pod": _PODS, "Secret": _SECRETS, "Node": _NODES}.get(kind)
        if resource is None or version != "v1":
            raise bad_request(f"cannot bind token to object of type {version}, Kind={kind}")
        bound = self._store.get(resource, account.namespace if resource.namespaced else "", name)
        if bound is None:
            raise not_found(resource, name)
        uid = _text(ref, "uid")
        if uid and uid != bound.uid:
            why = (
                f"the UID in the bound object reference ({uid}) does not match the UID in record. The object might have "
                "been deleted and then recreated"
            )
            raise conflict(resource, name, why)
        if resource is not _PODS:
            return None, bound if resource is _SECRETS else None, bound if resource is _NODES else None
        spec = _part(bound.read(), "spec")
        runs_as = _text(spec, "serviceAccountName")
        if runs_as != account.name:
            raise bad_request(
                f'cannot bind token for serviceaccount "{account.name}" to pod running with different serviceaccount '
                f"name."
            )
        host = _text(spec, "nodeName")
        return bound, None, self._store.get(_NODES, "", host) if host else None


def _told(user: User) -> Object:
    told: Object = {"username": user.name}
    if user.uid:
        told["uid"] = user.uid
    if user.groups:
        told["groups"] = list(user.groups)
    if user.extra:
        told["extra"] = {key: list(values) for key, values in user.extra.items()}
    return told
