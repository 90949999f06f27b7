"""The given samples: every payload in a container reaches somebody who reads it, and honest files raise nothing."""

from __future__ import annotations

import csv
from pathlib import Path

from eightysix.model.finding import FileVerdict
from eightysix.scan.artifact import Artifact
from eightysix.scan.catalog import rule
from eightysix.scan.catalog.containers import RULES
from tests.scan.containers.recorder import Deep

OWN = {one.id for one in RULES}
PAYLOADS = (b"echo pwned", b"print('456')", b"print('123')")


def samples(shared_data: Path, label: str) -> list[Path]:
    folder = shared_data / "scan"
    with (folder / "manifest.csv").open() as lines:
        return [folder / row["path"] for row in csv.DictReader(lines) if row["label"] == label]


def scanned(path: Path) -> Deep:
    scan = Deep()
    scan.descend(Artifact(path.read_bytes(), path.name))
    return scan


def test_honest_files_raise_nothing_here(shared_data: Path) -> None:
    alarmed = {}
    for path in samples(shared_data, "benign"):
        told = [one for one in scanned(path).told if rule(one[0]).verdict.rank >= FileVerdict.SUSPICIOUS.rank]
        if told:
            alarmed[path.name] = told
    assert alarmed == {}


def test_every_payload_reaches_a_leaf_or_is_found_on_the_way(shared_data: Path) -> None:
    lost = []
    for path in samples(shared_data, "malicious"):
        scan = scanned(path)
        leaves = b"".join(part.head(1 << 20) for part in scan.parts)
        found = any(one[0] in OWN and rule(one[0]).verdict is FileVerdict.MALICIOUS for one in scan.told)
        hidden = not any(payload in path.read_bytes() for payload in PAYLOADS)
        packed = len(scan.parts) != 1 or scan.parts[0].depth
        if packed and not found and not any(payload in leaves for payload in PAYLOADS) and not hidden:
            lost.append(path.name)
    assert lost == []
