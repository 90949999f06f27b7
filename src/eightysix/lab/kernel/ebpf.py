"""The first mechanism: eBPF. Sees starts with their arguments, forks, ends, opened files by their real path, connections."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from eightysix.lab.kernel import libbpf
from eightysix.lab.kernel.cgroups import Hierarchy
from eightysix.lab.kernel.facts import Fact
from eightysix.lab.kernel.mounts import TRACEFS, mount_tracefs
from eightysix.lab.kernel.policy import names_to_watch
from eightysix.lab.kernel.records import TYPES, fact_of

__all__ = ["RING_BYTES", "Ebpf", "missing"]

RING_BYTES = 8 << 20
"""Of records that wait to be read: about 20,000 program starts."""

_NAME_BYTES = 48
"""KEY of the source: longest name of a file that is looked up, and its end."""

_OPENING = ("open", "openat", "openat2", "creat", "open_by_handle_at")
"""System calls that open files. arm64 never had the first and the fourth: those that the kernel has are hooked."""

_CAP_BPF, _CAP_PERFMON, _CAP_NET_ADMIN, _CAP_SYS_ADMIN = 39, 38, 12, 21
"""include/uapi/linux/capability.h"""


def missing() -> str:
    """Why eBPF cannot be used here; empty where it can, as far as can be told without trying."""
    if struct.pack("=H", 1) != b"\1\0":
        return "the programs are built for little-endian machines"
    why = libbpf.missing()
    if why:
        return why
    if not Path("/sys/kernel/btf/vmlinux").exists():
        return "the kernel has no BTF (/sys/kernel/btf/vmlinux): it needs CONFIG_DEBUG_INFO_BTF"
    lacking = [
        name
        for name, bit in (
            ("CAP_BPF", _CAP_BPF),
            ("CAP_PERFMON", _CAP_PERFMON),
            ("CAP_NET_ADMIN", _CAP_NET_ADMIN),
        )
        if not _may(bit)
    ]
    if lacking and not _may(_CAP_SYS_ADMIN):
        return f"this process lacks {' and '.join(lacking)}: run it as root"
    try:
        locked = "[confidentiality]" in Path("/sys/kernel/security/lockdown").read_text()
    except OSError:
        locked = False
    if locked:
        return "the kernel is locked down for confidentiality, which forbids programs to read its memory"
    return ""


def _may(bit: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> bit & 1)
    return False


class Ebpf:
    """Programs in the kernel and their records. `take` gets each fact; what nobody could take is counted."""

    name = "ebpf"
    poll_s = 0.2

    def __init__(
        self,
        hierarchy: Hierarchy,
        take: Callable[[Fact], None],
        deny: Sequence[str] = (),
        ring: int = RING_BYTES,
    ) -> None:
        mount_tracefs()
        self._take = take
        self.damaged = 0
        self.failure: Exception | None = None
        with resources.as_file(resources.files("eightysix.lab.kernel") / "bpf" / "sensor.bpf.o") as place:
            self._object = libbpf.BpfObject(place)
        try:
            self._start(hierarchy, deny, ring)
        except BaseException:
            self._object.close()
            raise

    def _start(self, hierarchy: Hierarchy, deny: Sequence[str], ring: int) -> None:
        self._object.resize("records", ring)
        self._object.load()
        for name in names_to_watch():
            self._object.put("names", name.encode().ljust(_NAME_BYTES, b"\0"), struct.pack("=I", 1))
        for address in deny:
            self.deny(address)
        settings = struct.pack("=QII", hierarchy.id, hierarchy.level, 0)
        self._object.put("settings", struct.pack("=I", 0), settings)
        self.waits = [self._object.ring("records", self._record)]
        events = TRACEFS / "events" / "syscalls"
        opening = [f"sys_exit_{call}" for call in _OPENING if (events / f"sys_exit_{call}").is_dir()]
        group = os.open(hierarchy.folder, os.O_RDONLY)
        try:
            self.hooks = self._object.attach(group, opening)
        finally:
            os.close(group)

    def deny(self, address: str) -> None:
        """Refuse connections to an address from now on."""
        self._object.put("denied", _sixteen(address), struct.pack("=I", 1))

    def _record(self, data: bytes) -> None:
        """Called from C: nothing may leave it."""
        try:
            fact = fact_of(data)
            if fact is None:
                self.damaged += 1
            else:
                self._take(fact)
        except Exception as error:  # noqa: BLE001 - it would be printed and lost; the loop raises it
            self.failure = self.failure or error

    def seeded(self, pid: int, cgroup: int) -> None:
        """Nothing to do: the kernel's part asks for the cgroup each time."""

    def drain(self) -> None:
        """Hand on what is there."""
        self._object.consume()
        if self.failure is not None:
            raise self.failure

    def lost(self) -> dict[str, list[int]]:
        """Records that found the ring buffer full, by type, one number a processor."""
        counts = {
            name: self._object.per_processor("lost", struct.pack("=I", number))
            for number, name in enumerate(TYPES)
            if name
        }
        return {name: values for name, values in counts.items() if any(values)}

    def close(self) -> None:
        """Detach."""
        self._object.close()


def _sixteen(address: str) -> bytes:
    """An address as the kernel's part compares it: IPv4 mapped into IPv6. Raises `OSError` for what is none."""
    if ":" in address:
        return socket.inet_pton(socket.AF_INET6, address)
    return b"\0" * 10 + b"\xff\xff" + socket.inet_pton(socket.AF_INET, address)
