"""What analysts said stays, whatever comes afterwards; what SQLite complains about is told so that somebody can act."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from eightysix.model.case import Act, CaseState
from eightysix.model.errors import StateError, UsageError
from eightysix.model.incident import Incident
from eightysix.model.words import Verdict
from eightysix.store import casebook as module
from eightysix.store.casebook import FILE, MAX_SAID, Casebook
from tests.report.hostile import hostile_text, poison
from tests.report.sample import breach

NOW = 1_795_405_222.0
WATCH, SUSPECT, CONTAIN = Verdict.WATCH, Verdict.SUSPECT, Verdict.CONTAIN


def incident(number: int = 1, revision: str = "r1", verdict: Verdict = SUSPECT) -> Incident:
    return replace(breach(), id=f"{number:x}" * 16, revision=revision, verdict=verdict)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Casebook]:
    found = Casebook(str(tmp_path), lambda: NOW, create=True)
    yield found
    found.close()


def test_what_was_recorded_is_there_after_a_restart(tmp_path: Path, book: Casebook) -> None:
    book.record([incident(1), incident(2, verdict=CONTAIN)])
    book.say("1111", Act.NOTE, "maria", "looks like the tuner")
    book.close()
    again = Casebook(str(tmp_path), lambda: NOW)
    first, second = again.cases()
    assert (first.incident, second.incident) == (incident(2, verdict=CONTAIN), incident(1))
    assert second.first_seen == "2026-11-23T03:40:22Z"
    (entry,) = second.entries
    assert (entry.who, entry.what, entry.text, entry.revision, entry.verdict) == (
        "maria", Act.NOTE, "looks like the tuner", "r1", SUSPECT,
    )  # fmt: skip
    again.close()


def test_the_latest_revision_is_kept_and_what_was_said_stays(book: Casebook) -> None:
    book.record([incident()])
    book.say("1111", Act.ACK, "jo", "")
    assert book.record([incident(1, "r2", CONTAIN)]) == []
    (case,) = book.cases()
    assert (case.state, case.incident.revision, case.entries[0].revision) == ("acknowledged", "r2", "r1")


def test_a_higher_verdict_opens_a_closed_incident_again(book: Casebook) -> None:
    book.record([incident()])
    assert book.say("1111", Act.CLOSE, "jo", "known").state is CaseState.CLOSED
    assert book.cases() == []
    assert book.record([incident(1, "r2", SUSPECT), incident(1, "r3", WATCH)]) == []
    assert book.case("1111").state is CaseState.CLOSED
    assert book.record([incident(1, "r4", CONTAIN)]) == [incident().id]
    case = book.case("1111")
    assert case.state is CaseState.OPEN
    assert case.entries[-1].who == "eightysix"
    assert case.entries[-1].what is Act.REOPEN
    assert case.entries[-1].text == "the verdict rose from suspect to contain after it was closed"
    assert book.record([incident(1, "r4", CONTAIN)]) == []
    assert len(book.case("1111").entries) == 2


def test_the_same_evidence_may_be_judged_anew(book: Casebook) -> None:
    book.record([incident(1, "r1", SUSPECT)])
    book.say("1111", Act.CLOSE, "jo", "")
    assert book.record([incident(1, "r1", CONTAIN)]) == [incident().id]
    assert book.case("1111").incident.verdict is CONTAIN


def test_closed_at_the_highest_it_stays_closed(book: Casebook) -> None:
    book.record([incident(verdict=CONTAIN)])
    book.say("1111", Act.CLOSE, "jo", "")
    book.say("1111", Act.NOTE, "jo", "after all")
    for number, verdict in enumerate((WATCH, SUSPECT, CONTAIN, CONTAIN)):
        book.record([incident(1, f"n{number}", verdict)])
    assert book.case("1111").state is CaseState.CLOSED
    assert book.say("1111", Act.REOPEN, "jo", "").state is CaseState.OPEN


def test_what_was_said_about_a_joined_incident_is_found(book: Casebook) -> None:
    book.record([incident(1), incident(2)])
    book.say("2222", Act.NOTE, "jo", "before they were joined")
    merged = replace(incident(1, "r2"), aliases=(incident(2).id, "abcdef0123456789"))
    book.record([merged])
    assert [entry.text for entry in book.case("1111").entries] == ["before they were joined"]
    assert book.case("abcdef").incident == merged


@pytest.mark.parametrize("start", ["", "3", "no", "%", "1' OR '1'='1", "\U0010ffff", "\ud800"])
def test_an_id_that_names_nothing_is_refused(book: Casebook, start: str) -> None:
    book.record([incident(1), incident(2)])
    with pytest.raises(UsageError, match="no incident has"):
        book.case(start)


def test_an_id_that_names_several_is_refused(book: Casebook) -> None:
    book.record([replace(incident(), id=text) for text in ("abc", "abcd", "abce")])
    assert book.case("abc").incident.id == "abc"
    with pytest.raises(UsageError, match="3 incidents have"):
        book.case("ab")


def test_long_texts_are_refused(book: Casebook) -> None:
    book.record([incident()])
    with pytest.raises(UsageError, match="at most"):
        book.say("1111", Act.NOTE, "jo", "x" * (MAX_SAID + 1))
    assert book.case("1111").entries == ()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(hostile_text)
def test_any_text_is_kept(book: Casebook, text: str) -> None:
    text = text[:100]
    told = poison(breach(), lambda: text)
    told = replace(
        told, id=breach().id, aliases=(), revision=text.encode("utf-8", "backslashreplace").decode()
    )
    book.record([told])
    case = book.say(told.id, Act.NOTE, text, text)
    assert case.entries[-1].text == text.encode("utf-8", "backslashreplace").decode()
    assert case.incident.pod is not None


def test_two_write_at_once_and_nothing_is_lost(tmp_path: Path, book: Casebook) -> None:
    book.record([incident(1)])
    other = Casebook(str(tmp_path), lambda: NOW)

    def write(to: Casebook, name: str) -> None:
        for number in range(20):
            to.say("1111", Act.NOTE, name, str(number))
            to.record([incident(2, f"{name}{number}")])

    threads = [Thread(target=write, args=pair) for pair in ((book, "a"), (other, "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [(entry.who, entry.text) for entry in book.case("1111").entries]
    assert sorted(told) == sorted((name, str(number)) for name in "ab" for number in range(20))
    other.close()


def test_of_too_many_the_mildest_that_nobody_spoke_about_go(
    book: Casebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CASES", 3)
    book.record(
        [incident(1, verdict=WATCH), incident(2, verdict=WATCH), incident(3), incident(4, verdict=CONTAIN)]
    )
    assert [case.incident.id[0] for case in book.cases()] == ["4", "3", "2"]
    book.say("2222", Act.NOTE, "jo", "mine")
    book.record([incident(5)])
    assert {case.incident.id[0] for case in book.cases()} == {"4", "5", "2"}
    assert book.counts() == {CaseState.OPEN: 3, CaseState.ACKNOWLEDGED: 0, CaseState.CLOSED: 0}


def test_only_we_can_read_it(tmp_path: Path) -> None:
    book = Casebook(str(tmp_path / "state"), lambda: NOW, create=True)
    book.record([incident()])
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "state").iterdir()}
    assert len(list((tmp_path / "state").iterdir())) == 3  # with -wal and -shm
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    book.close()


def test_without_a_casebook_it_says_where_one_comes_from(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no casebook") as raised:
        Casebook(str(tmp_path), lambda: NOW)
    assert "eightysix watch" in raised.value.advice
    assert not (tmp_path / FILE).exists()


def refused(folder: Path) -> StateError:
    with pytest.raises(StateError) as raised:
        Casebook(str(folder), lambda: NOW)
    assert raised.value.advice
    return raised.value


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 400, b"SQLite format 3\x00" + b"\xff" * 8_000]
)
def test_a_damaged_file_is_told_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    error = refused(tmp_path)
    assert "damaged" in error.what
    assert "move it away" in error.advice
    assert (tmp_path / FILE).read_bytes() == content


def test_a_damaged_page_is_told(tmp_path: Path, book: Casebook) -> None:
    book.record([incident(number) for number in range(1, 16)])
    book.close()
    data = bytearray((tmp_path / FILE).read_bytes())
    data[4096 * 3 :] = b"\xff" * (len(data) - 4096 * 3)
    (tmp_path / FILE).write_bytes(data)
    again = Casebook(str(tmp_path), lambda: NOW)
    with pytest.raises(StateError, match="damaged"):
        again.cases()
    again.close()


def test_an_incident_that_cannot_be_read_is_told(tmp_path: Path, book: Casebook) -> None:
    book.record([incident()])
    with closing(sqlite3.connect(tmp_path / FILE)) as database, database:
        database.execute("UPDATE incident SET json = CAST('{}' AS BLOB)")
    with pytest.raises(StateError, match="cannot be read"):
        book.cases()


def test_another_version_is_refused(tmp_path: Path, book: Casebook) -> None:
    book.close()
    database = sqlite3.connect(tmp_path / FILE)
    database.execute("PRAGMA user_version = 7")
    database.close()
    error = refused(tmp_path)
    assert "newer eightysix (version 7, this one knows 1)" in error.what


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / FILE)
    database.execute("CREATE TABLE notes (text)")
    database.close()
    assert "something else" in refused(tmp_path).what


def test_a_lock_that_nobody_gives_back_is_told(
    tmp_path: Path, book: Casebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.record([incident()])
    monkeypatch.setattr(module, "_WAIT_S", 0.05)
    waiting = Casebook(str(tmp_path), lambda: NOW)
    with sqlite3.connect(tmp_path / FILE) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match="in use by another process"):
            waiting.say("1111", Act.ACK, "jo", "")
        assert waiting.cases()  # reading goes on
        other.rollback()
    other.close()
    assert waiting.say("1111", Act.ACK, "jo", "").state is CaseState.ACKNOWLEDGED
    waiting.close()


def test_a_full_disk_is_told_and_costs_nothing_that_was_written(book: Casebook) -> None:
    book.record([incident(1)])
    (pages,) = book._database.execute("PRAGMA page_count").fetchone()
    book._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StateError, match="disk is full"):
        book.record([incident(number) for number in range(2, 16)])
    assert [case.incident.id[0] for case in book.cases()] == ["1"]
    book._database.execute("PRAGMA max_page_count = 100000")
    book.record([incident(2)])
    assert len(book.cases()) == 2


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StateError, match="cannot be made"):
        Casebook(str(tmp_path / "state"), lambda: NOW, create=True)
