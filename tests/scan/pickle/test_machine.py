"""The machine against CPython: the same end, the same imports, and bounds that hold."""

from __future__ import annotations

import collections
import contextlib
import copyreg
import datetime as dt
import decimal
import fractions
import io
import pickle
import pickletools
import struct
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import OverBudgetError
from eightysix.scan.pickle.values import Items
from tests.scan.pickle.assemble import PAYLOAD, name, number, payload, proto, read, rules, text

_KEYS = st.one_of(st.text(max_size=6), st.integers(), st.booleans())
_ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.binary().map(bytearray),
    st.complex_numbers(),
    st.decimals(),
    st.fractions(),
    st.uuids(),
    st.dates(),
    st.datetimes(),
    st.timedeltas(),
)
_DATA: st.SearchStrategy[Any] = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.lists(inner),
        st.tuples(inner, inner),
        st.dictionaries(_KEYS, inner),
        st.sets(_KEYS),
        st.frozensets(_KEYS),
        st.dictionaries(_KEYS, inner).map(collections.OrderedDict),
        st.lists(inner).map(collections.deque),
    ),
    max_leaves=20,
)


class Recorder(pickle.Unpickler):
    """CPython's unpickler, noting what it would import and giving back the harmless real things alone."""

    allowed = (collections, copyreg, dt, decimal, fractions, uuid)

    def __init__(self, data: bytes) -> None:
        self.source = io.BytesIO(data)
        super().__init__(self.source)
        self.names: set[tuple[str, str]] = set()

    def find_class(self, module: str, qualname: str) -> Any:
        self.names.add((module, qualname))
        assert module in {one.__name__ for one in self.allowed} | {
            "builtins",
            "__builtin__",
            "_codecs",
            "copy_reg",
        }
        return super().find_class(module, qualname)


@settings(max_examples=200)
@given(_DATA, st.sampled_from(range(6)), st.booleans())
def test_it_ends_where_cpython_ends_and_sees_the_same_imports(
    data: Any, protocol: int, optimise: bool
) -> None:
    dumped = pickle.dumps(data, protocol)
    if optimise:
        dumped = pickletools.optimize(dumped)
    recorder = Recorder(dumped + b"rest")
    recorder.load()
    outcome, effects = read(dumped + b"rest")
    assert outcome.end == len(dumped)
    assert effects.globals == recorder.names


@settings(max_examples=200)
@given(_DATA, st.sampled_from(range(6)), st.data())
def test_damaged_streams_end_in_an_answer(data: Any, protocol: int, draw: st.DataObject) -> None:
    dumped = bytearray(pickle.dumps(data, protocol) + payload(protocol))
    for _ in range(draw.draw(st.integers(1, 4))):
        place = draw.draw(st.integers(0, len(dumped) - 1))
        dumped[place] = draw.draw(st.integers(0, 255))
    outcome, effects = read(bytes(dumped))
    assert (outcome.end is None) == bool(outcome.broken)
    effects.observations()


@given(st.binary(max_size=200))
def test_any_bytes_end_in_an_answer(data: bytes) -> None:
    outcome, effects = read(proto(data))
    assert outcome.end is not None or outcome.broken
    effects.observations()


@settings(max_examples=100)
@given(_DATA, st.sampled_from(range(6)), st.data())
def test_what_cpython_reads_of_a_damaged_stream_is_seen(
    data: Any, protocol: int, draw: st.DataObject
) -> None:
    dumped = bytearray(pickle.dumps(data, protocol))
    place = draw.draw(st.integers(0, len(dumped) - 1))
    dumped[place] = draw.draw(st.integers(0, 255))
    names = asked(bytes(dumped))
    seen = read(bytes(dumped))[1].globals
    assert names <= seen


class Inert:
    """Stands for everything that is imported; does nothing."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __call__(self, *arguments: Any, **named: Any) -> Inert:
        return self

    def __setstate__(self, state: Any) -> None:
        pass

    def append(self, item: Any) -> None: ...

    def extend(self, items: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...


class Asking(pickle.Unpickler):
    def __init__(self, data: bytes) -> None:
        self.source = io.BytesIO(data)
        super().__init__(self.source)
        self.names: set[tuple[str, str]] = set()

    def find_class(self, module: str, qualname: str) -> Any:
        self.names.add((module, qualname))
        return Inert

    def persistent_load(self, identity: Any) -> Any:
        return Inert()


def asked(data: bytes) -> set[tuple[str, str]]:
    """What CPython asks for until it ends, however that is."""
    asking = Asking(data)
    with contextlib.suppress(Exception):  # the stream is damaged on purpose
        asking.load()
    return asking.names


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (b"", "the stream ends before STOP"),
        (b"N", "the stream ends before STOP"),
        (b"h\x05.", "memo slot 5 is read before it is set"),
        (b"g7\n.", "memo slot 7 is read before it is set"),
        (b"gx\n.", "a memo slot has no number"),
        (b"Iabc", "the stream ends before STOP"),
        (b"I", "the stream ends inside an opcode"),
        (b"\xff.", "0xff is no opcode"),
        (b"a.", "an opcode takes more than the stack holds"),
        (b"N(\x85.", "an opcode takes more than the stack holds"),
        (b"\x8b\xff\xff\xff\xff.", "a number has a negative length"),
        (b"B\xff\xff\xff\x7fabc", "the stream ends inside a payload"),
        (b"\x8c\xffabc", "the stream ends inside an opcode"),
    ],
)
def test_what_breaks_a_stream_is_told(stream: bytes, why: str) -> None:
    outcome, _ = read(proto(stream)) if stream else read(b"")
    assert (outcome.end, outcome.broken) == (None, why)


def test_a_pop_behind_a_mark_takes_the_mark() -> None:
    assert read(proto(b"K\x01(0K\x02\x86."))[0].end == 10


def test_memoize_counts_the_slots_that_are_set() -> None:
    stream = proto(text("os") + b"q\x05" + b"0" + text("system") + b"\x940" + b"h\x05h\x01\x93.")
    assert read(stream)[1].globals == asked(stream) == {("os", "system")}


def test_an_overwritten_slot_gives_its_last_value() -> None:
    stream = proto(text("math") + b"q\x000" + text("os") + b"q\x000h\x00" + text("system") + b"\x93.")
    assert read(stream)[1].globals == asked(stream) == {("os", "system")}


def test_a_name_that_the_stream_cuts_off_is_imported_without_its_last_byte() -> None:
    # The unpickler in Python, which joblib and dill build on, does this; the one in C raises.
    assert read(proto(b"cos\nsystem."))[1].globals == {("os", "system")}


def test_a_mark_and_a_tuple_are_an_empty_tuple() -> None:
    outcome, effects = read(proto(b"(t."))
    assert effects.heap.items(outcome.result) == ()


def test_a_zero_byte_ends_the_number_of_a_slot() -> None:
    stream = b"(lp0\0zz\nc__builtin__\neval\n."
    assert read(stream)[1].globals == asked(stream) == {("__builtin__", "eval")}


def test_a_payload_is_skipped_and_not_read() -> None:
    blob = b"B" + struct.pack("<I", 1_000_000) + bytes(1_000_000)
    outcome, _ = read(proto(blob + b"0" + blob + b"."))
    assert outcome.opcodes == 5


def test_old_names_are_renamed_below_protocol_3_only() -> None:
    stream = name("__builtin__", "eval") + b"."
    for version, module in ((2, "builtins"), (4, "__builtin__")):
        _, effects = read(proto(stream, version))
        assert [one.module for one in effects.heap.names if one is not None] == [module]
        assert effects.globals == {("__builtin__", "eval")}


def test_the_budget_ends_a_flood_of_opcodes() -> None:
    with pytest.raises(OverBudgetError):
        read(proto(b"N0" * 100_000 + b"."), steps=50_000)


def test_a_flood_below_the_budget_is_read_to_the_payload_behind_it() -> None:
    assert "pickle-gadget" in rules(proto(b"N0" * 100_000 + PAYLOAD + b"."))


@pytest.mark.parametrize(
    "stream",
    [
        b"]" * 5_000 + b"a" * 4_999 + b".",
        b")" + b"\x85" * 5_000 + b".",
        b"(" * 5_000 + b"t" * 5_000 + b".",
        b"]" + b"2\x86" * 60 + b".",
        b"\x94".join([b"]", b"]h\x00ah\x00a"])
        + b"".join(b"\x94](h%ch%ce" % (n, n) for n in range(1, 60))
        + b".",
    ],
)
def test_what_nobody_can_walk_is_a_bomb(stream: bytes) -> None:
    assert "bomb" in rules(proto(stream))


def test_a_tree_with_parents_is_no_bomb() -> None:
    root: list[Any] = []
    level = [root]
    for _ in range(10):
        level = [[parent] for parent in level for _ in range(2)]
        for child in level:
            child[0].append(child)
    assert rules(pickle.dumps(root)) == set()


@pytest.mark.parametrize("index", [1 << 20, 0xFFFF_FFF0])
def test_a_far_memo_slot_is_a_bomb(index: int) -> None:
    assert "bomb" in rules(proto(b"Nr" + struct.pack("<I", index) + b"."))


def test_bytes_that_are_announced_and_not_there_are_a_bomb() -> None:
    assert "bomb" in rules(proto(b"\x8e" + struct.pack("<Q", 1 << 40) + b"abc"))


@pytest.mark.parametrize(
    "stream",
    [
        b"\x95" + struct.pack("<Q", 3) + b"\x8c\x05abcde.",
        b"\x95" + struct.pack("<Q", 20) + b"N0\x95" + struct.pack("<Q", 2) + b"N0" + b"N0N0N0.",
        b"\x95" + struct.pack("<Q", 9) + b"N.NNNNNNNNN",
    ],
)
def test_opcodes_that_do_not_fit_their_frame_are_told(stream: bytes) -> None:
    assert "pickle-frame" in rules(proto(stream))


def test_frames_of_a_pickler_are_in_order() -> None:
    data = [bytes(70_000), "x" * 70_000, list(range(40_000)), bytearray(70_000)]
    for protocol in (4, 5):
        assert rules(pickle.dumps(data, protocol)) == set()


def test_a_cycle_is_read_and_shown() -> None:
    cycle: list[Any] = []
    cycle.append((cycle, {"again": cycle}))
    assert rules(pickle.dumps(cycle)) == set()


def test_values_are_read_from_the_stream_on_demand() -> None:
    stream = proto(
        b"(" + number(-7) + text("é") + b"C\x01z" + b"I01\nL12L\nS'a\\x41'\nVb\\u0041\nG" + bytes(8) + b"t."
    )
    outcome, effects = read(stream)
    tuple_ = effects.heap.value(outcome.result)
    assert isinstance(tuple_, Items)
    assert tuple_.items is not None
    values = [effects.heap.value(code) for code in tuple_.items]
    assert values[:7] == [-7, "é", b"z", True, 12, "aA", "bA"]


def test_a_window_counts_from_its_own_start() -> None:
    whole = Artifact(b"front" + payload() + b"back", "x")
    outcome, effects = read(bytes(whole.window("", 5, len(payload())).view()))
    assert outcome.end == len(payload())
    assert [seen.place for seen in effects.observations()] == [2 + len(PAYLOAD) - 1]
