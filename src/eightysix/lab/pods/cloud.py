"""The process with the services of a run, and the control socket through which the lab tells it what people do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import eightysix
from eightysix.lab.pods.keeper import Keeper
from eightysix.lab.pods.network import CLOUD
from eightysix.model.errors import LabError

__all__ = ["Cloud", "python_of_ours"]

READY_S = 20.0
ANSWER_S = 30.0
_MAX_ANSWER = 1 << 20


def python_of_ours(module: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment that run a module of this package with this interpreter, installed or from source."""
    source = str(Path(eightysix.__file__).resolve().parent.parent)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "XDG_CACHE_HOME")
    }
    return [sys.executable, "-P", "-m", module, *arguments], {**kept, "PYTHONPATH": source}


class Cloud:
    """Runs `eightysix.lab.services` inside of the run's network."""

    def __init__(self, keeper: Keeper, out: Path, nonce: str, *, module: str = "eightysix.lab.services") -> None:
        self._lock = threading.Lock()
        self.index = keeper.inside / "index"
        self.index.mkdir()
        spec = keeper.inside / "services.json"
        spec.write_text(
            json.dumps({"nonce": nonce, "out": str(out), "index": f"{keeper.folder}/index"})
        )
        command, environ = python_of_ours(module, f"{keeper.folder}/services.json")
        (out / "logs").mkdir(exist_ok=True)
        self._log = out / "logs" / "services.log"
        with self._log.open("ab") as log:
            self._process = keeper.spawn(
                *command, net=CLOUD, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        self._await_ready()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(ANSWER_S)
        try:
            self._socket.connect(_short(out / "control.sock"))
        except OSError as error:
            self.close()
            raise LabError(f"the lab's services have no control socket: {error}") from None
        self._answers = self._socket.makefile("rb")

    def _await_ready(self) -> None:
        """Read the line that says so; the end of the process is the end of the waiting."""
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        timer = threading.Timer(READY_S, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline(4096)
        finally:
            timer.cancel()
        if b'"ready"' not in line:
            self._process.kill()
            self._process.wait()
            said = self._log.read_text(errors="replace").strip()[-600:]
            raise LabError(f"the lab's services did not start: {said or 'no word why'}")

    def ask(self, op: str, **members: object) -> Mapping[str, Any]:
        """One request of the control socket. Raises `LabError` for an answer that tells an error."""
        request = json.dumps({"op": op, **members}).encode() + b"\n"
        with self._lock:
            try:
                self._socket.sendall(request)
                line = self._answers.readline(_MAX_ANSWER)
            except OSError as error:
                raise LabError(f"the lab's services do not answer {op}: {error}") from None
        try:
            answer = json.loads(line)
        except ValueError:
            raise LabError(f"the lab's services ended while they were asked for {op}", "See logs/services.log.") from None
        if not isinstance(answer, dict) or answer.get("error"):
            raise LabError(f"the lab's services refused {op}: {answer.get('error') if isinstance(answer, dict) else answer}")
        return answer

    def close(self) -> None:
        """Let the services finish their files and end."""
        sock = getattr(self, "_socket", None)
        if sock is not None:
            sock.close()
        assert self._process.stdin and self._process.stdout  # noqa: S101, PT018 - asked for above
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def _short(path: Path) -> str:
    """A path that fits into the 107 bytes of a socket's name: through a descriptor of its folder where it is longer."""
    text = str(path)
    if len(os.fsencode(text)) <= 100:
        return text
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)  # until the process ends: there is one a run
    return f"/proc/self/fd/{folder}/{path.name}"
