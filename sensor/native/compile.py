"""Compiles `eightysix_preload.so` for the machine of each compiler named: `python compile.py FOLDER [COMPILER...]`.

The file goes to `FOLDER/<architecture>-<libc>/eightysix_preload.so`. Standard library alone, Python 3.8 or later, so that
it runs wherever a wheel is built from source.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["FLAGS", "NAME", "CompileError", "compile_all", "compile_one", "compilers", "target"]

NAME = "eightysix_preload.so"
SOURCES = (
    "preload.c",
    "filter.c",
    "python.c",
    "closed.c",
    "repeats.c",
    "interpreters.c",
    "health.c",
    "emit.c",
)
FLAGS = (
    "-std=gnu99",
    "-O2",
    "-Wall",
    "-Wextra",
    "-fPIC",
    "-shared",
    # No library is named and no symbol has a version: glibc's loader ends a program whose preloaded file asks for a
    # version that is not there, and musl's has no glibc to give.
    "-nostdlib",
    "-fvisibility=hidden",
    "-fno-stack-protector",
    "-U_FORTIFY_SOURCE",
    "-fno-asynchronous-unwind-tables",
    # Old loaders read only the old hash table. Nothing of the build goes into the file: same sources, same bytes.
    "-Wl,--hash-style=both,-z,noexecstack,-z,relro,--build-id=none,-s",
)
OUTLINE_ATOMICS = "-mno-outline-atomics"
"""gcc for arm64 calls helpers for atomics that lie in a library that is not linked."""


class CompileError(Exception):
    """No compiler, or it failed; the text says which."""


def compilers() -> list[str]:
    """`$EIGHTYSIX_SENSOR_COMPILERS` (names joined by commas), else `$CC`, else `cc`."""
    named = os.environ.get("EIGHTYSIX_SENSOR_COMPILERS", "")
    return [name.strip() for name in named.split(",") if name.strip()] or [os.environ.get("CC") or "cc"]


def _run(command: Sequence[str], text: str = "") -> str:
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CompileError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise CompileError(f"{command[0]} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


def target(compiler: str) -> str:
    """For what `compiler` compiles: `x86_64-gnu`, `aarch64-musl`."""
    command = shlex.split(compiler)
    machine = _run([*command, "-dumpmachine"]).strip()
    if "linux" not in machine:
        raise CompileError(f"{compiler} compiles for {machine}; the sensor's native part is for Linux")
    told = _run([*command, "-E", "-P", "-"], "#include <features.h>\n#ifdef __GLIBC__\nlibc_is_gnu\n#endif\n")
    return f"{machine.partition('-')[0]}-{'gnu' if 'libc_is_gnu' in told else 'musl'}"


def compile_one(compiler: str, output: Path) -> Path:
    """Compile for the target of `compiler` into a folder of `output`, and return the file."""
    name = target(compiler)
    if not name.startswith(("x86_64-", "aarch64-")):
        raise CompileError(f"{name} is none of the architectures of the native part: x86_64, aarch64")
    folder = output / name
    folder.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).resolve().parent
    extra = [OUTLINE_ATOMICS] if name.startswith("aarch64") and "clang" not in compiler else []
    part = folder / (NAME + ".part")
    _run(
        [*shlex.split(compiler), *FLAGS, *extra, "-o", str(part), *(str(here / source) for source in SOURCES)]
    )
    part.chmod(0o644)
    os.replace(part, folder / NAME)
    return folder / NAME


def compile_all(output: Path) -> list[Path]:
    """Compile with each of `compilers()`."""
    return [compile_one(compiler, output) for compiler in compilers()]


if __name__ == "__main__":
    for one in sys.argv[2:] or compilers():
        sys.stdout.write(f"{compile_one(one, Path(sys.argv[1]))}\n")
