"""Chain rules from `rule.yml` files: the packaged ones, those of a user's folder, and an index over all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from eightysix.detect.exceptions import ExceptionRule
from eightysix.detect.fieldnames import ACTIONS, nearest
from eightysix.detect.rule import (
    Benign,
    By,
    Join,
    Maturity,
    Need,
    Rule,
    Severity,
    Signal,
    Step,
    StepMode,
)
from eightysix.model.errors import RuleError, UsageError
from eightysix.model.words import Basis, Grade, Stage
from eightysix.rules.exceptions import EXCEPTION_SUFFIX, load_exceptions
from eightysix.rules.form import Form, is_identifier
from eightysix.rules.yamlfile import Fault, Node, RuleFileError, Scalar, Table, read_bytes

__all__ = [
    "EXCEPTION_SUFFIX",
    "Catalog",
    "load_folder",
    "load_packaged",
    "packaged_folder",
    "parse_rule",
    "rule_files",
]

MAX_SIGNALS: Final = 64
MAX_STEPS: Final = 16
MAX_POINTS: Final = 1000
DEFAULT_WITHIN_S: Final = 300.0
"""A window applies only where nothing but time joins two signals; 300 s is the default that the design gives."""

_MAX_WITHIN_S: Final = 86_400.0
_REQUIRED: Final = (
    "id", "title", "maturity", "severity", "attack", "what", "why", "blind_spots", "respond", "needs", "by", "signals",
    "chain", "suspect_at",
)  # fmt: skip
_OPTIONAL: Final = ("within", "contain_at", "benign")
_CONTRIBUTING: Final = tuple(key for key in _REQUIRED if key not in ("chain", "suspect_at"))
"""What a rule with `contributes: true` has: its signals count in the chains of other rules, so it has neither a chain nor a
verdict, and nothing that could lower a score."""

_MODES: Final = tuple(str(mode) for mode in StepMode)
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Catalog:
    """Rules by id and by what they ask for, and the exceptions to them.

    `by_action` has, for every action, the signals that can match it at all, in the order of rule ids; benign context is
    not in it, because it counts only once a chain exists.
    """

    def __init__(self, rules: Iterable[Rule], exceptions: Iterable[ExceptionRule] = ()) -> None:
        self.exceptions = tuple(exceptions)
        self._rules: dict[str, Rule] = {}
        for rule in sorted(rules, key=lambda rule: rule.id):
            if rule.id in self._rules:
                places = f"{self._rules[rule.id].origin} and {rule.origin}"
                raise RuleError(f"two rules are called {rule.id!r}: {places}", "rename one", file=rule.origin)
            self._rules[rule.id] = rule
        self.by_action: Mapping[str, tuple[tuple[Rule, Signal], ...]] = {
            action: tuple(self._asking(action)) for action in sorted(ACTIONS)
        }

    def _asking(self, action: str) -> Iterator[tuple[Rule, Signal]]:
        for rule in self._rules.values():
            for signal in rule.signals.values():
                if not signal.detection.actions or action in signal.detection.actions:
                    yield rule, signal

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, by id."""
        return tuple(self._rules.values())

    def get(self, rule_id: str) -> Rule:
        """The rule called `rule_id`; raises `UsageError` with the nearest id."""
        rule = self._rules.get(rule_id)
        if rule is None:
            guess = nearest(rule_id, self._rules)
            advice = f"did you mean {guess!r}?" if guess else "'eightysix rules list' shows all"
            raise UsageError(f"there is no rule {rule_id!r}", advice)
        return rule


def packaged_folder() -> Path:
    """Where the rules lie that come with the package."""
    return Path(str(resources.files("eightysix.rules")))


@cache
def load_packaged() -> tuple[Rule, ...]:
    """The rules that come with the package, by id."""
    return _load(packaged_folder(), lambda file: "packaged")


def load_folder(path: Path) -> tuple[Rule, ...]:
    """The rules of a user's folder, by id: each `*/rule.yml` and each `*.yml` but exceptions.

    Raises `RuleFileError` with the faults of all files. Names that begin with a dot are left alone (a mounted ConfigMap
    keeps its own folders beside the links to them).
    """
    if not os.path.isdir(path):  # Path.is_dir() raises where a name is too long
        raise UsageError(f"{path} is no folder", "name the folder in which the rules lie")
    return _load(path, str)


def load_all(folder: str | Path = "") -> Catalog:
    """The packaged rules with those and the exceptions of a user's folder (none where empty)."""
    packaged = load_packaged()
    if not folder:
        return Catalog(packaged)
    path = Path(folder)
    catalog = Catalog([*packaged, *load_folder(path)])
    return Catalog(catalog.rules, load_exceptions(path, [rule.id for rule in catalog.rules]))


def rule_files(folder: Path) -> list[Path]:
    """The rule files of `folder`, sorted."""
    found: list[Path] = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            found.extend(file for file in [entry / "rule.yml"] if file.is_file())
        elif entry.name.endswith(".yml") and not entry.name.endswith(EXCEPTION_SUFFIX):
            found.append(entry)
    return found


def _load(folder: Path, origin: Callable[[Path], str]) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    faults: list[tuple[str, Fault]] = []
    for file in rule_files(folder):
        expected = file.parent.name if file.name == "rule.yml" else file.name.removesuffix(".yml")
        try:
            rules.append(parse_rule(read_bytes(file), str(file), expected, origin(file)))
        except RuleFileError as error:
            faults.extend(error.faults)
    if faults:
        raise RuleFileError(faults)
    return Catalog(rules).rules


def parse_rule(data: bytes, file: str, expected_id: str = "", origin: str = "") -> Rule:
    """The rule in `data`; raises `RuleFileError` with all its faults. `file` is for messages.

    `expected_id` is the name of its folder or file, which the id must equal.
    """
    form = Form(data, file)
    rule = _RuleReader(form, expected_id, origin).rule()
    form.finish()
    if rule is None:
        raise RuleFileError([(file, Fault(1, 1, "no rule"))])
    return rule


class _RuleReader:
    """One rule file. Every method notes faults in the form and returns what could be read."""

    def __init__(self, form: Form, expected_id: str, origin: str) -> None:
        self.form = form
        self.expected_id = expected_id
        self.origin = origin

    def rule(self) -> Rule | None:
        """The whole rule; what it holds counts only if the form has no faults."""
        form = self.form
        contributes = isinstance(form.root, Table) and form.root.get("contributes") is not None
        keys = (_CONTRIBUTING, ("contributes",)) if contributes else (_REQUIRED, _OPTIONAL)
        root = form.table(form.root, "a rule", *keys)
        if root is None:
            return None
        signals = self._signals(root.get("signals"))
        chain = self._chain(root.get("chain"), _names(root.get("signals"))) if not contributes else ()
        rule = Rule(
            id=self._id(root.get("id")),
            title=form.text(root.get("title"), "title", line=True) or "",
            maturity=form.choice(root.get("maturity"), "maturity", Maturity) or Maturity.EXPERIMENTAL,
            severity=form.choice(root.get("severity"), "severity", Severity) or Severity.LOW,
            attack=self._attack(root.get("attack")),
            what=form.text(root.get("what"), "what") or "",
            why=form.text(root.get("why"), "why") or "",
            blind_spots=form.text(root.get("blind_spots"), "blind_spots") or "",
            respond=form.texts(root.get("respond"), "respond", 32),
            needs=self._needs(root.get("needs")),
            by=form.choice(root.get("by"), "by", By) or By.POD,
            within_s=self._within(root.get("within")),
            signals=signals,
            chain=chain,
            suspect_at=form.integer(root.get("suspect_at"), "suspect_at", 1, 100 * MAX_POINTS) or 0,
            contain_at=form.integer(root.get("contain_at"), "contain_at", 1, 100 * MAX_POINTS),
            benign=self._benign(root.get("benign")),
            origin=self.origin,
            contributes=contributes and self._contributes(root.get("contributes")),
        )
        if not form.faults:
            self._check(root, rule)
        return rule

    def _contributes(self, node: Node | None) -> bool:
        if node is None:
            return False
        if isinstance(node, Scalar) and node.text == "true":
            return True
        self.form.fault(node, "contributes is true or absent", "write 'contributes: true'")
        return False

    def _id(self, node: Node | None) -> str:
        text = self.form.text(node, "id", line=True)
        if node is None or text is None:
            return ""
        if not is_identifier(text, underscore=False):
            self.form.fault(node, f"id cannot be {text!r}", "use small letters, digits and '-', at most 64")
        elif self.expected_id and text != self.expected_id:
            self.form.fault(
                node, f"id {text!r} lies under the name {self.expected_id!r}", "give both the same name"
            )
        return text

    def _attack(self, node: Node | None) -> tuple[str, ...]:
        found: list[str] = []
        for item in self.form.items(node, "attack", 32):
            text = self.form.text(item, "a technique", line=True)
            if text is not None and not _is_technique(text):
                self.form.fault(
                    item, f"{text!r} is no ATT&CK technique", "write it like T1552.005 or AML.T0010"
                )
            found.append(text or "")
        return tuple(found)

    def _needs(self, node: Node | None) -> tuple[tuple[Need, ...], ...]:
        found: list[tuple[Need, ...]] = []
        for item in self.form.items(node, "needs", 16):
            text = self.form.text(item, "a need", line=True) or ""
            alternatives: list[Need] = []
            for word in text.split("|") if text else []:
                if word.strip() in Need.__members__.values():
                    alternatives.append(Need(word.strip()))
                    continue
                guess = nearest(word.strip(), [str(need) for need in Need])
                known = f"it is one of {', '.join(Need)}"
                self.form.fault(
                    item, f"unknown need {word.strip()!r}", f"did you mean {guess!r}?" if guess else known
                )
            found.append(tuple(alternatives))
        return tuple(found)

    def _within(self, node: Node | None) -> float:
        if node is None:
            return DEFAULT_WITHIN_S
        text = node.text if isinstance(node, Scalar) else ""
        number, unit = text[:-1], text[-1:]
        if unit in _UNITS and number.isascii() and number.isdigit() and len(number) <= 6:
            seconds = int(number) * _UNITS[unit]
            if 0 < seconds <= _MAX_WITHIN_S:
                return seconds
        self.form.fault(node, f"within cannot be {text!r}", "write it like 300s or 5m, at most 24h")
        return DEFAULT_WITHIN_S

    def _signals(self, node: Node | None) -> dict[str, Signal]:
        if node is None:
            return {}
        if not isinstance(node, Table) or not 1 <= len(node.entries) <= MAX_SIGNALS:
            self.form.fault(
                node,
                f"signals is a map of 1 to {MAX_SIGNALS} names",
                "write 'name: {stage: ..., detection: ...}'",
            )
            return {}
        signals: dict[str, Signal] = {}
        for key, value in node.entries:
            if not is_identifier(key.text):
                self.form.fault(
                    key, f"a signal cannot be called {key.text!r}", "use small letters, digits, '-' and '_'"
                )
            signal = self._signal(key.text, value)
            if signal is not None:
                signals[key.text] = signal
        return signals

    def _signal(self, name: str, node: Node) -> Signal | None:
        form = self.form
        table = form.table(
            node, "a signal", ("stage", "detection", "points"), ("title", "grade_min", "basis")
        )
        if table is None:
            return None
        stage = form.choice(table.get("stage"), "stage", Stage)
        detection = form.detection(table.get("detection"))
        title = form.text(table.get("title"), "title", line=True)
        grade = form.choice(table.get("grade_min"), "grade_min", Grade)
        points = form.integer(table.get("points"), "points", 0, MAX_POINTS)
        basis = form.choice(table.get("basis"), "basis", Basis)
        if stage is None or detection is None:
            return None
        return Signal(
            name=name,
            stage=stage,
            detection=detection,
            title=title or name.replace("-", " ").replace("_", " "),
            grade_min=grade or Grade.E,
            points=points or 0,
            basis=basis or Basis.JUDGED,
        )

    def _chain(self, node: Node | None, names: Collection[str]) -> tuple[Step, ...]:
        steps = [
            self._step(item, index, names)
            for index, item in enumerate(self.form.items(node, "chain", MAX_STEPS))
        ]
        return tuple(step for step in steps if step is not None)

    def _step(self, node: Node, index: int, known: Collection[str]) -> Step | None:
        table = self.form.table(node, "a step", (), (*_MODES, "join"))
        if table is None:
            return None
        modes = [(key, value) for key, value in table.entries if key.text in _MODES]
        if len(modes) != 1:
            self.form.fault(node, "a step has exactly one of any, all and absent")
            return None
        key, value = modes[0]
        mode = StepMode(key.text)
        if mode is StepMode.ABSENT and index == 0:
            self.form.fault(key, "a chain cannot begin with what is absent", "put another step before it")
        names: list[str] = []
        for item in self.form.items(value, key.text, MAX_SIGNALS):
            name = self.form.text(item, "the name of a signal", line=True)
            if name is None:
                continue
            if name not in known:
                guess = nearest(name, known)
                others = f"there is {', '.join(list(known)[:8])}" if known else "define it under 'signals'"
                advice = f"did you mean {guess!r}?" if guess else others
                self.form.fault(item, f"unknown signal {name!r}", advice)
            elif name in names:
                self.form.fault(item, f"signal {name!r} stands twice in a step", "remove one")
            names.append(name)
        join = self.form.choice(table.get("join"), "join", Join)
        if index == 0 and join not in (None, Join.POD, Join.LINEAGE):
            self.form.fault(
                node, f"the first step has nothing before it to join by {str(join)!r}", "remove its 'join'"
            )
        return Step(mode, tuple(names), join or Join.POD)

    def _benign(self, node: Node | None) -> tuple[Benign, ...]:
        found: list[Benign] = []
        for item in self.form.items(node, "benign", MAX_SIGNALS):
            table = self.form.table(item, "an item of benign", ("detection", "points", "why"), ())
            if table is None:
                continue
            detection = self.form.detection(table.get("detection"))
            points = self.form.integer(table.get("points"), "points of benign context", -MAX_POINTS, -1)
            why = self.form.text(table.get("why"), "why")
            if detection is not None and points is not None and why is not None:
                found.append(Benign(detection, points, why))
        return tuple(found)

    def _check(self, root: Table, rule: Rule) -> None:
        """What only the whole rule can tell; asked only of rules whose parts are sound."""
        if rule.contributes:
            for signal in rule.signals.values():
                if signal.stage is Stage.LAND:
                    self.form.fault(
                        root.get("signals") or root,
                        f"signal {signal.name!r} is of stage land",
                        "what landed is the other rule's to say",
                    )
            return
        wanted = {name for step in rule.chain if step.mode is not StepMode.ABSENT for name in step.names}
        unwanted = {name for step in rule.chain if step.mode is StepMode.ABSENT for name in step.names}
        chain_node = root.get("chain") or root
        for name in sorted(wanted & unwanted):
            self.form.fault(
                chain_node, f"the chain wants signal {name!r} both present and absent", "remove one"
            )
        stages = {rule.signals[name].stage for name in wanted}
        if not stages & {Stage.LAND, Stage.RUN, Stage.REACH}:
            advice = "a chain begins with something that landed, ran or reached for a credential"
            self.form.fault(chain_node, "no step has a signal of stage land, run or reach", advice)
        reachable = sum(signal.points for name, signal in rule.signals.items() if name not in unwanted)
        self._threshold(root, "suspect_at", rule.suspect_at, reachable)
        if rule.contain_at is None:
            return
        self._threshold(root, "contain_at", rule.contain_at, reachable)
        if rule.contain_at < rule.suspect_at:
            self.form.fault(
                root.get("contain_at") or root, f"contain_at is below suspect_at ({rule.suspect_at})"
            )
        every = {signal.stage for signal in rule.signals.values()}
        if Stage.LAND not in every or not stages & {Stage.REACH, Stage.PIVOT}:
            advice = "add a signal of stage land and a step of reach or pivot, or remove contain_at"
            self.form.fault(
                root.get("contain_at") or root,
                "contain needs a landing, and credentials in the chain",
                advice,
            )

    def _threshold(self, root: Table, name: str, value: int, reachable: int) -> None:
        if value > reachable:
            node = root.get(name) or root
            self.form.fault(node, f"{name} is {value}, but all signals together give {reachable} points")


def _names(node: Node | None) -> tuple[str, ...]:
    """The names of the signals, whatever else is wrong with them."""
    return tuple(key.text for key, _ in node.entries) if isinstance(node, Table) else ()


def _is_technique(text: str) -> bool:
    """`T1552`, `T1552.005`, `AML.T0010`, `AML.T0010.001`: the shape of ids in MITRE ATT&CK and ATLAS."""
    technique, _, sub = text.removeprefix("AML.").partition(".")
    digits = technique.removeprefix("T")
    return (
        text.isascii()
        and technique.startswith("T")
        and digits.isdigit()
        and len(digits) == 4
        and (sub.isdigit() and len(sub) == 3 if sub or text.endswith(".") else True)
    )
