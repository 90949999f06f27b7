"""Wheels of the lab's own packages, built without a build backend: the same `Wheel` gives the same bytes.

The form is that of the binary distribution format (packaging.python.org/specifications/binary-distribution-format), with
metadata 2.1. pip installs them as it installs any other.
"""

from __future__ import annotations

import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO

from eightysix.lab.interface import Wheel

__all__ = ["BadWheelError", "build", "dist_info", "file_name", "unpacked"]

TAG = "py3-none-any"
STAMP = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip archive can tell: an archive must not depend on when it was made."""
MODE = 0o100644 << 16
"""A plain file that all can read, in the upper half of a zip member's external attributes (where `unzip` and pip look)."""
UNIX = 3
"""`create_system` of members with Unix modes, whatever machine writes them."""


class BadWheelError(ValueError):
    """A `Wheel` that pip could not install: the message says what is wrong with it."""


def file_name(wheel: Wheel) -> str:
    """What the index calls it: `torch_perf_utils-1.4.3-py3-none-any.whl`."""
    return f"{_distribution(wheel)}-{wheel.version}-{TAG}.whl"


def dist_info(wheel: Wheel) -> str:
    """The name of its `.dist-info` folder."""
    return f"{_distribution(wheel)}-{wheel.version}.dist-info"


def build(wheel: Wheel) -> bytes:
    """The wheel itself. Raises `BadWheelError` for a name, version or path that no wheel can have."""
    members = unpacked(wheel)
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in members.items():
            member = zipfile.ZipInfo(path, STAMP)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = MODE
            member.create_system = UNIX
            archive.writestr(member, text.encode())
    return packed.getvalue()


def unpacked(wheel: Wheel) -> Mapping[str, str]:
    """What lies in it, RECORD last: also what an image holds in which it is installed."""
    _check(wheel)
    folder = dist_info(wheel)
    members = dict(sorted(wheel.files.items()))
    members[f"{folder}/METADATA"] = _metadata(wheel)
    members[f"{folder}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: eightysix-lab\nRoot-Is-Purelib: true\nTag: {TAG}\n"
    )
    rows = [_row(path, text.encode()) for path, text in members.items()]
    members[f"{folder}/RECORD"] = "".join([*rows, f"{folder}/RECORD,,\n"])
    return members


def _distribution(wheel: Wheel) -> str:
    return wheel.name.lower().replace("-", "_").replace(".", "_")


def _metadata(wheel: Wheel) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {wheel.name}", f"Version: {wheel.version}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in wheel.requires]
    return "\n".join(lines) + "\n"


def _row(path: str, content: bytes) -> str:
    digest = urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()
    quoted = f'"{path}"' if "," in path else path
    return f"{quoted},sha256={digest},{len(content)}\n"


def _check(wheel: Wheel) -> None:
    words = {"name": wheel.name, "version": wheel.version}
    for what, word in words.items():
        # NOTE: "-" separates the parts of a file name, so a version has none; in names it becomes "_".
        allowed = "._+" if what == "version" else "._-"
        if not word or not word.isascii() or not word[0].isalnum() or not word[-1].isalnum():
            raise BadWheelError(f"{what} of a wheel must begin and end with a letter or digit: {word!r}")
        if not all(letter.isalnum() or letter in allowed for letter in word):
            raise BadWheelError(f"{what} of a wheel has a character that it must not have: {word!r}")
    for path in wheel.files:
        parts = path.split("/")
        if "" in parts or ".." in parts or "." in parts or '"' in path or not path.isprintable():
            raise BadWheelError(f"no path inside of a wheel: {path!r}")
        if parts[0].endswith(".dist-info"):
            raise BadWheelError(f"the metadata of a wheel is written by build: {path!r}")
    for requirement in wheel.requires:
        if not requirement.isprintable() or not requirement.strip():
            raise BadWheelError(f"no requirement: {requirement!r}")
