"""Build the kernel sensor's programs: `make bpf`. Needs clang, llvm-strip and libbpf's headers (Debian: clang llvm libbpf-dev);
running them needs none of these.

    python -m tools.bpf [--output FOLDER]

Writes `sensor.bpf.o` and `build.json` (digests of source and object, the compiler, its flags) beside the source.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["SOURCE", "build", "missing"]

SOURCE = Path(__file__).parent.parent / "src/eightysix/lab/kernel/bpf/sensor.bpf.c"
FLAGS = ("-O2", "-g", "-Wall", "-Werror", "-target", "bpf")


def missing() -> str:
    """Why it cannot be built here; empty where it can."""
    for name in ("clang", "llvm-strip"):
        if shutil.which(name) is None:
            return f"no {name}"
    return "" if Path("/usr/include/bpf/bpf_helpers.h").exists() else "no headers of libbpf"


def build(folder: Path) -> dict[str, object]:
    """Build into `folder` and return what `build.json` tells."""
    target = folder / "sensor.bpf.o"
    # linux/bpf.h asks for asm/types.h, which Debian keeps by architecture; nothing else of it is used.
    place = f"/usr/include/{platform.machine()}-linux-gnu"
    # A relative name: the object holds it, and the same source must give the same bytes wherever it lies.
    command = ["clang", *FLAGS, "-idirafter", place, "-c", SOURCE.name, "-o", str(target.resolve())]
    subprocess.run(command, check=True, cwd=SOURCE.parent)
    subprocess.run(["llvm-strip", "-g", str(target)], check=True)  # keeps BTF, drops DWARF
    version = subprocess.run(["clang", "--version"], check=True, capture_output=True, text=True).stdout
    told: dict[str, object] = {
        "source_sha256": hashlib.sha256(SOURCE.read_bytes()).hexdigest(),
        "object_sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "compiler": version.splitlines()[0].strip(),
        "flags": list(FLAGS),
    }
    (folder / "build.json").write_text(json.dumps(told, indent=2) + "\n")
    return told


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the kernel sensor's programs.")
    parser.add_argument("--output", type=Path, default=SOURCE.parent)
    why = missing()
    if why:
        sys.exit(f"eightysix: {why}; on Debian: apt-get install clang llvm libbpf-dev")
    print(json.dumps(build(parser.parse_args().output)))
