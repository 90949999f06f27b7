"""The way of a request: who asks, for whom, what, whether that is allowed, the answer, and the audit of all of it.

In the order of kube-apiserver's handler chain (authentication, audit, impersonation, authorization, the resource), so
that what is refused leaves the same trail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eightysix.lab.apiserver.audit import Policy, Trail
from eightysix.lab.apiserver.authenticate import Authenticator, attempted, impersonated, refusal
from eightysix.lab.apiserver.catalogue import Catalogue, Object
from eightysix.lab.apiserver.discovery import Discovery
from eightysix.lab.apiserver.messages import Answer, Request, Stream, User, as_json
from eightysix.lab.apiserver.rbac import Rbac
from eightysix.lab.apiserver.rest import Call, Rest
from eightysix.lab.apiserver.reviews import Reviews
from eightysix.lab.apiserver.routes import Asked, asked_of
from eightysix.lab.apiserver.status import ApiError, bad_request, internal, refused_method
from eightysix.lab.apiserver.store import Full, Store
from eightysix.lab.apiserver.subresources import Subresources
from eightysix.lab.apiserver.watching import watch

__all__ = ["Handler"]

_OF_OBJECTS = frozenset({"", "status", "finalize", "ephemeralcontainers", "approval"})


class Handler:
    """Answers requests."""

    def __init__(
        self,
        *,
        store: Store,
        catalogue: Catalogue,
        authenticator: Authenticator,
        rbac: Rbac,
        rest: Rest,
        reviews: Reviews,
        discovery: Discovery,
        subresources: Subresources,
        policy: Policy,
        audit: Callable[[Object], None] | None,
        clock: Callable[[], int],
        bookmark_s: float,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._authenticator = authenticator
        self._rbac = rbac
        self._rest = rest
        self._reviews = reviews
        self._discovery = discovery
        self._subresources = subresources
        self._policy = policy
        self._audit = audit
        self._clock = clock
        self._bookmark_s = bookmark_s

    def __call__(self, request: Request) -> Answer:
        """Answer a request, whatever it is."""
        asked = asked_of(request)
        user = self._authenticator.identify(request)
        trail = Trail(request, asked, user, self._policy, self._audit, self._clock)
        if user is None:
            return self._unknown(request, trail)
        try:
            answer = self._answer(request, asked, user, trail)
        except ApiError as error:
            answer = Answer(error.code, as_json(error.status()), told=error.status())
        except Full as error:
            refused = ApiError(500, "", str(error)).status()
            answer = Answer(500, as_json(refused), told=refused)
        except RecursionError:
            refused = bad_request("the object is nested too deeply").status()
            answer = Answer(400, as_json(refused), told=refused)
        except Exception as error:  # noqa: BLE001 - the boundary: one request that we fail at must not end the others
            return self._panicked(error, trail)
        return self._told(answer, asked, trail)

    def _unknown(self, request: Request, trail: Trail) -> Answer:
        error = ApiError(401, "Unauthorized", "Unauthorized").status()
        trail.refused(401, attempted(request))
        trail.write("ResponseStarted" if self._audit is None else "ResponseComplete")
        return Answer(401, as_json(error), headers=_headers(trail))

    def _panicked(self, error: Exception, trail: Trail) -> Answer:
        told = internal(f"{type(error).__name__}").status()
        trail.answers(500, {**told, "message": f"APIServer panic'd: {type(error).__name__}", "details": {}})
        trail.write("Panic")
        return Answer(500, as_json(told), headers=_headers(trail))

    def _told(self, answer: Answer, asked: Asked, trail: Trail) -> Answer:
        """`answer` with its headers, audited: at once, or when its stream ends."""
        code = 101 if answer.stream is not None and answer.stream.upgrade else answer.status
        trail.answers(code, answer.told)
        headers = (*_headers(trail), *answer.headers)
        if answer.stream is None:
            if asked.is_long:
                trail.write("ResponseStarted")
            trail.write("ResponseComplete")
            return Answer(answer.status, answer.body, answer.content_type, headers)
        trail.write("ResponseStarted")
        stream = _audited(answer.stream, trail)
        return Answer(answer.status, b"", answer.content_type, headers, stream)

    def _answer(self, request: Request, asked: Asked, user: User, trail: Trail) -> Answer:
        other = impersonated(request, user, self._rbac)
        if other is not None:
            trail.acts_for(other)
            user = other
        decision = self._rbac.decide(user, asked)
        trail.decided(decision.allowed, decision.reason)
        resource = self._catalogue.find(asked.group, asked.version, asked.resource)
        if not decision.allowed:
            raise refusal(user, asked, resource, decision.reason)
        if not asked.resource:
            if request.method not in ("GET", "HEAD"):
                raise refused_method()
            return self._discovery.serve(request)
        versions = self._catalogue.versions().get(asked.group, {})
        if asked.version not in versions:
            return Answer(404, b"404 page not found\n", "text/plain; charset=utf-8")
        if resource is None or (asked.subresource and asked.subresource not in resource.subresources):
            raise ApiError(404, "NotFound", "the server could not find the requested resource", {})
        call = Call(request, asked, resource, user, trail, request.query())
        return self._served(call)

    def _served(self, call: Call) -> Answer:
        asked, resource = call.asked, call.resource
        if resource.verbs == ("create",):
            if asked.verb != "create" or asked.name:
                raise refused_method()
            return self._reviews.serve(call)
        if asked.subresource == "token" and asked.verb == "create":
            return self._reviews.request_token(call)
        if asked.subresource not in _OF_OBJECTS:
            return self._subresources.serve(call)
        if asked.subresource and asked.verb not in ("get", "update", "patch"):
            raise refused_method()
        if asked.verb == "watch":
            return watch(call, self._store, self._bookmark_s, self._clock)
        return self._rest.serve(call)


def _headers(trail: Trail) -> tuple[tuple[str, str], ...]:
    identity = "".join(letter for letter in trail.identity if letter.isascii() and letter.isprintable())
    return (("audit-id", identity), ("cache-control", "no-cache, private"))


def _audited(stream: Stream, trail: Trail) -> Stream:
    """`stream`, with the event of its end."""

    def chunks() -> Iterator[bytes]:
        try:
            yield from stream.chunks
        finally:
            trail.write("ResponseComplete")

    talk = stream.talk
    if talk is None:
        return Stream(chunks())

    def talked(receive: Callable[[float], bytes], send: Callable[[bytes], None]) -> None:
        try:
            talk(receive, send)
        finally:
            trail.write("ResponseComplete")

    return Stream(iter(()), stream.upgrade, talked)
