"""Queries of the pack as files for other portals: analytics rules, custom detections, a workbook.

Everything is made from the same folders, and each file is checked against what the portal documents before it is handed
out: a query that does not fit is left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from eightysix.hunt.binder import Binder, Bound
from eightysix.hunt.interface import Query
from eightysix.hunt.twins import twin
from eightysix.model.errors import QueryError
from eightysix.model.table import Environment

__all__ = ["FORMATS", "Published", "Refusal", "line", "publish", "ready"]

FORMATS = ("sentinel", "defender", "workbook")


class Refusal(Struct, frozen=True):
    """A query that cannot be published, and why."""

    query: str
    why: str


class Published(Struct, frozen=True):
    """Files by path, and what was left out."""

    files: Mapping[str, bytes]
    left_out: tuple[Refusal, ...] = ()


class Ready(Struct, frozen=True):
    """A query as it reads in an environment, with its result's columns."""

    query: Query
    text: str
    bound: Bound


def publish(queries: Sequence[Query], form: str, binder: Binder) -> Published:
    """The files of the format `form` for those queries that fit it."""
    from eightysix.hunt.publish import defender, sentinel, workbook

    makers: Mapping[str, Callable[[Sequence[Query], Binder], Published]] = {
        "sentinel": sentinel.publish,
        "defender": defender.publish,
        "workbook": workbook.publish,
    }
    return makers[form](queries, binder)


def ready(query: Query, environment: Environment, binder: Binder) -> Ready:
    """The query as it reads in `environment`. Raises `QueryError` where it does not run there."""
    if environment not in query.environments:
        raise QueryError(f"it is not for {environment.value}")
    if not _is_id(query.id):
        raise QueryError("its id is not made of small letters, digits and '-'")
    text = twin(query.text, environment)
    bound = binder.bind(text, environment)
    if not bound.ok:
        first = next(one for one in bound.problems if one.severity == "Error")
        raise QueryError(f"it does not bind there: {first.line}:{first.column} {first.code} {first.message}")
    return Ready(query, text, bound)


def _is_id(text: str) -> bool:
    """It becomes the name of a file."""
    return (
        0 < len(text) <= 80
        and text[0] != "-"
        and all("a" <= one <= "z" or one in "0123456789-" for one in text)
    )


def line(text: str, longest: int) -> str:
    """`text` in one line of printable characters, cut where it is longer than a portal takes."""
    plain = " ".join(
        "".join(
            one if one.isprintable() or one.isspace() else "\N{REPLACEMENT CHARACTER}" for one in text
        ).split()
    )
    return plain if len(plain) <= longest else plain[: longest - 1].rstrip() + "…"
