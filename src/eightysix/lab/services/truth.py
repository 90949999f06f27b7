"""What really happened in a run, by those that did it: `truth.jsonl`, and the telemetry files beside it.

One line a mark: `{"t_ns", "mark", ...}`. It is never input of detection. Nothing here holds a token or a secret: tokens are
told by their `uti` (the unique token identifier that Azure's sign-in logs tell too), secrets by their name.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

from eightysix.lab.interface import TELEMETRY
from eightysix.lab.services.clock import Clock

__all__ = ["MARKS", "TRUTH", "Record"]

TRUTH = "truth.jsonl"

MARKS: Mapping[str, str] = {
    "pod-started": "the API server knows the pod and its token was minted: `pod`, `namespace`, `uid`, `container_id`, `ip`",
    "pod-ended": "the pod was taken from the API server: `pod`, `namespace`, `uid`",
    "exec": "an operator ran a command in a pod: `pod`, `namespace`, `argv`, `user`",
    "leap": "the injected clock jumped: `seconds`",
    "metadata-token": "the metadata service gave out a token: `uti`, `resource`, `client_id`, `peer`, `port`, `user_agent`",
    "metadata-denied": (
        "a pod that may not reach the metadata service tried to: `peer`, `port`, `path` (of the nonce, where the connection "
        "itself was refused and it asks elsewhere)"
    ),
    "metadata-refused": "the metadata service refused a request for a token: `error`, `peer`, `port`",
    "entra-token": "the login endpoint gave out a token: `uti`, `client_id`, `grant` (`secret` or `federated`), `scope`, `peer`",
    "entra-refused": "the login endpoint gave none: `error`, `client_id`, `peer`",
    "arm-call": "a call of Azure Resource Manager: `operation`, `status`, `uti`, `object_id`, `peer`",
    "storage": "a blob operation: `operation`, `object`, `status`, `size`, `uti`, `peer`",
    "sink": "something was sent to the place where stolen credentials go: `size`, `sha256`, `keys`, `key_sha256`, `peer`, `port`",
    "index-page": "the index told what it has of a project: `project`, `peer`, `user_agent`",
    "index-download": "a file was downloaded from the index: `file`, `sha256`, `peer`, `user_agent`",
    "registry-login": "the registry gave out a token: `identity`, `uti`, `peer`, or refused (`status`)",
    "registry-push": "a manifest was pushed: `repository`, `tag`, `digest`, `identity`, `peer`, `user_agent`",
    "registry-pull": "a manifest was pulled: `repository`, `tag`, `digest`, `identity`, `peer`, `user_agent`",
    "api-list-secrets": "secrets were listed: `user`, `namespace`, `code`, `peer`",
    "api-secret": "a secret was read: `user`, `namespace`, `name`, `code`, `peer`",
    "api-token-request": "a service account token was asked for: `user`, `namespace`, `name`, `code`, `peer`",
    "api-pod-created": "a pod was made through the API: `user`, `namespace`, `name`, `code`, `peer`",
    "api-call": "any other call of the API server: `user`, `verb`, `resource`, `namespace`, `name`, `code`, `peer`",
}
"""Each mark with its meaning and its members, beside `t_ns` and `mark`."""


class Record:
    """Writes the files of a run, each line at once. After `most_bytes` of a file nothing more is added to it but counted."""

    def __init__(self, folder: Path, clock: Clock, *, most_bytes: int = 256 << 20) -> None:
        self.clock = clock
        self.dropped = 0
        self._most = most_bytes
        self._lock = threading.Lock()
        self._files = {}
        self._sizes = dict.fromkeys((TRUTH, *TELEMETRY), 0)
        for name in (TRUTH, *_OURS):
            self._files[name] = (folder / name).open("ab", buffering=0)
            self._sizes[name] = self._files[name].tell()

    def mark(self, mark: str, **members: object) -> None:
        """Add a mark of `MARKS`."""
        if mark not in MARKS:
            raise ValueError(f"no mark is called {mark}")
        self._write(TRUTH, {"t_ns": self.clock.now_ns(), "mark": mark, **members})

    def telemetry(self, file: str, record: Mapping[str, object]) -> None:
        """Add a record to a telemetry file."""
        self._write(file, record)

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            for file in self._files.values():
                file.close()
            self._files.clear()

    def _write(self, name: str, record: Mapping[str, object]) -> None:
        line = msgspec.json.encode(record) + b"\n"
        with self._lock:
            file = self._files.get(name)
            if file is None or self._sizes[name] + len(line) > self._most:
                self.dropped += 1
                return
            file.write(line)
            self._sizes[name] += len(line)


_OURS = tuple(name for name in TELEMETRY if name not in ("tetragon.jsonl", "sensor.jsonl"))
"""What the services write: the sensors have files of their own."""
