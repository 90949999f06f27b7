"""Programs with the sensor in them, run for real: a site folder with packages, an endpoint, and what was told."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from eightysix.sources.sensor import SensorDecoder
from tests.sensor.preloading import VERSIONS, python_of, pythons

__all__ = ["SOURCE", "VERSIONS", "Host", "Record", "python_of", "pythons", "wheel_into"]

SOURCE = Path(__file__).resolve().parents[2] / "sensor" / "src"
Record = dict[str, Any]

START = """
import sys
sys.path.insert(0, {source!r})
import eightysix_sensor.boot
assert eightysix_sensor.boot.start(None) is {runs}
sys.path.remove({source!r})
"""


def wheel_into(site: Path, name: str, version: str, files: Mapping[str, str]) -> None:
    """Install a distribution into `site` as pip would: its files, and their RECORD."""
    rows = []
    for path, text in files.items():
        content = textwrap.dedent(text).encode()
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        rows.append(f"{path},sha256={digest},{len(content)}")
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    (site / info).mkdir(parents=True)
    (site / info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (site / info / "RECORD").write_text("\n".join([*rows, f"{info}/METADATA,,", f"{info}/RECORD,,", ""]))


class Host:
    """A program in a folder of its own. What the sensor told is read by the project's own reader, too."""

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        self.folder = folder
        self.python = python
        self.site = folder / "lib" / "site-packages"
        self.site.mkdir(parents=True)
        self.app = folder / "app"
        self.app.mkdir()
        self.output = folder / "sensor.jsonl"
        self.socket: socket.socket | None = None
        self.done: subprocess.CompletedProcess[str] | None = None

    def listen(self) -> str:
        """A unix socket as the receiver has it; gives the endpoint."""
        path = self.folder / "s.sock"
        path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        return f"unix:{path}"

    def close(self) -> None:
        """Nobody listens any more."""
        if self.socket is not None:
            self.socket.close()

    def run(
        self, code: str, *, env: Mapping[str, str] | None = None, start: bool = True, runs: bool = True,
        endpoint: str = "", arguments: Iterable[str] = (), code_expected: int = 0, flags: Iterable[str] = (),
    ) -> list[Record]:  # fmt: skip
        """Run `code` as the application, with the sensor started at its beginning; what was told."""
        program = self.app / "server.py"
        begin = START.format(source=str(SOURCE), runs=runs) if start else ""
        begin += f"import sys; sys.path.append({str(self.site)!r})\n"
        program.write_text(begin + textwrap.dedent(code))
        words = [self.python, *flags, str(program), *arguments]
        self.done = subprocess.run(
            words, capture_output=True, text=True, timeout=120, cwd=self.app, check=False,
            env={"PATH": os.environ["PATH"], "EIGHTYSIX_SENSOR": endpoint or f"file:{self.output}",
                 "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
        )  # fmt: skip
        assert self.done.returncode == code_expected, self.done.stdout + self.done.stderr
        return self.records()

    @property
    def errors(self) -> str:
        assert self.done is not None
        return self.done.stderr

    def raw(self) -> bytes:
        """Everything that left the process."""
        lines = self.output.read_bytes() if self.output.exists() else b""
        while self.socket is not None:
            try:
                lines += self.socket.recv(1 << 17) + b"\n"
            except BlockingIOError:
                break
        return lines

    def records(self) -> list[Record]:
        """The records, each of which the reader understands without a complaint."""
        lines = self.raw()
        batch = SensorDecoder().decode(lines, "sensor.jsonl", 1)
        assert not batch.problems, batch.problems
        assert not batch.leftover
        return [json.loads(line) for line in lines.splitlines()]


def told(records: list[Record], event: str, **fields: object) -> list[Record]:
    """The records of one kind with these fields."""
    return [
        record
        for record in records
        if record["event"] == event and all(record.get(name) == value for name, value in fields.items())
    ]


def one(records: list[Record], event: str, **fields: object) -> Record:
    """The only record of a kind with these fields."""
    found = told(records, event, **fields)
    assert len(found) == 1, (event, fields, records)
    return found[0]
