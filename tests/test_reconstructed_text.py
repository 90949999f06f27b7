"""Text that was written to harm, and secrets, planted in every field of raw telemetry: whatever the format, from files and
from a store, the first is inert and the second is not there."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from eightysix.cli.main import main
from eightysix.cli.reconstruct import FORMATS
from eightysix.lab.generate.falco_form import FALCO
from eightysix.lab.interface import Subset
from eightysix.lab.recorded import open_recording
from tests import test_secrets as secret
from tests.report.hostile import HARMS, assert_inert
from tests.streams import ATTACKS, FULL, KERNEL_AND_AUDIT
from tests.test_hostile_strings import LONE, TEXTS

Json = Any

RESULTS = (0, 10, 11, 13, 14)
NEVER_CHANGED = frozenset(
    {"auditID", "stage", "event", "Type", "time", "TimeGenerated", "requestReceivedTimestamp"}
)
"""What says which source a record is of, and when: with another text nobody reads the record."""

HARMFUL = [*HARMS.values(), *TEXTS.values(), LONE, "'; DROP TABLE EightySixEvents_CL; --", "x' OR '1'='1"]
SHIFTS = 3
"""Folders that are made: in each, every field has another of the texts."""


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("EIGHTYSIX_")]:
        monkeypatch.delenv(name)


def reconstruct(*arguments: str) -> tuple[str, str]:
    """Standard output and error."""
    out, err = io.StringIO(newline=""), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["reconstruct", *arguments])
    assert code in RESULTS, err.getvalue()
    return out.getvalue(), err.getvalue()


def ingest(store: Path, files: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert main(["store", "ingest", "-q", "--incidents", "--store", str(store), str(files)]) in RESULTS


def recorded() -> dict[str, list[Json]]:
    """The breach by file: as it was recorded, with Falco's alerts and flows of a resolver."""
    found = {
        name: [json.loads(line) for line in text.splitlines()]
        for name, text in open_recording("attack-86s").subset(Subset.ALL).items()
        if not name.startswith("truth")
    }
    falco = ATTACKS["dropper"](replace(KERNEL_AND_AUDIT, falco=FALCO)).streams["falco.jsonl"]
    found["falco.jsonl"] = [json.loads(line) for line in falco]
    found["dns.jsonl"] = [
        {
            "flow": {
                "time": "2026-11-23T16:55:40.1Z", "verdict": "FORWARDED",
                "IP": {"source": "10.244.0.12", "destination": "10.244.1.7"},
                "l4": {"UDP": {"source_port": 53, "destination_port": 41234}},
                "source": {"namespace": "kube-system"}, "destination": {"namespace": "ml", "pod_name": "inference-0"},
                "l7": {"type": "RESPONSE", "dns": {"query": "telemetry.perf-utils.example.", "ips": ["203.0.113.10"], "ttl": 60}},
            },
            "node_name": "n", "time": "2026-11-23T16:55:40.1Z",
        }
    ]  # fmt: skip
    return found


def leaves(value: Json, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all texts in a record."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from leaves(one, (*way, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from leaves(one, (*way, number))
    elif isinstance(value, str) and (not way or way[-1] not in NEVER_CHANGED):
        yield way


def planted(record: Json, way: tuple[Any, ...], text: str) -> Json:
    copy = json.loads(json.dumps(record))
    inner = copy
    for step in way[:-1]:
        inner = inner[step]
    inner[way[-1]] = f"{inner[way[-1]]}{text}"
    if "auditID" in copy:
        copy["auditID"] += str(hash(way) % 9973)
    return copy


def hostile_folder(place: Path, shift: int) -> Path:
    """The breach, and beside it each kind of record with one text after the other in every one of its fields."""
    place.mkdir()
    number = shift
    for name, records in recorded().items():
        lines = [json.dumps(record) for record in records]
        done: set[tuple[Any, ...]] = set()
        for record in records:
            for way in leaves(record):
                kind = tuple("#" if isinstance(step, int) else step for step in way)
                if kind in done:
                    continue
                done.add(kind)
                number += 7
                lines.append(json.dumps(planted(record, way, HARMFUL[number % len(HARMFUL)])))
        (place / name).write_text("".join(f"{line}\n" for line in lines))
    everywhere = place / "everywhere.jsonl"
    texts = [HARMFUL[(shift + n * 11) % len(HARMFUL)] for n in range(8)]
    with everywhere.open("w") as file:
        for name in ("tetragon.jsonl", "sensor.jsonl", "kubernetes-audit.jsonl"):
            for record in recorded()[name]:
                for old, text in zip(NAMES, texts, strict=True):
                    record = json.loads(json.dumps(record).replace(old, old + json.dumps(text)[1:-1]))
                file.write(json.dumps(record) + "\n")
    return place


NAMES = (
    "inference-0",
    "inference-sa",
    "aks-gpu-31337-vmss000000",
    "acr-push-sp",
    "torch-perf-utils",
    "registry.example",
    "aks-ml-prod",
    "telemetry.perf-utils.example",
)
"""Names in another pod with the same breach: each has a text of its own, everywhere."""


class _Page(HTMLParser):
    """Which tags a page has, and whether any has a handler or a link."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.bad += [f"{tag} {name}" for name, _ in attrs if name.startswith("on") or name in ("src", "href")]


def check(name: str, out: str, clean: str) -> None:
    """`out` in the format `name` does nothing that `clean`, of harmless telemetry, does not do."""
    if name == "html":
        page, pure = _Page(), _Page()
        page.feed(out)
        pure.feed(clean)
        assert page.tags == pure.tags
        assert page.bad == pure.bad
        out.encode()
        return
    if name == "csv":
        rows = list(csv.reader(io.StringIO(out, newline="")))
        assert {len(row) for row in rows} == {len(rows[0])}
        cells = [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
        assert not [cell for cell in cells if not cell[1:].replace(".", "").isdigit()]
        return
    if name in ("plain", "markdown"):
        for line in out.split("\n"):
            assert_inert(line)
        return
    assert all(character == "\n" or character.isprintable() for character in out)
    if name in ("ocsf", "timesketch"):
        assert all(isinstance(json.loads(line), dict) for line in out.splitlines())
    else:
        assert isinstance(json.loads(out), dict)


@pytest.mark.parametrize("shift", range(SHIFTS))
def test_hostile_text_is_inert_in_every_format(tmp_path: Path, shift: int) -> None:
    place = hostile_folder(tmp_path / "hostile", shift)
    pure = tmp_path / "pure"
    pure.mkdir()
    for file, text in open_recording("attack-86s").subset(Subset.ALL).items():
        (pure / file).write_bytes(text)
    for name in FORMATS:
        out, errors = reconstruct(str(place), "--format", name, "-v")
        check(name, out, reconstruct(str(pure), "--format", name)[0] if name == "html" else "")
        for line in errors.split("\n"):
            assert_inert(line)
    told = json.loads(reconstruct(str(place), "--format", "json")[0])
    assert len(told["stories"]) >= 2


def test_hostile_text_is_inert_out_of_a_store(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    place = hostile_folder(tmp_path / "hostile", 1)
    ingest(tmp_path / "store", place)
    told = json.loads(reconstruct("--store", str(tmp_path / "store"), "--format", "json")[0])
    pods = [story["pod"] for story in told["stories"] if story["pod"]]
    assert len(pods) >= 2
    for name in ("plain", "json", "markdown", "csv"):
        out, _ = reconstruct("--store", str(tmp_path / "store"), "--format", name, "-v")
        check(name, out, "")
    for pod in pods[:6]:
        out, _ = reconstruct("--store", str(tmp_path / "store"), "--pod", pod["uid"] or "x")
        check("plain", out, "")
        if pod["name"] and pod["namespace"] and "/" not in pod["namespace"] + pod["name"]:
            reconstruct("--store", str(tmp_path / "store"), "--pod", f"{pod['namespace']}/{pod['name']}")


def test_text_without_end_and_depth_without_end(tmp_path: Path) -> None:
    """10 MB in a field, and a hundred thousand levels: the story is told, and no larger for it."""
    long = "A" * (10 << 20)
    for name, records in recorded().items():
        lines = [json.dumps(record) for record in records]
        way = max(leaves(records[-1]), key=len)
        lines.append(json.dumps(planted(records[-1], way, long)))
        lines.append('{"a":' * 100_000)
        lines.append(json.dumps(records[-1])[:-1] + ',"deep":' + "[" * 100_000 + "]" * 100_000 + "}")
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
    for name in FORMATS:
        out, _ = reconstruct(str(tmp_path), "--format", name)
        assert len(out) < 4 << 20, name
    told = json.loads(reconstruct(str(tmp_path), "--format", "json")[0])
    assert told["stories"][0]["verdict"] == "contain"


def _secrets(place: Path) -> Path:
    """The breach with canaries wherever secrets stand, in the records that its story tells above all."""
    streams = {name: list(lines) for name, lines in ATTACKS["breach-86s"](FULL).streams.items()}
    for name, variants in (
        ("sensor.jsonl", secret._sensor_variants),
        ("kubernetes-audit.jsonl", secret._audit_variants),
    ):
        seen: set[str] = set()
        for line in list(streams[name]):
            record = json.loads(line)
            kind = str(record.get("event") or record.get("verb"))
            if kind in seen:
                continue
            seen.add(kind)
            made = [dict(one) for one in variants(record)]
            for number, one in enumerate(made):
                if "auditID" in one:
                    one["auditID"] = f"{number}-{one['auditID']}"
            streams[name] += map(json.dumps, made[:: 3 if name == "sensor.jsonl" else 1])
    for number, form in enumerate(secret.FORMS):
        for which, token in enumerate([*secret.TOKENS.values(), secret.WORD]):
            if token == secret.WORD and form == "{}":
                continue
            word = f"--password {form.format(token)} --token={token}"
            command = f"install -q {word} torch-perf-utils==1.4.3"
            streams["tetragon.jsonl"].append(secret._exec_in(0, number * 16 + which, "pip", command))
    azure = [
        {**row, "Agent": token, "UserAgent": f"x/1 {token}", "AuthenticationProcessingDetails": token,
         "ResultDescription": token, token: token}
        for row in map(json.loads, open_recording("attack-86s").files["managed-identity-sign-ins.jsonl"].splitlines())
        for token in secret.TOKENS.values()
    ]  # fmt: skip
    streams["azure.jsonl"] = list(map(json.dumps, azure))
    place.mkdir()
    for name, lines in streams.items():
        (place / name).write_text("".join(f"{line}\n" for line in lines))
    return place


def test_secrets_come_out_of_no_format(tmp_path: Path) -> None:
    place = _secrets(tmp_path / "telemetry")
    for name in FORMATS:
        for more in ((), ("-v", "--pod", "ml/inference-0")) if name in ("plain", "json", "html") else ((),):
            out, errors = reconstruct(str(place), "--format", name, *more)
            secret.assert_clean(out + errors, f"{name} {more}")
    told = json.loads(reconstruct(str(place), "--format", "json")[0])
    assert told["stories"][0]["records"]
    for question in (("--identity", "ml/inference-sa"), ("--artifact", "torch-perf-utils")):
        secret.assert_clean("".join(reconstruct(str(place), "--format", "json", *question)), question[0])


def test_secrets_come_out_of_no_store(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    place, store = _secrets(tmp_path / "telemetry"), tmp_path / "store"
    ingest(store, place)
    for name in FORMATS:
        out, errors = reconstruct("--store", str(store), "--format", name, "--pod", "ml/inference-0")
        secret.assert_clean(out + errors, name)
    told = json.loads(reconstruct("--store", str(store), "--format", "json")[0])
    assert told["stories"][0]["records"]
