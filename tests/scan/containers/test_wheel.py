"""A wheel is held against its own list: any difference is told, and a wheel as it was built is silent."""

from __future__ import annotations

import csv
import io
import zipfile
from base64 import urlsafe_b64encode
from hashlib import sha256, sha512

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.scan.containers.wheel import MAX_RECORD, Record, is_record
from tests.scan.told import found, rules, verdict

INFO = "tiny-1.0.dist-info"
RECORD = f"{INFO}/RECORD"
FILES = {
    "tiny/__init__.py": b"print('inert')\n",
    "tiny/data.bin": bytes(range(256)),
    "tiny/empty.py": b"",
    f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
    f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


def line(name: str, data: bytes) -> list[str]:
    return [
        name,
        "sha256=" + urlsafe_b64encode(sha256(data).digest()).rstrip(b"=").decode(),
        str(len(data)),
    ]


def listed(files: dict[str, bytes]) -> list[list[str]]:
    return [*(line(name, data) for name, data in files.items()), [RECORD, "", ""]]


def written(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def wheel(
    files: dict[str, bytes], rows: list[list[str]] | bytes, method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr(RECORD, rows if isinstance(rows, bytes) else written(rows))
    return file.getvalue()


def why(data: bytes) -> str:
    return next(one.why for one in found(data).findings if one.rule == "wheel-record")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_wheel_as_it_was_built_is_silent(method: int) -> None:
    assert rules(wheel(FILES, listed(FILES), method)) == set()


@given(
    names=st.lists(
        st.text("abcé ,\"'.-_/", min_size=1, max_size=12).filter(lambda n: not n.startswith("/")), unique=True
    ),
    data=st.binary(max_size=64),
)
def test_whatever_the_files_are_called(names: list[str], data: bytes) -> None:
    files = {**FILES, **{f"tiny/x{n}/{name.strip('/.') or 'y'}": data for n, name in enumerate(names)}}
    assert "wheel-record" not in rules(wheel(files, listed(files)))


def test_what_passes() -> None:
    """Folders, the signatures of the list, a better digest, padding of it, a list without sizes, a package carried within."""
    extra = {
        "tiny/": b"",
        f"{RECORD}.jws": b"{}",
        f"{RECORD}.p7s": b"x",
        "tiny/_vendor/other-2.0.dist-info/RECORD": b"other/__init__.py,,\n",
    }
    files = {**FILES, **extra}
    rows = [row for row in listed(files) if row[0] not in ("tiny/", f"{RECORD}.jws", f"{RECORD}.p7s")]
    rows[0][1] = "sha512=" + urlsafe_b64encode(sha512(FILES["tiny/__init__.py"]).digest()).decode()
    rows[1][2] = ""
    assert rules(wheel(files, rows)) == set()


def test_a_file_that_was_put_in_afterwards() -> None:
    data = wheel({**FILES, "tiny.pth": b"import tiny\n"}, listed(FILES))
    assert verdict(data) == "malformed"
    assert why(data) == "not listed: tiny.pth"


def test_a_file_that_was_changed_or_taken_out() -> None:
    assert why(wheel({**FILES, "tiny/__init__.py": b"print('other')\n"}, listed(FILES))) == (
        "of another digest: tiny/__init__.py"
    )
    assert why(wheel({**FILES, "tiny/empty.py": b"#"}, listed(FILES))) == "of another size: tiny/empty.py"
    less = {name: data for name, data in FILES.items() if name != "tiny/empty.py"}
    assert why(wheel(less, listed(FILES))) == "listed and not there: tiny/empty.py"


@pytest.mark.parametrize("digest", ["", "md5=abc", "sha1=abc", "sha256"])
def test_a_line_without_a_digest_that_counts(digest: str) -> None:
    rows = listed(FILES)
    rows[0][1] = digest
    told = why(wheel(FILES, rows))
    assert told in (
        "listed without a digest: tiny/__init__.py",
        "of another digest: tiny/__init__.py",
    )


def test_a_name_that_is_listed_twice() -> None:
    rows = [line("tiny/__init__.py", b"another"), *listed(FILES)]
    assert "listed twice: tiny/__init__.py" in why(wheel(FILES, rows))


def test_a_name_that_is_there_twice() -> None:
    file = io.BytesIO(wheel(FILES, listed(FILES)))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(file, "a") as archive:
        archive.writestr("tiny/__init__.py", b"print('other')\n")
    assert why(file.getvalue()) == "of another digest: tiny/__init__.py"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (b"\xff\xfe,,\n", "it is not UTF-8"),
        (
            b'"' + b"x" * 200_000 + b'",,\n',
            "it is no list of values (field larger than field limit (131072))",
        ),
        (b"".join(b"%d,,\n" % n for n in range(100_001)), "it has more than 100,000 lines"),
    ],
)
def test_a_list_that_cannot_be_read(record: bytes, said: str) -> None:
    data = wheel(FILES, record)
    assert why(data) == f"RECORD cannot be read: {said}"
    assert verdict(data) in (
        "malformed",
        "unscannable",
    )  # bytes that begin as UTF-16 are no text that is read either


def test_a_list_larger_than_any() -> None:
    assert Record(b"x" * (MAX_RECORD + 1), RECORD).told() == "RECORD cannot be read: it is larger than any"


def test_many_faults_are_three_names_and_a_number() -> None:
    more = {f"tiny/{n}.py": b"" for n in range(9)}
    told = why(wheel({**FILES, **more}, listed(FILES)))
    assert told == "not listed: tiny/0.py, tiny/1.py, tiny/2.py and 6 more"


def test_only_the_list_of_the_wheel_itself_counts() -> None:
    assert is_record(RECORD)
    assert not any(map(is_record, ["RECORD", "a/RECORD", f"a/{RECORD}", f"{INFO}/record", f"{RECORD}/x"]))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_told(record: bytes) -> None:
    assert "wheel-record" in rules(wheel(FILES, record))
