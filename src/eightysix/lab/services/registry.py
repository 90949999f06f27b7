"""The registry's door: bearer tokens as an Azure container registry gives them, and the rows that logins, pushes and pulls leave.

Behind it is Debian's docker-registry on a unix socket that no pod sees, or the small registry of the lab. Sources: github.com/
Azure/acr/blob/main/docs/AAD-OAuth.md, distribution.github.io/distribution/spec/auth/token, learn.microsoft.com/azure/
azure-monitor/reference/tables/containerregistryrepositoryevents and containerregistryloginevents.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Callable, Iterable
from urllib.parse import parse_qsl
from uuid import uuid4

from msgspec import Struct

from eightysix.lab.services import rows
from eightysix.lab.services.clock import rfc3339
from eightysix.lab.services.directory import RESOURCE_GROUP, Directory, Principal
from eightysix.lab.services.http import Answer, Request, json_answer
from eightysix.lab.services.roster import Roster
from eightysix.lab.services.tokens import Signer
from eightysix.lab.world import REGISTRY_HOST, SUBSCRIPTION, TENANT

__all__ = ["CALLER", "Backend", "Door", "Target", "target_of"]

CALLER = "x-eightysix-lab-caller"
"""A header by which the run's own pushes tell the address that they stand for; it counts only with the door's own secret."""

Backend = Callable[[Request], Answer]

_AUDIENCES = (
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://containerregistry.azure.net",
)
_NULL_USER = "00000000-0000-0000-0000-000000000000"
_REFRESH_S = 3 * 3600
_ACCESS_S = 75 * 60
_GROUP = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/{RESOURCE_GROUP}"
_REGISTRY_ID = f"{_GROUP}/providers/microsoft.containerregistry/registries/contosoml"
_ACTIONS = {"AcrPull": frozenset({"pull"}), "AcrPush": frozenset({"pull", "push"})}
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-/")
_SCOPES = 16


class Target(Struct, frozen=True):
    """What a path of the distribution API is about: `kind` is `manifests`, `blobs`, `tags`, `catalog` or `base`."""

    kind: str
    repository: str = ""
    reference: str = ""

    def needs(self, method: str) -> str:
        """The action that a token must allow."""
        if self.kind == "base":
            return ""
        if self.kind == "catalog":
            return "*"
        return {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(method, "push")


def target_of(path: str) -> Target | None:
    """What `path` is about; None where it is none of the distribution API."""
    if path in ("/v2", "/v2/"):
        return Target("base")
    if path == "/v2/_catalog":
        return Target("catalog")
    steps = path.removeprefix("/v2/").split("/") if path.startswith("/v2/") else []
    for kind, behind in (
        ("manifests", 1),
        ("tags", 1),
        ("referrers", 1),
        ("blobs", 1),
        ("blobs", 2),
        ("blobs", 3),
    ):
        at = len(steps) - behind - 1
        if at > 0 and steps[at] == kind:
            name = "/".join(steps[:at])
            if len(name) <= 255 and _NAME.issuperset(name) and ".." not in name and all(steps[:at]):
                return Target(kind, name, "/".join(steps[at + 1 :]))
    return None


class _Grant(Struct, frozen=True):
    """What an access token allows: names of repositories with actions."""

    principal: Principal
    token_id: str
    access: dict[str, frozenset[str]]


class Door:
    """Answers for the registry."""

    def __init__(self, directory: Directory, roster: Roster, backend: Backend) -> None:
        self._directory = directory
        self._roster = roster
        self._backend = backend
        self._signer = Signer(directory.clock)
        self.secret = secrets.token_hex(16)

    def __call__(self, request: Request) -> Answer:
        """Answer a request."""
        caller = request.header(CALLER)
        if caller:
            proof, _, address = caller.partition(" ")
            if hmac.compare_digest(proof.encode("latin-1"), self.secret.encode()):
                request = _from(request, address)
        if request.path == "/oauth2/exchange" and request.method == "POST":
            return self._exchange(request)
        if request.path == "/oauth2/token" and request.method in ("GET", "POST"):
            return self._token(request)
        target = target_of(request.path)
        if target is None:
            return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
        return self._serve(request, target)

    def _exchange(self, request: Request) -> Answer:
        """An Entra token for a refresh token of the registry."""
        form = request.form()
        who = self._directory.presented(form.get("access_token", ""), *_AUDIENCES)
        if (
            form.get("grant_type") != "access_token"
            or form.get("service") != _service(request)
            or who is None
        ):
            return self._login(request, None, 401, "")
        token, token_id = self._refresh(who.principal)
        self._login(request, who.principal, 200, token_id, uti=who.uti)
        return json_answer(200, {"refresh_token": token})

    def _refresh(self, who: Principal) -> tuple[str, str]:
        now, token_id = self._directory.clock.now(), str(uuid4())
        claims = {
            "jti": token_id,
            "sub": who.object_id,
            "nbf": now - 900,
            "exp": now + _REFRESH_S,
            "iat": now,
            "iss": "Azure Container Registry",
            "aud": REGISTRY_HOST,
            "version": "1.0",
            "grant_type": "refresh_token",
            "appid": who.client_id,
            "tenant": TENANT,
            "permissions": {
                "Actions": ["read", "write"] if "AcrPush" in who.roles else ["read"],
                "NotActions": None,
            },
            "roles": [],
        }
        return self._signer.sign(claims), token_id

    def _token(self, request: Request) -> Answer:
        """An access token, for a refresh token or for the name and secret of a service principal."""
        post = request.method == "POST"
        text = request.body.decode("utf-8", "replace") if post else request.query
        fields = request.form() if post else request.fields()
        try:
            pairs = parse_qsl(text, max_num_fields=200)
        except ValueError:
            pairs = []
        scopes = [word for name, value in pairs if name == "scope" for word in value.split()]
        user, password = _basic(request)
        if post:
            user = user or fields.get("username", _NULL_USER)
            password = password or fields.get("refresh_token", "") or fields.get("password", "")
        if fields.get("service") != _service(request) or len(scopes) > _SCOPES:
            return self._login(request, None, 400, "")
        who = self._known(user, password)
        if who is None:
            return self._login(request, None, 401, "")
        token, token_id = self._access(who, scopes)
        if user != _NULL_USER:
            self._login(request, who, 200, token_id)
        return json_answer(200, {"access_token": token} if post else {"token": token, "access_token": token})

    def _known(self, user: str, password: str) -> Principal | None:
        if user == _NULL_USER:
            claims = self._signer.check(password)
            if claims is None or claims.get("grant_type") != "refresh_token":
                return None
            return self._directory.principals.get(str(claims.get("appid")))
        who = self._directory.principals.get(user.lower())
        if who is None or not who.secret or not hmac.compare_digest(password.encode(), who.secret.encode()):
            return None
        return who

    def _access(self, who: Principal, scopes: Iterable[str]) -> tuple[str, str]:
        """A token for those of `scopes` that the roles of `who` allow; what they do not allow is left out in silence, as
        the token specification says."""
        allowed: set[str] = set()
        for role in who.roles:
            allowed |= _ACTIONS.get(role, frozenset())
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, wanted = rest.rpartition(":")
            actions = sorted({*wanted.split(",")} & allowed)
            if kind == "registry" and name == "catalog" and "pull" in allowed:
                actions = ["*"]
            if kind in ("repository", "registry") and actions and _NAME.issuperset(name):
                access.append({"type": kind, "name": name, "actions": actions})
        now, token_id = self._directory.clock.now(), str(uuid4())
        claims = {
            "jti": token_id,
            "sub": who.object_id,
            "nbf": now - 900,
            "exp": now + _ACCESS_S,
            "iat": now,
            "iss": "Azure Container Registry",
            "aud": REGISTRY_HOST,
            "version": "1.0",
            "grant_type": "access_token",
            "appid": who.client_id,
            "access": access,
            "roles": [],
        }
        return self._signer.sign(claims), token_id

    def _granted(self, request: Request) -> _Grant | None:
        claims = self._signer.check(request.bearer())
        if claims is None or claims.get("grant_type") != "access_token":
            return None
        who = self._directory.principals.get(str(claims.get("appid")))
        listed = claims.get("access")
        if who is None or not isinstance(listed, list):
            return None
        access = {str(each["name"]): frozenset(map(str, each["actions"])) for each in listed}
        return _Grant(who, str(claims.get("jti")), access)

    def _serve(self, request: Request, target: Target) -> Answer:
        grant = self._granted(request)
        needs = target.needs(request.method)
        name = "catalog" if target.kind == "catalog" else target.repository
        if grant is None or (needs and needs not in grant.access.get(name, frozenset())):
            return _challenge(request, target, needs, known=grant is not None)
        source = request.fields().get("from")
        if source and "pull" not in grant.access.get(source, frozenset()):
            return _challenge(request, Target("blobs", source), "pull", known=True)
        answer = self._backend(request)
        if target.kind == "manifests" and answer.status in (200, 201):
            self._happened(request, target, grant, answer)
        return answer

    def _happened(self, request: Request, target: Target, grant: _Grant, answer: Answer) -> None:
        """A manifest was pushed or pulled."""
        operation = {"PUT": "Push", "GET": "Pull"}.get(request.method)
        if operation is None:
            return
        told = {name.lower(): value for name, value in answer.headers}
        by_digest = ":" in target.reference
        digest = told.get("docker-content-digest", target.reference if by_digest else "")
        manifest = request.body if operation == "Push" else answer.body
        media = request.header("content-type") if operation == "Push" else answer.content_type
        self._row(
            "ContainerRegistryRepositoryEvents",
            request,
            OperationName=operation,
            Repository=target.repository,
            Tag="" if by_digest else target.reference[:128],
            Digest=digest,
            MediaType=media[:128],
            Size=len(manifest),
            Identity=grant.principal.object_id,
            UserTenantId=TENANT,
            ResultDescription=str(answer.status),
        )
        self._directory.record.mark(
            f"registry-{operation.lower()}",
            repository=target.repository,
            tag="" if by_digest else target.reference[:128],
            digest=digest,
            identity=grant.principal.object_id,
            name=grant.principal.name,
            peer=request.peer,
            port=request.port,
            pod=self._roster.name_at(request.peer),
            user_agent=request.header("user-agent")[:256],
        )

    def _login(
        self, request: Request, who: Principal | None, status: int, token_id: str, *, uti: str = ""
    ) -> Answer:
        """Tell of a login; the answer to one that failed."""
        self._row(
            "ContainerRegistryLoginEvents",
            request,
            OperationName="Login",
            Identity=who.object_id if who else "",
            JwtId=token_id,
            ResultDescription=str(status),
        )
        self._directory.record.mark(
            "registry-login",
            identity=who.object_id if who else "",
            status=status,
            uti=uti,
            peer=request.peer,
            port=request.port,
            pod=self._roster.name_at(request.peer),
        )
        return _error(
            status,
            "UNAUTHORIZED",
            "authentication required, visit https://aka.ms/acr/authorization for more information.",
        )

    def _row(self, table: str, request: Request, **values: object) -> None:
        shared: dict[str, object] = {
            "TenantId": rows.WORKSPACE,
            "SourceSystem": "Azure",
            "TimeGenerated": rfc3339(self._directory.clock.now_ns()),
            "LoginServer": REGISTRY_HOST,
            "Region": "westeurope",
            "CorrelationId": str(uuid4()),
            "ResultType": "HttpStatusCode",
            "Category": table,
            "CallerIpAddress": request.peer,
            "DurationMs": "0",
            "UserAgent": request.header("user-agent")[:256],
            "_ResourceId": _REGISTRY_ID,
            "_SubscriptionId": SUBSCRIPTION,
        }
        self._directory.record.telemetry("registry.jsonl", rows.row(table, {**shared, **values}))


def _from(request: Request, address: str) -> Request:
    return Request(
        request.method,
        request.path,
        request.query,
        tuple((name, value) for name, value in request.headers if name != CALLER),
        request.body,
        address,
        0,
        request.secure,
    )


def _service(request: Request) -> str:
    """What the registry calls itself to this client: by its name, or as a test asked for it."""
    host = request.header("host")
    return host if _is_host(host) else REGISTRY_HOST


def _is_host(text: str) -> bool:
    return (
        0 < len(text) <= 255
        and all(letter.isalnum() or letter in ".-:" for letter in text)
        and text.isascii()
    )


def _basic(request: Request) -> tuple[str, str]:
    kind, _, text = request.header("authorization").partition(" ")
    if kind.lower() != "basic" or len(text) > 32 << 10:
        return "", ""
    try:
        user, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return user, password


def _challenge(request: Request, target: Target, needs: str, *, known: bool) -> Answer:
    """401 with what to ask for and where, as the token specification says; a token that is too narrow gets it too."""
    host = _service(request)
    scheme = "https" if request.secure else "http"
    told = f'Bearer realm="{scheme}://{host}/oauth2/token",service="{host}"'
    detail: list[dict[str, str]] = []
    if needs:
        kind, name = (
            ("registry", "catalog") if target.kind == "catalog" else ("repository", target.repository)
        )
        action = "pull,push" if needs == "push" else needs
        told += f',scope="{kind}:{name}:{action}"'
        detail = [{"Type": kind, "Name": name, "Action": needs}]
    if known:
        told += ',error="insufficient_scope"'
    error = {"code": "UNAUTHORIZED", "message": "authentication required", "detail": detail}
    return json_answer(401, {"errors": [error]}, (("www-authenticate", told), _API))


_API = ("docker-distribution-api-version", "registry/2.0")


def _error(status: int, code: str, why: str) -> Answer:
    return json_answer(status, {"errors": [{"code": code, "message": why}]}, (_API,))
