"""Event Grid in both schemas: its own and CloudEvents 1.0, single and in batches, and both handshakes.

Sources: "Azure Container Registry as an Event Grid source", "Endpoint validation with Event Grid event schema" and "Endpoint
validation using CloudEvents v1.0 schema" (Microsoft Learn, February 2026); HTTP 1.1 Web Hooks for Event Delivery 1.0, section 4.
Older samples have the type without its `Microsoft.ContainerRegistry.`: both are read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import msgspec
from msgspec import Struct, field

from eightysix.gate.events.delivery import BadEventError, Handshake, Said
from eightysix.gate.events.distribution import Told, said_of

__all__ = ["ORIGINS", "Grid", "consent", "is_ours", "read", "validation"]

ORIGINS = frozenset({"eventgrid.azure.net"})
"""What Event Grid calls itself when it asks for consent."""

_PREFIX = "Microsoft.ContainerRegistry."
_TYPES = {"ImagePushed": "push", "ImageDeleted": "delete", "ChartPushed": "chart", "ChartDeleted": "chart"}
_VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
_SERVICE = "Microsoft."
_HOST_OF = ".azurecr.io"
"""Of the public cloud. In others the request's own host must tell, or the name that the operator gave."""
_MAX_CODE = 512


class Grid(Struct):
    """An envelope of either schema: `source`, `type`, `time` are CloudEvents' names for `topic`, `event_type`, `event_time`."""

    id: str | None = None
    source: str | None = None
    topic: str | None = None
    type: str | None = None
    event_type: str | None = field(default=None, name="eventType")
    time: str | None = None
    event_time: str | None = field(default=None, name="eventTime")
    data: msgspec.Raw = msgspec.Raw(b"{}")

    @property
    def kind(self) -> str:
        """The event's type."""
        return self.event_type or self.type or ""


class _Validation(Struct):
    code: str = field(name="validationCode")


_told = msgspec.json.Decoder(Told)
_code = msgspec.json.Decoder(_Validation)


def is_ours(grid: Grid) -> bool:
    """Whether an envelope is Event Grid's: any service's event, of which only a registry's means something."""
    return grid.kind in _TYPES or grid.kind.startswith(_SERVICE)


def validation(grids: list[Grid]) -> Handshake | None:
    """The answer to a validation event, None where there is none. The address in it, which would do as well, is never asked."""
    asking = [grid for grid in grids if grid.kind == _VALIDATION]
    if not asking:
        return None
    if len(grids) > 1:
        raise BadEventError("a validation comes beside other events")
    code = _code.decode(asking[0].data).code
    if not 0 < len(code) <= _MAX_CODE or not code.isascii() or not code.isprintable():
        raise BadEventError("a validation's code is none")
    return Handshake(msgspec.json.encode({"validationResponse": code}))


def read(grids: list[Grid]) -> Iterator[Said | None]:
    """What each event says, None for one that means nothing for a tag."""
    for grid in grids:
        action = _TYPES.get(grid.kind.removeprefix(_PREFIX))
        if action is None or action == "chart":
            yield None
            continue
        told = _told.decode(grid.data)
        told.timestamp = told.timestamp or grid.event_time or grid.time
        yield said_of(told, id=grid.id or "", action=action, host=_host(grid.topic or grid.source or ""))


def consent(headers: Mapping[str, str], origins: Collection[str] = ORIGINS) -> Handshake | None:
    """The answer to CloudEvents' OPTIONS (names of headers in lower case): consent for the origins that are known, else None.
    A callback that it may name is never asked."""
    origin = headers.get("webhook-request-origin", "").strip().lower()
    if origin not in origins:
        return None
    return Handshake(
        headers=(
            ("webhook-allowed-origin", origin),
            ("webhook-allowed-rate", "*"),
            ("allow", "POST, OPTIONS"),
        )
    )


def _host(resource: str) -> str:
    """The registry of a resource id: `/subscriptions/…/Microsoft.ContainerRegistry/registries/NAME`."""
    rest = resource.lower().partition("/providers/microsoft.containerregistry/registries/")[2]
    name = rest.partition("/")[0]
    return name + _HOST_OF if name.isascii() and name.isalnum() else ""
