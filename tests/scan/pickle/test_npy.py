"""npy files: the header, the array's place, and the pickle that an array of objects is."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.scan.pickle.dtypes import dtype_of
from eightysix.scan.pickle.literal import LiteralError, read_literal
from tests.scan.pickle.assemble import findings, payload

SIMPLE = "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"


def npy(header: str, data: bytes, version: int = 1) -> bytes:
    text = header.encode()
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_array_of_numbers_is_clean(version: int) -> None:
    assert findings(npy(SIMPLE, bytes(24), version)) == ("clean", ())


def test_several_arrays_are_read() -> None:
    bad = npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", payload())
    assert findings(npy(SIMPLE, bytes(24)) * 3)[0] == "clean"
    assert findings(npy(SIMPLE, bytes(24)) + bad)[0] == "malicious"


@pytest.mark.parametrize(
    "descr",
    [
        "'|O'",
        "'O'",
        "'object'",
        "[('a', '<i4'), ('b', '|O')]",
        "[('a', [('b', 'O', (2,))])]",
        "'i4,O'",
        "'f8, O8'",
    ],
)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_array_of_objects_is_read_as_a_pickle(descr: str, version: int) -> None:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}"
    assert findings(npy(header, payload(), version))[0] == "malicious"


@pytest.mark.parametrize(
    "header",
    [
        "(" * 5_000 + ")" * 5_000,
        "{'descr': '<f8'}",
        "__import__('os')",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': 3, }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': ('a',), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4,), }",
        "",
    ],
)
def test_a_header_that_is_none_is_malformed(header: str) -> None:
    verdict, found = findings(npy(header, bytes(24), 2))
    assert (verdict, [one.rule for one in found]) == ("malformed", ["npy-header"])


@pytest.mark.parametrize("shape", ["(1000000000000000,)", "(4294967296, 4294967296, 4294967296)"])
def test_a_shape_that_asks_for_all_memory_is_a_bomb(shape: str) -> None:
    verdict, found = findings(
        npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}", bytes(8))
    )
    assert (verdict, [one.rule for one in found]) == ("malicious", ["bomb"])


@given(st.binary(max_size=200))
def test_no_header_makes_the_reader_fail(data: bytes) -> None:
    assert "reader-failed" not in {one.rule for one in findings(b"\x93NUMPY\x01\x00" + data)[1]}


@given(st.text(alphabet="{}[]()',:0123456789TrueNone \\\"", max_size=80))
def test_no_literal_makes_it_fail(text: str) -> None:
    with contextlib.suppress(LiteralError):
        read_literal(text)


_LITERALS: st.SearchStrategy[object] = st.recursive(
    st.one_of(
        st.integers(-(10**9), 10**9), st.booleans(), st.none(), st.text(alphabet="abc<|, ", max_size=5)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(alphabet="abc", max_size=3), inner, max_size=3),
    ),
    max_leaves=10,
)


@given(_LITERALS)
def test_a_literal_is_what_python_wrote(value: object) -> None:
    assert read_literal(repr(value)) == value


@pytest.mark.parametrize(
    ("text", "size", "objects"),
    [
        ("<f8", 8, False),
        ("|b1", 1, False),
        ("<U3", 12, False),
        ("S5", 5, False),
        ("V7", 7, False),
        ("float32", 4, False),
        ("<M8[ns]", 8, False),
        ("|O", 8, True),
        ("O8", 8, True),
        ("f8,O", None, None),
        ("?", 1, False),
        ("", None, None),
    ],
)
def test_a_dtype_has_a_size(text: str, size: int | None, objects: bool | None) -> None:
    kind = dtype_of(text)
    assert (kind.size, kind.objects) == (size, objects)
