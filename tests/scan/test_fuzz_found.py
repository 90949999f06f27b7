"""What `make fuzz` found, as short as it could be made. None of it may be clean again, and no reader may fail over it."""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
from collections.abc import Callable

import pytest

from eightysix.model.finding import FileVerdict
from eightysix.scan.scanner import scan_bytes

PAYLOAD = b"cos\nsystem\n(S'true'\ntR"


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("weights.bin", data)
    return out.getvalue()


@pytest.mark.parametrize(
    "container", [zipped, gzip.compress, lambda data: gzip.compress(lzma.compress(data))]
)
@pytest.mark.parametrize(
    "pickle",
    [
        pytest.param(PAYLOAD + b"c\n\n.", id="a name that is none, after the payload"),
        pytest.param(PAYLOAD + b"cos\r\n\n.", id="a name with a carriage return, after the payload"),
        pytest.param(PAYLOAD + b"\xfe", id="no opcode after the payload"),
    ],
)
def test_what_breaks_after_its_payload_is_a_pickle_in_any_container(
    container: Callable[[bytes], bytes], pickle: bytes
) -> None:
    assert scan_bytes(container(pickle)).file.verdict is FileVerdict.MALICIOUS


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            "504b03043f0002000e00521b775df14b9521340000002000000010000000617263686976652f646174612e706b6c0904050005005d0000",
            id="an LZMA member without content",
        ),
    ],
)
def test_no_reader_fails(data: str) -> None:
    result = scan_bytes(bytes.fromhex(data))
    assert result.file.verdict is not FileVerdict.CLEAN
    assert not any(one.rule == "reader-failed" for one in result.findings)


@pytest.mark.parametrize(
    "data",
    [
        b"Vo\nV%\n\x93V\n\x85.",
        b"ci e\nZ\n(V\nt.",
        b"cantigravity\n%\n.",
        b"Vo\nV\n\x93V\n.\x85",
        b"cos\nsystem\n. and more",
        b"S's'\nS''\n\x93S''\n\x85R",
    ],
)
def test_what_a_loader_imports_from_is_a_pickle_whatever_the_name_and_whatever_follows(data: bytes) -> None:
    assert scan_bytes(data).file.verdict is FileVerdict.MALICIOUS


@pytest.mark.parametrize("data", [b"\x81\xa1xte", b"\x01\x02\x03", b"\xa1x\xa1y\x01"])
def test_values_behind_each_other_are_no_failure(data: bytes) -> None:
    assert not any(one.rule == "reader-failed" for one in scan_bytes(data).findings)
