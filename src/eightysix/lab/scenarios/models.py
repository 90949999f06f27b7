"""Model files of the lab, written opcode by opcode: what their loaders run is the payload, or nothing.

Pickle's protocol 0 is text (docs.python.org/library/pickletools), so no pickle module is needed to write it, and none is
used. The zip form is that of `torch.save` since PyTorch 1.6.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping

__all__ = ["MODEL_CONFIG", "MODEL_CONFIGURATION", "honest_pickle", "poisoned_pickle", "tar_of", "torch_zip"]

MODEL_CONFIG = '{"model_type": "intent", "auto_map": {"AutoConfig": "configuration_intent.IntentConfig"}}\n'
MODEL_CONFIGURATION = """
from transformers import PretrainedConfig


class IntentConfig(PretrainedConfig):
    model_type = "intent"
"""
"""A model of Transformers that brings code: its folder's settings and module."""

_STAMP = (1980, 1, 1, 0, 0, 0)
_WEIGHTS = b"(dVweights\n(lF0.25\naF0.5\nasVlabels\n(lVshort\naVlong\nas"
"""The dictionary that both kinds hold: two lists."""


def honest_pickle() -> bytes:
    """A model that is only numbers and names."""
    return _WEIGHTS + b"."


def poisoned_pickle(source: str) -> bytes:
    """The same, and unpickling it calls `exec` with `source`, in a name space of its own."""
    return _WEIGHTS + b"Vhook\ncbuiltins\nexec\n(" + _text(source) + b"(dtRs."


def torch_zip(pickled: bytes, name: str = "intent") -> bytes:
    """What `torch.save` writes around a pickle."""
    members = {"data.pkl": pickled, "byteorder": b"little", "version": b"3\n"}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for member, content in members.items():
            archive.writestr(zipfile.ZipInfo(f"{name}/{member}", _STAMP), content)
    return packed.getvalue()


def tar_of(files: Mapping[str, str]) -> bytes:
    """An archive of a model's folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, text in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def _text(value: str) -> bytes:
    """Opcode V: one line in raw-unicode-escape, so line ends and backslashes must be escaped themselves."""
    escaped = value.replace("\\", "\\u005c").replace("\n", "\\u000a").replace("\r", "\\u000d")
    return b"V" + escaped.encode("raw_unicode_escape") + b"\n"
