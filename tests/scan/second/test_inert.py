"""The stand-in takes whatever an opcode does to it, and keeps nothing."""

from __future__ import annotations

import copyreg
import io
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.scan.second.inert import EXTENSION, Answer, Inert, examine
from tests.scan.second.streams import call, global_, stack_global, text

A, B = ("a.module", "A"), ("b", "b.c")
ONE, TWO = stack_global(*A), stack_global(*B)


def examined(stream: bytes) -> Answer:
    return examine(io.BytesIO(stream), len(stream))


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(ONE + b")R" + TWO + b".", id="reduce"),
        pytest.param(
            ONE + b")R)R)\x81" + TWO + b".", id="what a call gave is called, and made an instance of"
        ),
        pytest.param(ONE + b")\x81" + TWO + b".", id="newobj"),
        pytest.param(ONE + b")}\x92" + TWO + b".", id="newobj_ex"),
        pytest.param(b"(" + ONE + b"o" + TWO + b".", id="obj"),
        pytest.param(b"(" + ONE + b"K\x01o" + TWO + b".", id="obj with an argument"),
        pytest.param(b"(ia.module\nA\n" + TWO + b".", id="inst"),
        pytest.param(ONE + b"}" + text("x") + b"K\x01sb" + TWO + b".", id="build"),
        pytest.param(ONE + b")\x81N}" + text("__class__") + TWO + b"s\x86b.", id="build with slots"),
        pytest.param(ONE + b"K\x01a" + TWO + b".", id="append"),
        pytest.param(ONE + b"(K\x01K\x02e" + TWO + b".", id="appends"),
        pytest.param(ONE + b"(K\x01\x90" + TWO + b".", id="additems"),
        pytest.param(ONE + b"K\x01K\x02s" + TWO + b".", id="setitem"),
        pytest.param(ONE + b"(K\x01K\x02u" + TWO + b".", id="setitems"),
        pytest.param(b"}" + ONE + TWO + b"s.", id="key and value"),
        pytest.param(b"(" + ONE + TWO + b"\x91.", id="member of a frozenset"),
        pytest.param(b"\x8f(" + ONE + TWO + b"\x90.", id="member of a set"),
        pytest.param(ONE + b"Q)R" + TWO + b".", id="identity of something persistent"),
        pytest.param(b"Pwords\n)R" + ONE + TWO + b".", id="identity in text"),
        pytest.param(b"\x97\x98" + ONE + TWO + b".", id="buffers from outside"),
        pytest.param(b"U\x02\xff\xfe" + ONE + TWO + b".", id="bytes that are no text"),
        pytest.param(b"S'\\xff'\n" + ONE + TWO + b".", id="bytes that are no text, written out"),
        pytest.param(b"Vwo\\u0072ds\n" + ONE + TWO + b".", id="text written out"),
    ],
)
def test_every_opcode_that_meets_the_stand_in_goes_on(stream: bytes) -> None:
    answer = examined(b"\x80\x05" + stream)
    assert (answer.names, answer.error, answer.differs) == ({A, B}, "", "")
    assert answer.end == len(stream) + 2


@pytest.mark.parametrize(
    "state",
    [
        b"}" + text("__class__") + TWO + b"s",
        b"}" + text("__dict__") + b"}s",
        b"}" + text("__setstate__") + TWO + b"s",
        b"N}" + text("__new__") + TWO + b"s\x86",
        TWO,
    ],
)
def test_no_state_reaches_the_stand_in(state: bytes) -> None:
    before = dict(vars(Inert))
    examined(b"\x80\x04" + ONE + state + b"b" + ONE + b")\x81" + state + b"b.")
    assert dict(vars(Inert)) == before
    assert type(Inert()).__name__ == "_InertType"


def test_the_stand_in_is_all_there_is_of_it() -> None:
    assert Inert() is Inert
    assert Inert(1, two=2)() is Inert
    assert Inert.__new__(Inert, 1) is Inert


def test_names_are_told_as_they_are_written() -> None:
    # Loaders rename the modules of Python 2; what they are called in the stream is what the other engine sees too.
    assert examined(b"\x80\x02" + global_("__builtin__", "reduce") + b".").names == {
        ("__builtin__", "reduce")
    }


def test_a_name_of_half_a_character_is_a_name() -> None:
    assert examined(b"\x80\x04" + stack_global("m", "\ud800") + b".").names == {("m", "\ud800")}


def test_what_follows_the_stop_is_not_read() -> None:
    stream = call("os", "getcwd")
    assert examined(stream + ONE + b".").end == len(stream)


@pytest.mark.parametrize("code", [b"\x82\x07", b"\x83\x07\x07", b"\x84\x07\x07\x07\x07"])
def test_a_code_of_the_extension_registry_is_a_name(code: bytes) -> None:
    answer = examined(b"\x80\x04" + code + b")R" + ONE + b".")
    assert (answer.names, answer.error, answer.differs) == ({EXTENSION, A}, "", "")
    assert not copyreg._inverted_registry  # type: ignore[attr-defined]


def test_a_frame_that_means_something_else_from_memory_is_a_difference() -> None:
    # python/cpython#154848: bytes left in a frame are dropped or read, by where the unpickler reads from.
    name = text("x" * 5) + b"0"
    frame = b"\x95" + (1 << 17).to_bytes(8, "little") + b"N0" * ((1 << 16) - 4) + name[:8]
    stream = b"\x80\x04" + frame + name[8:] + ONE + b"0" + TWO + b"."
    answer = examined(stream)
    assert answer.differs


def test_an_end_inside_of_a_frame_is_a_difference() -> None:
    stream = b"\x80\x04\x95" + (12).to_bytes(8, "little") + b"N." + b"N" * 10
    assert examined(stream).differs == "reading it from memory ends elsewhere"


def test_arguments_that_only_one_unpickler_takes_are_a_difference() -> None:
    # REDUCE wants a tuple; the unpickler written in Python takes whatever can be taken apart.
    assert examined(b"\x80\x04" + ONE + b"]R" + TWO + b".").differs.startswith(
        "the unpickler written in Python"
    )


@pytest.mark.parametrize("more", [0, 30_000])
def test_a_frame_that_is_longer_than_its_file_is_a_difference(more: int) -> None:
    # CPython's unpickler written in C wants all of a frame; the one written in Python is content with what is there.
    body = b"B" + more.to_bytes(4, "little") + bytes(more) + b"0" + ONE + b"."
    answer = examined(b"\x80\x04\x95" + (len(body) + 1).to_bytes(8, "little") + body)
    assert answer.differs == "the unpickler written in Python asks for other names"
    assert answer.names == {A}


@given(st.integers(0, 300))
def test_a_download_that_broke_off_is_no_difference(length: int) -> None:
    stream = pickle.dumps([Sample(["words", 5, 1.5, (b"bytes",)]), {"more": Sample(None)}])[:length]
    for protocol_0 in (stream, pickle.dumps([Sample("words"), 7, "text\n"], 0)[:length]):
        assert examined(protocol_0).differs == ""


def test_a_stream_that_ends_too_early_tells_what_it_asked_for() -> None:
    answer = examined(ONE + b")R" + text("words")[:-1])
    assert (answer.names, answer.end, answer.error, answer.differs) == ({A}, None, "UnpicklingError", "")


def test_a_size_that_is_not_there_costs_nothing() -> None:
    answer = examined(ONE + b"X\xff\xff\xff\x7fwords")
    assert (answer.names, answer.error, answer.spent) == ({A}, "UnpicklingError", "")


class Sample:
    def __init__(self, words: object) -> None:
        self.words = words


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300) | st.binary(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
        | st.tuples(inner, inner)
        | st.builds(Sample, inner)
    ),
    max_leaves=20,
)


@given(plain, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_what_a_pickler_writes_is_read_alike_in_every_way(what: object, protocol: int) -> None:
    stream = pickle.dumps(what, protocol)
    answer = examined(stream + b"more")
    assert (answer.end, answer.error, answer.differs, answer.spent) == (len(stream), "", "", "")


@given(st.binary(max_size=60), st.binary(max_size=20))
def test_no_bytes_raise(start: bytes, end: bytes) -> None:
    examined(start + ONE + end)
