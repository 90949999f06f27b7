"""`eightysix hunt list | show | test | tables`: the pack, whether it holds, and what tables there are."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.options import add_format
from eightysix.cli.rules import report_tests
from eightysix.cli.terminal import terminal_width
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from eightysix.hunt.interface import Query
    from eightysix.model.table import Table

__all__ = ["add_actions", "list_queries", "show", "tables", "test"]


def add_actions(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add what is asked about the pack."""
    listing = actions.add_parser("list", help="all queries of the pack", allow_abbrev=False)
    one = actions.add_parser("show", help="one query with all a hunter wants to know", allow_abbrev=False)
    one.add_argument("id", metavar="ID", help="id of the query")
    testing = actions.add_parser(
        "test",
        help="run the recordings of queries",
        description="Runs each query over its rows in fires/ (must give rows) and quiet/ (must give none).",
        allow_abbrev=False,
    )
    testing.add_argument(
        "names", nargs="*", metavar="ID|DIR", help="queries of the pack, a folder of queries, or one's folder"
    )
    testing.add_argument(
        "-v", "--verbose", action="store_true", help="tell every test, not only those that fail"
    )
    known = actions.add_parser("tables", help="all tables, or the columns of one", allow_abbrev=False)
    known.add_argument("name", nargs="?", default="", metavar="NAME", help="a table")
    for with_format in (listing, one, known):
        add_format(with_format, ("plain", "json"))


def list_queries(form: str, out: TextIO) -> int:
    """All queries in a table."""
    from eightysix.hunt.pack import load

    queries = load()
    if form == "json":
        _write_json(
            {"schema": "eightysix/queries/v1", "queries": [_as_json(one) for one in queries.values()]}, out
        )
        return 0
    rows = [("query", "kind", "stages", "question")]
    rows += [(one.id, str(one.kind), " ".join(one.stages), one.question) for one in queries.values()]
    out.writelines(f"{line}\n" for line in _table(rows, terminal_width()))
    out.write(f"{len(queries)} queries; eightysix hunt show ID tells all about one\n")
    return 0


def show(name: str, form: str, out: TextIO) -> int:
    """One query."""
    query = _query(name)
    if form == "json":
        _write_json({"schema": "eightysix/queries/v1", "queries": [_as_json(query)]}, out)
    else:
        out.writelines(f"{line}\n" for line in _page(query, terminal_width()))
    return 0


def _query(name: str) -> Query:
    from eightysix.hunt.pack import load

    found = load().get(name)
    if found is None:
        raise UsageError(f"there is no query {name!r} in the pack", "eightysix hunt list")
    return found


def _as_json(query: Query) -> object:
    import msgspec

    return msgspec.to_builtins(query)


def _page(query: Query, width: int) -> Iterator[str]:
    from eightysix.store.tables import load

    known = load()
    yield from _wrapped(f"{query.id}: {query.title}", width, "", "  ")
    yield from _wrapped(", ".join((query.kind, *query.stages, *query.attack, *query.matrix)), width, "", "  ")
    yield from _section("asks", [query.question], width, "")
    yield ""
    yield "reads"
    for name in query.tables:
        plans = ", ".join(known[name].plans) if name in known else ""
        yield from _wrapped(f"- {name}{f' ({plans})' if plans else ''}", width, "  ", "    ")
    plan = f"; plan {query.plan}" if query.plan else ""
    yield from _wrapped(f"in {', '.join(query.environments)}{plan}", width, "  ", "  ")
    yield from _section("volume", [query.volume], width, "")
    yield from _section("not what it seems", query.false_positives, width)
    yield from _section("then", query.next, width)
    if query.parameters:
        yield from _section("set", [f"{name}: {told}" for name, told in query.parameters.items()], width)
    if query.analytics is not None:
        rule = query.analytics
        schedule = f"every {rule.every} min over {rule.over} min, {rule.late} min for late rows"
        yield from _section("alerts", [f"{rule.severity}, {schedule}"], width, "")
    yield ""
    for line in query.text.rstrip("\n").split("\n"):
        yield _code(line)


def _code(line: str) -> str:
    """A line of KQL as it is, its indentation too, with nothing in it that a terminal would obey."""
    from eightysix.report.inert import inert

    stripped = line.strip(" ")
    blank = " " * (len(line) - len(line.lstrip(" "))) if stripped else ""
    return blank + inert(stripped, 4_000) if stripped else ""


def test(names: Sequence[str], verbose: bool, out: TextIO) -> int:
    """Run the recordings of queries; see `report_tests`."""
    from eightysix.hunt.packtest import run_query_tests

    results = [result for query, folder in _asked(names) for result in run_query_tests(query, folder)]
    return report_tests(results, verbose, out, "queries", "must give rows", "must give none")


def _asked(names: Sequence[str]) -> Iterator[tuple[Query, Path]]:
    import os.path
    from pathlib import Path

    from eightysix.hunt.pack import load, load_folder, packaged_folder, read_query

    if not names:
        yield from ((one, packaged_folder() / one.id) for one in load().values())
    for name in names:
        if name in load():
            yield load()[name], packaged_folder() / name
        elif os.path.isfile(os.path.join(name, "query.kql")):
            yield read_query(Path(name).resolve()), Path(name)
        elif os.path.isdir(name):
            yield from ((one, Path(name) / one.id) for one in load_folder(Path(name)).values())
        else:
            raise UsageError(f"{name!r} is neither a query nor a folder", "eightysix hunt list")


def tables(name: str, form: str, out: TextIO) -> int:
    """All tables, or the columns of one."""
    from eightysix.store.tables import load

    known = load()
    if name and name not in known:
        near = next((one for one in known if one.casefold() == name.casefold()), "")
        raise UsageError(
            f"there is no table {name!r} here", f"Did you mean {near}?" if near else "eightysix hunt tables"
        )
    chosen = [known[name]] if name else list(known.values())
    if form == "json":
        import msgspec

        _write_json({"schema": "eightysix/tables/v1", "tables": msgspec.to_builtins(chosen)}, out)
        return 0
    if name:
        _columns(known[name], out)
        return 0
    rows = [("table", "in", "title")]
    rows += [(one.name, " ".join(_short(one)), one.title) for one in chosen]
    out.writelines(f"{line}\n" for line in _table(rows, terminal_width()))
    out.write("LA: Log Analytics, XDR: Defender advanced hunting; eightysix hunt tables NAME lists columns\n")
    return 0


def _short(table: Table) -> list[str]:
    names = {"log-analytics": "LA", "defender-xdr": "XDR", "local": "here"}
    return [names[where] for where in table.columns]


def _columns(table: Table, out: TextIO) -> None:
    width = terminal_width()
    out.writelines(f"{line}\n" for line in _wrapped(f"{table.name}: {table.title}", width, "", "  "))
    out.writelines(f"{line}\n" for line in _wrapped(table.source, width, "", "  "))
    places: dict[str, tuple[str, list[str]]] = {}
    for where, columns in table.columns.items():
        for column in columns:
            places.setdefault(column.name, (str(column.type), []))[1].append(str(where))
    rows = [("column", "type", "in")]
    every = len(table.columns)
    rows += [
        (name, kind, "all" if len(where) == every else " ".join(where))
        for name, (kind, where) in places.items()
    ]
    out.write("\n")
    out.writelines(f"{line}\n" for line in _table(rows, width))


def _table(rows: Sequence[tuple[str, ...]], width: int) -> Iterator[str]:
    """Aligned columns; the last one goes on below itself."""
    from eightysix.report.inert import columns, inert, wrap

    cells = [[inert(text, 300) for text in row] for row in rows]
    widths = [max(columns(row[place]) for row in cells) for place in range(len(cells[0]) - 1)]
    left = sum(widths) + 2 * len(widths)
    for row in cells:
        head = "".join(
            text + " " * (size - columns(text) + 2) for text, size in zip(row, widths, strict=False)
        )
        for number, line in enumerate(wrap(row[-1], max(width - left, 24))):
            yield ((" " * left if number else head) + line).rstrip(" ")


def _section(title: str, items: Sequence[str], width: int, mark: str = "- ") -> Iterator[str]:
    yield from ("", title)
    for item in items:
        yield from _wrapped(mark + " ".join(item.split()), width, "  ", "  " + " " * len(mark))


def _wrapped(text: str, width: int, first: str, following: str) -> Iterator[str]:
    from eightysix.report.inert import inert, wrap

    for number, line in enumerate(wrap(inert(text, 4_000), width - max(len(first), len(following)))):
        yield (following if number else first) + line


def _write_json(document: dict[str, object], out: TextIO) -> None:
    import msgspec

    out.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")
