"""Questions to the owner: answered, refused, bounded; whatever is said to it, it stays."""

from __future__ import annotations

import os
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from eightysix.model.errors import QueryError, StateError
from eightysix.model.table import Column, ScalarType
from eightysix.store.events import asking
from eightysix.store.events.asking import Answer, Question, Server, ask
from eightysix.store.events.hot import Hot
from tests.store.events.rows import T0, TABLES, rows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def answer(cursor: DuckDBPyConnection, question: Question) -> Answer:
    if question.text == "refuse":
        raise QueryError("it is refused", "ask otherwise", construct="x")
    if question.text == "fail":
        raise ZeroDivisionError
    found = cursor.execute(question.text).fetchall()
    return Answer(columns=(Column("n", ScalarType.LONG),), rows=[list(row) for row in found])


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / ("deep" * 30) / "store"  # a path that no socket could be called by
    with Hot(folder, create=True, tables=TABLES) as hot, Server(hot, answer):
        hot.append("Pods", rows(30))
        yield folder


def question(text: str) -> Question:
    return Question(text=text, now_ns=T0, language="sql", timeout_s=5.0)


def test_another_process_gets_rows_that_are_not_sealed(owned: Path) -> None:
    code = (
        "import sys; from eightysix.store.events.asking import Question, ask;"
        " print(ask(sys.argv[1], Question(text='SELECT count(*) FROM Pods', now_ns=0)).rows)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(owned)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[[30]]\n", "")


def test_refusals_and_failures_are_told_and_end_nothing(owned: Path) -> None:
    with pytest.raises(QueryError, match="it is refused") as caught:
        ask(owned, question("refuse"))
    assert (caught.value.advice, caught.value.construct) == ("ask otherwise", "x")
    with pytest.raises(QueryError, match="ZeroDivisionError"):
        ask(owned, question("fail"))
    for text in ('DELETE FROM hot."Pods"', "SELECT * FROM read_text('/etc/passwd')", "nonsense"):
        with pytest.raises(QueryError, match="failed over this question"):
            ask(owned, question(text))
    assert ask(owned, question("SELECT count(*) FROM Pods")).rows == [[30]]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\0", struct.pack(">I", 5) + b"ab", struct.pack(">I", 1 << 31), struct.pack(">I", 3) + b"{x}",
        b"GET / HTTP/1.1\r\n\r\n", struct.pack(">I", 6000) + b"[" * 6000, struct.pack(">I", 2) + b"[]",
    ],
)  # fmt: skip
def test_what_is_no_question_ends_nothing(owned: Path, data: bytes) -> None:
    folder = os.open(owned, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(f"/proc/self/fd/{folder}/owner.sock")
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        peer.settimeout(10)
        try:
            heard = peer.recv(1 << 16)
        except ConnectionResetError:  # it hung up on us in the middle
            heard = b""
    os.close(folder)
    assert not heard or msgspec.json.decode(heard[4:], type=Answer).error
    assert ask(owned, question("SELECT 1")).rows == [[1]]


def test_too_much_is_told(owned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_ANSWER", 1 << 10)
    with pytest.raises(QueryError, match="larger than"):
        ask(owned, question("SELECT range FROM range(1000)"))
    with pytest.raises(QueryError, match="larger than"):
        ask(owned, question("x" * (2 << 20)))


def test_who_comes_while_it_is_busy_is_told(owned: Path) -> None:
    folder = os.open(owned, os.O_RDONLY)
    peers = [socket.socket(socket.AF_UNIX) for _ in range(asking.AT_ONCE)]
    for peer in peers:
        peer.connect(f"/proc/self/fd/{folder}/owner.sock")
        peer.sendall(b"\0")
    with pytest.raises((QueryError, StateError)):  # told, or cut off while it was still speaking
        ask(owned, question("SELECT 1"))
    for peer in peers:
        peer.close()
    os.close(folder)
    for _ in range(1000):
        try:
            assert ask(owned, question("SELECT 1")).rows == [[1]]
            break
        except (QueryError, StateError):
            continue
    else:
        pytest.fail("it stays busy")


def test_only_the_owners_user_is_heard(owned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stat.S_IMODE((owned / "owner.sock").stat().st_mode) == 0o600
    monkeypatch.setattr(asking, "_may_ask", lambda peer: False)
    with pytest.raises((QueryError, StateError)):
        ask(owned, question("SELECT 1"))


def test_nobody_answers_where_nobody_owns(tmp_path: Path) -> None:
    with Hot(tmp_path, create=True, tables=TABLES) as hot, Server(hot, answer):
        pass
    assert not (tmp_path / "owner.sock").exists()
    with pytest.raises(StateError, match="does not answer"):
        ask(tmp_path, question("SELECT 1"))


def test_the_socket_of_a_killed_owner_is_replaced(tmp_path: Path) -> None:
    with Hot(tmp_path, create=True, tables=TABLES) as hot:
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(tmp_path / "owner.sock"))
        left.close()
        with Server(hot, answer):
            assert ask(tmp_path, question("SELECT 1")).rows == [[1]]
