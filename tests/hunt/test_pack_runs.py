"""The chain queries over real runs: every theft that lands in a pod is found, and no look-alike.

All recordings lie in one source, each in a namespace of its own: what one pod does must not complete another's chain.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from eightysix.hunt.engine import run
from eightysix.hunt.local import Tally, source_of_rows
from eightysix.hunt.pack import load
from eightysix.lab.interface import TELEMETRY
from eightysix.lab.recorded import names, open_recording
from eightysix.model.table import Row
from eightysix.sources.tables import tabulate
from eightysix.store import tables

pytest.importorskip("duckdb_kql", reason="needs the extra hunt")

CHAINS = ("chain-86-seconds", "chain-in-window")
NO_CHAIN = {
    "langchain-state": "nothing lands in the pod: the state comes back through the application",
    "model-provider-key": "nothing lands in the pod, and the key lies in its environment",
    "same-tag-new-digest": "what lands is the image: the query release-drift asks about it",
}
SLOW = {
    "slow": "an hour between the steps",
    "when-called": "ten minutes after the landing",
}


def in_namespace(rows: Iterator[tuple[str, Row]], name: str) -> Iterator[tuple[str, Row]]:
    """The rows, as if the pods' namespace `ml` was called `name`."""
    for table, row in rows:
        text = json.dumps(dict(row)).replace('"ml"', f'"{name}"')
        yield table, json.loads(text.replace("serviceaccount:ml:", f"serviceaccount:{name}:"))


def told(query: str, rows: list[tuple[str, Row]], **parameters: str) -> set[str]:
    """The namespaces of what a query gives."""
    tally = Tally()
    source = source_of_rows(iter(rows), tally=tally)
    try:
        result = run(load()[query].text, source, now=tally.now, parameters=parameters)
    finally:
        source.close()
    place = [column.name for column in result.columns].index("Namespace")
    return {str(row[place]) for row in result.rows}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[tuple[str, Row]], Mapping[str, bool]]:
    """The rows of every recording, and which of them are attacks."""
    rows: list[tuple[str, Row]] = []
    attacks: dict[str, bool] = {}
    for name in names():
        recording = open_recording(name)
        folder = tmp_path_factory.mktemp(name)
        for file in TELEMETRY:
            if data := recording.files.get(file):
                (folder / file).write_bytes(data)
        rows.extend(in_namespace(tabulate([str(folder)], tables.load()), name))
        attacks[name] = recording.label.malicious
    return rows, attacks


@pytest.mark.parametrize("query", CHAINS)
def test_every_recorded_theft_is_found_and_no_look_alike(
    query: str, recorded: tuple[list[tuple[str, Row]], Mapping[str, bool]]
) -> None:
    rows, attacks = recorded
    left_out = NO_CHAIN if query == "chain-in-window" else NO_CHAIN | SLOW
    wanted = {name for name, malicious in attacks.items() if malicious} - set(left_out)
    assert len(wanted) >= 12
    assert told(query, rows) == wanted


RUNS = {
    "attack-86s": True,
    "attack-fast": True,
    "benign-dependencies-at-start": False,
    "benign-notebook": False,
}


@pytest.mark.parametrize("query", CHAINS)
def test_given_runs(query: str, shared_data: Path) -> None:
    rows: list[tuple[str, Row]] = []
    for name in RUNS:
        folder = shared_data / "telemetry" / name
        files = [str(one) for one in sorted(folder.glob("*.jsonl"))]
        rows.extend(in_namespace(tabulate(files, tables.load()), name))
    assert told(query, rows) == {name for name, malicious in RUNS.items() if malicious}


def test_replayed_breaches(root: Path) -> None:
    rows: list[tuple[str, Row]] = []
    breaches = sorted(one for one in (root / "examples" / "replays").iterdir() if one.is_dir())
    for folder in breaches:
        files = [str(one) for one in sorted(folder.glob("*.jsonl"))]
        rows.extend(tabulate(files, tables.load()))
    tally = Tally()
    source = source_of_rows(iter(rows), tally=tally)
    try:
        known = run(load()["known-incident-packages"].text, source, now=tally.now)
    finally:
        source.close()
    columns = [column.name for column in known.columns]
    landed = {(row[columns.index("Package")], row[columns.index("PackageVersion")]) for row in known.rows}
    assert landed >= {
        ("lightning", "2.6.2"),
        ("litellm", "1.82.7"),
        ("litellm", "1.82.8"),
        ("mistralai", "2.4.6"),
        ("telnyx", "4.87.2"),
        ("ultralytics", "8.3.41"),
        ("xinference", "2.6.2"),
    }
