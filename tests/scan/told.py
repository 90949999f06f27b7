"""What a scan of bytes says, and which parts of them it handed on."""

from __future__ import annotations

import json
from typing import Any

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Limits
from eightysix.scan.scanner import Result, scan_bytes
from eightysix.scan.session import Session

__all__ = ["LIMITS", "Recorder", "as_json", "found", "rules", "verdict"]

LIMITS = Limits(steps=50_000_000)


def found(data: bytes | str) -> Result:
    return scan_bytes(data.encode() if isinstance(data, str) else data, "file")


def rules(data: bytes | str) -> set[str]:
    return {one.rule for one in found(data).findings}


def verdict(data: bytes | str) -> str:
    return found(data).file.verdict.value


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


class Recorder(Session):
    """A scan that notes the parts it is asked to read, and reads them."""

    def __init__(self) -> None:
        super().__init__(LIMITS, None)
        self.parts: list[tuple[str, bytes]] = []

    def descend(self, artifact: Artifact) -> None:
        self.parts.append((artifact.member, artifact.head(len(artifact))))
        super().descend(artifact)
