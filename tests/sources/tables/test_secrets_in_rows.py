"""Canaries planted in any column of an exported row come out in no row. Telemetry is in tests/test_secrets.py."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eightysix.model.table import ScalarType
from eightysix.store.columns import local_columns
from tests.sources.tables.test_tabulate import TABLES, rows_of
from tests.test_secrets import COMMANDS, FORMS, RECOGNISABLE, TOKENS, WORD, assert_clean

Json = Any
TIME = "2026-11-24T09:10:00Z"
FORMS_OF_TEXT = ("{}", "x {} y", "https://u:{}@a.example/p?sig={}#{}", "Bearer {}", "token={}&a=b")
SECRET_MEMBERS = ("password", "clientSecret", "access_token", "requestbody", "env", "stringData", "newValue")


def forms(table: str, row: dict[str, Json]) -> list[Json]:
    return [
        {**row, "Type": table, "TimeGenerated": TIME},
        {"category": f"AdvancedHunting-{table}", "properties": {**row, "Timestamp": TIME}},
    ]


@pytest.mark.parametrize("table", sorted(TABLES))
def test_tokens_in_any_column(table: str) -> None:
    planted = []
    for column in local_columns(TABLES[table]):
        for secret in RECOGNISABLE[:2]:
            for form in FORMS_OF_TEXT if column.type is ScalarType.STRING else FORMS_OF_TEXT[:1]:
                planted += forms(table, {column.name: form.replace("{}", secret)})
            nested = {"a": [secret], secret: {"b": f"x {secret}"}}
            planted += forms(table, {column.name: nested})
            planted += forms(table, {column.name: json.dumps(nested)})
    rows = rows_of(planted)
    assert rows
    for name, row in rows:
        assert_clean(repr(row), name)


@pytest.mark.parametrize("member", SECRET_MEMBERS)
def test_any_word_behind_a_telling_name(member: str) -> None:
    value = {"a": [{member: WORD}], member: {"x": WORD}, "b": json.dumps({"c": "d"})}
    for table, columns in TABLES.items():
        dynamic = [c.name for own in columns.columns.values() for c in own if c.type is ScalarType.DYNAMIC]
        for column in {*dynamic, "Claims", "Properties", "Authorization", "AdditionalFields"}:
            for told in (value, json.dumps(value)):
                for name, row in rows_of(forms(table, {column: told})):
                    assert_clean(repr(row), f"{name}.{column}")


@pytest.mark.parametrize("program", sorted(COMMANDS))
def test_command_lines_are_summaries(program: str) -> None:
    arguments = COMMANDS[program].split(" ")
    for secret in (*TOKENS.values(), WORD):
        for form in FORMS[1:]:
            if secret == WORD and " " in form:
                continue  # unquoted, it is a word of its own: among the packages of an install, a package
            for place in range(1, len(arguments) + 1):
                words = [*arguments[:place], form.format(secret), *arguments[place:]]
                line = f"/usr/bin/{program.split(' ', maxsplit=1)[0]} {' '.join(words)}"
                row = {
                    "ProcessCommandLine": line,
                    "InitiatingProcessCommandLine": line,
                    "FileName": program.split(" ", maxsplit=1)[0],
                    "FolderPath": f"/usr/bin/{program.split(' ', maxsplit=1)[0]}",
                    "ProcessId": 7,
                    "KubernetesPodName": "p",
                }
                for name, told in rows_of(forms("CloudProcessEvents", row)[:1]):
                    assert_clean(repr(told), f"{name}: {line}")


def test_any_word_in_urls_and_logs() -> None:
    planted = []
    for column in ("Uri", "RequestUri", "SourceUri", "DestinationUri", "ReferrerHeader"):
        for url in (f"https://u:{WORD}@a.example/x?sv=1&sig={WORD}", f"/api/v1/x?command={WORD}"):
            for table in ("StorageBlobLogs", "AZKVAuditLogs", "AKSAudit"):
                planted += forms(table, {column: url, "AuditId": "a", "Stage": "Panic"})
    planted += forms("AzureDiagnostics", {"log_s": WORD, "requestQuery_s": WORD, "querytext_s": WORD})
    planted += forms("ContainerLogV2", {"LogMessage": WORD})
    planted += forms("StorageBlobLogs", {"AuthenticationHash": WORD})
    rows = rows_of(planted)
    assert len(rows) > 20
    for name, row in rows:
        assert_clean(repr(row), name)
