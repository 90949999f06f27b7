"""The process with the services of a run, and the control socket through which the lab tells it what people do."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eightysix.lab.pods.keeper import Keeper
from eightysix.lab.pods.network import CLOUD
from eightysix.lab.pods.ours import python_of_ours, until_ready
from eightysix.lab.services.control import ControlError, ask
from eightysix.lab.world import NONCE_IP
from eightysix.model.errors import LabError

__all__ = ["Cloud"]

READY_S = 20.0


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
        self.told = until_ready(self._process, self._log, READY_S, "the lab's services")
        self._control = Path(self.told["control"])

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
