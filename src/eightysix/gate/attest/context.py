"""What a judgement is made with: everything that is believed, what the artifact is, and the time it is."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from eightysix.gate.attest.material import Draft, ModelFile, Proof
from eightysix.gate.attest.trust import Opened

__all__ = ["Spoken", "Task"]


class Task(Struct, frozen=True, kw_only=True):
    """One artifact to judge signatures of. `files` are those of a model, where it is one."""

    subject: str
    trust: Opened
    now_ns: int
    files: Mapping[str, ModelFile] | None = None
    signature_files: frozenset[str] = frozenset()

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the artifact; empty where its digest is another's."""
        algorithm, _, digits = self.subject.partition(":")
        return bytes.fromhex(digits) if algorithm == "sha256" else b""


class Spoken(Struct, frozen=True):
    """The payload of an envelope whose signature holds."""

    draft: Draft
    proof: Proof
    payload_type: str
    payload: bytes
