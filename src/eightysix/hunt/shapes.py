"""The steps of translated SQL, the columns of each with their types, and how each is evaluated.

The translator writes `WITH _s0 AS (...), _s1 AS (SELECT ... FROM _s0 ...) SELECT * FROM _s1`, one step an operator, and a
`let` that is a table as a step around. `simplified` goes through them in their order, makes each plainer by the types of what
it reads (`plainer`), and tells DuckDB what to do with a `let`: one that only filters a table is looked up anew by each reader,
who filters it further; one that computes is computed once. DuckDB's own choice would copy ten million rows.
"""

from __future__ import annotations

from collections.abc import Mapping

from eightysix.hunt.dispatch import folded, unfolded
from eightysix.hunt.kinds import Columns, Names, kind_of
from eightysix.hunt.plainer import filtered, plain
from eightysix.hunt.prefilter import with_prefilter
from eightysix.hunt.sqltext import closing, end_of_quoted, find_code, split, words

__all__ = ["simplified"]

_Scope = Mapping[str, Columns | None]
"""What a name after FROM gives; None where its columns are not known."""

_CLAUSES = ("WHERE", "GROUP", "ORDER", "LIMIT", "HAVING", "QUALIFY")
_JOINS = frozenset(
    {"JOIN", "ANTI", "CROSS", "FULL", "INNER", "LEFT", "RIGHT", "SEMI", "ASOF", "LATERAL", ","}
)
_DEAR = ("regexp_", "LIKE ", "json_", "->>", "list_", "CASE ", "lower(", "_kql_", "IN (SELECT ", "UNION")
"""What a filter is not repeated for."""
_DEPTH = 60


def simplified(sql: str, tables: _Scope) -> str:
    """`sql` (folded or not) over `tables`, plainer; the same rows."""
    return _query(folded(sql), tables, _DEPTH)[0]


def _query(sql: str, scope: _Scope, depth: int) -> tuple[str, Columns | None]:
    made = None
    if depth > 0 and sql.startswith("WITH "):
        made = _steps(sql, dict(scope), depth)
    elif depth > 0:
        branches = split(sql, "UNION") if " UNION " in sql.replace("\n", " ") else [sql]
        if len(branches) > 1:
            made = _union(branches, scope, depth)
        elif sql.startswith("SELECT "):
            made = _select(sql, scope, depth)
    return made or (with_prefilter(unfolded(sql)), None)


def _steps(sql: str, scope: dict[str, Columns | None], depth: int) -> tuple[str, Columns | None] | None:
    made: list[tuple[str, str, str]] = []
    at = len("WITH ")
    while True:
        opening = sql.find("(", at)
        name, found, how = sql[at:opening].strip().partition(" AS")
        end = closing(sql, opening + 1) if opening >= 0 else -1
        if not found or end < 0 or not _is_name(name):
            return None
        body, columns = _query(sql[opening + 1 : end], scope, depth - 1)
        made.append((name, how.strip(), body))
        scope[name.strip('"')] = columns
        at = end + 1
        if not sql.startswith(",", at):
            break
        at += 1
    rest, columns = _query(sql[at:].strip(), scope, depth - 1)
    texts = [body for _, _, body in made] + [rest]
    cheap: set[str] = set()
    steps = []
    for place, (name, how, body) in enumerate(made):
        if not how and name.startswith('"'):
            how = _how(name, body, texts[place + 1 :], cheap)
        steps.append(f"{name} AS {how} ({body})" if how else f"{name} AS ({body})")
    return "WITH " + ",\n     ".join(steps) + "\n" + rest, columns


def _how(name: str, body: str, readers: list[str], cheap: set[str]) -> str:
    """How a `let` is evaluated."""
    if _only_filters(body, cheap):
        cheap.add(name)
        return "NOT MATERIALIZED"
    return "MATERIALIZED" if sum(one.count(name) for one in readers) > 1 else ""


def _only_filters(body: str, cheap: set[str]) -> bool:
    """Whether a `let` takes rows of one table by cheap tests, and columns of them."""
    if any(word in body for word in _DEAR):
        return False
    for step in body.removeprefix("WITH ").split("\n"):
        select = step.strip()
        select = select[select.find("(") + 1 :] if select.startswith("_s") else select
        found = [word for word, _, _ in words(select.removesuffix(",").removesuffix(")"))]
        if not found or found[0] != "SELECT" or found.count("SELECT") > 1:
            return False
        if set(found) & {"GROUP", "ORDER", "LIMIT", "DISTINCT", "QUALIFY", "HAVING", *(_JOINS - {","})}:
            return False
        if "FROM" not in found or "(" in select.partition(" FROM ")[0]:
            return False
        source = found[found.index("FROM") + 1] if found.index("FROM") + 1 < len(found) else ""
        if source.startswith('"_') and source not in cheap:
            return False
    return True


def _union(branches: list[str], scope: _Scope, depth: int) -> tuple[str, Columns | None] | None:
    made: list[str] = []
    known: list[Columns | None] = []
    heads: list[str] = []
    for branch in branches:
        select = branch.find("SELECT ")
        head, text = branch[: max(select, 0)], branch[max(select, 0) :]
        if head.strip() not in ("", "ALL", "ALL BY NAME"):
            return None
        new, columns = _query(text, scope, depth - 1)
        heads.append(head)
        made.append(new)
        known.append(columns)
    text = "\nUNION ".join(f"{head}{body}" for head, body in zip(heads, made, strict=True))
    if any(one is None for one in known) or not all("BY NAME" in head for head in heads[1:]):
        return text, None
    columns = {}
    for one in known:
        for name, kind in (one or {}).items():
            columns[name] = kind if columns.get(name, kind) == kind else ""
    # A branch that lacks a column, or does not know its type, may widen it.
    return text, {
        name: kind for name, kind in columns.items() if kind and all(name in (one or {}) for one in known)
    }


def _select(sql: str, scope: _Scope, depth: int) -> tuple[str, Columns | None] | None:
    """A SELECT: `items FROM sources`, and clauses."""
    places = {"FROM": -1} | dict.fromkeys(_CLAUSES, -1)
    before = ""
    for word, start, _ in words(sql):
        if word in places and places[word] < 0 and not (word == "FROM" and before == "DISTINCT"):
            places[word] = start
        before = word
    begin = places["FROM"]
    if begin < 0:
        items = _expression(sql[len("SELECT ") :], {}, scope, depth)
        return f"SELECT {items}", _columns(items, {})
    clauses = sorted(place for word, place in places.items() if place > begin)
    ends = [*clauses, len(sql)]
    sources, names = _sources(sql[begin + 5 : ends[0]].strip(), scope, depth)
    head = sql[len("SELECT ") : begin].strip()
    distinct = head.startswith("DISTINCT ") and not head.startswith("DISTINCT ON")
    items = head.removeprefix("DISTINCT ") if distinct else head
    new = _expression(items, names, scope, depth)
    text = f"SELECT {'DISTINCT ' if distinct else ''}{new} FROM {sources}"  # noqa: S608 - what it was, plainer
    for start, stop in zip(clauses, ends[1:], strict=True):
        clause = _expression(sql[start:stop].strip(), names, scope, depth)
        if clause.startswith("WHERE "):
            clause = f"WHERE {filtered(clause.removeprefix('WHERE '))}"
        text += f" {clause}"
    return text, _columns(new, names)


def _expression(text: str, names: Names, scope: _Scope, depth: int) -> str:
    """Expressions with what their types decide decided; a query inside of them has names of its own."""
    inner: list[str] = []
    for opening in ("(SELECT ", "(WITH "):
        at = 0
        while (start := find_code(text, opening, at)) >= 0:
            end = closing(text, start + 1)
            inner.append(_query(text[start + 1 : end], scope, depth - 1)[0])
            text = f"{text[:start]}({_INNER}{len(inner) - 1}_){text[end + 1 :]}"
            at = start + 1
    text = with_prefilter(unfolded(plain(text, names)))
    for number in reversed(range(len(inner))):
        place = f"({_INNER}{number}_)"
        while (start := find_code(text, place, 0)) >= 0:  # more than once where a choice was kept
            text = f"{text[:start]}({inner[number]}){text[start + len(place) :]}"
    return text


_INNER = "_kql_query_"


def _columns(items: str, names: Names) -> Columns | None:
    found: dict[str, str] = {}
    for item in split(items, ","):
        if item in ("*", "_l.*", "_r.*"):
            alias = item[:-2] if item != "*" else ""
            if alias not in names:
                return None
            found.update(names[alias])
            continue
        value, said, name = item.rpartition(" AS ")
        if not said:
            value = name = item
            if name.startswith(("_l.", "_r.")):
                name = name[3:]
        if not _is_name(name):
            return None
        kind = kind_of(value, names)
        column = name.strip('"').replace('""', '"')
        if kind:
            found[column] = kind
        else:
            found.pop(column, None)
    return found


def _is_name(name: str) -> bool:
    if name.startswith('"'):
        return end_of_quoted(name, 0) == len(name)
    return name.isidentifier()


def _sources(sql: str, scope: _Scope, depth: int) -> tuple[str, Names]:
    """What stands after FROM, and the columns that it brings, by alias."""
    parts: list[str] = []
    begin = 0
    condition = ""
    for word, start, end in words(sql):
        if word in _JOINS:
            if not condition:
                parts += [sql[begin:start].strip(), sql[start:end]]
                begin = end
        elif word == "ON":
            condition = sql[start:]
            parts.append(sql[begin:start].strip())
            begin = len(sql)
            break
    if begin < len(sql):
        parts.append(sql[begin:].strip())
    names: dict[str, Columns] = {}
    unknown = False
    out = []
    for part in parts:
        if part in _JOINS or not part:
            out.append(part)
            continue
        text, alias, columns = _source(part, scope, depth)
        out.append(text)
        unknown = unknown or columns is None
        names[alias] = columns or {}
    if len([one for one in parts if one and one not in _JOINS]) == 1:
        names[""] = next(iter(names.values()))
    if condition:
        out.append(_expression(condition, names, scope, depth))
    return " ".join(one for one in out if one), {} if unknown and "" in names else names


def _source(part: str, scope: _Scope, depth: int) -> tuple[str, str, Columns | None]:
    """A table, a step or a query, with its alias."""
    if part.startswith("("):
        end = closing(part, 1)
        if end < 0:
            return _query(part, {}, 0)[0], "?", None
        inside, columns = _query(part[1:end], scope, depth - 1)
        rest = part[end + 1 :].strip()
        return f"({inside}){' ' + rest if rest else ''}", rest.removeprefix("AS ").strip(), columns
    name, _, alias = part.partition(" AS ")
    if not _is_name(name):
        return _query(part, {}, 0)[0], "?", None
    return part, alias.strip(), scope.get(name.strip('"').replace('""', '"'))
