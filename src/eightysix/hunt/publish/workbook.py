"""A workbook of Azure Monitor with the pack's queries: choose one, set its values, read its rows.

The form is that of a workbook's gallery template (learn.microsoft.com/azure/azure-monitor/visualize/workbooks-overview,
github.com/microsoft/Application-Insights-Workbooks: schema/workbook.json). A workbook puts the value of a parameter wherever
`{NAME}` stands, in queries and in text: names are ours and occur in no query, and texts keep no brace.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from eightysix.hunt.binder import Binder
from eightysix.hunt.interface import Query
from eightysix.hunt.lexer import Token, tokens
from eightysix.hunt.publish import Published, Ready, Refusal, line, ready
from eightysix.model.errors import QueryError
from eightysix.model.table import Environment

__all__ = ["NAME", "markdown", "parameters", "publish"]

NAME = "eightysix.workbook.json"
_SCHEMA = "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json"
_RESOURCE = "microsoft.operationalinsights/workspaces"
_PICKED = "EightysixQuery"
_DAY_MS = 86_400_000
_SPANS = (_DAY_MS // 24, _DAY_MS, 7 * _DAY_MS, 14 * _DAY_MS, 30 * _DAY_MS, 90 * _DAY_MS)
_MARKS = frozenset("\\`*_{}[]()<>#+-.!|~$&\"'")


def publish(queries: Sequence[Query], binder: Binder) -> Published:
    """One workbook with every query that Log Analytics can run."""
    found: list[Ready] = []
    left_out = []
    for query in queries:
        try:
            one = ready(query, Environment.LOG_ANALYTICS, binder)
            if "{Eightysix" in one.text:
                raise QueryError("it holds what a workbook would replace: {Eightysix")
        except QueryError as error:
            left_out.append(Refusal(query.id, error.what))
            continue
        found.append(one)
    if not found:
        return Published({}, tuple(left_out))
    return Published(
        {NAME: json.dumps(_workbook(found), indent=2, ensure_ascii=False).encode() + b"\n"}, tuple(left_out)
    )


def _workbook(found: Sequence[Ready]) -> dict[str, object]:
    return {
        "version": "Notebook/1.0",
        "items": [_head(found), *(_group(one) for one in found)],
        "fallbackResourceIds": [],
        "$schema": _SCHEMA,
    }


def _head(found: Sequence[Ready]) -> dict[str, object]:
    choices = [
        {"value": one.query.id, "label": line(one.query.title, 200), "selected": one is found[0]}
        for one in found
    ]
    asked: list[dict[str, object]] = [
        {
            "version": "KqlParameterItem/1.0",
            "name": "Workspace",
            "type": 5,
            "isRequired": True,
            "query": f"resources | where type =~ '{_RESOURCE}' | project id",
            "crossComponentResources": ["value::selected"],
            "typeSettings": {"additionalResourceOptions": ["value::1"]},
            "queryType": 1,
            "resourceType": "microsoft.resourcegraph/resources",
        },
        {
            "version": "KqlParameterItem/1.0",
            "name": "TimeRange",
            "type": 4,
            "isRequired": True,
            "typeSettings": {
                "selectableValues": [{"durationMs": one} for one in _SPANS],
                "allowCustom": True,
            },
            "value": {"durationMs": _DAY_MS},
        },
        {
            "version": "KqlParameterItem/1.0",
            "name": _PICKED,
            "label": "Query",
            "type": 2,
            "isRequired": True,
            "jsonData": json.dumps(choices, ensure_ascii=False),
            "value": found[0].query.id,
        },
    ]
    return _parameters("parameters", asked)


def _parameters(name: str, asked: list[dict[str, object]]) -> dict[str, object]:
    content = {
        "version": "KqlParameterItem/1.0",
        "parameters": asked,
        "style": "pills",
        "queryType": 0,
        "resourceType": _RESOURCE,
    }
    return {"type": 9, "content": content, "name": name}


def _group(one: Ready) -> dict[str, object]:
    """One query: what it asks, its values, its rows. Shown while it is picked."""
    query = one.query
    text, asked = _asking(one)
    items: list[dict[str, object]] = [
        {"type": 1, "content": {"json": _about(query)}, "name": f"{query.id} - about"},
        *([_parameters(f"{query.id} - values", asked)] if asked else []),
        {
            "type": 3,
            "content": {
                "version": "KqlItem/1.0",
                "query": text,
                "size": 0,
                "showAnalytics": True,
                "title": line(query.title, 200).replace("{", "(").replace("}", ")"),
                "timeContextFromParameter": "TimeRange",
                "showExportToExcel": True,
                "queryType": 0,
                "resourceType": _RESOURCE,
                "crossComponentResources": ["{Workspace}"],
                "visualization": "table",
                "gridSettings": {"filter": True},
            },
            "name": f"{query.id} - rows",
        },
    ]
    return {
        "type": 12,
        "content": {"version": "NotebookGroup/1.0", "groupType": "editable", "items": items},
        "conditionalVisibility": {"parameterName": _PICKED, "comparison": "isEqualTo", "value": query.id},
        "name": query.id,
    }


def _about(query: Query) -> str:
    parts = [f"## {markdown(line(query.title, 200))}", markdown(line(query.question, 2_000))]
    parts += _list("Expected volume", (query.volume,))
    parts += _list("False positives", query.false_positives)
    parts += _list("Next", query.next)
    parts.append("ATT&CK: " + markdown(", ".join(query.attack)) if query.attack else "")
    return "\n\n".join(part for part in parts if part)


def _list(title: str, texts: Sequence[str]) -> Iterator[str]:
    told = [f"- {markdown(line(text, 1_000))}" for text in texts if text]
    if told:
        yield f"**{title}**\n\n" + "\n".join(told)


def markdown(text: str) -> str:
    """`text` so that Markdown, HTML and the workbook's own `{NAME}` take nothing of it for theirs."""
    return "".join(f"&#{ord(one)};" if one in _MARKS else one for one in text)


def parameters(query: Query) -> dict[str, str]:
    """Name in the workbook of each value of the query that can be set."""
    before = "Eightysix_" + query.id.replace("-", "_") + "_"
    return {name: before + name for name in query.parameters}


def _asking(one: Ready) -> tuple[str, list[dict[str, object]]]:
    """The text with the values of its `let` statements asked for, and the parameters that ask."""
    found = tokens(one.text)
    asked: list[dict[str, object]] = []
    for name, called in parameters(one.query).items():
        place = _value(found, name)
        if place is None:
            continue
        first, last = place
        value = "".join(token.text for token in found[first : last + 1])
        if len(value) > 200 or "\n" in value:
            continue  # a list: edit it in the query
        found[first : last + 1] = [Token("word", f"{{{called}}}", found[first].start)]
        asked.append(
            {
                "version": "KqlParameterItem/1.0",
                "name": called,
                "label": name,
                "description": line(one.query.parameters[name], 300),
                "type": 1,
                "isRequired": True,
                "value": value,
            }
        )
    return "".join(token.text for token in found), asked


def _value(found: Sequence[Token], name: str) -> tuple[int, int] | None:
    """First and last token of the value in `let NAME = VALUE;`."""
    code = [place for place, one in enumerate(found) if one.kind != "space"]
    for at in range(len(code) - 4):
        if [found[place].text for place in code[at : at + 3]] == ["let", name, "="]:
            end = next(
                (place for place in range(at + 3, len(code)) if found[code[place]].text == ";"), at + 3
            )
            return (code[at + 3], code[end - 1]) if end > at + 3 else None
    return None
