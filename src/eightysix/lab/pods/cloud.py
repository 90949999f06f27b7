"""The process with the services of a run, and the control socket through which the lab tells it what people do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import eightysix
from eightysix.lab.pods.keeper import Keeper
from eightysix.lab.pods.network import CLOUD
from eightysix.lab.services.control import ControlError, ask
from eightysix.lab.world import NONCE_IP
from eightysix.model.errors import LabError

__all__ = ["Cloud", "python_of_ours"]

READY_S = 20.0


def python_of_ours(module: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment that run a module of this package with this interpreter, installed or from source."""
    source = str(Path(eightysix.__file__).resolve().parent.parent)
    path = [source, *filter(None, [os.environ.get("PYTHONPATH", "")])]
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "XDG_CACHE_HOME")
    }
    return [sys.executable, "-P", "-m", module, *arguments], {**kept, "PYTHONPATH": os.pathsep.join(path)}


class Cloud:
    """Runs `eightysix.lab.services` inside of the run's network."""

    def __init__(
        self, keeper: Keeper, out: Path, nonce: str, *, module: str = "eightysix.lab.services"
    ) -> None:
        self._lock = threading.Lock()
        self.index = keeper.inside / "index"
        self.index.mkdir()
        spec = keeper.inside / "services.json"
        told = {"nonce": nonce, "out": str(out), "index": f"{keeper.folder}/index"}
        spec.write_text(json.dumps({**told, "nonce_server": {"ip": NONCE_IP, "http": 80, "https": -1}}))
        command, environ = python_of_ours(module, f"{keeper.folder}/services.json")
        (out / "logs").mkdir(exist_ok=True)
        self._log = out / "logs" / "services.log"
        with self._log.open("ab") as log:
            self._process = keeper.spawn(
                *command, net=CLOUD, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        self.told = self._await_ready()
        self._control = Path(self.told["control"])

    def _await_ready(self) -> Mapping[str, Any]:
        """The line that says so; the end of the process is the end of the waiting."""
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        timer = threading.Timer(READY_S, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline(1 << 16)
        finally:
            timer.cancel()
        if b'"ready"' not in line:
            self._process.kill()
            self._process.wait()
            said = self._log.read_text(errors="replace").strip()[-600:]
            raise LabError(f"the lab's services did not start: {said or 'no word why'}")
        told: Mapping[str, Any] = json.loads(line)
        return told

    def ask(self, op: str, **members: Any) -> Mapping[str, Any]:
        """One request of the control socket. Raises `LabError` with what the services say against it."""
        try:
            return ask(self._control, op, **members)
        except (ControlError, OSError) as error:
            raise LabError(
                f"the lab's services refused {op}: {error}", "See logs/services.log of the run."
            ) from None

    def authority(self) -> str:
        """Certificate of the run's authority, in PEM."""
        return Path(self.told["ca"]).read_text()

    def close(self) -> None:
        """Let the services finish their files and end."""
        assert self._process.stdin and self._process.stdout  # noqa: S101, PT018 - asked for above
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
