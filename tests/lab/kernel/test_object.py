"""The object that is shipped is the source that is shipped."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import pytest

from tests.tiers import require_tier
from tools import bpf

FOLDER = bpf.SOURCE.parent


def sections(path: Path) -> dict[str, bytes]:
    """Sections of a 64-bit ELF file (elf(5)), by name."""
    data = path.read_bytes()
    assert data[:6] == b"\x7fELF\x02\x01"
    (offset,) = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQ", data, offset + size * number) for number in range(count)]
    table = data[headers[names][4] :]
    return {
        table[header[0] : table.index(b"\0", header[0])].decode(): data[header[4] : header[4] + header[5]]
        for header in headers
        if header[1] != 8  # SHT_NOBITS
    }


def test_the_digests_are_those_of_source_and_object() -> None:
    told = json.loads((FOLDER / "build.json").read_text())
    assert told["source_sha256"] == hashlib.sha256(bpf.SOURCE.read_bytes()).hexdigest(), "run `make bpf`"
    assert told["object_sha256"] == hashlib.sha256((FOLDER / "sensor.bpf.o").read_bytes()).hexdigest()
    assert "clang version" in told["compiler"]


def test_it_holds_the_hooks_and_no_debug_information() -> None:
    found = sections(FOLDER / "sensor.bpf.o")
    hooks = {name for name in found if name.startswith(("tp", "cgroup/"))}
    assert hooks == {
        "tp_btf/sched_process_exec", "tp_btf/sched_process_fork", "tp_btf/sched_process_exit", "tp_btf/inet_sock_set_state",
        "tp_btf/cgroup_mkdir", "cgroup/connect4", "cgroup/connect6", "cgroup/sendmsg4", "cgroup/sendmsg6",
        "tp/syscalls/sys_enter_setns", "tp",
    }  # fmt: skip
    assert not any(name.startswith(".debug") for name in found)
    assert found["license"] == b"GPL\0"


@pytest.mark.tier("clang")
def test_built_again_it_holds_the_same_instructions(tmp_path: Path) -> None:
    why = bpf.missing()
    if why:
        require_tier("clang", why)
    told = bpf.build(tmp_path)
    shipped = json.loads((FOLDER / "build.json").read_text())
    if told["compiler"] != shipped["compiler"]:
        require_tier("clang", f"{told['compiler']} here, {shipped['compiler']} built what is shipped")
    mine, theirs = sections(tmp_path / "sensor.bpf.o"), sections(FOLDER / "sensor.bpf.o")
    assert mine.keys() == theirs.keys()
    for name in mine:
        if name.startswith(("tp", "cgroup/", ".text", ".maps", "license")):
            assert mine[name] == theirs[name], name
