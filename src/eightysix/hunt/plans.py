"""Plans of tables in Log Analytics: on which of them a query runs.

What each plan takes: learn.microsoft.com/azure/azure-monitor/logs/data-platform-logs, "Table feature comparison" (as of
2026-05-25), and learn.microsoft.com/azure/azure-monitor/logs/basic-logs-query. Basic and Auxiliary take all of KQL on a single
table; `join`, `find`, `search` and functions of one's own are not supported there, `lookup` and `union` with tables of the plan
Analytics alone. Scheduled rules of Sentinel read tables of the plan Analytics; "simple log alerts" read Basic too, nothing
alerts on Auxiliary. A later text of the second page, seen only in translation, allows several tables: the stricter one counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from eightysix.hunt.lexer import tokens
from eightysix.model.table import Table

__all__ = ["Plan", "least_plan"]


class Plan(StrEnum):
    """A table's plan, the cheapest first."""

    AUXILIARY = "Auxiliary"
    BASIC = "Basic"
    ANALYTICS = "Analytics"


_TOGETHER = frozenset("join union lookup find search externaldata toscalar evaluate".split())


def least_plan(text: str, tables: Sequence[Table], *, scheduled: bool) -> Plan | None:
    """The cheapest plan that every table of a query may have; None where a table has none, being Defender's alone."""
    if any(not table.plans for table in tables):
        return None
    code = [one for one in tokens(text) if one.kind != "space"]
    words = {one.text for one in code if one.kind == "word"}
    functions = any(
        code[at].text == "let"
        and code[at + 3].text == "("
        and _is_function([one.text for one in code[at + 3 :]])
        for at in range(len(code) - 3)
    )
    if scheduled or len(tables) != 1 or _TOGETHER & words or functions:
        return Plan.ANALYTICS
    return next(plan for plan in Plan if plan.value in tables[0].plans)


def _is_function(words: Sequence[str]) -> bool:
    """Whether `(...) {` stands first: parameters and a body."""
    depth = 0
    for at, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if not depth:
            return words[at + 1 : at + 2] == ["{"]
    return False
