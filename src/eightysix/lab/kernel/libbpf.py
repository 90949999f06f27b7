"""The few functions of libbpf.so.1 that loading one object takes, through ctypes: nothing is compiled on this machine."""

from __future__ import annotations

import ctypes as c
import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eightysix.model.errors import LabError

__all__ = ["LIBRARY", "BpfError", "BpfObject", "missing"]

LIBRARY = "libbpf.so.1"
"""Debian and Ubuntu: package libbpf1; Fedora: libbpf. iproute2 brings it along."""

_POINTER = c.c_void_p
_Callback = c.CFUNCTYPE(c.c_int, _POINTER, _POINTER, c.c_size_t)
_Print = c.CFUNCTYPE(c.c_int, c.c_int, c.c_char_p, _POINTER)


_ADVICE = {
    errno.EPERM: "this process may not load programs (CAP_BPF, CAP_PERFMON), or the kernel is locked down",
    errno.EACCES: "its verifier refused one; tell us the kernel's version",
    errno.ENOMEM: "there is no memory for them, or RLIMIT_MEMLOCK is too low (before Linux 5.11)",
}


class BpfError(LabError):
    """The kernel or libbpf refused; the message says what, and what to do about it."""


def missing() -> str:
    """Why libbpf cannot be used; empty where it can."""
    try:
        c.CDLL(LIBRARY)
    except OSError:
        return f"{LIBRARY} is missing: install it (Debian, Ubuntu: libbpf1; Fedora: libbpf)"
    return ""


class BpfObject:
    """An object file in the kernel: loaded, its programs attached, its ring buffer read."""

    def __init__(self, path: Path) -> None:
        self._lib = c.CDLL(LIBRARY, use_errno=True)
        # What libbpf prints is a page of the verifier's; the reason is in errno. A kept reference: C calls it.
        self._quiet = _Print(lambda _level, _text, _arguments: 0)
        self._call("libbpf_set_print", _POINTER, _Print)(self._quiet)
        self._object = self._call("bpf_object__open_file", _POINTER, c.c_char_p, _POINTER)(
            os.fsencode(path), None
        )
        if not self._object:
            raise BpfError(f"{path.name} is no BPF object: {os.strerror(c.get_errno())}")
        self._links: list[int] = []
        self._ring: int | None = None
        self._callback: Callable[..., int] | None = None

    def _call(self, name: str, result: type | None, *arguments: type) -> Any:
        function: Any = getattr(self._lib, name)
        function.restype, function.argtypes = result, arguments
        return function

    def _programs(self) -> list[tuple[int, str, str]]:
        after = self._call("bpf_object__next_program", _POINTER, _POINTER, _POINTER)
        name = self._call("bpf_program__name", c.c_char_p, _POINTER)
        section = self._call("bpf_program__section_name", c.c_char_p, _POINTER)
        found: list[tuple[int, str, str]] = []
        at = after(self._object, None)
        while at:
            found.append((at, bytes(name(at)).decode(), bytes(section(at)).decode()))
            at = after(self._object, at)
        return found

    def resize(self, name: str, entries: int) -> None:
        """Give a map another size, before loading."""
        found = self._call("bpf_object__find_map_by_name", _POINTER, _POINTER, c.c_char_p)(
            self._object, name.encode()
        )
        self._call("bpf_map__set_max_entries", c.c_int, _POINTER, c.c_uint32)(found, entries)

    def load(self) -> None:
        """Let the kernel verify and keep everything."""
        code = self._call("bpf_object__load", c.c_int, _POINTER)(self._object)
        if code:
            advice = _ADVICE.get(-code, "it is older than Linux 5.17, or was built without one of the hooks")
            raise BpfError(f"the kernel does not take the programs ({os.strerror(-code)}): {advice}")

    def attach(self, cgroup: int, tracepoints: Sequence[str]) -> list[str]:
        """Attach everything: network programs to the cgroup of this descriptor, the one of the section `tp` to each of
        `tracepoints` (of the category `syscalls`), others where their section says. Returns the hooks."""
        to_cgroup = self._call("bpf_program__attach_cgroup", _POINTER, _POINTER, c.c_int)
        to_call = self._call("bpf_program__attach_tracepoint", _POINTER, _POINTER, c.c_char_p, c.c_char_p)
        attach = self._call("bpf_program__attach", _POINTER, _POINTER)
        hooks: list[str] = []
        for program, _, section in self._programs():
            for hook in tracepoints if section == "tp" else (section,):
                c.set_errno(0)
                if section == "tp":
                    link = to_call(program, b"syscalls", hook.encode())
                else:
                    link = to_cgroup(program, cgroup) if section.startswith("cgroup/") else attach(program)
                if not link:
                    raise BpfError(f"{hook} cannot be attached: {os.strerror(c.get_errno())}")
                self._links.append(link)
                hooks.append(hook)
        return hooks

    def map(self, name: str) -> int:
        """Descriptor of a map."""
        found = self._call("bpf_object__find_map_fd_by_name", c.c_int, _POINTER, c.c_char_p)(
            self._object, name.encode()
        )
        if found < 0:
            raise BpfError(f"the object has no map {name}")
        return int(found)

    def put(self, name: str, key: bytes, value: bytes) -> None:
        """Set one entry of a map."""
        update = self._call("bpf_map_update_elem", c.c_int, c.c_int, c.c_char_p, c.c_char_p, c.c_uint64)
        code = update(self.map(name), key, value, 0)
        if code:
            raise BpfError(f"map {name} takes no more: {os.strerror(-code)}")

    def per_processor(self, name: str, key: bytes) -> list[int]:
        """The 64-bit counts of an entry, one a possible processor."""
        processors = self._call("libbpf_num_possible_cpus", c.c_int)()
        values = (c.c_uint64 * max(processors, 1))()
        look = self._call("bpf_map_lookup_elem", c.c_int, c.c_int, c.c_char_p, _POINTER)
        return list(values) if look(self.map(name), key, c.addressof(values)) == 0 else []

    def ring(self, name: str, take: Callable[[bytes], None]) -> int:
        """Open a ring buffer; `take` is called with each record by `consume`. Returns a descriptor to wait for."""

        def callback(_context: int, data: int, size: int) -> int:
            take(c.string_at(data, size))
            return 0

        self._callback = _Callback(callback)
        new = self._call("ring_buffer__new", _POINTER, c.c_int, _Callback, _POINTER, _POINTER)
        self._ring = new(self.map(name), self._callback, None, None)
        if not self._ring:
            raise BpfError(f"ring buffer: {os.strerror(c.get_errno())}")
        return int(self._call("ring_buffer__epoll_fd", c.c_int, _POINTER)(self._ring))

    def consume(self) -> int:
        """Take every record that is there; how many."""
        return int(self._call("ring_buffer__consume", c.c_int, _POINTER)(self._ring))

    def close(self) -> None:
        """Detach and forget everything. The kernel does the same when the process ends in any other way."""
        destroy = self._call("bpf_link__destroy", c.c_int, _POINTER)
        while self._links:
            destroy(self._links.pop())
        if self._ring:
            self._call("ring_buffer__free", None, _POINTER)(self._ring)
            self._ring = None
        if self._object:
            self._call("bpf_object__close", None, _POINTER)(self._object)
            self._object = 0
