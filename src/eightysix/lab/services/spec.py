"""What `python -m eightysix.lab.services SPEC.json` is told: where to listen, where to write, and the run's nonce."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from eightysix.lab.world import (
    API_SERVER_IP,
    ARM_IP,
    INDEX_IP,
    METADATA_IP,
    REGISTRY_IP,
    SINK_IP,
    STORAGE_IP,
)

__all__ = ["OFF", "Bind", "Spec", "read"]

OFF = -1
_MOST_BYTES = 1 << 20


class Bind(Struct, frozen=True, forbid_unknown_fields=True):
    """An address with its ports for HTTP and HTTPS: 0 takes any free one, -1 leaves it out."""

    ip: str
    http: int = 80
    https: int = 443


class Spec(Struct, frozen=True, forbid_unknown_fields=True):
    """All of a run's services. `out` is the folder of the run, `index` the folder of the package index's files.

    `nonce_server` tells the nonce to pods that may not reach the metadata service.

    `registry`: `auto` takes Debian's docker-registry where it is installed, else the small one of the lab; `debian` and
    `own` insist. Without `tls` the services of HTTPS answer plain HTTP, at their `http` port, and the API server is off.
    """

    nonce: str
    out: str
    index: str
    tls: bool = True
    registry: str = "auto"
    metadata: Bind = Bind(METADATA_IP, 80, OFF)
    nonce_server: Bind = Bind("127.0.0.1", OFF, OFF)
    api_server: Bind = Bind(API_SERVER_IP, OFF, 443)
    sink: Bind = Bind(SINK_IP)
    arm: Bind = Bind(ARM_IP)
    index_server: Bind = Bind(INDEX_IP)
    registry_server: Bind = Bind(REGISTRY_IP)
    storage: Bind = Bind(STORAGE_IP)
    registry_binary: str = "docker-registry"


def read(path: Path) -> Spec:
    """Read a spec; ValueError tells what is wrong with it."""
    with path.open("rb") as file:
        text = file.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise ValueError(f"{path} is larger than {_MOST_BYTES} bytes")
    spec = msgspec.json.decode(text, type=Spec)
    if not spec.nonce or not spec.nonce.isalnum() or len(spec.nonce) > 128:
        raise ValueError("the nonce is 1 to 128 letters and digits")
    if spec.registry not in ("auto", "debian", "own"):
        raise ValueError("registry is auto, debian or own")
    return spec
