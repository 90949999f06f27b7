"""Programs run with the sensor's native part: compiled here once, with a Python part that writes down what it is told."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.tiers import require_tier

SENSOR = Path(__file__).resolve().parents[2] / "sensor"
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")

THIS = f"{sys.version_info[0]}.{sys.version_info[1]}"

STAND_IN = """
import json, os, sys

EVENTS = ("socket.connect", "open", "pickle.find_class", "ctypes.dlopen", "lab.event")
PATHS = ("/var/run/secrets/", "*/token", "*.end")
out = os.open(os.environ["STAND_IN"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

def tell(*what):
    os.write(out, (json.dumps(what) + "\\n").encode())

def hook(event, arguments):
    tell(event, *[ascii(value)[:90] for value in arguments])
    return True

def start(native):
    sys.native_part = native
    native.set_hook(hook, EVENTS, PATHS)
    tell("start", os.getpid(), "site" in sys.modules, sorted(n for n in sys.path if n == os.environ.get("EIGHTYSIX_SENSOR_HOME")))
"""
"""The least Python part there can be: what the hook is called with goes to a file, and `True` says that it was enough."""


@functools.lru_cache(maxsize=1)
def compiling() -> ModuleType:
    """`sensor/native/compile.py`."""
    spec = importlib.util.spec_from_file_location("sensor_native_compile", SENSOR / "native" / "compile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.lru_cache(maxsize=1)
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="eightysix-native-")


@functools.lru_cache(maxsize=4)
def library(compiler: str = "cc") -> Path:
    """The native part, compiled; skips where the compiler is not here."""
    if sys.platform != "linux":
        require_tier("compiler", "the native part is for Linux")
    try:
        made = compiling().compile_one(compiler, Path(_folder().name) / compiler)
    except compiling().CompileError as reason:
        require_tier("compiler", str(reason).splitlines()[0])
    assert isinstance(made, Path)
    return made


@functools.lru_cache(maxsize=1)
def pythons() -> dict[str, str]:
    """Other versions of Python here, by version: those on PATH and those that `$EIGHTYSIX_TEST_PYTHONS` lists, joined by `:`."""
    found: dict[str, str] = {}
    listed = [name for name in os.environ.get("EIGHTYSIX_TEST_PYTHONS", "").split(":") if name]
    for name in [*listed, *(f"python{version}" for version in VERSIONS)]:
        if not shutil.which(name):
            continue
        script = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)"
        done = subprocess.run(
            [name, "-I", "-c", script], capture_output=True, text=True, check=False, timeout=20
        )
        if done.returncode == 0:
            version, path = done.stdout.split("\n")[:2]
            if version in VERSIONS:
                found.setdefault(version, path)
    return found


def python_of(version: str) -> str:
    """The interpreter of `version`; skips where it is not here."""
    if version == THIS:
        return sys.executable
    if version not in pythons():
        require_tier("pythons", f"no Python {version} on PATH or in EIGHTYSIX_TEST_PYTHONS")
    return pythons()[version]


@dataclass
class Host:
    """A place from which programs run with the native part preloaded."""

    folder: Path
    python: str = sys.executable
    boot: str = STAND_IN
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        package = self.folder / "home" / "eightysix_sensor"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text("")
        (package / "boot.py").write_text(self.boot)

    @property
    def told(self) -> list[list[Any]]:
        """What the stand-in was told."""
        return read(self.folder / "told.jsonl")

    @property
    def records(self) -> list[dict[str, Any]]:
        """Records that the native part wrote by itself."""
        return read(self.folder / "records.jsonl")

    def environment(self, **extra: str) -> dict[str, str]:
        """What a program is started with."""
        env = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LD_PRELOAD": str(library()),
            "EIGHTYSIX_SENSOR": f"file:{self.folder / 'records.jsonl'}",
            "EIGHTYSIX_SENSOR_HOME": str(self.folder / "home"),
            "STAND_IN": str(self.folder / "told.jsonl"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return {name: value for name, value in {**env, **self.env, **extra}.items() if value}

    def run(
        self, code: str, *flags: str, check: bool = True, **extra: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `code`; a variable given as an empty text is not set."""
        return self.program(self.python, *flags, "-c", code, check=check, **extra)

    def program(self, *argv: str, check: bool = True, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run any program."""
        env = self.environment(**extra)
        done = subprocess.run(
            argv, env=env, cwd=self.folder, capture_output=True, text=True, check=False, timeout=120
        )
        if check:
            assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


def read(path: Path) -> list[Any]:
    """JSON Lines, none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
