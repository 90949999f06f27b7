"""`about.yml` of a query, read strictly: a key, table, technique or parameter that is not there is told with its place."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from eightysix.detect.fieldnames import nearest
from eightysix.hunt.interface import Analytics, Query, QueryKind
from eightysix.hunt.lexer import tokens
from eightysix.hunt.pack.matrix import MATRIX
from eightysix.hunt.plans import Plan, least_plan
from eightysix.hunt.publish.entities import IDENTIFIERS
from eightysix.model.table import Environment
from eightysix.model.words import Stage
from eightysix.rules.form import Form, is_identifier
from eightysix.rules.yamlfile import Fault, Node, RuleFileError, Table
from eightysix.store import tables

__all__ = ["About", "Severity"]

_REQUIRED: Final = (
    "title",
    "kind",
    "question",
    "tables",
    "environments",
    "stages",
    "attack",
    "matrix",
    "volume",
    "false_positives",
    "next",
)
_OPTIONAL: Final = ("plan", "parameters", "analytics")
_MOST: Final = 32

_SHORTEST: Final = 5
_LONGEST: Final = 14 * 24 * 60
"""Minutes between two runs of a scheduled rule, and of looking back
(learn.microsoft.com/azure/sentinel/scheduled-rules-overview)."""
_LATEST: Final = 24 * 60


class Severity(StrEnum):
    """Of an alert, as Sentinel writes it."""

    INFORMATIONAL = "Informational"
    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"


class About:
    """One file being read; what is wrong is noted, and reading goes on."""

    def __init__(self, data: bytes, file: str, name: str, text: str) -> None:
        self._form = Form(data, file)
        self._file = file
        self._name = name
        self._text = text

    def query(self) -> Query:
        """The query. Raises `RuleFileError` with everything that is wrong."""
        form = self._form
        root = form.table(form.root, "about.yml", _REQUIRED, _OPTIONAL)
        if root is None:
            form.finish()
            raise RuleFileError([(self._file, Fault(1, 1, "nothing about the query"))])
        if not is_identifier(self._name, underscore=False):
            form.fault(root, f"a query cannot be called {self._name!r}", "use small letters, digits and '-'")
        kind = form.choice(root.get("kind"), "kind", QueryKind)
        query = Query(
            id=self._name,
            title=form.text(root.get("title"), "title", line=True) or "",
            kind=kind or QueryKind.HUNTING,
            question=form.text(root.get("question"), "question") or "",
            text=self._text,
            tables=self._tables(root.get("tables")),
            environments=self._environments(root.get("environments")),
            plan=self._plan(root, kind is QueryKind.ANALYTICS),
            stages=self._stages(root.get("stages")),
            attack=self._attack(root.get("attack")),
            matrix=self._matrix(root.get("matrix")),
            volume=form.text(root.get("volume"), "volume") or "",
            false_positives=form.texts(root.get("false_positives"), "false_positives", _MOST),
            next=form.texts(root.get("next"), "next", _MOST),
            parameters=self._parameters(root.get("parameters")),
            analytics=self._analytics(root.get("analytics")),
        )
        if kind is QueryKind.ANALYTICS and root.get("analytics") is None:
            form.fault(root, "an analytics rule lacks the key 'analytics'", "say how it is scheduled")
        elif kind is QueryKind.HUNTING and (scheduled := root.get("analytics")) is not None:
            form.fault(scheduled, "a hunting query has no schedule", "write 'kind: analytics', or remove it")
        form.finish()
        return query

    def _words(self, node: Node | None, what: str) -> list[tuple[Node, str]]:
        """The items of a list of words, each with its place; one that stands twice is told."""
        found: list[tuple[Node, str]] = []
        for item in self._form.items(node, what, _MOST):
            word = self._form.text(item, f"an item of {what}", line=True)
            if word is None:
                continue
            if any(word == other for _, other in found):
                self._form.fault(item, f"{word!r} stands twice in {what}", "remove one")
            found.append((item, word))
        return found

    def _tables(self, node: Node | None) -> tuple[str, ...]:
        """Tables that are described here and that the text names."""
        known = tables.load()
        named = {one.text for one in tokens(self._text) if one.kind == "word" and one.text in known}
        found = self._words(node, "tables")
        for item, table in found:
            if table not in known:
                guess = nearest(table, list(known))
                advice = f"did you mean {guess!r}?" if guess else "`eightysix hunt tables` lists them"
                self._form.fault(item, f"unknown table {table!r}", advice)
            elif table not in named:
                self._form.fault(item, f"the query does not name the table {table!r}", "remove it")
        if node is not None:
            for table in sorted(named.difference(word for _, word in found)):
                self._form.fault(node, f"tables lacks {table!r}, which the query names")
        return tuple(word for _, word in found)

    def _environments(self, node: Node | None) -> tuple[Environment, ...]:
        items = self._form.items(node, "environments", len(Environment))
        found = [self._form.choice(item, "an environment", Environment) for item in items]
        return tuple(one for one in found if one is not None)

    def _plan(self, root: Table, scheduled: bool) -> str:
        """The least plan that the tables must have, by the text; where it is told, it must be that one."""
        node = root.get("plan")
        known = tables.load()
        named = {one.text for one in tokens(self._text) if one.kind == "word" and one.text in known}
        least = least_plan(self._text, [known[name] for name in sorted(named)], scheduled=scheduled)
        plan = self._form.choice(node, "plan", Plan) if node is not None else None
        if node is not None and plan is not None and plan is not least:
            self._form.fault(node, f"plan cannot be {str(plan)!r}", f"the query needs {least or 'none'}")
        return str(least or "")

    def _stages(self, node: Node | None) -> tuple[str, ...]:
        items = self._form.items(node, "stages", len(Stage))
        found = [self._form.choice(item, "a stage", Stage) for item in items]
        return tuple(str(one) for one in found if one is not None)

    def _attack(self, node: Node | None) -> tuple[str, ...]:
        found = self._words(node, "attack")
        for item, technique in found:
            if not _is_technique(technique):
                self._form.fault(item, f"{technique!r} is no ATT&CK technique", "write it like T1552.005")
        return tuple(word for _, word in found)

    def _matrix(self, node: Node | None) -> tuple[str, ...]:
        found = self._words(node, "matrix")
        for item, technique in found:
            if technique not in MATRIX:
                self._form.fault(
                    item,
                    f"{technique!r} is not in Microsoft's threat matrix for Kubernetes",
                    "write it like MS-TA9028; hunt/pack/matrix.py lists them",
                )
        return tuple(word for _, word in found)

    def _parameters(self, node: Node | None) -> Mapping[str, str]:
        """`let` statements of the text, each with what it is."""
        if node is None:
            return {}
        if not isinstance(node, Table) or not 1 <= len(node.entries) <= _MOST:
            self._form.fault(node, f"parameters is a map of 1 to {_MOST} names", "write 'window: \"...\"'")
            return {}
        lets = _lets(self._text)
        found: dict[str, str] = {}
        for key, value in node.entries:
            if key.text not in lets:
                guess = nearest(key.text, lets)
                advice = (
                    f"did you mean {guess!r}?" if guess else "a parameter is a `let` statement of the query"
                )
                self._form.fault(key, f"the query has no `let {key.text} = ...;`", advice)
            found[key.text] = self._form.text(value, f"what {key.text} is") or ""
        return found

    def _analytics(self, node: Node | None) -> Analytics | None:
        form = self._form
        table = form.table(node, "analytics", ("every", "over", "severity"), ("late", "entities", "key"))
        if table is None:
            return None
        every = form.integer(table.get("every"), "every (minutes)", _SHORTEST, _LONGEST) or _SHORTEST
        over = form.integer(table.get("over"), "over (minutes)", _SHORTEST, _LONGEST) or _LONGEST
        severity = form.choice(table.get("severity"), "severity", Severity)
        late = form.integer(table.get("late"), "late (minutes)", 0, _LATEST) if table.get("late") else 15
        if over < every:
            form.fault(table.get("over") or table, f"over is shorter than every ({every})", "it leaves gaps")
        if over + (late or 0) > _LONGEST:
            form.fault(table.get("over") or table, f"over and late are more than {_LONGEST} minutes together")
        return Analytics(
            every=every,
            over=over,
            severity=str(severity or Severity.LOW),
            entities=self._entities(table.get("entities")),
            late=late or 0,
            key=self._key(table.get("key")),
        )

    def _key(self, node: Node | None) -> tuple[str, ...]:
        """Columns; whether the query gives them is for Microsoft's parser to say."""
        if node is None:
            return ()
        found = self._words(node, "key")
        for item, word in found:
            if not _is_column(word):
                self._form.fault(item, f"{word!r} is no column", "write 'PodName'")
        return tuple(word for _, word in found)

    def _entities(self, node: Node | None) -> Mapping[str, Mapping[str, str]]:
        """Entity kind -> identifier -> column; whether the query gives the column is for Microsoft's parser to say."""
        if node is None:
            return {}
        form = self._form
        if not isinstance(node, Table):
            form.fault(node, "entities is a map", "write 'IP: {Address: SourceIp}'")
            return {}
        found: dict[str, Mapping[str, str]] = {}
        for key, value in node.entries:
            known = IDENTIFIERS.get(key.text)
            if known is None:
                guess = nearest(key.text, list(IDENTIFIERS))
                advice = f"did you mean {guess!r}?" if guess else f"it is one of {', '.join(IDENTIFIERS)}"
                form.fault(key, f"unknown entity {key.text!r}", advice)
                continue
            identifiers = form.table(value, key.text, (), sorted(known))
            if identifiers is not None:
                found[key.text] = {
                    name.text: form.text(column, f"the column of {name.text}", line=True) or ""
                    for name, column in identifiers.entries
                }
        return found


def _is_column(text: str) -> bool:
    return text.isascii() and text.replace("_", "a").isalnum() and not text[:1].isdigit()


def _lets(text: str) -> list[str]:
    """Names that `let` statements give."""
    code = [one.text for one in tokens(text) if one.kind != "space"]
    return [
        name
        for let, name, equals in zip(code, code[1:], code[2:], strict=False)
        if let == "let" and equals == "="
    ]


def _is_technique(text: str) -> bool:
    """`T1552`, `T1552.005`, `AML.T0010`, `AML.T0010.001`: the shape of ids in MITRE ATT&CK and ATLAS."""
    technique, dot, sub = text.removeprefix("AML.").partition(".")
    digits = technique.removeprefix("T")
    shaped = text.isascii() and technique.startswith("T") and len(digits) == 4 and digits.isdigit()
    return shaped and (not dot or (len(sub) == 3 and sub.isdigit()))
