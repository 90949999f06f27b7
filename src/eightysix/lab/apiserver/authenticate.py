"""Who asks: client certificates, service account tokens, the operator's static tokens, nobody; and for whom they ask."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from eightysix.lab.apiserver.catalogue import BUILT_IN, Resource
from eightysix.lab.apiserver.messages import Request, User
from eightysix.lab.apiserver.rbac import Rbac
from eightysix.lab.apiserver.routes import Asked
from eightysix.lab.apiserver.status import ApiError, bad_request, forbidden
from eightysix.lab.apiserver.tokens import Tokens

__all__ = ["ANONYMOUS", "Authenticator", "attempted", "impersonated", "refusal"]

_AUTHENTICATED = "system:authenticated"
_UNAUTHENTICATED = "system:unauthenticated"
ANONYMOUS = User("system:anonymous", "", (_UNAUTHENTICATED,))
"""Who has no credentials."""

_ACCOUNT = "system:serviceaccount:"
_EXTRA = "impersonate-extra-"
_MOST_GROUPS = 256


class Authenticator:
    """Knows who a request comes from."""

    def __init__(self, tokens: Tokens, static: Mapping[str, User], clock: Callable[[], int]) -> None:
        self._tokens = tokens
        self._static = {hashlib.sha256(token.encode()).digest(): user for token, user in static.items()}
        self._clock = clock

    def identify(self, request: Request) -> User | None:
        """Who it is; None where credentials are offered and are no good (401)."""
        if request.user is not None:
            return request.user
        if request.certificate:
            return _certified(request)
        scheme, _, token = request.header("authorization").strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return ANONYMOUS
        digest = hashlib.sha256(token.encode("latin-1", "replace")).digest()
        for each, user in self._static.items():
            if hmac.compare_digest(each, digest):
                return _with_groups(user, (_AUTHENTICATED,))
        found = self._tokens.check(token, self._clock() // 1_000_000_000)
        return None if isinstance(found, str) else found[0]


def _certified(request: Request) -> User:
    """Common name and organizations of a certificate that TLS has verified."""
    names = [value for kind, value in request.subject if kind == "commonName"]
    groups = tuple(value for kind, value in request.subject if kind == "organizationName")
    digest = hashlib.sha256(request.certificate).hexdigest()
    extra = {"authentication.kubernetes.io/credential-id": (f"X509SHA256={digest}",)}
    return User(names[-1] if names else "", "", (*groups, _AUTHENTICATED), extra)


def _with_groups(user: User, groups: tuple[str, ...]) -> User:
    return User(user.name, user.uid, tuple(dict.fromkeys((*user.groups, *groups))), user.extra)


def attempted(request: Request) -> str:
    """What the audit says of credentials that were refused (apiserver's filters/authn_audit.go)."""
    methods = []
    words = request.header("authorization").strip().split(" ")
    if words[0].lower() == "basic" and len(words) > 1:
        methods.append("basic")
    if words[0].lower() == "bearer" and len(words) > 1:
        methods.append("bearer")
    if request.certificate:
        methods.append("x509")
    if methods:
        return "Authentication failed, attempted: " + ", ".join(methods)
    return "Authentication failed, no credentials provided"


def refusal(user: User, asked: Asked, resource: Resource | None, reason: str) -> ApiError:
    """403, with the words of apiserver's handlers/responsewriters/errors.go."""
    if not asked.resource or resource is None and not asked.version:
        message = f'forbidden: User "{user.name}" cannot {asked.verb} path "{asked.path}"'
        return ApiError(403, "Forbidden", message + (f": {reason}" if reason else ""), {})
    of = resource or Resource(asked.group, asked.version, asked.resource, "", bool(asked.namespace))
    what = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    text = f'User "{user.name}" cannot {asked.verb} resource "{what}" in API group "{asked.group}" {where}'
    return forbidden(of, asked.name, text + (f": {reason}" if reason else ""))


def impersonated(request: Request, user: User, rbac: Rbac) -> User | None:
    """Whom `user` asks for (headers `Impersonate-*`), None where for himself. Raises where he may not."""
    name = request.header("impersonate-user")
    groups = request.all("impersonate-group")
    uid = request.header("impersonate-uid")
    extras = [
        (unquote(key[len(_EXTRA) :]), value) for key, value in request.headers if key.startswith(_EXTRA)
    ]
    if not name and not groups and not uid and not extras:
        return None
    if not name:
        raise ApiError(500, "InternalError", "requested impersonation without impersonating a user", {})
    if len(groups) + len(extras) > _MOST_GROUPS:
        raise bad_request("too many groups to impersonate")
    account = name[len(_ACCOUNT) :].partition(":") if name.startswith(_ACCOUNT) else ("", "", "")
    if account[2]:
        _must(rbac, user, "", "serviceaccounts", account[2], account[0])
    else:
        _must(rbac, user, "", "users", name)
    for group in groups:
        _must(rbac, user, "", "groups", group)
    extra: dict[str, tuple[str, ...]] = {}
    for key, value in extras:
        _must(rbac, user, "authentication.k8s.io", "userextras", value, subresource=key)
        extra[key] = (*extra.get(key, ()), value)
    if uid:
        _must(rbac, user, "authentication.k8s.io", "uids", uid)
    if account[2] and not groups:
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{account[0]}"]
    if name == ANONYMOUS.name:
        groups = [*groups, _UNAUTHENTICATED]
    elif _AUTHENTICATED not in groups and _UNAUTHENTICATED not in groups:
        groups = [*groups, _AUTHENTICATED]
    return User(name, uid, tuple(dict.fromkeys(groups)), extra)


def _must(
    rbac: Rbac, user: User, group: str, resource: str, name: str, namespace: str = "", subresource: str = ""
) -> None:
    asked = Asked("impersonate", "", group, "v1", resource, subresource, namespace, name)
    decision = rbac.decide(user, asked)
    if not decision.allowed:
        known = next((each for each in BUILT_IN if (each.group, each.plural) == (group, resource)), None)
        raise refusal(user, asked, known, decision.reason)
