"""Histories to test with."""

from __future__ import annotations

from pathlib import Path

from eightysix.model.gate import Channel, Reference, RegistryAction, RegistryEvent
from eightysix.store.history import GateHistory

__all__ = ["PROD", "REGISTRY", "START", "Clock", "digest", "event", "opened"]

REGISTRY = "registry.acme.example"
PROD = Reference(REGISTRY, "ml/llm", "prod")
START = 1_795_400_000 * 10**9


class Clock:
    """A clock that stands where it was put."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def opened(folder: Path, clock: Clock | None = None) -> GateHistory:
    return GateHistory.open(folder / "gate.sqlite", clock or Clock())


def digest(name: str) -> str:
    return "sha256:" + name.encode().hex().ljust(64, "0")


def event(name: str, of: str = "", told_s: int = 0, tag: str = "prod", **changes: object) -> RegistryEvent:
    """A push of the digest called `of` (else `name`), told `told_s` seconds after the start."""
    told: dict[str, object] = {
        "id": name,
        "channel": Channel.DISTRIBUTION,
        "action": RegistryAction.PUSH,
        "registry": REGISTRY,
        "repository": "ml/llm",
        "tag": tag,
        "digest": digest(of or name),
        "told_ns": START + told_s * 10**9 if told_s else 0,
    }
    return RegistryEvent(**{**told, **changes})  # type: ignore[arg-type]
