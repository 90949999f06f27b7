"""Entra ID's login endpoint: discovery, and tokens for a client secret or for a federated assertion.

Sources: learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow, learn.microsoft.com/entra/
workload-id/workload-identity-federation, learn.microsoft.com/entra/identity-platform/reference-error-codes, and what
azure-identity with msal asks for (OpenID configuration, instance discovery).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from uuid import uuid4

from eightysix.lab.services.clock import rfc3339
from eightysix.lab.services.directory import Directory, Principal, resource_of
from eightysix.lab.services.http import Answer, Request, json_answer
from eightysix.lab.services.roster import Roster
from eightysix.lab.world import LOGIN_HOST, TENANT

__all__ = ["EXCHANGE_AUDIENCE", "Federation", "Login"]

EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
"""Audience of a projected service account token that Entra exchanges."""
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ANY_TENANT = frozenset({"common", "organizations"})

Federation = Callable[[str], str | None]
"""The subject of a service account token that is good now and meant for `EXCHANGE_AUDIENCE`; None for any other."""


class _Refused(Exception):  # noqa: N818 - an answer, not a fault
    """An error that is answered, and told of in a sign-in's row."""

    def __init__(self, status: int, error: str, code: int, why: str) -> None:
        super().__init__(why)
        self.status, self.error, self.code, self.why = status, error, code, why


class Login:
    """Answers for `login.microsoftonline.com`."""

    def __init__(self, directory: Directory, roster: Roster, federation: Federation | None = None) -> None:
        self._directory = directory
        self._roster = roster
        self._federation = federation

    def __call__(self, request: Request) -> Answer:
        """Answer a request."""
        tenant, _, rest = request.path.strip("/").partition("/")
        tenant, rest = tenant.lower(), rest.lower()
        if rest in ("oauth2/v2.0/token", "oauth2/token"):
            if request.method != "POST":
                return json_answer(405, {"message": "The requested resource does not support this method."})
            return self._token(request, tenant, versioned=rest == "oauth2/v2.0/token")
        if request.method != "GET":
            return Answer(404)
        if rest == "discovery/instance":
            return json_answer(200, _instances(tenant))
        if tenant != TENANT and tenant not in _ANY_TENANT:
            return self._refuse(_no_tenant(tenant))
        if rest in ("v2.0/.well-known/openid-configuration", ".well-known/openid-configuration"):
            return json_answer(200, _configuration(request, tenant, v2=rest.startswith("v2.0")))
        if rest in ("discovery/v2.0/keys", "discovery/keys"):
            return json_answer(200, {"keys": [self._directory.signer.jwk]})
        return Answer(404)

    def _token(self, request: Request, tenant: str, *, versioned: bool) -> Answer:
        """A token by the client credentials grant."""
        form = request.form()
        who: Principal | None = None
        how = "federated" if "client_assertion" in form else "secret"
        audience = ""
        try:
            if tenant != TENANT:
                raise _no_tenant(tenant)
            who = self._who(form)
            audience = _audience(form, versioned=versioned)
            self._prove(who, form)
        except _Refused as refused:
            resource = resource_of(audience)
            if who is not None and resource is not None:
                self._directory.sign_in(
                    who,
                    resource,
                    how=how,
                    address=request.peer,
                    agent=_agent(request),
                    error=refused.code,
                    why=refused.why,
                )
            self._directory.record.mark(
                "entra-refused",
                error=refused.code,
                client_id=who.client_id if who else "",
                peer=request.peer,
                port=request.port,
            )
            return self._refuse(refused)
        return self._issue(request, who, audience, how, versioned=versioned)

    def _issue(self, request: Request, who: Principal, audience: str, how: str, *, versioned: bool) -> Answer:
        resource = resource_of(audience)
        if resource is None:
            raise AssertionError(audience)  # `_audience` let only known ones through
        issued = self._directory.issue(who, audience, how=how)
        agent = _agent(request)
        self._directory.sign_in(who, resource, how=how, uti=issued.uti, address=request.peer, agent=agent)
        self._directory.record.mark(
            "entra-token",
            uti=issued.uti,
            client_id=who.client_id,
            grant=how,
            scope=audience,
            peer=request.peer,
            port=request.port,
            pod=self._roster.name_at(request.peer),
            user_agent=agent,
        )
        seconds = issued.ends - self._directory.clock.now()
        answer: dict[str, object] = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds}
        if not versioned:
            answer = {name: str(value) for name, value in answer.items()}
            answer |= {"expires_on": str(issued.ends), "not_before": str(issued.starts), "resource": audience}
        return json_answer(200, answer | {"access_token": issued.token}, _NO_STORE)

    def _who(self, form: Mapping[str, str]) -> Principal:
        if form.get("grant_type") != "client_credentials":
            why = "The app requested an unsupported grant type."
            raise _Refused(400, "unsupported_grant_type", 70003, why)
        asked = form.get("client_id", "").lower()
        if not asked:
            why = "The request body must contain the following parameter: 'client_id'."
            raise _Refused(400, "invalid_request", 900144, why)
        who = self._directory.principals.get(asked)
        if who is None:
            why = (
                f"Application with identifier '{asked[:64]}' was not found in the directory 'Contoso'. This can happen if "
                "the application has not been installed by the administrator of the tenant or consented to by any user "
                "in the tenant. You may have sent your authentication request to the wrong tenant."
            )
            raise _Refused(400, "unauthorized_client", 700016, why)
        return who

    def _prove(self, who: Principal, form: Mapping[str, str]) -> None:
        """Refuse whoever is not `who`."""
        if "client_assertion" in form:
            token = form["client_assertion"]
            subject = self._federation(token) if self._federation is not None else None
            if form.get("client_assertion_type") != _ASSERTION or subject is None:
                why = "Client assertion is not within its valid time range, is malformed, or its signature is invalid."
                raise _Refused(401, "invalid_client", 700027, why)
            if not who.subject or subject != who.subject:
                why = f"No matching federated identity record found for presented assertion subject '{subject[:256]}'."
                raise _Refused(401, "invalid_client", 700213, why)
            return
        given = form.get("client_secret", "")
        if not given:
            why = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise _Refused(401, "invalid_client", 7000218, why)
        if not who.secret or not hmac.compare_digest(given.encode(), who.secret.encode()):
            why = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
                f"not the client secret ID, for a secret added to app '{who.client_id}'."
            )
            raise _Refused(401, "invalid_client", 7000215, why)

    def _refuse(self, refused: _Refused) -> Answer:
        stamp = rfc3339(self._directory.clock.now_ns(), 0).replace("T", " ").replace(".Z", "Z")
        trace, correlation = str(uuid4()), str(uuid4())
        why = (
            f"AADSTS{refused.code}: {refused.why} "
            f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
        )
        answer = {
            "error": refused.error,
            "error_description": why,
            "error_codes": [refused.code],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://{LOGIN_HOST}/error?code={refused.code}",
        }
        return json_answer(refused.status, answer, _NO_STORE)


_NO_STORE = (("cache-control", "no-store, no-cache"), ("pragma", "no-cache"))


def _agent(request: Request) -> str:
    return request.header("user-agent")[:256]


def _audience(form: Mapping[str, str], *, versioned: bool) -> str:
    """What a token is asked for: `scope` with `/.default` in v2.0, `resource` before."""
    if versioned:
        scope = form.get("scope", "")
        words = [word for word in scope.split() if word not in ("openid", "profile", "offline_access")]
        if len(words) != 1 or not words[0].endswith("/.default"):
            why = (
                f"The provided value for scope {scope[:256]} is not valid. Client credential flows must have a scope value "
                "with /.default suffixed to the resource identifier (application ID URI)."
            )
            raise _Refused(400, "invalid_scope", 1002012, why)
        audience = words[0].removesuffix("/.default")
    else:
        audience = form.get("resource", "")
    if resource_of(audience) is None:
        why = f"The resource principal named {audience[:256]} was not found in the tenant named {TENANT}."
        raise _Refused(400, "invalid_resource", 500011, why)
    return audience


def _no_tenant(tenant: str) -> _Refused:
    why = f"Tenant '{tenant[:64]}' not found. Check to make sure you have the correct tenant ID."
    return _Refused(400, "invalid_tenant", 90002, why)


def _instances(tenant: str) -> dict[str, object]:
    preferred = "login.windows.net"
    return {
        "tenant_discovery_endpoint": f"https://{LOGIN_HOST}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [
            {
                "preferred_network": LOGIN_HOST,
                "preferred_cache": preferred,
                "aliases": [LOGIN_HOST, preferred, "login.microsoft.com", "sts.windows.net"],
            }
        ],
    }


def _configuration(request: Request, tenant: str, *, v2: bool) -> dict[str, object]:
    """As the real one, but for its size; under the host and port that were asked, so that a test may use another."""
    host = request.header("host")
    scheme = "https" if request.secure else "http"
    root = f"{scheme}://{host}/{tenant}" if _is_host(host) else f"https://{LOGIN_HOST}/{tenant}"
    middle = "/v2.0" if v2 else ""
    issuer = f"https://{LOGIN_HOST}/{TENANT}/v2.0" if v2 else f"https://sts.windows.net/{TENANT}/"
    return {
        "token_endpoint": f"{root}/oauth2{middle}/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "jwks_uri": f"{root}/discovery{middle}/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer,
        "request_uri_parameter_supported": False,
        "authorization_endpoint": f"{root}/oauth2{middle}/authorize",
        "device_authorization_endpoint": f"{root}/oauth2{middle}/devicecode",
        "http_logout_supported": True,
        "end_session_endpoint": f"{root}/oauth2{middle}/logout",
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }


def _is_host(text: str) -> bool:
    return 0 < len(text) <= 255 and all(letter.isalnum() or letter in ".-:" for letter in text)
