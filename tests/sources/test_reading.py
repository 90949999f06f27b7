"""Files, folders and streams become whole lines with the right numbers, whatever is in them."""

from __future__ import annotations

import gzip
import importlib
import io
import json
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.errors import NothingToReadError
from eightysix.model.incident import Problem
from eightysix.sources.decompress import Limits
from eightysix.sources.lines import Block, find_newlines
from eightysix.sources.reading import read_inputs, read_stream


def read(data: bytes, **limits: int) -> tuple[list[Block], list[Problem]]:
    problems: list[Problem] = []
    blocks = list(read_stream(io.BytesIO(data), "f", Limits(**limits), problems.append))
    return blocks, problems


def numbered(blocks: list[Block]) -> list[tuple[int, bytes]]:
    """Every line with something in it, with its number."""
    return [
        (line, data)
        for block in blocks
        for line, data in enumerate(block.data.split(b"\n"), block.first_line)
        if data.strip()
    ]


# --- lines


@given(
    st.lists(
        st.sampled_from([b'{"a":1}', b'{"b":"' + b"x" * 40 + b'"}', b"", b"no json", b"\0\0", b"  ", b"}{"])
    ),
    st.integers(1, 70),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
)
def test_line_numbers_are_right_under_any_mix(
    lines: list[bytes], block_bytes: int, ending: bytes, last: bool
) -> None:
    lines = [b'{"first":0}', *lines]
    text = ending.join(lines) + (ending if last else b"")
    blocks, problems = read(text, block_bytes=block_bytes, record_bytes=30)
    expected = {n: line for n, line in enumerate(lines, 1) if line.strip()}
    assert {n: line.rstrip(b"\r") for n, line in numbered(blocks)} == {
        n: line for n, line in expected.items() if len(line) <= 30
    }
    assert [(p.line, p.kind) for p in problems] == [
        (n, "oversized") for n, line in expected.items() if len(line) > 30
    ]


def test_only_the_last_line_may_lack_its_newline() -> None:
    blocks, _ = read(b'{"a":1}\n{"b":2}\n{"c":3}', block_bytes=10)
    assert all(block.data.endswith(b"\n") for block in blocks[:-1])
    assert blocks[-1].data == b'{"c":3}'


def test_an_oversized_line_is_never_held_whole() -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"a":1}\n{"b":"'
        for _ in range(600):
            yield b"x" * (1 << 16)
        yield b'"}\n{"c":3}\n'

    class Stream(io.RawIOBase):
        source = chunks()

        def read(self, size: int = -1) -> bytes:
            return next(self.source, b"")

    problems: list[Problem] = []
    tracemalloc.start()
    blocks = list(read_stream(Stream(), "f", Limits(), problems.append))  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert numbered(blocks) == [(1, b'{"a":1}'), (3, b'{"c":3}')]
    assert [(p.line, p.kind) for p in problems] == [(2, "oversized")]
    assert peak < 4 << 20


@given(st.binary(max_size=200))
def test_newlines_are_counted_as_bytes_counts_them(data: bytes) -> None:
    assert find_newlines(data) == [at for at, byte in enumerate(data) if byte == 10]


@given(st.binary(max_size=400) | st.text('{}[]",:\\\n ax1', max_size=200).map(str.encode), st.integers(1, 50))
def test_any_bytes_are_read_without_an_error(data: bytes, block_bytes: int) -> None:
    blocks, _ = read(data, block_bytes=block_bytes, record_bytes=64)
    for block in blocks:
        assert 1 <= block.first_line <= data.count(b"\n") + 1
        assert (
            b"\n" not in block.data or block.data.rindex(b"\n") == len(block.data) - 1 or block is blocks[-1]
        )


# --- encodings


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
@pytest.mark.parametrize("block_bytes", [1, 3, 1000])
def test_unicode_encodings_are_told_by_mark_or_by_their_zeros(encoding: str, block_bytes: int) -> None:
    text = '{"a":"é😀"}\n\n{"b":2}\n'
    blocks, problems = read(text.encode(encoding), block_bytes=block_bytes)
    assert numbered(blocks) == [(1, '{"a":"é😀"}'.encode()), (3, b'{"b":2}')]
    assert problems == []


def test_broken_utf_16_costs_its_line_only() -> None:
    text = '{"a":1}\n'.encode("utf-16-le") + b"\x00\xd8" + '"}\n{"b":2}\n'.encode("utf-16-le") + b"x"
    blocks, _ = read(text)
    assert (3, b'{"b":2}') in numbered(blocks)


@pytest.mark.parametrize(
    ("magic", "name"),
    [(b"BZh91AY", "bzip2"), (b"PK\x03\x04", "zip"), (b"PAR1", "Parquet"), (b"\xfd7zXZ\0", "xz")],
)
def test_other_formats_are_named(magic: bytes, name: str) -> None:
    blocks, problems = read(magic + b"\n{}\n")
    assert blocks == []
    assert problems[0].kind == "unreadable"
    assert name in problems[0].reason


# --- compression


LINES = b"".join(b'{"n":%d,"text":"%s"}\n' % (n, b"abc" * (n % 50)) for n in range(3000))


def zstd(data: bytes) -> bytes:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            compressed: bytes = importlib.import_module(name).compress(data)
        except ImportError:
            continue
        return compressed
    pytest.skip("no zstd: neither Python 3.14 nor backports.zstd")


def test_gzip_is_told_by_its_bytes_and_may_have_many_members() -> None:
    middle = LINES.index(b"\n", len(LINES) // 2) - 7  # a member may end within a line
    data = gzip.compress(LINES[:middle]) + gzip.compress(b"") + gzip.compress(LINES[middle:]) + b"\0" * 1024
    for block_bytes in (100, 1 << 17):
        blocks, problems = read(data, block_bytes=block_bytes)
        assert b"".join(block.data for block in blocks) == LINES
        assert problems == []


def test_zstd_may_have_many_frames() -> None:
    frames = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + zstd(LINES[:9]) + zstd(LINES[9:])
    blocks, problems = read(frames, block_bytes=1000)
    assert b"".join(block.data for block in blocks) == LINES
    assert problems == []


def test_without_its_library_zstd_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.import_module", _no_module)
    blocks, problems = read(b"\x28\xb5\x2f\xfd....")
    assert blocks == []
    assert "pip install 'eightysix[zstd]'" in problems[0].reason


def _no_module(name: str) -> None:
    raise ModuleNotFoundError(name)


@given(st.integers(10, 3000), st.sampled_from(["gzip", "zstd"]))
def test_what_came_before_the_end_of_truncated_data_is_used(kept: int, kind: str) -> None:
    data = gzip.compress(LINES) if kind == "gzip" else zstd(LINES)
    data = data[: min(kept, len(data) - 1)]
    blocks, problems = read(data)
    assert LINES.startswith(b"".join(block.data for block in blocks))
    assert problems[-1].kind == "unreadable"
    assert "end early" in problems[-1].reason


@given(st.integers(20, 3000), st.integers(1, 255), st.sampled_from(["gzip", "zstd"]))
def test_damaged_data_are_told_and_never_an_error(at: int, change: int, kind: str) -> None:
    data = bytearray(gzip.compress(LINES) if kind == "gzip" else zstd(LINES))
    data[at % len(data)] ^= change
    blocks, problems = read(bytes(data))
    # zstd has no checksum by default: there the decoders tell what no longer is JSON.
    assert kind == "zstd" or problems or b"".join(block.data for block in blocks) == LINES


def test_text_after_compressed_data_is_told() -> None:
    blocks, problems = read(gzip.compress(b'{"a":1}\n') + b"more")
    assert numbered(blocks) == [(1, b'{"a":1}')]
    assert [(p.line, p.kind) for p in problems] == [(2, "unreadable")]


def test_a_bomb_is_cut_short() -> None:
    data = gzip.compress(b'{"a":1}\n' + b"0" * 4_000_000)
    _, problems = read(data, ratio=100, ratio_from=1_000_000)
    assert any("bomb" in p.reason for p in problems)
    blocks, problems = read(gzip.compress(LINES), decompressed_bytes=10_000)
    assert any("not read further" in p.reason for p in problems)
    assert sum(len(block.data) for block in blocks) < 200_000


def test_compressed_twice_is_told() -> None:
    _, problems = read(gzip.compress(gzip.compress(LINES)))
    assert "looks like gzip" in problems[0].reason


# --- files and folders


def paths(tmp_path: Path, *names: str) -> list[str]:
    return [str(tmp_path / name) for name in names]


def test_folders_are_read_in_sorted_order(tmp_path: Path) -> None:
    for name in ("b/2.log", "b/10.log", "a.json", "b.gz/x", "Z"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b'{"n":1}\n')
    (tmp_path / "empty").touch()
    problems: list[Problem] = []
    blocks = list(read_inputs([str(tmp_path)], None, Limits(), problems.append))
    assert [os.path.relpath(block.file, tmp_path) for block in blocks] == [
        "Z",
        "a.json",
        "b/10.log",
        "b/2.log",
        "b.gz/x",
    ]
    assert problems == []


def test_what_cannot_be_read_costs_itself_only(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / "target.json").write_bytes(b'{"n":2}\n')
    (folder / "good.json").write_bytes(b'{"n":1}\n')
    (folder / "link.json").symlink_to(elsewhere / "target.json")
    (folder / "broken").symlink_to(tmp_path / "nowhere")
    (folder / "loop").symlink_to(folder)
    (folder / "other").symlink_to(elsewhere)
    os.mkfifo(folder / "fifo")
    problems: list[Problem] = []
    blocks = list(read_inputs([str(folder), str(tmp_path / "absent")], None, Limits(), problems.append))
    assert [Path(block.file).name for block in blocks] == ["good.json", "link.json"]
    assert sorted(Path(p.file).name for p in problems) == ["absent", "broken", "fifo", "other"]
    assert {p.kind for p in problems} == {"unreadable"}


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    (tmp_path / "closed").touch()
    monkeypatch.setattr(os, "open", refuse)
    problems: list[Problem] = []
    with pytest.raises(NothingToReadError):
        list(read_inputs(paths(tmp_path, "closed"), None, Limits(), problems.append))
    assert problems == [Problem(str(tmp_path / "closed"), 0, "unreadable", "Permission denied")]


def test_standard_input_is_a_dash() -> None:
    blocks = list(read_inputs(["-"], io.BytesIO(gzip.compress(b'{"a":1}\n')), Limits(), print))
    assert [(block.file, block.data) for block in blocks] == [("-", b'{"a":1}\n')]


@pytest.mark.parametrize("names", [[], ["absent"], ["picture.png"], ["-"]])
def test_nothing_to_read(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n")
    inputs = [name if name == "-" else str(tmp_path / name) for name in names]
    with pytest.raises(NothingToReadError) as caught:
        list(read_inputs(inputs, None, Limits(), lambda problem: None))
    assert caught.value.exit_code == 3
    assert caught.value.advice


def test_an_empty_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert list(read_inputs(paths(tmp_path, "empty"), None, Limits(), print)) == []


def test_names_that_are_no_text_are_printable(tmp_path: Path) -> None:
    name = os.fsencode(str(tmp_path)) + b"/\xff.json"
    try:
        Path(os.fsdecode(name)).write_bytes(b'{"a":1}\n')
    except OSError:
        pytest.skip("this file system has no such names")
    (block,) = read_inputs([str(tmp_path)], None, Limits(), print)
    assert block.file.endswith("\\xff.json")
    json.dumps(block.file).encode()


def test_given_telemetry_keeps_every_line(shared_data: Path) -> None:
    for path in sorted(shared_data.glob("telemetry/*/*.jsonl")):
        problems: list[Problem] = []
        blocks = list(read_inputs([str(path)], None, Limits(block_bytes=5000), problems.append))
        expected = [(n, line) for n, line in enumerate(path.read_bytes().split(b"\n"), 1) if line.strip()]
        assert numbered(blocks) == expected
        assert problems == []
