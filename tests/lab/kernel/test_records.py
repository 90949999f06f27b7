"""Records of the kernel's part: layouts, and that no bytes whatever break the reader."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.lab.kernel.facts import Connected, Entered, Exec, Exit, Fork, Group, Opened
from eightysix.lab.kernel.records import address, fact_of, path_of


def head(kind: int) -> bytes:
    return struct.pack("<QQIIII", 123_000, 77, kind, 10, 11, 1000)


def exec_record(file: bytes, arguments: bytes, cwd: bytes, cut: int = 0) -> bytes:
    numbers = (9, 3, 21, 22, 23, 0xFFFF_FFFF, len(file), len(arguments), len(cwd), cut)
    return head(1) + struct.pack("<10I", *numbers) + file + arguments + cwd


def test_a_start_of_a_program() -> None:
    fact = fact_of(exec_record(b"/bin/sh\0", b"sh\0-c\0a b\0", b"main\0srv\0"))
    assert fact == Exec(
        at=123_000, cgroup=77, pid=10, tid=11, uid=1000, ppid=9, binary="/bin/sh", arguments=("-c", "a b"),
        cwd="/srv/main", ns_pid=3, mnt=21, pid_ns=22, net=23,
    )  # fmt: skip


def test_what_was_too_long_is_said() -> None:
    fact = fact_of(exec_record(b"/bin/sh\0", b"sh\0x", b"", 1 | 2 | 4))
    assert isinstance(fact, Exec)
    assert fact.cut == ("Filename", "Args", "Cwd")
    assert fact.cwd == ".../"


def test_an_empty_argument_is_one() -> None:
    fact = fact_of(exec_record(b"/bin/echo\0", b"echo\0\0", b"\0"))
    assert isinstance(fact, Exec)
    assert fact.arguments == ("",)


def test_the_other_types() -> None:
    assert fact_of(head(2) + struct.pack("<4I", 30, 10, 4, 0)) == Fork(123_000, 77, 10, 30, 10, 4)
    assert fact_of(head(3) + struct.pack("<2I", 256, 0)) == Exit(123_000, 77, 10, 11, 256)
    names = b"token\0secrets\0run\0"
    opened = head(4) + struct.pack("<4I", 3, len(names), 0, 0) + names
    assert fact_of(opened) == Opened(123_000, 77, 10, 11, "/run/secrets/token", True, True, "ebpf")
    assert fact_of(head(6) + struct.pack("<QII", 5, 2, 5) + b"/a/b\0") == Group(123_000, 5, "/a/b")
    assert fact_of(head(7) + struct.pack("<iI", 4, 0x20000)) == Entered(123_000, 77, 10, 11, 4, 0x20000)


def net(family: int, destination: bytes, kind: int = 1, denied: int = 0) -> bytes:
    return head(5) + struct.pack(
        "<16s16s8HQ", bytes(16), destination, family, kind, 6, 0, 443, denied, 0, 0, 9
    )


def test_connections_of_both_families() -> None:
    mapped = b"\0" * 10 + b"\xff\xff" + socket.inet_aton("192.0.2.7")
    four = fact_of(net(2, mapped))
    six = fact_of(net(10, socket.inet_pton(socket.AF_INET6, "2001:db8::7"), denied=1))
    both = fact_of(net(10, mapped))
    assert isinstance(four, Connected)
    assert isinstance(six, Connected)
    assert isinstance(both, Connected)
    assert (four.destination, four.port, four.denied, four.source) == ("192.0.2.7", 443, False, "")
    assert (six.destination, six.denied) == ("2001:db8::7", True)
    assert both.destination == "::ffff:192.0.2.7"


@given(st.binary(max_size=400))
def test_no_bytes_break_it(data: bytes) -> None:
    fact_of(data)


@given(st.integers(1, 7), st.binary(max_size=300))
def test_no_body_breaks_it(kind: int, body: bytes) -> None:
    fact_of(head(kind) + body)


@given(st.binary(min_size=16, max_size=16), st.sampled_from([2, 10, 0, 99]))
def test_an_address_is_an_address_or_nothing(data: bytes, family: int) -> None:
    told = address(data, family)
    if told and family == 10:
        assert socket.inet_pton(socket.AF_INET6, told) == data


@given(st.lists(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1), max_size=20))
def test_names_from_the_end_are_a_path(names: list[str]) -> None:
    data = b"".join(name.encode() + b"\0" for name in reversed(names))
    assert path_of(data) == "/" + "/".join(names)
    assert path_of(data, whole=False).startswith(".../")


@pytest.mark.parametrize("kind", [0, 8, 0xFFFF_FFFF])
def test_an_unknown_type_is_none(kind: int) -> None:
    assert fact_of(head(kind) + bytes(200)) is None
