"""Clock, tokens, rows, truth, roster, spec: the parts that need no socket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.lab.interface import TELEMETRY, PodSpec
from eightysix.lab.services import rows, spec
from eightysix.lab.services.clock import Clock, rfc3339
from eightysix.lab.services.directory import IDENTITY, PUSHER, Directory
from eightysix.lab.services.roster import Pod, Roster
from eightysix.lab.services.tokens import Signer, encode_part
from eightysix.lab.services.truth import MARKS, Record
from eightysix.model.timestamps import to_ns

CLOCK = Clock()
SIGNER = Signer(CLOCK)


def test_a_leap_moves_everything_that_follows_and_nothing_moves_back() -> None:
    clock = Clock()
    before = clock.now_ns()
    assert clock.leap(3600) == 3600 * 10**9
    assert clock.now_ns() - before >= 3600 * 10**9
    for wrong in (-1, 10**9, float("nan")):
        with pytest.raises(ValueError, match="a leap"):
            clock.leap(wrong)
    assert clock() >= clock.now_ns() - 10**9


def test_stamps_are_read_by_the_readers_of_telemetry() -> None:
    assert rfc3339(1_795_445_044_951_410_269) == "2026-11-23T14:44:04.9514102Z"
    assert to_ns(rfc3339(1_795_445_044_951_410_200)) == 1_795_445_044_951_410_200
    assert rfc3339(10**18, 0) == "2001-09-09T01:46:40.Z"


def test_a_token_is_good_until_it_expires_and_for_no_other_signer() -> None:
    clock = Clock()
    signer = Signer(clock)
    token = signer.sign({"sub": "a", "exp": clock.now() + 60, "nbf": clock.now() - 1})
    assert signer.check(token) == {"sub": "a", "exp": clock.now() + 60, "nbf": clock.now() - 1}
    assert SIGNER.check(token) is None
    head, claims, signature = token.split(".")
    assert signer.check(f"{head}.{encode_part({'sub': 'b', 'exp': clock.now() + 60})}.{signature}") is None
    assert signer.check(f"{encode_part({'alg': 'none', 'typ': 'JWT'})}.{claims}.") is None
    assert signer.check(signer.sign({"exp": "soon"})) is None
    assert signer.check(signer.sign({"exp": clock.now() + 60, "nbf": clock.now() + 30})) is None
    clock.leap(61)
    assert signer.check(token) is None


@given(st.one_of(st.text(max_size=200), st.lists(st.text(max_size=60), min_size=3, max_size=3).map(".".join)))
def test_whatever_is_presented_as_a_token_is_refused_without_a_fault(text: str) -> None:
    assert SIGNER.check(text) is None


def test_a_deep_token_is_refused() -> None:
    assert SIGNER.check(SIGNER.sign({"exp": CLOCK.now() + 60, "x": json.loads("[" * 30 + "]" * 30)})) is None


def test_rows_have_the_documented_columns_and_no_others() -> None:
    made = rows.row("AzureActivity", {"OperationNameValue": "A", "Claims_d": {"a": "b"}})
    assert made["Type"] == "AzureActivity"
    assert made["Caller"] == ""
    assert made["Claims_d"] == {"a": "b"}
    assert "TimeGenerated" not in made  # no text, and not given
    with pytest.raises(ValueError, match="AzureActivity has no column Colour"):
        rows.row("AzureActivity", {"Colour": "red"})
    assert all("Type" in columns and "TimeGenerated" in columns for columns in rows.COLUMNS.values())


def test_a_file_takes_no_more_than_its_bound_and_the_rest_is_counted(tmp_path: Path) -> None:
    record = Record(tmp_path, Clock(), most_bytes=200)
    for _ in range(5):
        record.mark("leap", seconds=1.0)
    record.close()
    text = (tmp_path / "truth.jsonl").read_bytes()
    assert len(text) <= 200
    assert record.dropped == 5 - text.count(b"\n") > 0
    with pytest.raises(ValueError, match="no mark is called holiday"):
        record.mark("holiday")


def test_every_mark_tells_what_it_means_and_the_sensors_files_stay_theirs(tmp_path: Path) -> None:
    assert all(": " in text for text in MARKS.values())
    Record(tmp_path, Clock()).close()
    assert {path.name for path in tmp_path.iterdir()} == {"truth.jsonl", *TELEMETRY} - {
        "tetragon.jsonl",
        "sensor.jsonl",
    }


def test_principals_that_push_are_made_by_their_names(tmp_path: Path) -> None:
    record = Record(tmp_path, Clock())
    directory = Directory(record)
    assert directory.named("acr-push-sp") is PUSHER
    assert directory.named("inference-mi") is IDENTITY
    made = directory.named("ml-release")
    assert made == directory.named("ml-release") == directory.principals[made.client_id]
    assert "AcrPush" in made.roles
    with pytest.raises(ValueError, match="no principal"):
        directory.named("")
    for number in range(200):
        try:
            directory.named(f"p{number}")
        except ValueError:
            break
    else:
        pytest.fail("principals without end")
    record.close()


def test_the_roster_tells_pods_by_address() -> None:
    roster = Roster()
    first, second = PodSpec("a", ip="10.0.0.1"), PodSpec("b", ip="10.0.0.1", metadata=False)
    roster.add(Pod(first, "u1", "c1"))
    assert roster.may_reach_metadata("10.0.0.1")
    roster.add(Pod(second, "u2", "c2"))
    assert roster.name_at("10.0.0.1") == "ml/b"
    assert not roster.may_reach_metadata("10.0.0.1")
    assert roster.may_reach_metadata("10.0.0.9")
    assert roster.remove("ml", "b") is not None
    assert roster.remove("ml", "b") is None
    assert roster.name_at("10.0.0.1") == "ml/a"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"nonce": "a b", "out": "/o", "index": "/i"}', "letters and digits"),
        ('{"nonce": "ab", "out": "/o", "index": "/i", "registry": "theirs"}', "auto, debian or own"),
        ('{"nonce": "ab", "out": "/o", "index": "/i", "colour": 1}', "unknown field"),
        ('{"nonce": "ab"}', "missing required field"),
        ("[" * 5000, "Expected `object`, got `array`"),
    ],
)
def test_a_wrong_spec_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "spec.json"
    path.write_text(text)
    with pytest.raises((ValueError, RecursionError), match=said):
        spec.read(path)
