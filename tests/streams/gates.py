"""Pods whose images a gate of registries told of, and the near misses: another repository, a later move, audit mode.

These are no scenarios of a generated cluster: nothing in one watches its registry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from eightysix.lab.generate.cluster import Image
from eightysix.lab.generate.ids import hex_id
from eightysix.lab.generate.programs import STORAGE, boot_python, managed_identity, storage
from eightysix.lab.generate.scenarios.cast import SERVER
from eightysix.lab.generate.scene import Process, Scene, Streams
from eightysix.lab.generate.settings import Setting

__all__ = ["GATED", "pulled"]

REGISTRY, REPOSITORY, TAG = "registry.example", "ml/scorer", "prod"
MOVED, DECIDED = -1_200.0, -1_170.0
LATER = 900.0
DRIFT = ("file-type-changed", "signer-drift")
_SCORER = Image(f"{REGISTRY}/{REPOSITORY}:{TAG}", "8")


def _line(scene: Scene, at: float, kind: str, **fields: object) -> None:
    time_ns = scene.ns(at)
    seconds, rest = divmod(time_ns, 10**9)
    time = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09d}Z"
    told: dict[str, object] = {
        "id": f"{kind}-{at:.0f}", "kind": kind, "time": time, "registry": REGISTRY, "repository": REPOSITORY, "tag": TAG,
        "channel": "check" if kind == "decision" else "distribution", "confirmed": True,
        "schema": "eightysix/gate-event/v1",
    }  # fmt: skip
    scene.note("gate.jsonl", time_ns, told | fields)


def _digest(text: str) -> str:
    return f"sha256:{hex_id(64, 'image', text)}"


@dataclass(frozen=True)
class _Pulled(Image):
    """An image of a registry that is there: its digest is what the registry says."""

    known: str = ""

    @property
    def digest(self) -> str:
        return self.known


def pulled(setting: Setting, name: str, digest: str) -> Streams:
    """A pod that was started from an artifact of a real registry, by its tag, and runs exactly this digest."""
    scene, _, _ = _scorer(setting, _Pulled(name, known=digest))
    return scene.streams()


def _scorer(setting: Setting, image: Image = _SCORER) -> tuple[Scene, Process, str]:
    """A server that takes a token of its managed identity as it starts, and the digest that it runs."""
    scene = Scene(setting)
    container = scene.container(scene.pod("scorer"), image, started=0.0, name="scorer")
    server = scene.entrypoint(0.3, container, "/opt/venv/bin/python", "/app/server.py")
    boot_python(server, 0.3, ["python", "/app/server.py"])
    managed_identity(server, 4.0, SERVER)
    storage(server, 4.2, STORAGE, SERVER)
    return scene, server, image.digest


def _move(scene: Scene, digest: str, at: float = MOVED, **fields: object) -> None:
    told = {"digest": digest, "previous": _digest("before"), "actor": "ci-bot", "address": "198.51.100.7"}
    _line(scene, at, "move", **(told | fields))


def _decide(scene: Scene, digest: str, ruling: str, at: float = DECIDED, **fields: object) -> None:
    held = {"held_for": DRIFT, "severity": "high"} if ruling == "hold" else {}
    told = {"digest": digest, "ruling": ruling, "mode": "enforce", "signed": "valid", **held}
    _line(scene, at, "decision", **(told | fields))


def held(setting: Setting, *, mode: str = "enforce", repository: str = REPOSITORY) -> tuple[Streams, Streams]:
    """The gate held the digest, and a pod runs it all the same."""
    scene, _, digest = _scorer(setting)
    _move(scene, digest, told_of=["tag-moved"], repository=repository)
    _decide(scene, digest, "hold", mode=mode, repository=repository)
    return scene.streams(), {}


def held_late(setting: Setting) -> tuple[Streams, Streams]:
    """The gate held the digest some minutes after the pod started it: the bytes are the same."""
    scene, _, digest = _scorer(setting)
    _decide(scene, digest, "hold", at=LATER)
    return scene.streams(), {}


def allowed(setting: Setting) -> tuple[Streams, Streams]:
    """The gate let the digest pass."""
    scene, _, digest = _scorer(setting)
    _move(scene, digest)
    _decide(scene, digest, "allow")
    return scene.streams(), {}


def moved_later(setting: Setting) -> tuple[Streams, Streams]:
    """The tag is moved to a digest that the gate holds, after the pod started with what it named before."""
    scene, _, digest = _scorer(setting)
    other = _digest("after")
    _move(scene, other, LATER, previous=digest, told_of=["tag-moved"])
    _decide(scene, other, "hold", LATER + 5.0)
    return scene.streams(), {}


_Writer = Callable[[Setting], tuple[Streams, Streams]]

GATED: Mapping[str, _Writer] = {
    "gate-held": held,
    "gate-held-late": held_late,
    "gate-would-hold": lambda setting: held(setting, mode="audit"),
    "gate-held-elsewhere": lambda setting: held(setting, repository="ml/trainer"),
    "gate-allowed": allowed,
    "gate-moved-later": moved_later,
}
"""By name, what writes the streams, and those of the time before."""
