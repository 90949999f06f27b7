"""The fuzzer makes what it says, finds what is planted, and makes the same again from the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from bench.fuzz.__main__ import made, shortened
from bench.fuzz.grammar import random_pickle
from bench.fuzz.judge import Judge, _called, _outside
from bench.fuzz.mutate import mutated, wrapped
from eightysix.model.finding import FileVerdict
from eightysix.scan.interface import SecondOpinion
from eightysix.scan.second.engine import Engine, open_engine
from tests.scan.second.streams import call
from tests.tiers import require_tier

OPCODES = frozenset(b"(.012FGIJKLMNPQRSTUVX]abcdeghijlopqrstu})\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b"
                    b"\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98BC")  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_engine() as opened:
        not_run = opened.load(memoryview(b"N.")).not_run
        if "no sandbox here" in not_run:
            require_tier("seccomp", not_run)
        yield opened


def test_the_grammar_knows_every_opcode() -> None:
    written = b"".join(random_pickle(random.Random(number)) for number in range(300))
    assert set(written) >= OPCODES


def test_most_of_what_the_grammar_writes_is_read_to_its_end(engine: Engine) -> None:
    opinions = [engine.load(memoryview(random_pickle(random.Random(number)))) for number in range(200)]
    assert sum(one.end is not None for one in opinions) > 100
    assert sum(len(one.names) > 1 for one in opinions) > 100


def test_an_input_follows_from_seed_and_number() -> None:
    given = [b"sample one", b"sample two"]
    first = [made(1, number, given) for number in range(50)]
    assert [made(1, number, given)[0] for number in range(50)] == [one[0] for one in first]
    assert len({data for _, data, _ in first}) > 45
    assert [made(2, number, given) for number in range(50)] != first


def test_changes_of_nothing_are_nothing() -> None:
    assert mutated(random.Random(1), b"") == b""


def test_a_container_holds_the_pickle() -> None:
    assert wrapped(random.Random(5), b"content") != b"content"


def test_what_is_malicious_refutes_nothing(engine: Engine) -> None:
    judgement = Judge(engine)(call("os", "system", "true"))
    assert judgement.verdict is FileVerdict.MALICIOUS
    assert not judgement.failures


def test_a_reader_that_lets_everything_pass_is_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eightysix.scan.session.Session.report", lambda *_, **__: None)
    judgement = Judge(engine)(call("os", "system", "true"))
    assert judgement.failures == (("clean", "os.system"),)


def test_a_reader_that_fails_is_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("eightysix.scan.session.reader_of", lambda _: fails)
    assert "crash" in Judge(engine)(call("os", "system", "true")).kinds


def test_names_outside_of_the_index_are_told() -> None:
    def outside(*names: tuple[str, str]) -> str:
        return _outside([SecondOpinion(names=frozenset(names))])

    assert outside(("collections", "OrderedDict"), ("os", "system")) == "os.system"
    assert outside(("__builtin__", "set"), ("collections", "OrderedDict")) == ""
    assert outside(("", "system")) == ""


def test_calls_are_counted_up_to_the_break() -> None:
    assert _called(b"cos\nsystem\n(S'a'\ntR\xfe") == 1
    assert _called(b"cos\nsystem\n.") == 0


def test_shortening_keeps_what_fails() -> None:
    assert shortened(b"aaaaaXaaaaYaaaa", lambda part: b"X" in part and b"Y" in part) == b"XY"
