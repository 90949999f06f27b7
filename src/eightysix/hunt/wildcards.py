"""Columns as `project-reorder`, `project-keep`, `project-away` and `distinct *` name them.

By name, by a pattern with `*`, and for reordering with `asc` or `desc` by name
(learn.microsoft.com/kusto/query/project-reorder-operator and its neighbours).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from eightysix.hunt.lexer import Token
from eightysix.hunt.refusals import refused_at

__all__ = ["Spec", "named_columns", "specs_of"]


class Spec(Struct, frozen=True):
    """A name or a pattern; `order` is empty, `asc` or `desc`."""

    parts: tuple[str, ...]
    """The texts between the stars: one for a name."""
    order: str = ""

    def matches(self, name: str) -> bool:
        """Whether it means the column `name`. Linear: the parts are looked for from the left."""
        if len(self.parts) == 1:
            return name == self.parts[0]
        first, *middle, last = self.parts
        if not name.startswith(first) or not name.endswith(last) or len(name) < len(first) + len(last):
            return False
        at, end = len(first), len(name) - len(last)
        for part in middle:
            found = name.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True


def specs_of(query: str, inside: Sequence[Token]) -> list[Spec]:
    """What the arguments of such an operator name; raises `QueryError` where they are something else."""
    groups: list[list[Token]] = [[]]
    for one in inside:
        if one.text == ",":
            groups.append([])
        else:
            groups[-1].append(one)
    return [_spec(query, group) for group in groups if group]


def _spec(query: str, group: list[Token]) -> Spec:
    order = ""
    if len(group) > 1 and group[-1].text in ("asc", "desc"):
        before = group[-2]
        if before.text == "-":
            raise refused_at(query, group[-1], "`granny` order", "Write asc or desc.")
        order, group = group[-1].text, group[:-1]
    texts = [one.text for one in group]
    if texts[0] == "[" and len(texts) == 3 and group[1].kind == "text" and texts[2] == "]":
        return Spec((texts[1][1:-1],), order)
    if any(one.kind != "word" and one.text != "*" for one in group):
        raise refused_at(query, group[0], "columns of this form", "Write names, or patterns as User*.")
    return Spec(tuple("".join(texts).split("*")), order)


def named_columns(operator: str, specs: Sequence[Spec], come: Sequence[str]) -> list[str]:
    """The columns that are left of those that `come`, in the order of the result."""
    if operator == "distinct":
        return list(come)
    if operator == "project-away":
        return [name for name in come if not any(spec.matches(name) for spec in specs)]
    if operator == "project-keep":
        return [name for name in come if any(spec.matches(name) for spec in specs)]
    first: list[str] = []
    for spec in specs:
        some = [name for name in come if name not in first and spec.matches(name)]
        if spec.order:
            some.sort(reverse=spec.order == "desc")
        first.extend(some)
    return first + [name for name in come if name not in first]
