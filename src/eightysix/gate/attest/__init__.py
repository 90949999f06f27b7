"""Signatures and what they say: bytes in, judged signatures out. No network, no file, no clock: roots and time are arguments."""

from eightysix.gate.attest.attached import materials_of
from eightysix.gate.attest.collect import MAX_MATERIAL, collect
from eightysix.gate.attest.material import FileKind, Material, MaterialKind, ModelFile
from eightysix.gate.attest.models import HashPlan, plan_of
from eightysix.gate.attest.trust import Authority, Key, Root, Trust, public_good

__all__ = [
    "MAX_MATERIAL",
    "Authority",
    "FileKind",
    "HashPlan",
    "Key",
    "Material",
    "MaterialKind",
    "ModelFile",
    "Root",
    "Trust",
    "collect",
    "materials_of",
    "plan_of",
    "public_good",
]
