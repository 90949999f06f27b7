"""Whatever is done to an archive: no crash, no budget passed, and nothing that a reader gets stays unseen."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import struct
import tarfile
import warnings
import zipfile
import zlib

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Limits, OverBudgetError
from eightysix.scan.containers.members import Members
from eightysix.scan.containers.skops import judge as judge_schema
from eightysix.scan.containers.tar import read as read_tar
from eightysix.scan.containers.torchscript import judge
from eightysix.scan.containers.zip import read as read_zip
from eightysix.scan.interface import Reader
from tests.scan.containers.recorder import Deep, Recorder
from tests.scan.containers.sevenzips import READ
from tests.scan.containers.zips import INERT, Member, write

LZ4 = (
    "1R_lsd_a%~00000006Q#0RRBebZ;PHWgu^IAZ~ATAPoTW2rM9UXkm09X>%ZSXk{RAb!BsOX>V>i9RLq10RR90|Ns9~@bLfv0s{mE1_uZU3JVMk4i6"
    "9!5)%{^78e*98XFuP9v>hfA|oUvCMPH<Dl054E-x@KGBY$aHa9pqIy*c)K0iP~LPJDFMn_0VN=r;lPESx#Qd3k_R##YAT3cLQUSD8gVq;`wW@l(="
    "YHMt5Zf|gLa&vTbc6WGrdV73*et&?0f`f#GhKGoWii?bmj*pO$l9QB`mY0~Bnwy-Ro}ZwhqNAjxrl+W>s;jK6uCK7Mva__cwzs&sy1Tr+zQ4f1"
    "!o$SH#>dFX%FE2n&d<=%($mz{*4NnC+S}aS-rwNi;^XAy=I7|?>g(+7?(gvN^7Hid_V@Vt`uqI-{{Lzq^r8R&001payDk"
)
"""What python-lz4 made of 1,936 bytes: blocks linked, with checksums of blocks and content, and the size in the header."""

LIMITS = Limits(unpacked=1 << 20, members=200)

NAMES = st.sampled_from(
    ["a", "b.pkl", "m/data.pkl", "m/version", "m/data/0", "d/e/f.npy", "x.txt", "schema.json"]
)
CONTENT = st.one_of(
    st.sampled_from([INERT, b"", b"text\n", b"\x7fELF" + bytes(99), write(Member(name=b"in")), bytes(5000)]),
    st.binary(max_size=300),
)
METHODS = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])

LIES = st.sampled_from([0, 1, 4, 20, 30, 0x7F, 0x80, 0xFF, 0xFFFF, 0xFFFFFFFF])


def all_contents(reader: Reader, data: bytes) -> tuple[Recorder, list[bytes]]:
    scan = Recorder(LIMITS)
    found: list[bytes] = []
    content, storage = Members.content, Members.storage

    def keep(self: Members, part: Artifact, name: str) -> None:
        found.append(part.head(len(part)))
        content(self, part, name)

    def keep_storage(self: Members, part: Artifact) -> None:
        found.append(part.head(len(part)))
        storage(self, part)

    Members.content, Members.storage = keep, keep_storage  # type: ignore[method-assign]
    try:
        reader(Artifact(data, "-"), scan)
    except OverBudgetError as over:
        scan.told.append(("too-much", "", str(over)))
    finally:
        Members.content, Members.storage = content, storage  # type: ignore[method-assign]
    assert scan.budget.unpacked <= LIMITS.unpacked + (1 << 18)
    assert scan.budget.members <= LIMITS.members + 1
    return scan, found


@st.composite
def zips(draw: st.DrawFn) -> bytes:
    buffer = io.BytesIO()
    buffer.write(draw(st.sampled_from([b"", b"", b"#!/bin/python\n", bytes(7)])))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(buffer, "a") as made:
            for name in draw(st.lists(NAMES, min_size=1, max_size=5)):
                made.writestr(name, draw(CONTENT), draw(METHODS))
            made.comment = draw(st.sampled_from([b"", b"words", b"PK\x05\x06" + bytes(18)]))
    return buffer.getvalue()


@st.composite
def hurt(draw: st.DrawFn, data: bytes) -> bytes:
    """`data` with fields overwritten, at places that matter more often than others."""
    changed = bytearray(data)
    places = [at for at in range(len(data) - 4) if data[at : at + 2] == b"PK"] or [0]
    for _ in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            at = draw(st.sampled_from(places)) + draw(st.integers(0, 46))
        else:
            at = draw(st.integers(0, max(0, len(changed) - 1)))
        kind = draw(st.sampled_from(["<B", "<H", "<I"]))
        value = draw(LIES) & ((1 << 8 * struct.calcsize(kind)) - 1)
        piece = struct.pack(kind, value)
        changed[at : at + len(piece)] = piece
    if draw(st.integers(0, 9)) == 0:
        del changed[draw(st.integers(0, len(changed))) :]
    return bytes(changed)


def given_by_zipfile(data: bytes) -> list[tuple[str, bytes]] | None:
    """What zipfile gives for each name in it; None where it cannot open the archive at all."""
    found = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist()[:100]:
                try:
                    with archive.open(info) as member:
                        found.append((info.filename, member.read(1 << 19)))
                except Exception:  # noqa: BLE001, S112 - what zipfile cannot read, it does not give
                    continue
    except Exception:  # noqa: BLE001 - as above
        return None
    return found


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(st.data())
def test_what_zipfile_gives_is_seen(data: st.DataObject) -> None:
    changed = data.draw(hurt(data.draw(zips())))
    given = given_by_zipfile(changed)
    scan, seen = all_contents(read_zip, changed)
    if given is None or "too-much" in scan.rules:
        return
    for name, content in given:
        if content and not name.endswith("/"):
            assert any(one.startswith(content) for one in seen), (name, content[:40], scan.told)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(zips())
def test_an_archive_without_findings_holds_for_zipfile_what_was_seen(made: bytes) -> None:
    scan, seen = all_contents(read_zip, made)
    given = given_by_zipfile(made)
    assert given is not None
    if not scan.rules:
        assert set(seen) == {content for _, content in given}


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    buffer = io.BytesIO()
    form = draw(st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]))
    with tarfile.open(fileobj=buffer, mode="w", format=form) as made:
        for name in draw(st.lists(NAMES, min_size=1, max_size=4)):
            content = draw(CONTENT)
            info = tarfile.TarInfo(
                draw(st.sampled_from([name, "l" * 130])) if form != tarfile.USTAR_FORMAT else name
            )
            info.size = len(content)
            info.type = draw(
                st.sampled_from([tarfile.REGTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE])
            )
            made.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return buffer.getvalue()


@st.composite
def hurt_tar(draw: st.DrawFn, data: bytes) -> bytes:
    """`data` with changes whose headers add up again, so that readers go on."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(0, 3))):
        block = draw(st.integers(0, len(data) // 512 - 1)) * 512
        field = draw(st.sampled_from([(0, 100), (124, 12), (156, 1), (157, 100), (257, 8), (345, 155)]))
        value = draw(
            st.one_of(
                st.binary(max_size=field[1]),
                st.sampled_from([b"0000000100", b"x", b"g", b"S", b"\x80" + bytes(10) + b"\xff"]),
            )
        )
        changed[block + field[0] : block + field[0] + len(value[: field[1]])] = value[: field[1]]
        changed[block + 148 : block + 156] = b" " * 8
        changed[block + 148 : block + 156] = b"%06o\x00 " % sum(changed[block : block + 512])
    if draw(st.integers(0, 9)) == 0:
        del changed[draw(st.integers(0, len(changed))) :]
    return bytes(changed)


def given_by_tarfile(data: bytes) -> list[bytes]:
    found: list[bytes] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for info in archive:
                if info.isreg() and len(found) < 100:
                    member = archive.extractfile(info)
                    found.append(member.read(1 << 19) if member is not None else b"")
    except Exception:  # noqa: BLE001 - what tarfile cannot read, it does not give
        return found
    return found


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(st.data())
def test_what_tarfile_gives_is_seen(data: st.DataObject) -> None:
    changed = data.draw(hurt_tar(data.draw(tars())))
    given = given_by_tarfile(changed)
    scan, seen = all_contents(read_tar, changed)
    if "too-much" in scan.rules:
        return
    for content in given:
        assert not content or any(one.startswith(content) for one in seen), (content[:40], scan.told)


SEEDS = {
    "gzip": gzip.compress(INERT * 9),
    "gzip in zip": write(
        Member(name=b"a.gz", data=gzip.compress(INERT)), Member(name=b"m/data.pkl", method=8)
    ),
    "bzip2": bz2.compress(INERT * 9),
    "xz": lzma.compress(INERT * 9),
    "lzma": lzma.compress(INERT * 9, lzma.FORMAT_ALONE),
    "zlib": zlib.compress(INERT * 9),
    "lz4": base64.b85decode(LZ4),
    "zip in xz": lzma.compress(
        write(Member(name=b"in/data.pkl", method=8), Member(name=b"in/code/x.py", data=b"def f():"))
    ),
    **{f"7z {name}": base64.b85decode(data) for name, data in READ.items()},
}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_format_crashes_or_passes_its_budget(data: st.DataObject) -> None:
    changed = bytearray(SEEDS[data.draw(st.sampled_from(sorted(SEEDS)))])
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    if data.draw(st.integers(0, 9)) == 0:
        changed *= 2
    scan = Deep(LIMITS)
    scan.descend(Artifact(bytes(changed), "-"))
    assert scan.budget.unpacked <= LIMITS.unpacked + (1 << 18)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("'\"#\\\n ().torchsavepimfl_1"), max_size=200))
def test_torchscript_of_any_text_ends(text: str) -> None:
    judge(Artifact(text.encode(), "-"), Recorder(LIMITS))


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(["__loader__", "__class__", "__module__", "content", "func", "obj", "attrs"]),
                st.one_of(
                    inner, st.sampled_from(["MethodNode", "ObjectNode", "OperatorFuncNode", "os", "operator"])
                ),
                max_size=4,
            ),
        ),
        max_leaves=8,
    )
)
def test_skops_of_any_tree_ends(tree: object) -> None:
    judge_schema(Artifact(msgspec.json.encode(tree), "-"), Recorder(LIMITS))
