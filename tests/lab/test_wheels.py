"""Wheels of the lab: the same bytes every time, hashes that are right, and pip takes them."""

from __future__ import annotations

import csv
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64decode
from email import message_from_bytes
from hashlib import sha256
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.utils import parse_wheel_filename

from eightysix.lab.interface import Wheel
from eightysix.lab.wheels import BadWheelError, build, dist_info, file_name

_NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}([-_.][a-z0-9]{1,8}){0,3}", fullmatch=True)
_VERSIONS = st.from_regex(r"(0|[1-9][0-9]{0,3})(\.(0|[1-9][0-9]{0,3})){0,3}", fullmatch=True)
_PARTS = st.text(
    st.characters(codec="utf-8", exclude_characters='/"\\', exclude_categories=["C", "Z"]), min_size=1
)
_PATHS = st.lists(
    _PARTS.filter(lambda part: part not in {".", ".."} and not part.endswith(".dist-info")), min_size=1
)
_TEXTS = st.text(st.characters(codec="utf-8"))
_WHEELS = st.builds(
    Wheel,
    name=_NAMES,
    version=_VERSIONS,
    files=st.dictionaries(_PATHS.map("/".join), _TEXTS, max_size=6),
    requires=st.lists(_NAMES, max_size=3).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(_WHEELS)
def test_every_file_is_in_the_record_with_its_hash_and_size(wheel: Wheel) -> None:
    with zipfile.ZipFile(BytesIO(build(wheel))) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        record = f"{dist_info(wheel)}/RECORD"
        rows = {
            path: (digest, size)
            for path, digest, size in csv.reader(StringIO(archive.read(record).decode(), newline=""))
        }
        assert set(rows) == set(names)
        assert len(names) == len(set(names))
        assert rows.pop(record) == ("", "")
        for path, (digest, size) in rows.items():
            content = archive.read(path)
            assert size == str(len(content))
            assert urlsafe_b64decode(digest.removeprefix("sha256=") + "=") == sha256(content).digest()
        for path, text in wheel.files.items():
            assert archive.read(path).decode() == text


@settings(max_examples=30, deadline=None)
@given(_WHEELS)
def test_order_of_files_changes_nothing(wheel: Wheel) -> None:
    turned = Wheel(wheel.name, wheel.version, dict(reversed(list(wheel.files.items()))), wheel.requires)
    assert build(wheel) == build(turned)


@settings(max_examples=60, deadline=None)
@given(_WHEELS)
def test_its_name_and_metadata_are_what_tools_read(wheel: Wheel) -> None:
    name, version, _, _ = parse_wheel_filename(file_name(wheel))
    assert str(version) == wheel.version
    with zipfile.ZipFile(BytesIO(build(wheel))) as archive:
        metadata = message_from_bytes(archive.read(f"{dist_info(wheel)}/METADATA"))
    assert metadata["Metadata-Version"] == "2.1"
    assert metadata["Name"] == wheel.name
    assert metadata.get_all("Requires-Dist", []) == list(wheel.requires)
    assert name == wheel.name.replace("_", "-").replace(".", "-")


@pytest.mark.parametrize(
    "wheel",
    [
        Wheel("", "1.0", {}),
        Wheel("a b", "1.0", {}),
        Wheel("../a", "1.0", {}),
        Wheel("a", "1-0", {}),
        Wheel("a", "", {}),
        Wheel("a", "1.0\nX: y", {}),
        Wheel("a", "1.0", {"/etc/passwd": ""}),
        Wheel("a", "1.0", {"a/../../b": ""}),
        Wheel("a", "1.0", {"a\n": ""}),
        Wheel("a", "1.0", {'a"b': ""}),
        Wheel("a", "1.0", {"a-1.0.dist-info/RECORD": ""}),
        Wheel("a", "1.0", {}, ("b\nName: c",)),
    ],
)
def test_what_no_wheel_can_be_is_refused(wheel: Wheel) -> None:
    with pytest.raises(BadWheelError):
        build(wheel)


def test_pip_installs_it_and_finds_nothing_missing(tmp_path: Path) -> None:
    wheel = Wheel(
        "torch-perf-utils",
        "1.4.2",
        {"torch_perf_utils/__init__.py": "__version__ = '1.4.2'\n", "aaa_torch_perf.pth": "import sys\n"},
    )
    path = tmp_path / file_name(wheel)
    path.write_bytes(build(wheel))
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--isolated"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--target", target, path], check=True)
    listed = subprocess.run(
        [*pip, "list", "--path", target], check=True, capture_output=True, text=True
    ).stdout
    assert "torch-perf-utils 1.4.2" in listed
    code = (
        f"import sys; sys.path.insert(0, {str(target)!r}); import torch_perf_utils as t; print(t.__version__)"
    )
    found = subprocess.run(
        [sys.executable, "-I", "-c", code],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert found.stdout.strip() == "1.4.2"
    assert (target / "aaa_torch_perf.pth").is_file()
