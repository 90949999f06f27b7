"""`eightysix hunt validate` and `hunt publish`: whole outputs and exit codes."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest

from eightysix.cli import hunt
from eightysix.hunt.binder import Binder
from eightysix.hunt.binder.parser import lacking
from eightysix.model.errors import MissingExtraError, UsageError
from tests.hunt.samples import BURST, CHAIN, SIGNINS
from tests.tiers import require_tier

BROKEN = msgspec.structs.replace(BURST, id="broken", text="AKSAudit | where Nope == 1", tables=("AKSAudit",))
PACK = {query.id: query for query in (BURST, CHAIN, SIGNINS)}

pytestmark = pytest.mark.tier("node")


@pytest.fixture(scope="module")
def started() -> Iterator[Binder]:
    if missing := lacking():
        require_tier("node", f"{missing}: make parser")
    with Binder() as binder:
        yield binder


@pytest.fixture(autouse=True)
def _pack(started: Binder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eightysix.hunt.binder.Binder", lambda: nullcontext(started))
    monkeypatch.setattr("eightysix.hunt.pack.load", lambda: PACK)
    monkeypatch.delenv("EIGHTYSIX_FORMAT", raising=False)


def run(*arguments: str) -> tuple[int, str, str]:
    parser = argparse.ArgumentParser(prog="eightysix")
    hunt.add_parser(parser.add_subparsers(dest="command"))
    parsed = parser.parse_args(["hunt", *arguments])
    out, err = io.StringIO(), io.StringIO()
    return parsed.run(parsed, out, err), out.getvalue(), err.getvalue()


def test_the_pack_is_validated_where_it_says_that_it_runs() -> None:
    assert run("validate") == (
        0,
        """\
secret-burst             log-analytics  5 columns
secret-burst             defender-xdr   5 columns
install-then-metadata    log-analytics  6 columns, as its twin
install-then-metadata    defender-xdr   6 columns
install-then-metadata    local          6 columns
signins-of-applications  defender-xdr   3 columns
6 bind, 0 do not
""",
        "",
    )


def test_a_query_that_does_not_bind_is_told_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACK, "broken", BROKEN)
    assert run("validate", "broken", "--environment", "log-analytics") == (
        2,
        """\
broken  log-analytics  does not bind
  1:18 KS142 The name 'Nope' does not refer to any known column, table, variable or function.
0 bind, 1 do not
""",
        "",
    )


def test_tables_that_about_yml_forgot_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    forgot = msgspec.structs.replace(BURST, tables=("AKSAuditAdmin",), environments=BURST.environments[:1])
    monkeypatch.setitem(PACK, BURST.id, forgot)
    code, out, _ = run("validate", BURST.id)
    assert code == 2
    assert "about.yml and the text differ in tables: AKSAudit, AKSAuditAdmin" in out


def test_files_and_folders_are_validated_wherever_their_tables_are(tmp_path: Path) -> None:
    (tmp_path / "a.kql").write_text(SIGNINS.text)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b\x1b[31m.kql").write_bytes(b"\xef\xbb\xbfAKSAudit\r\n| take 1")
    code, out, _ = run("validate", str(tmp_path), "--format", "json")
    assert code == 0
    assert [(Path(one["query"]).name[0], one["environment"], one["ok"]) for one in json.loads(out)] == [
        ("a", "defender-xdr", True),
        ("a", "local", True),
        ("b", "log-analytics", True),
        ("b", "defender-xdr", True),
        ("b", "local", True),
    ]
    assert "\x1b" not in run("validate", str(tmp_path))[1]


def test_a_table_that_is_not_there_is_told() -> None:
    code, out, _ = run("validate", SIGNINS.id, "--environment", "log-analytics")
    assert code == 2
    assert "twin Log Analytics has no EntraIdSpnSignInEvents" in out


@pytest.mark.parametrize("named", ["nothing", "empty"])
def test_what_is_no_query_is_told(named: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError):
        run("validate", str(tmp_path / named))


def test_without_the_parser_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("eightysix.hunt.binder.Binder", Binder)
    monkeypatch.setenv("EIGHTYSIX_BINDER", str(tmp_path))
    with pytest.raises(MissingExtraError) as missing:
        run("validate")
    assert (
        missing.value.advice == "Install Node.js 18 or later with npm, then: eightysix hunt validate --setup"
    )


def test_rules_are_written_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "rules of ours"
    code, out, err = run("publish", "--format", "sentinel", "--output", str(folder))
    assert code == 0
    assert out.split("\n") == [
        str(folder / "rules" / "secret-burst.yaml"),
        str(folder / "rules" / "install-then-metadata.yaml"),
        "",
    ]
    assert err == "eightysix: signins-of-applications is left out: it is not for log-analytics\n"
    assert sorted(one.name for one in (folder / "rules").iterdir()) == [
        "install-then-metadata.yaml",
        "secret-burst.yaml",
    ]


def test_a_query_that_was_named_and_left_out_is_an_exit_code(tmp_path: Path) -> None:
    code, out, _ = run("publish", SIGNINS.id, "--format", "workbook", "--output", str(tmp_path))
    assert (code, out) == (10, "")
    assert not list(tmp_path.iterdir())


def test_every_format_is_offered(tmp_path: Path) -> None:
    written = {
        form: run("publish", BURST.id, "--format", form, "--output", str(tmp_path / form))[0]
        for form in ("sentinel", "defender", "workbook")
    }
    assert set(written.values()) == {0}
    assert sorted(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()) == [
        "defender/secret-burst.json",
        "sentinel/rules/secret-burst.yaml",
        "workbook/eightysix.workbook.json",
    ]


def test_an_unknown_query_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nope is no query of the pack"):
        run("publish", "nope", "--format", "sentinel", "--output", str(tmp_path))
