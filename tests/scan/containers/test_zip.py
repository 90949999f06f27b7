"""Zip archives: both records of each member, what lies outside of the directory, and habits of honest writers."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib

import pytest

from eightysix.model.finding import FileVerdict
from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Limits, OverBudgetError
from eightysix.scan.containers.zip import read as read_zip
from eightysix.scan.containers.zip_records import ends_in_zip
from eightysix.scan.scanner import scan_bytes
from tests.scan.containers.recorder import Recorder, read
from tests.scan.containers.zips import INERT, Member, local, write

OTHER = INERT.replace(b"a", b"b")


def told(data: bytes) -> list[str]:
    return read(read_zip, data).rules


def torch(*more: Member) -> bytes:
    return write(
        Member(name=b"m/data.pkl"),
        Member(name=b"m/version", data=b"3\n"),
        *more,
        Member(name=b"m/data/0", data=b"1234"),
    )


def test_an_honest_archive_is_silent_and_hands_its_parts_on() -> None:
    scan = read(read_zip, write(Member(name=b"a.pkl"), Member(name=b"b.pkl", data=OTHER, method=8)))
    assert scan.rules == []
    assert scan.contents == {"a.pkl": INERT, "b.pkl": OTHER}


def test_a_stored_member_is_a_window_without_a_copy() -> None:
    data = write(Member(name=b"a.pkl"))
    assert read(read_zip, data).parts[0].raw is data


@pytest.mark.parametrize("flags", [0x1, 0x20, 0x40, 0x41, 0x2000])
@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize("where", ["central", "local", "both"])
def test_a_flag_that_denies_a_plain_pickle(flags: int, method: int, where: str) -> None:
    lie = {"flags": flags}
    member = Member(
        name=b"m/data.pkl",
        method=method,
        central=lie if where != "local" else {},
        local=lie if where != "central" else {},
    )
    scan = read(read_zip, write(member))
    assert "zip-disguised-member" in scan.rules
    assert scan.contents == {"m/data.pkl": INERT}


def test_what_is_really_encrypted_is_not_scannable_and_no_lie() -> None:
    cipher = random.Random(86).randbytes(512)
    assert told(write(Member(name=b"a", data=cipher, flags=1))) == ["encrypted-member"]
    assert told(write(Member(name=b"a", data=b"x" * 999, packed=cipher, method=8, flags=1))) == [
        "encrypted-member"
    ]


def test_a_flag_that_denies_plain_text_is_a_difference_to_wonder_about() -> None:
    assert told(write(Member(name=b"a.txt", data=b"a plain text, no cipher", flags=1))) == [
        "zip-headers-differ"
    ]


@pytest.mark.parametrize("method", [99, 1, 12345])
def test_a_method_that_nobody_reads(method: int) -> None:
    assert told(write(Member(name=b"a", data=bytes(99), method=method))) == ["packing-unknown"]
    scan = read(read_zip, write(Member(name=b"a", method=method)))
    assert scan.rules == ["zip-disguised-member"]
    assert scan.contents == {"a": INERT}


def test_a_pickle_that_claims_to_be_deflated() -> None:
    scan = read(read_zip, write(Member(name=b"a", packed=INERT, method=8)))
    assert "zip-disguised-member" in scan.rules
    assert scan.contents == {"a": INERT}


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", b"other"), ("method", 8), ("packed", 5), ("size", 7), ("flags", 1)],
)
def test_two_headers_that_differ(field: str, value: object) -> None:
    rules = told(write(Member(name=b"a.txt", data=b"plain text", local={field: value})))
    assert "zip-headers-differ" in rules


def test_both_readings_of_a_method_are_read() -> None:
    packed = zlib.compress(OTHER, 9)[2:-4]
    scan = read(read_zip, write(Member(name=b"a", data=OTHER, packed=packed, method=8, local={"method": 0})))
    unpacked, raw = [part.head(99) for part in scan.parts]
    assert unpacked == OTHER
    assert raw.startswith(packed)  # up to the longer of the two sizes


@pytest.mark.parametrize(
    "member",
    [
        Member(name=b"a", central={"crc": 0}, local={"crc": 0}),
        Member(name=b"a", flags=8, local={"crc": 0, "packed": 0, "size": 0}, after=b"PK\x07\x08" + bytes(12)),
        Member(name=b"a", flags=8, method=8, local={"crc": 0, "packed": 0, "size": 0}, after=bytes(12)),
        Member(
            name=b"a", flags=8, local={"crc": 0, "packed": 0xFFFFFFFF, "size": 0xFFFFFFFF}, after=bytes(24)
        ),
        Member(name=b"a", local={"flags": 0x800}),
        Member(name=b"a/b", local={"name": b"a\\b"}),
        Member(name=b"a", extra=struct.pack("<2H4s", 0x4246, 4, b"ZZZZ")),
    ],
    ids=[
        "no checksum",
        "descriptor",
        "descriptor without mark",
        "zip64 descriptor",
        "utf-8",
        "slashes",
        "padding",
    ],
)
def test_habits_of_writers_pass(member: Member) -> None:
    scan = read(read_zip, write(member, Member(name=b"z", data=OTHER)))
    assert scan.rules == []
    assert [part.head(99) for part in scan.parts] == [INERT, OTHER]


def test_a_wrong_checksum_only_informs() -> None:
    scan = read(read_zip, write(Member(name=b"a", central={"crc": 5}, local={"crc": 5})))
    assert scan.rules == ["zip-checksum"]
    assert scan.contents == {"a": INERT}


def test_a_member_that_no_directory_lists() -> None:
    scan = read(
        read_zip, write(Member(name=b"a", data=b"text"), unlisted=(Member(name=b"evil", data=OTHER),))
    )
    assert scan.rules == ["zip-hidden-member"]
    assert scan.contents == {"a": b"text", "evil": OTHER}


def test_a_deleted_text_is_no_finding() -> None:
    assert told(write(Member(name=b"a"), unlisted=(Member(name=b"old.txt", data=b"deleted"),))) == []


def test_a_pickle_without_any_header_between_members() -> None:
    scan = read(
        read_zip, write(Member(name=b"a", data=b"text", after=OTHER), Member(name=b"b", data=b"text"))
    )
    assert scan.rules == ["zip-hidden-member"]
    assert OTHER in [part.head(len(OTHER)) for part in scan.parts]


def test_a_pickle_behind_the_end_of_packed_content() -> None:
    packed = zlib.compress(b"harmless")[2:-4] + OTHER
    scan = read(read_zip, write(Member(name=b"a", data=b"harmless", packed=packed, method=8)))
    assert "zip-hidden-member" in scan.rules
    assert OTHER in [part.head(99) for part in scan.parts]


def test_two_archives_in_a_row() -> None:
    scan = read(read_zip, write(Member(name=b"first")) + write(Member(name=b"second", data=OTHER)))
    assert "zip-two-directories" in scan.rules
    assert scan.contents == {"first": INERT, "second": OTHER}


def test_an_archive_in_the_comment_of_another() -> None:
    scan = read(read_zip, write(Member(name=b"a"), comment=write(Member(name=b"b", data=OTHER)) + b"tail"))
    assert "zip-two-directories" in scan.rules
    assert scan.contents == {"a": INERT, "b": OTHER}


def test_an_end_record_that_lists_fewer_members_than_there_are() -> None:
    data = write(Member(name=b"a"), Member(name=b"b", data=OTHER), end={"count": 1})
    scan = read(read_zip, data)
    assert "zip-two-directories" in scan.rules
    assert scan.contents == {"a": INERT, "b": OTHER}


def test_an_end_record_that_lists_nothing() -> None:
    scan = read(read_zip, write(Member(name=b"a"), end={"count": 0, "size": 0}))
    assert scan.contents == {"a": INERT}
    assert scan.rules


def test_a_stored_archive_as_last_member_is_no_second_directory() -> None:
    inner = write(Member(name=b"x"), comment=b"c" * 300)
    scan = read(read_zip, write(Member(name=b"a.txt", data=b"text"), Member(name=b"in.zip", data=inner)))
    assert scan.rules == []
    assert scan.contents == {"a.txt": b"text", "in.zip": inner}


def test_members_that_lie_over_each_other() -> None:
    data = write(Member(name=b"a", data=b"x" * 50), Member(name=b"b", central={"offset": 0}))
    assert "zip-overlap" in told(data)


def test_no_directory_at_all() -> None:
    data = local(Member(name=b"a")) + local(Member(name=b"b", data=OTHER, method=8))
    scan = read(read_zip, data)
    assert scan.rules == ["zip-no-directory"]
    assert scan.contents == {"a": INERT, "b": OTHER}


def test_streamed_members_without_directory() -> None:
    unsized = {"crc": 0, "packed": 0, "size": 0}
    data = local(Member(name=b"a", flags=8, local=unsized, after=b"PK\x07\x08" + bytes(12)))
    scan = read(read_zip, data + local(Member(name=b"b", data=OTHER)))
    assert scan.contents == {"a": INERT, "b": OTHER}


@pytest.mark.parametrize("moved", [0, 40])
def test_what_stands_in_front_of_an_archive(moved: int) -> None:
    data = write(Member(name=b"a"), prefix=b"#!/usr/bin/env python3\n".ljust(40, b"#"), moved=moved)
    assert ends_in_zip(Artifact(data, "-"))
    scan = read(read_zip, data)
    assert scan.rules == []
    assert scan.contents == {"a": INERT}


def test_zip64() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("a", "w", force_zip64=True) as member:
        member.write(INERT)
    scan = read(read_zip, buffer.getvalue())
    assert scan.rules == []
    assert scan.contents == {"a": INERT}


@pytest.mark.parametrize("name", [b"../a", b"m/../../a", b"..\\a", b"a/b/../../../c"])
def test_a_name_that_climbs_out(name: bytes) -> None:
    assert "archive-escape" in told(write(Member(name=name)))


@pytest.mark.parametrize("name", [b"/etc/passwd", b"C:\\x", b"\\\\host\\share", b"a\x00b"])
def test_a_name_that_unpackers_read_differently(name: bytes) -> None:
    assert told(write(Member(name=name))) == ["archive-odd-path"]


@pytest.mark.parametrize("name", [b"a/../b", b"..a/b", b"a..b", b"./a", b"a\\b"])
def test_a_name_that_stays_inside(name: bytes) -> None:
    assert told(write(Member(name=name))) == []


def test_a_member_that_is_written_through_a_link() -> None:
    link = Member(name=b"out", data=b"/etc", central={"attributes": 0o120777 << 16})
    assert told(write(link, Member(name=b"out/cron.d/x"))) == ["archive-odd-path", "archive-escape"]
    inside = Member(name=b"lib", data=b"Versions/A/lib", central={"attributes": 0o120777 << 16})
    assert told(write(inside, Member(name=b"lib/x"))) == []


def test_torch_reads_its_records_without_regard_to_case() -> None:
    scan = read(read_zip, write(Member(name=b"m/DATA.PKL"), Member(name=b"m/Version", data=b"3\n")))
    assert [part.context for part in scan.parts] == ["torch", "torch"]


def test_numbers_of_tensors_are_not_read() -> None:
    scan = read(read_zip, torch())
    assert scan.rules == []
    assert list(scan.contents) == ["m/data.pkl", "m/version"]


def test_numbers_that_are_plainly_a_pickle_are_read() -> None:
    scan = read(read_zip, torch(Member(name=b"m/data/1")))
    assert scan.contents["m/data/1"] == INERT


@pytest.mark.parametrize(
    ("member", "rule"),
    [
        (Member(name=b"m/lib.so", data=b"\x7fELF" + bytes(60)), "archive-native-code"),
        (Member(name=b"m/weights", data=b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0"), "archive-native-code"),
        (Member(name=b"m/handler.py", data=b"import os\n"), "archive-source"),
        (Member(name=b"m/run", data=b"#!/bin/sh\necho 86\n"), "archive-source"),
        (Member(name=b"m/pipe", data=b"", central={"attributes": 0o010644 << 16}), "archive-special-file"),
        (Member(name=b"m/DATA.pkl", data=OTHER), "archive-duplicate"),
    ],
)
def test_what_has_no_business_in_a_model(member: Member, rule: str) -> None:
    assert rule in told(torch(member))
    package = (
        Member(name=b"p-1.dist-info/RECORD", data=b"x"),
        Member(name=b"p-1.dist-info/WHEEL", data=b"x"),
    )
    assert set(told(write(member, *package))) <= {"wheel-record"}  # which lists nothing of it


def test_a_launcher_with_a_zip_behind_it_is_read() -> None:
    launcher = write(Member(name=b"__main__.pkl"), prefix=b"\x7fELF" + bytes(60))
    scan = read(read_zip, write(Member(name=b"bin/tool", data=launcher)))
    assert scan.contents == {"__main__.pkl": INERT}


def test_a_missing_header_and_cut_content_are_told() -> None:
    assert told(write(Member(name=b"a", data=b"text", central={"offset": 7}))) == ["zip-broken"]
    cut = write(Member(name=b"a", data=b"x" * 500, packed=zlib.compress(bytes(500))[2:9], method=8))
    assert told(cut) == ["zip-broken"]


def test_more_members_than_the_budget_has() -> None:
    scan = Recorder(Limits(members=10))
    many = write(*(Member(name=b"%d" % index, data=b"text") for index in range(50)))
    with pytest.raises(Exception, match="more than 10 members"):
        read_zip(Artifact(many, "-"), scan)
    assert len(scan.parts) == 10


def test_unpacking_stops_at_the_budget_and_what_came_out_is_judged() -> None:
    scan = read(
        read_zip, write(Member(name=b"a", data=INERT + bytes(5 << 20), method=8)), Limits(unpacked=1 << 20)
    )
    assert scan.rules == ["too-much"]
    assert scan.parts[0].head(len(INERT)) == INERT


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods(method: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("a", INERT)
    scan = read(read_zip, buffer.getvalue())
    assert scan.rules == []
    assert scan.contents == {"a": INERT}


def test_a_pickle_that_is_one_opcode_a_million_times_is_a_bomb() -> None:
    flood = b"\x80\x02" + b"N0" * (1 << 20) + b"N."
    assert told(write(Member(name=b"m/data.pkl", data=flood, method=8))) == ["bomb"]
    assert told(write(Member(name=b"a.npy", data=bytes(1 << 22), method=8))) == []


def test_a_flood_of_signatures_ends() -> None:
    flood = b"PK\x03\x04" * 300_000
    with pytest.raises(OverBudgetError):
        read_zip(Artifact(flood, "-"), Recorder(Limits(steps=1_000_000)))
    unsized = {"crc": 0, "packed": 0, "size": 0}
    read(read_zip, local(Member(name=b"a", flags=8, local=unsized)) + b"PK" * 300_000)


def test_another_format_in_front_and_a_zip_up_to_the_end() -> None:
    two = write(Member(name=b"a"), prefix=zlib.compress(OTHER))
    scan = read(read_zip, two)
    assert scan.rules == ["polyglot"]
    assert scan.contents == {"a": INERT}
    assert (
        read(read_zip, two + bytes(99)).rules == []
    )  # a zip that is stored in something is no second format


def test_only_the_first_wrong_checksum_is_told() -> None:
    wrong = {"crc": 5}
    members = (Member(name=name, central=wrong, local=wrong) for name in (b"a", b"b", b"c"))
    assert told(write(*members)) == ["zip-checksum"]


@pytest.mark.parametrize("content", [b"hello world", b"\x00\x01\x02", b"\x83\x07\x01.", b"PK", b"1"])
def test_the_record_that_a_loader_unpickles_is_never_clean_by_being_none(content: bytes) -> None:
    members = [Member(name=b"m/data.pkl", data=content), Member(name=b"m/version", data=b"3\n")]
    assert scan_bytes(write(*members)).file.verdict is not FileVerdict.CLEAN


@pytest.mark.parametrize(
    ("elements", "verdict"),
    [
        (15, FileVerdict.CLEAN),
        (16, FileVerdict.CLEAN),
        (17, FileVerdict.MALFORMED),
        (1 << 30, FileVerdict.MALFORMED),
    ],
)
@pytest.mark.parametrize("root", [b"m/", b"Archive/", b""])
def test_a_storage_is_as_long_as_its_pickle_says(elements: int, verdict: FileVerdict, root: bytes) -> None:
    """torch makes a storage of the size that the pickle tells around the bytes of the record, and reads on behind them."""
    stored = (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000"
        b"X\x03\0\0\0cpuJ"
        + struct.pack("<i", elements)
        + b"tQK\0K\x04\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR."
    )
    data = write(
        Member(name=root + b"data.pkl", data=stored),
        Member(name=root + b"version", data=b"3\n"),
        Member(name=root + b"data/0", data=bytes(64)),
    )
    result = scan_bytes(data)
    assert result.file.verdict is verdict
    assert any("storage 0" in one.why for one in result.findings) is (verdict is not FileVerdict.CLEAN)


@pytest.mark.parametrize("key", ["handler", "serializedFile", "requirementsFile"])
@pytest.mark.parametrize("path", ["../../x.py:run", "/opt/x.py", "a/../../b.pt"])
def test_a_torchserve_manifest_loads_nothing_from_elsewhere(key: str, path: str) -> None:
    def archive(told: str) -> bytes:
        manifest = b'{"model":{"modelName":"m","%s":"%s"}}' % (key.encode(), told.encode())
        return write(
            Member(name=b"MAR-INF/MANIFEST.json", data=manifest), Member(name=b"a.txt", data=b"text")
        )

    assert "path-elsewhere" in {one.rule for one in scan_bytes(archive(path)).findings}
    assert scan_bytes(archive("image_classifier")).findings == ()
