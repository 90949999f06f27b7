"""Debian's docker-registry as a child process, reached over a unix socket in a folder that only this user can open.

It cannot outlive the services: the kernel ends it when they end (PR_SET_PDEATHSIG), however that came to be.
"""

from __future__ import annotations

import ctypes
import http.client
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from eightysix.lab.services.http import Answer, Request, json_answer

__all__ = ["MOST_BYTES", "DebianRegistry", "die_with_parent", "find"]

MOST_BYTES = 128 << 20
"""Of one answer."""

_READY_S = 15.0
_ANSWER_S = 30.0
_PDEATHSIG = 1
_FORWARDED = ("accept", "content-type", "content-range", "range", "host", "user-agent", "if-none-match")
_RETURNED = (
    "docker-content-digest",
    "docker-distribution-api-version",
    "docker-upload-uuid",
    "etag",
    "link",
    "location",
    "range",
    "content-range",
    "oci-subject",
    "allow",
)


def find(name: str) -> str | None:
    """The program, where it is installed: Debian's package docker-registry has it."""
    return shutil.which(name)


class DebianRegistry:
    """A backend. Start and stop it from the main thread: the kernel takes the end of the starting thread for the parent's."""

    def __init__(self, binary: str, folder: Path) -> None:
        self._folder = folder / "registry"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._socket = self._folder / "http.sock"
        config = self._folder / "config.yml"
        config.write_bytes(msgspec.json.encode(_config(self._folder)))  # JSON is YAML
        with (self._folder / "log").open("ab") as log:
            self._child = subprocess.Popen(
                [binary, "serve", "config.yml"],
                cwd=self._folder,  # the socket's path is relative: a deep folder does not fit into 108 bytes
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - before any thread of the services was started
            )
        try:
            self.version = _version(binary)
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the child."""
        with suppress(ProcessLookupError):
            self._child.terminate()
        try:
            self._child.wait(5.0)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            if self._child.poll() is not None:
                break
            with suppress(OSError), _Connection(self._socket) as connection:
                connection.connect()
                return
            time.sleep(0.02)
        with (self._folder / "log").open("rb") as log:
            said = log.read(4096).decode("utf-8", "replace").strip()
        raise OSError(f"docker-registry does not serve: {said or 'it said nothing'}")

    def __call__(self, request: Request) -> Answer:
        """Hand a request on."""
        path = f"{request.path}?{request.query}" if request.query else request.path
        headers = {name: value for name, value in request.headers if name in _FORWARDED}
        headers["content-length"] = str(len(request.body))
        if request.method in ("GET", "HEAD"):
            del headers["content-length"]
        try:
            with _Connection(self._socket) as connection:
                connection.request(request.method, path, request.body or None, headers)
                response = connection.getresponse()
                body = response.read(MOST_BYTES + 1)
        except (OSError, http.client.HTTPException, ValueError):
            return json_answer(
                502, {"errors": [{"code": "UNKNOWN", "message": "the registry did not answer"}]}
            )
        if len(body) > MOST_BYTES:
            return json_answer(502, {"errors": [{"code": "UNKNOWN", "message": "the answer is too large"}]})
        told = response.headers
        length = told.get("content-length", "")
        return Answer(
            response.status,
            body,
            told.get("content-type", "application/octet-stream"),
            tuple((name, told[name]) for name in _RETURNED if told.get(name) is not None),
            length=int(length) if request.method == "HEAD" and length.isdecimal() else None,
        )


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket, however long its path is."""

    def __init__(self, path: Path) -> None:
        super().__init__("registry", timeout=_ANSWER_S)
        self._path = path

    def connect(self) -> None:
        folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        finally:
            os.close(folder)

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _config(folder: Path) -> Mapping[str, object]:
    """See distribution.github.io/distribution/about/configuration."""
    return {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"net": "unix", "addr": "http.sock", "secret": secrets.token_hex(16), "relativeurls": True},
    }


def _environment() -> dict[str, str]:
    """No variable of ours: `REGISTRY_...` would change the configuration, a proxy would have no place here."""
    return {"PATH": os.defpath, "OTEL_TRACES_EXPORTER": "none"}


def _version(binary: str) -> str:
    done = subprocess.run(
        [binary, "--version"], capture_output=True, check=False, timeout=10, env=_environment()
    )
    return done.stdout.decode("utf-8", "replace").strip().rpartition(" ")[2][:64] or "unknown"


_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """For a child before it becomes another program: it ends when the thread that started it ends."""
    _libc.prctl(_PDEATHSIG, signal.SIGKILL)
