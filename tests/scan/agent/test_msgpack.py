"""MessagePack: LangGraph's calls are found at any depth, everything else is data."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.scan.agent.msgpack import BrokenMsgpackError, decode, plausible
from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Budget, Limits
from eightysix.scan.texts.tree import Built
from tests.scan.told import Recorder, found, rules, verdict

FIXTURES = Path(__file__).parent / "fixtures"


def pack(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


def call(code: int, *parts: object) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(code, pack(list(parts)))


def test_what_langgraph_itself_wrote_is_clean() -> None:
    result = found((FIXTURES / "state.msgpack").read_bytes())
    assert (result.file.format, result.file.verdict) == ("msgpack", "clean")


@pytest.mark.parametrize("code", range(6))
def test_every_kind_of_call_is_judged(code: int) -> None:
    parts = ("os", "system", ["x"], "method") if code in (3, 5) else ("os", "system", "x")
    assert rules(pack({"state": {"deep": [1, call(code, *parts)]}})) == {"checkpoint-gadget"}


def test_a_call_inside_the_arguments_of_a_harmless_one_is_found() -> None:
    inner = call(0, "builtins", "eval", "x")
    outer = call(0, "collections", "deque", [inner])
    assert rules(pack({"x": msgspec.msgpack.Ext(7, pack(outer))})) == {"checkpoint-gadget"}


def test_classes_of_the_graph_are_suspicious_with_their_names() -> None:
    result = found(pack({"x": call(2, "my_graph.state", "State", {"a": 1})}))
    assert [(one.rule, one.names) for one in result.findings] == [
        ("checkpoint-unknown", ("my_graph.state.State",))
    ]


def test_functions_are_no_classes_of_a_state() -> None:
    assert rules(pack({"x": call(1, "langchain_core.load", "loads", ["{}"])})) == {"checkpoint-unknown"}


def test_an_array_of_flax_under_the_same_code_is_data() -> None:
    array = call(1, [2, 2], "float32", b"\0" * 16)
    assert verdict(pack({"params": {"dense": {"kernel": array}}})) == "clean"


def test_objects_of_langchain_are_judged_as_in_json() -> None:
    assert rules(pack({"metadata": {"lc": 1, "type": "secret", "id": ["KEY"]}})) == {"lc-secret"}


def test_a_binary_that_begins_as_a_pickle_is_handed_on() -> None:
    scan = Recorder()
    scan.read(Artifact(pack({"nd": True, "data": b"\x80\x04N."}), "file"))
    assert [data for _member, data in scan.parts] == [b"\x80\x04N."]


@pytest.mark.parametrize("tail", [b"\xc1", b"\x81", b"\xdb\xff\xff\xff\xff"])
def test_what_breaks_the_format_is_malformed(tail: bytes) -> None:
    assert rules(pack({"key": 1})[:-1] + tail) == {"msgpack-broken"}


def test_nesting_ends_in_a_finding() -> None:
    assert rules(b"\x81\xa1x" + b"\x91" * 100_000) == {"bomb"}
    nested = pack(None)
    for _ in range(300):
        nested = b"\x93\xa1a\xa1b\xc9" + len(nested).to_bytes(4, "big") + b"\x00" + nested
    assert rules(b"\x81\xa1x" + nested) == {"bomb"}


def test_a_count_is_believed_only_as_far_as_there_are_bytes() -> None:
    assert rules(b"\x81\xa1x\xdd\xff\xff\xff\xff") == {"msgpack-broken"}


@pytest.mark.parametrize(
    "data", [b"\x80\x04.", b"\x93\x01\x02\x03", b"\x81\x01\x02", b"\xa3abc", b"\x81\xa3\xff\xff\xff\x00"]
)
def test_nothing_else_is_taken_for_it(data: bytes) -> None:
    assert not plausible(data, len(data))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_it_reads_what_another_library_wrote(value: object) -> None:
    def plain(tree: object) -> object:
        if isinstance(tree, dict):
            return {key: plain(one) for key, one in tree.items()}
        if isinstance(tree, list):
            return [plain(one) for one in tree]
        return "" if isinstance(tree, bytes) else tree

    data = pack(value)
    decoded = decode(memoryview(data), Budget(Limits()))
    assert decoded.end == len(data)
    assert decoded.root == plain(value)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_tree_or_in_its_own_error(data: bytes) -> None:
    try:
        decoded = decode(memoryview(b"\x81\xa1x" + data), Budget(Limits()))
    except BrokenMsgpackError:
        return
    assert isinstance(decoded.root, (dict, Built))
