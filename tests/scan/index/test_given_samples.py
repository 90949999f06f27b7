"""The shipped index against the given samples: names of benign files are usable, names of gadget samples are not."""

from __future__ import annotations

import csv
import pickletools
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from pathlib import Path

import pytest

from eightysix.scan.index import RoleKind, role

USABLE = {RoleKind.CONSTRUCT, RoleKind.VALUE, RoleKind.FUNCTION}


@pytest.fixture
def samples(shared_data: Path) -> Path:
    folder = shared_data / "scan"
    if not folder.is_dir():
        pytest.skip("tier given-samples: the labelled samples are not there")
    return folder


def _names(data: bytes) -> set[tuple[str, str]]:
    """Globals of one plain pickle, by the texts before each STACK_GLOBAL. Reads opcodes, loads nothing."""
    found: set[tuple[str, str]] = set()
    texts: list[str] = []
    memo: dict[int, str] = {}
    last = ""
    protocol = 0
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "PROTO":
                protocol = int(argument or 0)
            elif opcode.name == "GLOBAL":
                module, _, name = str(argument).partition(" ")
                found.add((module, name))
            elif opcode.name == "STACK_GLOBAL" and len(texts) > 1:
                found.add((texts[-2], texts[-1]))
            elif opcode.name == "MEMOIZE":
                memo[len(memo)] = last
            elif opcode.name in ("BINPUT", "LONG_BINPUT"):
                memo[int(argument or 0)] = last
            elif opcode.name in ("BINGET", "LONG_BINGET"):
                texts.append(memo.get(int(argument or 0), ""))
            if isinstance(argument, str) and opcode.name.endswith("UNICODE"):
                texts.append(argument)
                last = argument
            elif opcode.name not in ("MEMOIZE", "BINPUT", "LONG_BINPUT"):
                last = ""
    except (ValueError, IndexError, KeyError, UnicodeDecodeError):
        pass  # names up to here count: what follows a pickle may be anything
    if protocol < 3:
        return {NAME_MAPPING.get(one, (IMPORT_MAPPING.get(one[0], one[0]), one[1])) for one in found}
    return found


def _rows(folder: Path, label: str) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["label"] == label and (folder / row["path"]).is_file()]


def test_every_name_of_a_benign_pickle_is_usable(samples: Path) -> None:
    seen, wrong = 0, []
    for row in _rows(samples, "benign"):
        data = (samples / row["path"]).read_bytes()
        if not data.startswith(b"\x80"):
            continue
        for module, name in _names(data):
            seen += 1
            if role(module, name).kind not in USABLE:
                wrong.append((row["path"], module, name))
    assert seen > 100
    assert wrong == []


def test_gadget_samples_name_something_that_may_not_be_called_as_it_is(samples: Path) -> None:
    """A sample is one call of a gadget. Its name must be no free CONSTRUCT and no FUNCTION without a predicate."""
    seen, wrong = 0, []
    for row in _rows(samples, "malicious"):
        if not row["technique"].startswith("gadget:"):
            continue
        names = _names((samples / row["path"]).read_bytes())
        if not names:
            continue
        seen += 1
        roles = [role(module, name) for module, name in names]
        if all(one.kind in (RoleKind.CONSTRUCT, RoleKind.FUNCTION) and not one.predicate for one in roles):
            wrong.append((row["path"], sorted(names)))
    assert seen > 100
    assert wrong == []
