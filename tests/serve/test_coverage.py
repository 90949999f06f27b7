"""Coverage of files and of a store: the same gaps as far as rows tell, and no row is read twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eightysix.lab.recorded import names
from eightysix.model.visibility import Feed, Sight, Visibility, Witness
from eightysix.model.words import Stage
from eightysix.rules.catalog import load_packaged
from eightysix.serve.coverage import of_files, of_store
from eightysix.serve.replay import Replay, ReplayOptions
from tests.reconstruct.coverage.records import everything, write

RULES = load_packaged()
RECORDED = Path(__file__).resolve().parents[2] / "src" / "eightysix" / "lab" / "recorded"


def gaps(found: Visibility) -> list[str]:
    return [one.id for one in found.gaps]


def files_of(name: str) -> list[str]:
    return sorted(str(path) for path in (RECORDED / name).glob("*.jsonl.gz") if "truth" not in path.name)


@pytest.mark.parametrize("name", [*names()][::4])
def test_it_counts_what_detection_counts(name: str) -> None:
    replay = Replay(RULES, ReplayOptions())
    report = replay.read(files_of(name), None)
    found = of_files(files_of(name), None, RULES)
    assert found.counts.records == report.counts.records
    assert found.counts.events == report.counts.events
    assert found.counts.malformed == report.counts.malformed == 0
    assert {rule.rule: rule.evaluable for rule in found.rules} == {
        rule.rule: rule.evaluable for rule in report.coverage.rules
    }


def sources_of(name: str) -> Iterator[str]:
    yield from (Path(file).name for file in files_of(name))


@pytest.mark.parametrize("name", ["attack-86s", "registry-push", "second-pod"])
def test_any_one_source_taken_away_is_named_and_the_rest_stays(name: str) -> None:
    paths = files_of(name)
    whole = of_files(paths, None, RULES)
    for path in paths:
        rest = [other for other in paths if other != path]
        found = of_files(rest, None, RULES)
        gone = {feed.name for feed in all_of(whole)} - {feed.name for feed in all_of(found)}
        new = set(gaps(found)) - set(gaps(whole))
        if gone:
            assert new or path.endswith("sign-ins.jsonl.gz"), path
        kept = {(feed.name, feed.node): feed for feed in all_of(whole) if feed.name not in gone}
        for feed in all_of(found):
            before = kept[feed.name, feed.node]
            assert (feed.records, feed.kinds, feed.first, feed.last) == (
                before.records,
                before.kinds,
                before.first,
                before.last,
            )


def all_of(found: Visibility) -> list[Feed]:
    return [*found.cloud, *(feed for one in found.clusters for feed in one.feeds)]


def test_a_store_tells_the_same_as_its_files(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    from eightysix.cli.main import main

    telemetry = write(tmp_path / "telemetry", everything(10))
    store = str(tmp_path / "store")
    assert main(["store", "ingest", telemetry, "--store", store, "--quiet"]) == 0
    found, files = (
        of_store(store, RULES, baseline=True, ledger=True),
        of_files([telemetry], None, RULES, baseline=True),
    )
    assert gaps(found) == []
    assert [one.nodes for one in found.clusters] == [one.nodes for one in files.clusters]
    assert [(one.python_pods, one.sensor_pods) for one in found.clusters] == [
        (one.python_pods, one.sensor_pods) for one in files.clusters
    ]
    assert found.clusters[0].cells == files.clusters[0].cells
    assert {rule.rule: rule.evaluable for rule in found.rules} == {
        rule.rule: rule.evaluable for rule in files.rules
    }
    assert "hooks, drops and lateness" in found.notes[0]


def test_a_store_without_a_sensor_and_with_a_silent_node(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    from eightysix.cli.main import main
    from tests.reconstruct.coverage.records import at

    files = {name: records for name, records in everything(20).items() if not name.startswith("sensor")}
    files["tetragon-aks-gpu-1.jsonl"] = [
        record for record in files["tetragon-aks-gpu-1.jsonl"] if not at(400) <= record["time"] < at(900)
    ]
    store = str(tmp_path / "store")
    assert main(["store", "ingest", write(tmp_path / "t", files), "--store", store, "--quiet"]) == 0
    found = of_store(store, RULES, baseline=True, ledger=True)
    assert set(gaps(found)) == {"sensor-absent", "silence"}
    cells = {(cell.stage, cell.witness): cell.sight for cell in found.clusters[0].cells}
    assert cells[Stage.RUN, Witness.SENSOR] == Sight.ABSENT
