"""What the owner of a store answers with: the sealed engines of `hunt`, on the cursor that the store gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eightysix.model.errors import QueryError
from eightysix.store.events.asking import Answer, Question

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["MAX_LIMIT", "MAX_TIMEOUT_S", "answer"]

MAX_LIMIT = 1_000_000
MAX_TIMEOUT_S = 600.0
"""Rows and seconds that one question may take."""


def answer(cursor: DuckDBPyConnection, question: Question) -> Answer:
    """The answer to a question. Raises `QueryError`, and `MissingExtraError` where KQL cannot be translated here."""
    from eightysix.hunt.engine import run
    from eightysix.hunt.sql import run_sql

    limit = max(0, min(question.limit, MAX_LIMIT))
    timeout_s = max(0.0, min(question.timeout_s, MAX_TIMEOUT_S))
    if question.language == "sql":
        result = run_sql(question.text, cursor, limit=limit, timeout_s=timeout_s)
    elif question.language == "kql":
        result = run(
            question.text, cursor, now=question.now_ns, limit=limit, parameters=question.parameters,
            timeout_s=timeout_s,
        )  # fmt: skip
    else:
        raise QueryError(f"{question.language!r} is no language that is spoken here", "Ask in kql or sql.")
    return Answer(columns=result.columns, rows=[list(row) for row in result.rows], truncated=result.truncated)
