"""Whether queries run unchanged where they say they do: each is bound in each environment, its twin where names differ."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from eightysix.hunt.binder import Binder, Bound, Problem
from eightysix.hunt.interface import Query
from eightysix.hunt.twins import differs, renames, tables_of, twin
from eightysix.model.errors import QueryError
from eightysix.model.table import Environment

__all__ = ["Verdict", "environments_of", "validate", "validate_text"]

_OTHER = {
    Environment.LOG_ANALYTICS: Environment.DEFENDER,
    Environment.DEFENDER: Environment.LOG_ANALYTICS,
}


class Verdict(Struct, frozen=True):
    """What became of one query in one environment. `twin` tells that its names were changed for it."""

    query: str
    environment: Environment
    bound: Bound
    twin: bool = False

    @property
    def ok(self) -> bool:
        """Whether it runs there."""
        return self.bound.ok


def validate(query: Query, binder: Binder) -> tuple[Verdict, ...]:
    """A query of the pack in each environment that it names, and its list of tables beside its text."""
    found = validate_text(query.id, query.text, query.environments, binder)
    named = {table.name for table in tables_of(query.text)}
    if named == set(query.tables):
        return found
    told = sorted(named.symmetric_difference(query.tables))
    problem = Problem("Error", "tables", f"about.yml and the text differ in tables: {', '.join(told)}", 1, 1)
    return tuple(
        Verdict(one.query, one.environment, Bound((*one.bound.problems, problem)), one.twin) for one in found
    )


def validate_text(
    name: str, text: str, environments: Sequence[Environment], binder: Binder
) -> tuple[Verdict, ...]:
    """A query in each of `environments`; `name` is what it is called in the verdicts."""
    return tuple(_one(name, text, environment, binder) for environment in environments)


def environments_of(text: str) -> tuple[Environment, ...]:
    """Those that have every table the text names: where a query without `about.yml` could run."""
    used = tables_of(text)
    found = [Environment.LOG_ANALYTICS, Environment.DEFENDER, Environment.LOCAL]
    if any(Environment.LOG_ANALYTICS not in table.columns for table in used):
        found.remove(Environment.LOG_ANALYTICS)
    return tuple(found)


def _one(name: str, text: str, environment: Environment, binder: Binder) -> Verdict:
    try:
        here = twin(text, environment)
    except QueryError as error:
        return Verdict(name, environment, Bound((Problem("Error", "twin", error.what, 1, 1),)))
    bound = binder.bind(here, environment)
    if here == text or not bound.ok:
        return Verdict(name, environment, bound, here != text)
    there = binder.bind(text, _OTHER[environment])
    if not there.ok:
        return Verdict(name, environment, there, True)
    difference = differs(there, bound, renames(text, environment))
    if difference:
        problem = Problem("Error", "twin", f"the twin means something else: {difference}", 1, 1)
        bound = Bound((*bound.problems, problem), bound.columns, bound.references)
    return Verdict(name, environment, bound, True)
