"""Bodies in protobuf, which kubectl and client-go send since 1.34: those of the kinds that they write by type.

The envelope is `k8s\\0` and a `runtime.Unknown`; numbers of fields are those of k8s.io/api's `generated.proto` files. What is
not listed here is left out of the object, so kinds are listed whole or not at all: reviews, token requests, namespaces,
accounts, maps, secrets, RBAC. Any other is refused (415), and answers are JSON always, as clients accept.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeAlias

from msgspec import Struct

from eightysix.lab.apiserver.catalogue import Object

__all__ = ["Unreadable", "decode"]

_MAGIC = b"k8s\x00"
_DEEPEST = 32
_LATEST = 253_402_300_799  # the last second of the year 9999


class Unreadable(ValueError):  # noqa: N818 - what it is
    """The bytes are no message, or of a kind that is not known here."""


class _Message(Struct, frozen=True):
    """Fields by number: name, how the value is read, and whether it repeats."""

    fields: Mapping[int, tuple[str, _Reader, bool]]


_Reader: TypeAlias = "str | _Message"
"""`text`, `bytes`, `bool`, `number`, `time`, `texts` (a map of text to text), `blobs` (of text to bytes), `lists` (of text to
lists of text), or a message."""


def _message(text: str, **messages: _Message) -> _Message:
    """Words of `number:name` or `number:name:reader`; a `*` behind means that the field repeats."""
    fields: dict[int, tuple[str, _Reader, bool]] = {}
    for word in text.split():
        number, name, *reader = word.removesuffix("*").split(":")
        kind = reader[0] if reader else "text"
        fields[int(number)] = (name, messages.get(kind, kind), word.endswith("*"))
    return _Message(fields)


_TYPE = _message("1:apiVersion 2:kind")
_UNKNOWN = _message("1:typeMeta:type 2:raw:bytes 3:contentEncoding 4:contentType", type=_TYPE)
_OWNER = _message("1:kind 3:name 4:uid 5:apiVersion 6:controller:bool 7:blockOwnerDeletion:bool")
_META = _message(
    "1:name 2:generateName 3:namespace 4:selfLink 5:uid 6:resourceVersion 7:generation:number 8:creationTimestamp:time "
    "9:deletionTimestamp:time 10:deletionGracePeriodSeconds:number 11:labels:texts 12:annotations:texts "
    "13:ownerReferences:owner* 14:finalizers*",
    owner=_OWNER,
)
_REFERENCE = _message("1:kind 2:namespace 3:name 4:uid 5:apiVersion 6:resourceVersion 7:fieldPath")
_RULE = _message("1:verbs* 2:apiGroups* 3:resources* 4:resourceNames* 5:nonResourceURLs*")
_SUBJECT = _message("1:kind 2:apiGroup 3:name 4:namespace")
_ROLE_REF = _message("1:apiGroup 2:kind 3:name")
_LABELS = _message(
    "1:matchLabels:texts 2:matchExpressions:expression*", expression=_message("1:key 2:operator 3:values*")
)
_RESOURCE = _message("1:namespace 2:verb 3:group 4:version 5:resource 6:subresource 7:name")
_PATH = _message("1:path 2:verb")
_MAY = "1:resourceAttributes:resource 2:nonResourceAttributes:path"
_SUBJECT_REVIEW = _message(f"{_MAY} 3:user 4:groups* 5:extra:lists 6:uid", resource=_RESOURCE, path=_PATH)
_SELF_REVIEW = _message(_MAY, resource=_RESOURCE, path=_PATH)
_BOUND = _message("1:kind 2:apiVersion 3:name 4:uid")
_BINDING = _message(
    "1:metadata:meta 2:subjects:subject* 3:roleRef:ref", meta=_META, subject=_SUBJECT, ref=_ROLE_REF
)


def _spec(text: str, **messages: _Message) -> _Message:
    return _message("1:metadata:meta 2:spec:spec", meta=_META, spec=_message(text, **messages))


_AUTHENTICATION, _AUTHORIZATION = "authentication.k8s.io/v1", "authorization.k8s.io/v1"
_RBAC = "rbac.authorization.k8s.io/v1"
_KINDS: Mapping[tuple[str, str], _Message] = {
    ("v1", "Namespace"): _spec("1:finalizers*"),
    ("v1", "ServiceAccount"): _message(
        "1:metadata:meta 2:secrets:reference* 3:imagePullSecrets:name* 4:automountServiceAccountToken:bool",
        meta=_META,
        reference=_REFERENCE,
        name=_message("1:name"),
    ),
    ("v1", "ConfigMap"): _message(
        "1:metadata:meta 2:data:texts 3:binaryData:blobs 4:immutable:bool", meta=_META
    ),
    ("v1", "Secret"): _message(
        "1:metadata:meta 2:data:blobs 3:type 4:stringData:texts 5:immutable:bool", meta=_META
    ),
    (_AUTHENTICATION, "TokenRequest"): _spec(
        "1:audiences* 3:boundObjectRef:ref 4:expirationSeconds:number", ref=_BOUND
    ),
    (_AUTHENTICATION, "TokenReview"): _spec("1:token 2:audiences*"),
    (_AUTHENTICATION, "SelfSubjectReview"): _message("1:metadata:meta", meta=_META),
    (_AUTHORIZATION, "SubjectAccessReview"): _message(
        "1:metadata:meta 2:spec:spec", meta=_META, spec=_SUBJECT_REVIEW
    ),
    (_AUTHORIZATION, "LocalSubjectAccessReview"): _message(
        "1:metadata:meta 2:spec:spec", meta=_META, spec=_SUBJECT_REVIEW
    ),
    (_AUTHORIZATION, "SelfSubjectAccessReview"): _message(
        "1:metadata:meta 2:spec:spec", meta=_META, spec=_SELF_REVIEW
    ),
    (_AUTHORIZATION, "SelfSubjectRulesReview"): _spec("1:namespace"),
    (_RBAC, "Role"): _message("1:metadata:meta 2:rules:rule*", meta=_META, rule=_RULE),
    (_RBAC, "ClusterRole"): _message(
        "1:metadata:meta 2:rules:rule* 3:aggregationRule:aggregation",
        meta=_META,
        rule=_RULE,
        aggregation=_message("1:clusterRoleSelectors:labels*", labels=_LABELS),
    ),
    (_RBAC, "RoleBinding"): _BINDING,
    (_RBAC, "ClusterRoleBinding"): _BINDING,
}


def decode(data: bytes) -> Object:
    """The object that a body is. Raises `Unreadable`."""
    if not data.startswith(_MAGIC):
        raise Unreadable("the body does not begin as Kubernetes' protobuf does")
    envelope = _read(memoryview(data)[len(_MAGIC) :], _UNKNOWN, 0, raw=True)
    told = envelope.get("typeMeta", {})
    api_version, kind = told.get("apiVersion", ""), told.get("kind", "")
    known = _KINDS.get((api_version, kind))
    if known is None:
        raise Unreadable(f"protobuf of {kind[:80]} in {api_version[:80]} is not read")
    return {"kind": kind, "apiVersion": api_version, **_read(memoryview(envelope.get("raw", b"")), known, 0)}


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
    raise Unreadable("a number does not end")


def _parts(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Fields of a message: number, and a varint or bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise Unreadable("a field of an unknown type")
        if size > len(data) - at:
            raise Unreadable("a field is longer than its message")
        yield number, data[at : at + size]
        at += size


def _read(data: memoryview, message: _Message, depth: int, *, raw: bool = False) -> Object:
    if depth > _DEEPEST:
        raise Unreadable("messages are nested too deeply")
    found: Object = {}
    for number, part in _parts(data):
        field = message.fields.get(number)
        if field is None:
            continue
        name, reader, repeats = field
        if isinstance(reader, _Message):
            value: object = _read(_bytes(part), reader, depth + 1)
        elif reader in ("texts", "blobs", "lists"):
            key, value = _entry(_bytes(part), reader, depth)
            found.setdefault(name, {})[key] = value
            continue
        else:
            value = bytes(_bytes(part)) if raw and reader == "bytes" else _plain(part, reader)
        if repeats:
            found.setdefault(name, []).append(value)
        elif value not in ("", None) or reader == "bytes":  # gogo writes empty text for what is not there
            found[name] = value
    return found


def _bytes(part: int | memoryview) -> memoryview:
    if isinstance(part, int):
        raise Unreadable("a number where a message was expected")
    return part


def _plain(part: int | memoryview, reader: str) -> object:
    if reader in ("bool", "number"):
        if not isinstance(part, int):
            raise Unreadable("bytes where a number was expected")
        if reader == "bool":
            return bool(part)
        return part - (1 << 64) if part >> 63 else part
    data = _bytes(part)
    if reader == "bytes":
        return base64.b64encode(data).decode()
    if reader == "time":
        seconds = next(
            (value for number, value in _parts(data) if number == 1 and isinstance(value, int)), None
        )
        if seconds is None or seconds > _LATEST:
            return None
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    try:
        return bytes(data).decode()
    except UnicodeDecodeError as error:
        raise Unreadable("text that is no UTF-8") from error


_LIST = _message("1:items*")


def _entry(data: memoryview, reader: str, depth: int) -> tuple[str, object]:
    key, value = "", [] if reader == "lists" else ""
    for number, part in _parts(data):
        if number == 1:
            key = str(_plain(part, "text"))
        elif number == 2 and reader == "lists":
            value = _read(_bytes(part), _LIST, depth + 1).get("items", [])
        elif number == 2:
            value = str(_plain(part, "bytes" if reader == "blobs" else "text"))
    return key, value
