"""What the API server says when it refuses: `Status` objects with the words of kube-apiserver.

Shapes and words: kubernetes.io/docs/reference/kubernetes-api/common-definitions/status, apimachinery's
`pkg/api/errors/errors.go`; checked against answers of a kube-apiserver 1.20.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eightysix.lab.apiserver.catalogue import Object, Resource

__all__ = [
    "ApiError",
    "already_exists",
    "bad_request",
    "conflict",
    "expired",
    "forbidden",
    "internal",
    "invalid",
    "not_found",
    "refused_method",
    "success",
]


class ApiError(Exception):
    """A refusal: `status()` is the object that the client reads."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Mapping[str, object] | None = None,
        more: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = dict(details) if details is not None else None
        self.more = more
        """A continue token that goes on in spite of it: only a list that expired has one."""

    def status(self) -> Object:
        """The `Status`."""
        found: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.more} if self.more else {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            found["reason"] = self.reason
        if self.details is not None:
            found["details"] = self.details
        found["code"] = self.code
        return found


def _details(resource: Resource, name: str) -> dict[str, object]:
    found: dict[str, object] = {"name": name} if name else {}
    if resource.group:
        found["group"] = resource.group
    found["kind"] = resource.plural
    return found


def not_found(resource: Resource, name: str) -> ApiError:
    """404: no such object."""
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', _details(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    """409: the name is taken."""
    return ApiError(
        409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', _details(resource, name)
    )


def conflict(resource: Resource, name: str, why: str = "") -> ApiError:
    """409: the object is not as the client thinks."""
    why = why or (
        "the object has been modified; please apply your changes to the latest version and try again"
    )
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(resource, name))


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    """403."""
    subject = f'{resource.qualified} "{name}"' if name else resource.qualified
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", _details(resource, name))


def invalid(resource: Resource, name: str, causes: Sequence[tuple[str, str, str]]) -> ApiError:
    """422. `causes` are (reason, message, field)."""
    told = [{"reason": reason, "message": text, "field": field} for reason, text, field in causes]
    texts = [f"{field}: {text}" for _, text, field in causes]
    message = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details: dict[str, object] = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    details |= {"kind": resource.kind, "causes": told}
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {message}', details)


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, "BadRequest", message)


def expired(message: str, more: str = "") -> ApiError:
    """410: what the client continues from is no longer held."""
    return ApiError(410, "Expired", message, None, more)


def internal(message: str) -> ApiError:
    """500."""
    text = f"Internal error occurred: {message}"
    return ApiError(500, "InternalError", text, {"causes": [{"message": message}]})


def refused_method() -> ApiError:
    """405."""
    text = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", text, {})


def success(resource: Resource, name: str, uid: str) -> Object:
    """What a deletion answers when the object is gone."""
    details = {**_details(resource, name), "uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
