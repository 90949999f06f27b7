"""Files of several pickles, pickles behind and inside of other data, and the second engine."""

from __future__ import annotations

import base64
import io
import pickle
import struct
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.model.finding import FileVerdict
from eightysix.scan.interface import SecondOpinion
from eightysix.scan.scanner import Options, scan_bytes
from tests.scan.pickle.assemble import PAYLOAD, findings, name, number, payload, proto, text
from tests.scan.pickle.test_machine import Asking

DATA = pickle.dumps({"weights": [1.0, 2.0]})


def seen(data: bytes) -> set[str]:
    return {one.rule for one in findings(data)[1]}


PLACES: dict[str, Callable[[bytes], bytes]] = {
    "alone": lambda bad: bad,
    "second": lambda bad: DATA + bad,
    "sixth": lambda bad: DATA * 5 + bad,
    "behind zeros": lambda bad: DATA + bytes(5_000) + bad,
    "behind junk": lambda bad: DATA + b"\xff\xfe junk" * 100 + bad,
    "behind a line": lambda bad: b"# weights\n" + bad,
    "behind a binary header": lambda bad: b"WGHT\x01\x00\x00\x00" + bytes(56) + bad,
    "before junk": lambda bad: bad + b"junk",
    "behind a broken one": lambda bad: DATA[:-1] + b"\xff" + bad,
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("version", [0, 2, 4])
def test_a_payload_is_found_wherever_a_loader_could_reach_it(
    place: Callable[[bytes], bytes], version: int
) -> None:
    bad = payload(version) if version else b"cos\nsystem\n(S'echo pwned'\ntR."
    assert findings(place(bad))[0] == "malicious"


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_data_in_the_same_places_is_no_finding(place: Callable[[bytes], bytes]) -> None:
    assert findings(place(pickle.dumps([1, 2, {"a": "b"}])))[0] in ("clean", "malformed", "unscannable")


def test_a_pickler_that_dumps_twice_shares_its_memo() -> None:
    target = io.BytesIO()
    pickler = pickle.Pickler(target, 4)
    shared = ["os", "value"]
    pickler.dump(shared)
    pickler.dump([shared, shared])
    assert findings(target.getvalue()) == ("clean", ())


@pytest.mark.parametrize(
    "prose",
    [
        b"class Model:\n    def forward(self):\n        return 1\n",
        b"(a note in brackets)\nand more.\n",
        b"import os\nprint(1)\n",
        b"click\nflask\nnumpy\n",
        b"coverage\nbuild\n.env\n.venv\n",
        b"cache\nbuild\n",
        b"Please read.\nNothing else.\n",
        b"Version 1.0\nI am text.\n",
        b"]]>\n</xml>\n",
        b"}\n",
        b"Nothing here (yet).\n",
    ],
)
def test_text_is_no_pickle(prose: bytes) -> None:
    assert not scan_bytes(prose, "x").file.format.startswith("pickle")


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=300))
@settings(max_examples=200)
def test_text_is_never_malicious(prose: str) -> None:
    assert findings(prose.encode())[0] != "malicious"


@settings(max_examples=200)
@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"\x80\x02", b"\x80\x04\x95", b"\x93NUMPY\x01\x00", b"(", b"c"]),
)
def test_no_bytes_make_a_reader_fail(data: bytes, head: bytes) -> None:
    assert "reader-failed" not in seen(head + data)


@settings(max_examples=50)
@given(st.text(max_size=20), st.sampled_from([payload(), DATA, b"cos\nsystem\n."]))
def test_the_name_of_the_file_decides_nothing(path: str, data: bytes) -> None:
    assert scan_bytes(data, path).file.verdict == scan_bytes(data, "x").file.verdict


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "bytes": lambda bad: b"B" + struct.pack("<I", len(bad)) + bad,
    "base64": lambda bad: text(base64.b64encode(bad).decode()),
    "hex": lambda bad: text(bad.hex()),
    "a text of protocol 2": lambda bad: (
        name("_codecs", "encode") + text(bad.decode("latin-1")) + text("latin1") + b"\x86R"
    ),
}


@pytest.mark.parametrize("coding", CODINGS.values(), ids=CODINGS)
def test_a_dormant_payload_in_data_is_suspicious(coding: Callable[[bytes], bytes]) -> None:
    verdict, found = findings(proto(b"}" + text("blob") + coding(payload(4)) + b"s."))
    assert (verdict, [one.rule for one in found]) == ("suspicious", ["pickle-nested"])
    assert findings(proto(b"}" + text("blob") + coding(DATA) + b"s.")) == ("clean", ())


def test_dormant_payloads_are_found_three_levels_down() -> None:
    inner = payload()
    for _ in range(3):
        inner = proto(b"B" + struct.pack("<I", len(inner)) + inner + b".")
    assert seen(inner) == {"pickle-nested"}


# --- legacy torch ---

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def legacy(body: bytes, storages: bytes) -> bytes:
    return (
        MAGIC + proto(number(1001) + b".", 2) + proto(b"}.", 2) + proto(body, 2) + proto(b"].", 2) + storages
    )


STORAGE = (
    b"(" + text("storage") + name("torch", "FloatStorage") + text("0") + text("cpu") + number(3) + b"NtQ"
)
BYTES = struct.pack("<q", 3) + bytes(12)


def test_a_legacy_torch_file_is_read_to_the_end_of_its_storages() -> None:
    result = scan_bytes(legacy(STORAGE + b".", BYTES), "x")
    assert (result.file.format, result.file.verdict, result.findings) == ("torch-legacy", "clean", ())


def test_storages_that_look_like_a_payload_are_data() -> None:
    weights = struct.pack("<q", 3) + payload()[:12]
    assert findings(legacy(STORAGE + b".", weights))[0] == "clean"


def test_what_follows_the_storages_is_searched() -> None:
    assert findings(legacy(STORAGE + b".", BYTES + payload()))[0] == "malicious"


def test_storages_that_are_missing_are_told() -> None:
    assert findings(legacy(STORAGE + b".", BYTES[:-4]))[0] == "malformed"


@pytest.mark.parametrize("part", range(5))
def test_every_pickle_of_a_legacy_torch_file_is_read(part: int) -> None:
    parts = [MAGIC, proto(number(1001) + b".", 2), proto(b"}.", 2), proto(STORAGE + b".", 2), proto(b"].", 2)]
    parts[part] = parts[part][:2] + PAYLOAD + b"0" + parts[part][2:]
    assert findings(b"".join(parts) + BYTES)[0] == "malicious"


# --- joblib ---


def wrapper(dtype: str, shape: int, array: bytes, *, alignment: int | None = None) -> bytes:
    made = name("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81"
    kind = name("numpy", "dtype") + text(dtype) + b"\x89\x88\x87R"
    padding = b"" if alignment is None else text("numpy_array_alignment_bytes") + number(alignment)
    state = (
        text("subclass")
        + name("numpy", "ndarray")
        + text("shape")
        + number(shape)
        + b"\x85"
        + text("dtype")
        + kind
    )
    return made + b"}(" + state + padding + b"ub" + array


def test_arrays_of_joblib_are_jumped() -> None:
    first = wrapper("f8", 3, bytes(range(1, 25)))
    second = wrapper("i4", 2, b"\x03" + bytes(3) + bytes(8), alignment=16)
    assert findings(proto(b"(" + first + second + b"t.")) == ("clean", ())


def test_a_payload_behind_an_array_is_read() -> None:
    assert findings(proto(wrapper("f8", 3, bytes(24)) + b"0" + PAYLOAD + b"."))[0] == "malicious"


def test_an_array_of_objects_is_a_pickle() -> None:
    assert findings(proto(wrapper("O", 1, payload()) + b"."))[0] == "malicious"
    assert findings(proto(wrapper("O", 1, DATA) + b".")) == ("clean", ())


def test_an_array_that_is_code_to_pickle_load_is_told() -> None:
    hidden = b"0" + PAYLOAD + b"."
    assert seen(proto(wrapper("S1", len(hidden), hidden) + b".")) == {"pickle-two-readings"}


def test_an_array_past_the_end_is_told() -> None:
    assert "pickle-array" in seen(proto(wrapper("f8", 1 << 30, bytes(8)) + b"."))


# --- the second engine ---


class Reading:
    """CPython's unpickler with inert stand-ins, in this process: the tests' streams are ours."""

    def load(self, stream: memoryview) -> SecondOpinion:
        asking = Asking(bytes(stream))
        try:
            asking.load()
        except Exception as error:  # noqa: BLE001 - streams break on purpose
            return SecondOpinion(names=frozenset(asking.names), error=type(error).__name__)
        return SecondOpinion(names=frozenset(asking.names), end=asking.source.tell())


class Says:
    def __init__(self, opinion: SecondOpinion) -> None:
        self.opinion = opinion

    def load(self, stream: memoryview) -> SecondOpinion:
        return self.opinion


@pytest.mark.parametrize("stream", [DATA, payload(), payload(0), PAYLOAD, DATA * 3, proto(b"h\x05.")])
def test_both_engines_agree(stream: bytes) -> None:
    result = scan_bytes(stream, "x", Options(second=Reading()))
    assert result.file.second == "agreed"


@pytest.mark.parametrize(
    "opinion",
    [
        SecondOpinion(names=frozenset({("os", "system")}), end=len(DATA)),
        SecondOpinion(names=frozenset({("os", "system")}), error="EOFError"),
        SecondOpinion(end=len(DATA) - 1),
        SecondOpinion(end=len(DATA), differs="read from a file it asks for os.system"),
        SecondOpinion(names=frozenset({("os", "system")}), not_run="out of memory"),
    ],
)
def test_what_only_cpython_sees_is_malicious(opinion: SecondOpinion) -> None:
    result = scan_bytes(DATA, "x", Options(second=Says(opinion)))
    assert (result.file.verdict, result.file.second) == ("malicious", "disagreed")
    assert {one.rule for one in result.findings} == {"parser-differential"}


def test_an_engine_that_did_not_run_is_no_disagreement() -> None:
    result = scan_bytes(DATA, "x", Options(second=Says(SecondOpinion(not_run="too large"))))
    assert (result.file.verdict, result.file.second) == ("clean", "not run: too large")


def test_a_stream_that_cpython_ends_early_is_no_disagreement() -> None:
    stream = proto(name("os", "system") + number(1) + b"R" + name("os", "popen") + b"0.")
    result = scan_bytes(stream, "x", Options(second=Reading()))
    assert result.file.second == "agreed"


@pytest.mark.parametrize(
    "text", ["code\nblock\n.. image:: x.png\n", "changes\nRelease 1\n.", "cat\ndog\n. The end.\n"]
)
def test_prose_that_reads_as_an_import_and_a_full_stop_is_text(text: str) -> None:
    assert scan_bytes(text.encode() + b"more words\n").file.verdict is FileVerdict.CLEAN


def test_certificates_hold_no_pickle() -> None:
    """A bundle of certificates is 4,000 lines of letters and digits: some read as imports and calls."""
    random = Random(86)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    for _ in range(20):
        lines = ["".join(random.choices(alphabet, k=64)) for _ in range(400)]
        text = "# Issuer: CN=Example\n-----BEGIN CERTIFICATE-----\n" + "\n".join(lines) + "\n"
        assert scan_bytes(text.encode()).findings == ()
