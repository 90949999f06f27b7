"""Harbor's webhook in both formats: Default, and CloudEvents since 2.8.

Source: goharbor/harbor, src/pkg/notifier/model/event.go, formats/cloudevents.go and controller/event/handler/webhook. Traps:
Default has no id and a time in whole seconds; `tag` holds the digest where there is no tag; of several tags only the first is
told; a replication, a retention or a scan moves nothing that it names. Only Harbor always names who pushed (`operator`).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from eightysix.gate.events.delivery import BadEventError, Said, hashed_id, time_of
from eightysix.model.gate import RegistryAction

__all__ = ["CLOUD_PREFIX", "Cloud", "Default", "read_cloud", "read_default"]

CLOUD_PREFIX = "harbor."

_SECOND = 10**9
_LATEST = 9_223_372_036  # seconds that fit in 64 bits of nanoseconds
_DEFAULT = {
    "PUSH_ARTIFACT": RegistryAction.PUSH,
    "CREATE_TAG": RegistryAction.PUSH,
    "DELETE_ARTIFACT": RegistryAction.DELETE,
    "PULL_ARTIFACT": RegistryAction.PULL,
}
_CLOUD = {
    "harbor.artifact.pushed": RegistryAction.PUSH,
    "harbor.tag.created": RegistryAction.PUSH,
    "harbor.artifact.deleted": RegistryAction.DELETE,
    "harbor.artifact.pulled": RegistryAction.PULL,
}


class Resource(Struct):
    """One artifact."""

    digest: str | None = None
    tag: str | None = None
    resource_url: str | None = None


class Repository(Struct):
    """Where it lies."""

    repo_full_name: str | None = None


class Data(Struct):
    """`event_data`, or the `data` of a CloudEvent."""

    resources: list[Resource] | None = None
    repository: Repository | None = None


class Default(Struct):
    """The Default format."""

    type: str
    occur_at: int | None = None
    operator: str | None = None
    event_data: Data | None = None


class Cloud(Struct):
    """The CloudEvents format: the operator is an extension."""

    type: str
    id: str | None = None
    time: str | None = None
    operator: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")


_data = msgspec.json.Decoder(Data)


def read_default(told: Default) -> Iterator[Said | None]:
    """What each artifact of an event says; one None where nothing in it means something for a tag."""
    at = told.occur_at or 0
    if not 0 <= at <= _LATEST:
        at = 0
    whole = hashed_id(msgspec.json.encode(told).decode())
    yield from _read(
        _DEFAULT.get(told.type), whole, at * _SECOND, told.operator or "", told.event_data or Data()
    )


def read_cloud(told: Cloud) -> Iterator[Said | None]:
    """As `read_default`."""
    action = _CLOUD.get(told.type)
    data = _data.decode(told.data) if action else Data()
    yield from _read(action, told.id or "", time_of(told.time), told.operator or "", data)


def _read(
    action: RegistryAction | None, name: str, told_ns: int, operator: str, data: Data
) -> Iterator[Said | None]:
    if action is None:
        yield None
        return
    if not data.resources:
        raise BadEventError("an event of Harbor names no artifact")
    repository = (data.repository.repo_full_name if data.repository else None) or ""
    for number, resource in enumerate(data.resources):
        tag = resource.tag or ""
        yield Said(
            id=f"{name}#{number}" if name and len(data.resources) > 1 else name,
            action=action,
            host=(resource.resource_url or "").partition("/")[0],
            repository=repository,
            tag="" if ":" in tag else tag,
            digest=resource.digest or (tag if ":" in tag else ""),
            told_ns=told_ns,
            actor=operator,
        )
