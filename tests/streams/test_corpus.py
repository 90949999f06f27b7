"""The benchmark's corpus: as many records as asked for, in order, of the builder's shapes, with the truth beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.corpus import Truth, main, write_corpus, write_flat
from tests.streams import ATTACKS, FULL
from tests.streams.test_builder import by_kind, shape, union

RECORDS = 4_000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Truth]:
    path = tmp_path_factory.mktemp("corpus") / "tetragon.jsonl"
    truth = write_corpus(path, records=RECORDS)
    return path.read_text(encoding="utf-8").splitlines(), truth


def test_it_has_the_records_asked_for_in_order_of_time(corpus: tuple[list[str], Truth]) -> None:
    lines, truth = corpus
    times = [json.loads(line)["time"] for line in lines]
    assert len(lines) == truth["records"] == RECORDS
    assert times == sorted(times)
    assert 1_800 < sum(map(len, lines)) / len(lines) < 2_400


def test_its_records_have_the_shapes_of_the_builder(corpus: tuple[list[str], Truth]) -> None:
    builder = by_kind([ATTACKS["breach-86s"](FULL).streams["tetragon.jsonl"]])
    for kind, found in by_kind([corpus[0]]).items():
        assert union(map(shape, found)) - union(map(shape, builder[kind])) <= set(), kind


def test_the_truth_names_pods_that_are_there(corpus: tuple[list[str], Truth]) -> None:
    lines, truth = corpus
    text = "\n".join(lines)
    malicious, benign = truth["malicious"], truth["benign"]
    assert isinstance(malicious, list)
    assert isinstance(benign, dict)
    assert len(malicious) >= 2
    assert not set(malicious) & benign.keys()
    assert all(uid in text for uid in (*malicious, *benign))


def test_the_flat_variant_is_the_same_hour(tmp_path: Path, corpus: tuple[list[str], Truth]) -> None:
    truth = write_flat(tmp_path / "flat.jsonl", records=RECORDS)
    events = [json.loads(line) for line in (tmp_path / "flat.jsonl").read_text(encoding="utf-8").splitlines()]
    assert truth == corpus[1]
    assert len(events) == RECORDS
    chains = set()
    for uid in {event["pod"] for event in events}:
        kinds = [
            event["kind"]
            for event in events
            if event["pod"] == uid and event["kind"] in ("install", "metadata", "token")
        ]
        if "install" in kinds and kinds[kinds.index("install") :][:3] == ["install", "metadata", "token"]:
            chains.add(uid)
    malicious = truth["malicious"]
    assert isinstance(malicious, list)
    assert set(malicious) <= chains


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert main([str(tmp_path / name), "--records", "1000", "--seed", "7"]) == 0
    assert main([str(tmp_path / "c"), "--records", "1000", "--seed", "8"]) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "c").read_bytes()
    assert json.loads((tmp_path / "a.truth.json").read_text(encoding="utf-8"))["records"] == 1_000
