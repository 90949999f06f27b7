"""Tar archives of every dialect, and the places where two readers part."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Limits
from eightysix.scan.containers.tar import read as read_tar
from eightysix.scan.kinds.containers import KINDS
from eightysix.scan.scanner import Options, scan_bytes
from tests.scan.containers.recorder import Recorder, read
from tests.scan.containers.zips import INERT, Member, write

OTHER = INERT.replace(b"a", b"b")


def info(name: str, size: int = 0, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size = size
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def archive(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as made:
        for one, data in members:
            made.addfile(one, io.BytesIO(data))
    return buffer.getvalue()


def plain(*names: str) -> bytes:
    return archive(*((info(name, len(INERT)), INERT) for name in names))


def told(data: bytes) -> list[str]:
    return read(read_tar, data).rules


def test_each_dialect_and_long_names() -> None:
    long = "d/" * 120 + "model.pkl"
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT):
        name = long if form != tarfile.USTAR_FORMAT else "d/" * 60 + "model.pkl"
        data = archive((info(name, len(INERT)), INERT), (info("b", len(OTHER)), OTHER), form=form)
        scan = read(read_tar, data)
        assert scan.rules == []
        assert scan.contents == {name: INERT, "b": OTHER}
        assert all(part.raw is data for part in scan.parts)


def test_the_oldest_dialect_has_no_magic_and_is_recognised_by_its_checksum() -> None:
    data = bytearray(plain("a"))
    data[257:512] = bytes(255)
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\x00 " % sum(data[:512])
    names = [kind.name for kind in KINDS if kind.sniff(Artifact(bytes(data), "-"), bytes(data[:512]))]
    assert names == ["tar"]
    assert read(read_tar, bytes(data)).contents == {"a": INERT}


def test_legacy_torch_is_read_as_torch() -> None:
    scan = read(read_tar, plain("storages", "tensors", "pickle"))
    assert {part.context for part in scan.parts} == {"torch"}


def test_nemo_is_read_as_nemo() -> None:
    scan = read(read_tar, plain("./model_config.yaml", "./model_weights.ckpt"))
    assert {part.context for part in scan.parts} == {"nemo"}


@pytest.mark.parametrize("name", ["../a", "a/../../b", "x/../../../etc/cron.d/y"])
def test_a_name_that_climbs_out(name: str) -> None:
    assert told(plain(name)) == ["archive-escape"]


def test_a_member_written_through_a_link() -> None:
    link = info("out", type=tarfile.SYMTYPE, linkname="../../home")
    assert told(archive((link, b""), (info("out/key", len(INERT)), INERT))) == [
        "archive-odd-path",
        "archive-escape",
    ]


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_that_points_out(target: str, kind: bytes) -> None:
    assert told(archive((info("model.bin", type=kind, linkname=target), b""))) == ["archive-odd-path"]


def test_links_of_a_root_file_system_are_normal() -> None:
    links = [("usr/bin/python", "/usr/bin/python3"), ("etc/mtab", "../proc/self/mounts")]
    layer = archive(*((info(name, type=tarfile.SYMTYPE, linkname=to), b"") for name, to in links))
    assert told(layer) == []


def test_a_device_in_a_model() -> None:
    device = info("m/x", type=tarfile.CHRTYPE)
    torch = [(info(name, len(INERT)), INERT) for name in ("m/data.pkl", "m/version")]
    assert told(archive((device, b""), *torch)) == ["archive-special-file"]
    assert told(archive((device, b""), (info("m/other", len(INERT)), INERT))) == []


def test_two_sizes_of_one_member() -> None:
    """The class of CVE-2025-62518: the extended header says that nothing follows, the header says that something does."""
    hidden = archive((info("evil.pkl", len(OTHER)), OTHER))[:1024]
    outer = info("a", len(hidden))
    outer.pax_headers = {"size": "0"}
    data = archive((outer, hidden), (info("z", len(INERT)), INERT))
    scan = read(read_tar, data)
    assert "tar-two-readings" in scan.rules
    assert {"evil.pkl", "z"} <= set(scan.contents)


def test_the_other_of_two_sizes_is_followed() -> None:
    hidden = archive((info("evil.pkl", len(OTHER)), OTHER))[:1024]
    outer = info("a", 0)
    outer.pax_headers = {"size": str(len(hidden))}
    data = archive((outer, b""), (info("z", len(INERT)), INERT))
    data = data.replace(
        archive((info("z", len(INERT)), INERT))[:512], hidden + archive((info("z", len(INERT)), INERT))[:512]
    )
    scan = read(read_tar, data)
    assert "tar-two-readings" in scan.rules
    assert scan.contents["evil.pkl"] == OTHER
    assert scan.contents["z"] == INERT


def test_a_truncated_archive_and_a_broken_header() -> None:
    data = plain("a", "b")
    assert set(told(data[: 512 + 10])) == {"tar-broken"}
    broken = bytearray(data)
    broken[1024 + 5] ^= 0xFF
    assert told(bytes(broken)) == ["tar-broken"]
    assert told(data[:2048]) == []  # no end mark, and nothing is missing


def test_what_lies_behind_the_end() -> None:
    end = bytes(1024)
    second = plain("b")
    assert told(plain("a") + second) == ["stream-trailing"]
    assert read(read_tar, plain("a") + second).contents == {"a": INERT, "b": INERT}
    assert told(plain("a") + end) == []
    assert told(plain("a") + OTHER) == ["stream-trailing"]
    assert told(plain("a") + b"some words") == []


def test_a_zip_behind_a_tar() -> None:
    scan = read(read_tar, plain("a") + write(Member(name=b"z", data=OTHER)))
    assert "polyglot" in scan.rules
    assert scan.contents["z"] == OTHER


def test_a_zip_inside_a_tar_is_one_part_of_it() -> None:
    inner = write(Member(name=b"z", data=OTHER), comment=b"words")
    data = archive((info("a.zip", len(inner)), inner), (info("b.zip", len(inner)), inner))
    assert [kind.name for kind in KINDS if kind.sniff(Artifact(data, "-"), data[:512])] == ["tar"]
    assert read(read_tar, data).contents == {"a.zip": inner, "b.zip": inner}


def test_holes_are_filled_as_unpacking_would() -> None:
    """GNU's old sparse header: a map of one segment, at 4096 of 8192 bytes."""
    header = bytearray(plain("sparse")[:512])
    header[156:157] = b"S"
    header[257:265] = b"ustar  \x00"
    header[345:500] = bytes(155)
    header[386:410] = b"%011o\x00%011o\x00" % (4096, len(INERT))
    header[483:495] = b"%011o\x00" % 8192
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\x00 " % sum(header)
    data = bytes(header) + INERT.ljust(512, b"\x00") + bytes(1024)
    with tarfile.open(fileobj=io.BytesIO(data)) as reference:
        expected = reference.extractfile("sparse")
        assert expected is not None
        scan = read(read_tar, data)
        assert scan.contents == {"sparse": expected.read()}
    assert scan.rules == []


def test_holes_count_as_unpacked_bytes() -> None:
    outer = info("a", 20)
    outer.pax_headers = {"GNU.sparse.map": "0,20", "GNU.sparse.size": str(1 << 40), "GNU.sparse.name": "a"}
    scan = read(read_tar, archive((outer, bytes(20))), Limits(unpacked=1 << 22))
    assert scan.rules == ["too-much"]


def test_more_headers_than_the_budget_has() -> None:
    scan = Recorder(Limits(members=5))
    with pytest.raises(Exception, match="more than 5 members"):
        read_tar(Artifact(plain(*"abcdefgh"), "-"), scan)
    assert "too-much" in scan.rules


def test_a_name_at_the_root_is_odd_unless_it_is_the_layer_of_an_image() -> None:
    """A tar that only looks like a root file system is no excuse: whoever unpacks it as root writes to his own /etc."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in ("etc/motd", "/etc/cron.d/x"):
            info = tarfile.TarInfo(name)
            info.size = 4
            archive.addfile(info, io.BytesIO(b"text"))
    data = gzip.compress(file.getvalue())
    assert [one.rule for one in scan_bytes(data).findings] == ["archive-odd-path"]
    assert scan_bytes(data, options=Options(layer=True)).findings == ()
