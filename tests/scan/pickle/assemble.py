"""Puts pickles together opcode by opcode. Payloads are inert: names of functions that nothing here ever calls."""

from __future__ import annotations

import struct

from eightysix.model.finding import Finding
from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Budget, Limits
from eightysix.scan.index import Role, RoleKind
from eightysix.scan.interface import SecondEngine
from eightysix.scan.pickle.effects import Effects
from eightysix.scan.pickle.machine import Outcome, run
from eightysix.scan.scanner import Options, scan_bytes

PAYLOAD = b"cos\nsystem\n\x8c\x0aecho pwned\x85R"
"""os.system('echo pwned'), as text opcodes that every protocol reads."""


def text(word: str) -> bytes:
    data = word.encode()
    return (
        b"\x8c" + bytes([len(data)]) + data if len(data) < 256 else b"X" + struct.pack("<I", len(data)) + data
    )


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def proto(body: bytes, version: int = 4) -> bytes:
    return b"\x80" + bytes([version]) + body


def name(module: str, qualname: str) -> bytes:
    return f"c{module}\n{qualname}\n".encode()


def stack_name(module: str, qualname: str) -> bytes:
    return text(module) + text(qualname) + b"\x93"


def payload(version: int = 4) -> bytes:
    return proto(PAYLOAD + b".", version)


ROLES = {
    ("collections", "OrderedDict"): Role(RoleKind.CONSTRUCT),
    ("builtins", "list"): Role(RoleKind.CONSTRUCT),
    ("builtins", "bytearray"): Role(RoleKind.CONSTRUCT),
    ("lib", "Class"): Role(RoleKind.CONSTRUCT),
    ("lib", "Careful"): Role(RoleKind.CONSTRUCT, "newobj,noitems"),
    ("lib", "Runs"): Role(RoleKind.CONSTRUCT, "source@code"),
    ("lib", "Opens"): Role(RoleKind.CONSTRUCT, "plain@path,empty@handle"),
    ("lib", "value"): Role(RoleKind.VALUE),
    ("lib", "acting"): Role(RoleKind.VALUE, effect="calls what it is given"),
    ("lib", "rebuild"): Role(RoleKind.FUNCTION),
    ("_codecs", "encode"): Role(RoleKind.FUNCTION, "encode"),
    ("os", "system"): Role(RoleKind.GADGET, effect="starts a process"),
    ("lib", "denied"): Role(RoleKind.DENIED),
}


def roles(module: str, qualname: str) -> Role:
    """A small index: what is not in it is unknown."""
    return ROLES.get((module, qualname), Role(RoleKind.UNKNOWN))


def read(data: bytes, *, steps: int = 1_000_000) -> tuple[Outcome, Effects]:
    """Run the machine alone, with the small index."""
    artifact = Artifact(data, "x")
    effects = Effects(artifact, roles)
    return run(artifact, 0, effects, Budget(Limits(steps=steps))), effects


def rules(data: bytes) -> set[str]:
    """The rules that the stream falls under, with the small index."""
    return {seen.rule for seen in read(data)[1].observations()}


def findings(data: bytes, second: SecondEngine | None = None) -> tuple[str, tuple[Finding, ...]]:
    """Verdict and findings of a whole scan, with the packaged index."""
    result = scan_bytes(data, "x", Options(second=second))
    return str(result.file.verdict), result.findings
