"""What a program imports from `eightysix.scan`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import eightysix.scan
from eightysix.model.finding import FileVerdict
from eightysix.scan import Options, scan_bytes, scan_file, scan_paths

EVIL = b"cbuiltins\neval\n(S'1'\ntR."


def test_the_functions_ask_both_engines(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(EVIL)
    (tmp_path / "b").write_bytes(b"")
    assert scan_bytes(EVIL).file.second == scan_file(str(tmp_path / "a")).file.second == "agreed"
    assert [result.file.verdict for result in scan_paths([str(tmp_path)], jobs=2)] == [
        FileVerdict.MALICIOUS,
        FileVerdict.CLEAN,
    ]
    assert scan_bytes(EVIL, "x", Options()).file.second.startswith("not run")


def test_every_public_name_is_there() -> None:
    for name in eightysix.scan.__all__:
        assert getattr(eightysix.scan, name) is not None
    with pytest.raises(AttributeError):
        _ = eightysix.scan.nothing


def test_importing_the_package_loads_no_reader(root: Path) -> None:
    code = "import sys, eightysix.scan; print([m for m in sys.modules if m.startswith('eightysix.scan.')])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root / "src", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
