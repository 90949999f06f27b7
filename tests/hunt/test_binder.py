"""Microsoft's parser over the documented columns, as it is asked here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from eightysix.hunt.binder import Binder, Problem, parser, process, schema
from eightysix.hunt.limits import MAX_BYTES
from eightysix.model.errors import MissingExtraError
from eightysix.model.table import Column, Environment, ScalarType

LOG_ANALYTICS = Environment.LOG_ANALYTICS
DEFENDER = Environment.DEFENDER
LOCAL = Environment.LOCAL

pytestmark = pytest.mark.tier("node")


def test_columns_are_those_of_the_environment(binder: Binder) -> None:
    names = ("Timestamp", "TimeGenerated", "ImageDigest", "ReportId")
    bound = [
        binder.bind(f"CloudProcessEvents | project {name}", environment).ok
        for environment in (DEFENDER, LOG_ANALYTICS, LOCAL)
        for name in names
    ]
    assert bound[:4] == [True, False, True, False]
    assert bound[4:8] == [False, True, False, True]
    assert bound[8:] == [True, True, True, True]


def test_every_table_binds_with_all_its_columns_in_order(binder: Binder) -> None:
    for where in Environment:
        for name, columns in schema(where).items():
            bound = binder.bind(name, where)
            assert bound.problems == ()
            assert bound.columns == columns


def test_defender_has_the_tables_of_a_workspace_too(binder: Binder) -> None:
    assert binder.bind("AKSAudit | project TimeGenerated", DEFENDER).ok
    assert not binder.bind("AKSAudit | project Timestamp", DEFENDER).ok
    assert not binder.bind("EntraIdSpnSignInEvents | take 1", LOG_ANALYTICS).ok


def test_a_problem_says_where_it_is(binder: Binder) -> None:
    """Places count characters, also after one that JavaScript counts as two."""
    bound = binder.bind('AKSAudit\n| extend note = "😀", Verb, Nope', LOG_ANALYTICS)
    assert bound.problems == (
        Problem(
            "Error",
            "KS142",
            "The name 'Nope' does not refer to any known column, table, variable or function.",
            2,
            28,
        ),
    )


def test_types_of_a_result_are_told(binder: Binder) -> None:
    bound = binder.bind(
        "AKSAudit | summarize Count = count(), Last = max(TimeGenerated), Users = make_set(User) by Verb",
        LOG_ANALYTICS,
    )
    assert bound.columns == (
        Column("Verb", ScalarType.STRING),
        Column("Count", ScalarType.LONG),
        Column("Last", ScalarType.DATETIME),
        Column("Users", ScalarType.DYNAMIC),
    )


def test_a_column_is_traced_to_its_table(binder: Binder) -> None:
    bound = binder.bind(
        "union (AKSAudit | project Who = UserAgent), (AzureActivity | project Who = Caller) | where Who != ''",
        LOG_ANALYTICS,
    )
    assert [(found.name, found.tables) for found in bound.references] == [
        ("UserAgent", ("AKSAudit",)),
        ("Caller", ("AzureActivity",)),
        ("Who", ()),
    ]


def test_functions_of_sentinel_are_known(binder: Binder) -> None:
    query = '_GetWatchlist("egress") | where Cidr startswith "10." | project SearchKey, Cidr'
    assert binder.bind(query, LOG_ANALYTICS).ok
    assert binder.bind(query, DEFENDER).ok
    assert binder.bind("AKSAudit | where ingestion_time() > ago(5m)", LOG_ANALYTICS).ok
    assert not binder.bind('_GetNothing("egress")', LOG_ANALYTICS).ok


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("AKSAudit | where", "KS006"),
        ("AKSAudit | frobnicate", "KS176"),
        ("Nowhere | take 1", "KS204"),
        ("AKSAudit | where Verb > 1d", "KS106"),
        (".show tables", "command"),
        ("print extent_id()", "absent"),
        ("cluster('other').database('x').T", "absent"),
        ("alias database other = cluster('o').database('d'); print 1", "absent"),
        ("(" * 200, "size"),
        ("print " + "1 + " * 20_000 + "1", "size"),
        ("", "size"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_breaks(query: str, code: str, binder: Binder) -> None:
    bad = binder.bind(query, LOG_ANALYTICS)
    assert not bad.ok
    assert code in {problem.code for problem in bad.problems}


@pytest.mark.parametrize(
    "text",
    [
        "\ud800",
        "\x00",
        "AKSAudit | where Verb == '\u202e\x1b[31m'",
        "[" * 59 + "]" * 59,
        "print " + "iff(true, " * 50 + "1" + ", 2)" * 50,
        "'" * 4000,
        "let __proto__ = 1; print __proto__, constructor = 2",
        "AKSAudit " + "| extend x = strcat(Verb, Verb) " * 700,
        "//" + "x" * (MAX_BYTES - 2),
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_hostile_text_is_answered(text: str, binder: Binder) -> None:
    first = binder.bind(text, DEFENDER)
    assert isinstance(first.ok, bool)
    assert binder.bind("AKSAudit", DEFENDER).ok


@pytest.mark.parametrize(
    ("dies", "told"),
    [
        ("process.abort();", "the parser died"),
        ('throw new Error("out of breath");', "the parser died: Error: out of breath"),
        ("for (;;);", "the parser did not answer in time"),
        ('process.stdout.write("nonsense\\n"); return;', "JSON is malformed: invalid character (byte 4)"),
        ('process.stdout.write("x".repeat(1 << 21)); return;', "the parser said too much"),
    ],
)
def test_a_parser_that_fails_over_one_query_answers_the_next(
    dies: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "bind.js"
    fake.write_text(
        'require("readline").createInterface({ input: process.stdin }).on("line", (line) => {\n'
        f'  if (line.includes("deadly")) {{ {dies} }}\n'
        '  process.stdout.write("{}\\n");\n'
        "});\n"
    )
    monkeypatch.setattr(process, "SCRIPT", fake)
    monkeypatch.setattr(process, "_MAX_ANSWER", 1 << 20)
    monkeypatch.setattr("eightysix.hunt.binder.QUERY_S", 2.0)
    with Binder(tmp_path) as failing:
        assert failing.bind("A", DEFENDER).ok
        assert [problem.message for problem in failing.bind("deadly", DEFENDER).problems] == [told]
        assert failing.bind("B", DEFENDER).ok


def test_a_parser_that_is_not_there_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EIGHTYSIX_BINDER", str(tmp_path))
    with pytest.raises(MissingExtraError) as missing:
        parser.find()
    assert "Microsoft's parser is not installed" in missing.value.what
    assert missing.value.advice.endswith("eightysix hunt validate --setup")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert parser.lacking() == "Node.js is not installed"
    with pytest.raises(MissingExtraError, match="npm"):
        parser.install()


def test_what_is_installed_is_left_alone(binder: Binder) -> None:
    assert parser.install() == parser.folder()
