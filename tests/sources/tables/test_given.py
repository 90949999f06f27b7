"""Given telemetry as rows: all of it fits, and as much of it is read as detection reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from eightysix.rules.catalog import load_packaged
from eightysix.serve.replay import Replay, ReplayOptions
from eightysix.sources.tables import Tabulator, tabulate
from tests.sources.tables.test_tabulate import TABLES, assert_fits
from tests.streams import ATTACKS, FULL, LOOK_ALIKES

FOLDERS = ("samples/tetragon", "samples/falco", "samples/panther", "telemetry", "kubernetes")


def read(folder: Path) -> tuple[Tabulator, dict[str, int]]:
    tabulator, found = Tabulator(TABLES), dict[str, int]()
    for table, row in tabulate([str(folder)], TABLES, tabulator=tabulator):
        assert_fits(table, row)
        found[table] = found.get(table, 0) + 1
    return tabulator, found


@pytest.mark.parametrize("name", FOLDERS)
def test_given_telemetry_fits(shared_data: Path, name: str) -> None:
    tabulator, found = read(shared_data / name)
    counts = tabulator.counts
    assert counts.records == counts.events + counts.malformed + counts.oversized + counts.unrecognised
    assert tabulator.misfits == {}
    assert found or name == "samples/panther"


def test_given_runs_are_read_as_detection_reads_them(shared_data: Path) -> None:
    tabulator, found = read(shared_data / "telemetry")
    replay = Replay(load_packaged(), ReplayOptions())
    replay.take([str(shared_data / "telemetry")], None)
    assert tabulator.counts == replay.recogniser.counts
    assert {"CloudProcessEvents", "AKSAudit", "AADManagedIdentitySignInLogs", "AzureActivity"} <= found.keys()


@pytest.mark.parametrize("name", ["breach-86s", "identity-outside", "exec-debugging"])
def test_what_detection_reads_is_read(tmp_path: Path, name: str) -> None:
    scenarios = {**ATTACKS, **LOOK_ALIKES}
    for file, lines in scenarios[name](FULL).streams.items():
        (tmp_path / file).write_text("".join(f"{line}\n" for line in lines))
    (tmp_path / "odd.jsonl").write_text(
        '{"a": 1}\nno json\n{"category": "kube-audit"}\n{"Type": "Heartbeat"}\n'
    )
    tabulator, _ = read(tmp_path)
    replay = Replay(load_packaged(), ReplayOptions())
    replay.take([str(tmp_path)], None)
    assert tabulator.counts == replay.recogniser.counts
    assert tabulator.sources.keys() == replay.recogniser.sources.keys()
    assert tabulator.problems == replay.recogniser.problems
