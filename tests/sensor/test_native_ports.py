"""The native part under other loaders: musl's, and arm64's under an emulator. Python itself is not there for either, so a
program with Python's names stands in; what that leaves untested is told in docs/sensor-native.md."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sensor.preloading import library
from tests.tiers import require_tier

HERE = Path(__file__).parent
ARM = "aarch64-linux-gnu-gcc"
ARM_ROOT = "/usr/aarch64-linux-gnu"


def host(compiler: str, folder: Path) -> Path:
    """The program that stands in for Python, by `compiler`."""
    if not shutil.which(compiler):
        require_tier("compiler", f"no {compiler} here (Debian: musl-tools, gcc-aarch64-linux-gnu)")
    made = folder / "fakepython"
    # __DATE__ and its kind have no place here; exported names are what dlsym finds
    command: list[str | Path] = [
        compiler,
        "-std=gnu99",
        "-O1",
        "-rdynamic",
        "-o",
        made,
        HERE / "fakepython.c",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return made


def play(folder: Path, command: list[str], **extra: str) -> tuple[str, list[str]]:
    records = folder / "records.jsonl"
    env = {"EIGHTYSIX_SENSOR": f"file:{records}", **extra}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    told = (
        [json.loads(line)["event"] for line in records.read_text().splitlines()] if records.exists() else []
    )
    return done.stdout + done.stderr, told


def emulated(folder: Path, program: Path, *words: str, **extra: str) -> tuple[str, list[str]]:
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if not emulator:
        require_tier("emulator", "no qemu-aarch64 here (Debian: qemu-user-static)")
    env = {"LD_PRELOAD": str(library(ARM)), **extra}
    inside = [part for name, value in env.items() for part in ("-E", f"{name}={value}")]
    return play(folder, [emulator, "-L", ARM_ROOT, *inside, str(program), *words])


@pytest.mark.parametrize("compiler", ["cc", "musl-gcc"])
@pytest.mark.parametrize("built_with", ["cc", "musl-gcc"])
def test_one_file_serves_both_c_libraries(tmp_path: Path, compiler: str, built_with: str) -> None:
    preload = {"LD_PRELOAD": str(library(built_with))}
    program = str(host(compiler, tmp_path))
    assert play(tmp_path, [program], **preload) == ("hook 0 before 0 runs 1\n", [])
    assert play(tmp_path, [program, "failing"], **preload) == ("hook 0 before 0 runs 1\n", ["start_failed"])
    assert play(tmp_path, [program]) == ("no hook\n", ["start_failed"]), (
        "without the preload there is nothing"
    )
    off = play(tmp_path, [program], **preload, EIGHTYSIX_SENSOR_DISABLE="1")
    assert off == ("no hook\n", ["start_failed"])


def test_musl_opens_it_while_running_too(tmp_path: Path) -> None:
    program = tmp_path / "opens"
    source = tmp_path / "opens.c"
    source.write_text(
        "#include <dlfcn.h>\n#include <stdio.h>\nint main(int c, char **w)\n{\n    void *h = dlopen(w[c - 1], RTLD_NOW);\n"
        '    puts(h ? "opened" : dlerror());\n    return 0;\n}\n'
    )
    host("musl-gcc", tmp_path)
    subprocess.run(["musl-gcc", "-o", program, source], check=True)
    assert play(tmp_path, [str(program), str(library("musl-gcc"))]) == ("opened\n", [])


def test_arm64_under_an_emulator(tmp_path: Path) -> None:
    program = host(ARM, tmp_path)
    state = {"EIGHTYSIX_SENSOR_STATE": str(tmp_path)}
    assert emulated(tmp_path, program, **state) == ("hook 0 before 0 runs 1\n", [])
    assert emulated(tmp_path, program, "failing", **state) == ("hook 0 before 0 runs 1\n", ["start_failed"])
    (state_file,) = tmp_path.glob("starts.*")
    assert not state_file.read_bytes().strip(b"\0"), "both ended well"
    state_file.write_bytes(b"86W1" + bytes(28))
    assert emulated(tmp_path, program, **state) == ("no hook\n", ["start_failed", "withdrawn"])
