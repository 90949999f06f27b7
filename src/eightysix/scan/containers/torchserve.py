"""Judges the manifest of a model archive of TorchServe: which files it has the server load and run.

`MAR-INF/MANIFEST.json` names a handler (`handler.py`, `handler.py:function`, or one that the server brings) and files that
lie beside it; the server joins each with the folder that it unpacked the archive into, and imports the handler
(pytorch.org/serve, model-archiver; ts/model_loader.py).
"""

from __future__ import annotations

import msgspec

from eightysix.scan.artifact import Artifact
from eightysix.scan.containers.paths import escapes, rooted
from eightysix.scan.interface import Scan

__all__ = ["judge"]

_LONGEST = 1 << 20
"""Bytes of a manifest that are read; ours. Real ones have some hundred."""

_FILES = ("handler", "serializedFile", "modelFile", "requirementsFile", "configFile")


def judge(part: Artifact, scan: Scan) -> None:
    """Report what the manifest has loaded from outside of the archive."""
    try:
        manifest = msgspec.json.decode(part.head(_LONGEST))
    except (msgspec.DecodeError, RecursionError):
        return  # the scan of its text tells what is wrong with it
    model = manifest.get("model") if isinstance(manifest, dict) else None
    if not isinstance(model, dict):
        return
    for key in _FILES:
        path = model.get(key)
        if isinstance(path, str) and (escapes(path) or rooted(path)):
            scan.report("path-elsewhere", part, f"{key} is {path[:160]}, outside of the archive")
