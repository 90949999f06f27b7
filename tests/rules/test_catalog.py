"""Rule files: what is read, which errors are told with which place, and the index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.detect.contribute import contributed, with_contributions
from eightysix.detect.fieldnames import ACTIONS
from eightysix.detect.rule import By, Join, Maturity, Need, Rule, Severity, Step, StepMode
from eightysix.model.errors import RuleError, UsageError
from eightysix.model.words import Basis, Grade, Stage
from eightysix.rules.catalog import Catalog, load_all, load_folder, load_packaged, packaged_folder, parse_rule
from eightysix.rules.describe import rule_as_json, verdict_in_words
from eightysix.rules.yamlfile import RuleFileError

DATA = Path(__file__).parent / "data"
TEXT = (DATA / "demo-chain" / "rule.yml").read_text()


def rule(text: str = TEXT) -> Rule:
    return parse_rule(text.encode(), "rule.yml", "demo-chain")


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) == 1, f"{old!r} stands {TEXT.count(old)} times in the demonstration rule"
    return TEXT.replace(old, new)


def faults(text: str) -> list[str]:
    with pytest.raises(RuleFileError) as caught:
        rule(text)
    return [str(fault) for _, fault in caught.value.faults]


def test_everything_is_read() -> None:
    read = rule()
    assert (read.id, read.maturity, read.severity) == ("demo-chain", Maturity.EXPERIMENTAL, Severity.MEDIUM)
    assert read.attack == ("T1552.005", "AML.T0010.001")
    assert read.respond == ("read the test", "go on: nothing happened")
    assert read.needs == ((Need.CONNECTIONS,), (Need.FILES, Need.PROVENANCE))
    assert (read.by, read.within_s) == (By.WORKLOAD, 300.0)
    assert (read.suspect_at, read.contain_at) == (50, 60)
    assert read.chain == (
        Step(StepMode.ANY, ("landed",), Join.POD),
        Step(StepMode.ALL, ("taken", "left_for_good"), Join.WINDOW),
        Step(StepMode.ABSENT, ("cleaned",), Join.PROCESS),
    )
    assert [(one.points, one.why) for one in read.benign] == [
        (-15, "the container's own process tree did it")
    ]


def test_signals_are_read_with_their_defaults() -> None:
    signals = rule().signals
    taken = signals["taken"]
    assert (taken.stage, taken.grade_min, taken.points, taken.basis) == (
        Stage.REACH,
        Grade.B,
        30,
        Basis.JUDGED,
    )
    assert taken.detection.actions == {"credential"}
    assert taken.detection.matches({"action": "credential", "dst.ip": "169.254.169.254"})
    assert not taken.detection.matches(
        {"action": "credential", "dst.ip": "169.254.169.254", "k8s.user_agent": "A|b/1"}
    )
    assert signals["left_for_good"].title == "left for good"
    assert signals["landed"].basis is Basis.MEASURED
    assert signals["landed"].grade_min is Grade.E


def test_contain_at_within_and_benign_may_be_left_out() -> None:
    text = TEXT[: TEXT.index("contain_at")].replace("within: 5m\n", "")
    read = rule(text)
    assert (read.contain_at, read.within_s, read.benign) == (None, 300.0, ())


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "    points: 20",
            "    poinst: 20",
            "line 20, column 5: unknown key 'poinst'; did you mean 'points'?",
        ),
        (
            "severity: medium",
            "severity: meduim",
            "line 4, column 11: severity cannot be 'meduim'; did you mean 'medium'?",
        ),
        (
            "stage: leave",
            "stage: 5",
            "line 31, column 12: stage cannot be '5'; it is one of land, run, reach, pivot, leave, use",
        ),
        ("title: something landed", "title: 5", "line 18, column 12: title is a text; put it in quotes"),
        (
            "id: demo-chain",
            "id: other",
            "line 1, column 5: id 'other' lies under the name 'demo-chain'; give both the same name",
        ),
        (
            "id: demo-chain",
            "id: Demo_Chain",
            "line 1, column 5: id cannot be 'Demo_Chain'; use small letters, digits and '-', at most 64",
        ),
        (
            "AML.T0010.001",
            "T15",
            "line 5, column 21: 'T15' is no ATT&CK technique; write it like T1552.005 or AML.T0010",
        ),
        (
            "[connections, files|",
            "[connections, file|",
            "line 12, column 22: unknown need 'file'; did you mean 'files'?",
        ),
        ("by: workload", "by: node", "line 13, column 5: by cannot be 'node'; it is one of pod, workload"),
        (
            "within: 5m",
            "within: 300",
            "line 14, column 9: within cannot be '300'; write it like 300s or 5m, at most 24h",
        ),
        ("points: 30", "points: '30'", "line 29, column 13: points is a whole number from 0 to 1000"),
        ("points: 30", "points: -3", "line 29, column 13: points is a whole number from 0 to 1000"),
        (
            "basis: measured",
            "basis: guessed",
            "line 21, column 12: basis cannot be 'guessed'; it is one of measured, judged",
        ),
        (
            "any: [landed]",
            "any: [lnaded]",
            "line 39, column 11: unknown signal 'lnaded'; did you mean 'landed'?",
        ),
        (
            "any: [landed]",
            "any: [landed, landed]",
            "line 39, column 19: signal 'landed' stands twice in a step; remove one",
        ),
        (
            "any: [landed]",
            "absent: [cleaned]",
            "line 39, column 5: a chain cannot begin with what is absent; put another step before it",
        ),
        (
            "any: [landed]",
            "some: [landed]",
            "line 39, column 5: a step has exactly one of any, all and absent",
        ),
        ("any: [landed]", "any: []", "line 39, column 10: any has 1 to 64 items"),
        (
            "join: window",
            "join: windwo",
            "line 41, column 11: join cannot be 'windwo'; did you mean 'window'?",
        ),
        (
            "any: [landed]",
            "{any: [landed], join: token}",
            "line 39, column 5: the first step has nothing before it to join by 'token'; remove its 'join'",
        ),
        (
            "suspect_at: 50",
            "suspect_at: 61",
            "line 44, column 13: suspect_at is 61, but all signals together give 60 points",
        ),
        ("contain_at: 60", "contain_at: 40", "line 45, column 13: contain_at is below suspect_at (50)"),
        (
            "absent: [cleaned]",
            "absent: [cleaned, landed]",
            "line 39, column 3: the chain wants signal 'landed' both present and absent; remove one",
        ),
        (
            "points: -15",
            "points: 15",
            "line 48, column 13: points of benign context is a whole number from -1000 to -1",
        ),
        (
            "dst.class: public",
            "dst.clas: public",
            "line 32, column 46: unknown field 'dst.clas'; did you mean 'dst.class'?",
        ),
        (
            "dst.class: public",
            "dst.class: pubic",
            "line 32, column 57: 'dst.class' is never 'pubic'; did you mean 'public'?",
        ),
        (
            "[install, download]",
            "[install, downlod]",
            "line 19, column 47: 'action' is never 'downlod'; did you mean 'download'?",
        ),
        (
            "selection and not known",
            "selection and not konwn",
            "line 27, column 36: unknown selection 'konwn'; did you mean 'known'?",
        ),
        ("respond:\n", "response:\n", "line 9, column 1: unknown key 'response'; did you mean 'respond'?"),
        ("why: So", "what: So", "line 1, column 1: a rule lacks the key 'why'"),
        (
            "  cleaned:\n",
            "  Cleaned!:\n",
            "line 34, column 3: a signal cannot be called 'Cleaned!'; use small letters, digits, '-' and '_'",
        ),
    ],
)
def test_each_error_has_its_place_and_the_nearest_word(old: str, new: str, fault: str) -> None:
    assert fault in faults(changed(old, new))


def test_fields_without_a_selection_are_told_how_sigma_writes_them() -> None:
    text = changed("detection: {selection: {lineage: entrypoint}}", "detection: {lineage: entrypoint}")
    (fault,) = faults(text)
    assert fault.startswith(
        "line 47, column 17: 'lineage' stands where the name of a selection is expected; "
    )
    assert fault.endswith("put it under a selection: 'selection: {lineage: ...}'")


def test_a_mistyped_key_is_told_once() -> None:
    assert len(faults(changed("respond:\n", "response:\n"))) == 1


def test_all_errors_of_a_file_are_told_in_order() -> None:
    text = (
        changed("severity: medium", "severity: x")
        .replace("by: workload", "by: x")
        .replace("points: 30", "points: x")
    )
    assert [fault.partition(":")[0] for fault in faults(text)] == [
        "line 4, column 11",
        "line 13, column 5",
        "line 29, column 13",
    ]


def test_the_error_carries_its_place() -> None:
    with pytest.raises(RuleFileError) as caught:
        rule(changed("by: workload", "by: x").replace("severity: medium", "severity: x"))
    error = caught.value
    assert (error.file, error.line, error.column, error.exit_code) == ("rule.yml", 4, 11, 2)
    assert error.what == "severity cannot be 'x' (and 1 more)"
    assert [(one.line, one.what) for one in error.errors] == [
        (4, "severity cannot be 'x'"),
        (13, "by cannot be 'x'"),
    ]
    assert (
        str(error).splitlines()[1].startswith("rule.yml: line 13, column 5: by cannot be 'x'; it is one of")
    )


def test_contain_needs_a_landing_and_credentials() -> None:
    text = changed("stage: land", "stage: run")
    assert faults(text) == [
        (
            "line 45, column 13: contain needs a landing, and credentials in the chain; "
            "add a signal of stage land and a step of reach or pivot, or remove contain_at"
        )
    ]


def test_a_chain_begins_somewhere() -> None:
    text = (
        changed("stage: land", "stage: use")
        .replace("stage: reach", "stage: pivot")
        .replace("contain_at: 60\n", "")
    )
    assert faults(text) == [
        (
            "line 39, column 3: no step has a signal of stage land, run or reach; "
            "a chain begins with something that landed, ran or reached for a credential"
        )
    ]


@pytest.mark.parametrize(
    "text", ["[]", "a", "null", "id: 1", "signals: []", "chain: {}", "{signals: {a: 1}}", "benign: x"]
)
def test_other_shapes_are_told_not_crashed_on(text: str) -> None:
    assert faults(text)


LINES = TEXT.splitlines()


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(LINES) - 1),
            st.sampled_from(["drop", "twice", "indent", "junk", "value", "list"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_damaged_rules_load_or_tell_an_error(damage: list[tuple[int, str]]) -> None:
    lines: list[str] = list(LINES)
    change: dict[str, Callable[[str], str]] = {
        "drop": lambda line: "",
        "twice": lambda line: f"{line}\n{line}",
        "indent": lambda line: f"  {line}",
        "junk": lambda line: line + " ]{:",
        "value": lambda line: line.partition(":")[0] + ": 17",
        "list": lambda line: line.partition(":")[0] + ": [a, {b: null}]",
    }
    for place, kind in damage:
        lines[place] = change[kind](lines[place])
    try:
        rule("\n".join(lines))
    except RuleFileError as error:
        told = error.errors
    else:
        told = (RuleError("none", line=1, column=1),)
    assert all(one.line >= 1 and one.column >= 1 and one.what for one in told)


@given(st.text(alphabet=st.sampled_from("abiknst:-[]{}'\"|>&*!#, \n\t0é"), max_size=80))
def test_arbitrary_yaml_loads_or_tells_an_error(text: str) -> None:
    with pytest.raises(RuleFileError):
        rule(text)


class TestContributing:
    """A rule without a chain, whose signals count in the chains of others."""

    TEXT = """\
id: demo-chain
title: A signal for others
maturity: experimental
severity: low
attack: [T1552.005]
contributes: true
what: x
why: x
blind_spots: x
respond: [x]
needs: [connections]
by: pod
signals:
  seen: {stage: reach, detection: {selection: {action: credential}}, points: 10}
"""

    def test_it_has_signals_and_no_chain(self) -> None:
        found = rule(self.TEXT)
        assert (found.contributes, found.chain, found.suspect_at, found.contain_at) == (True, (), 0, None)
        assert "only adds points" in verdict_in_words(found)
        assert rule_as_json(found)["contributes"] is True
        assert not rule().contributes

    @pytest.mark.parametrize(
        ("old", "new", "fault"),
        [
            ("contributes: true", "contributes: yes", "contributes is true or absent"),
            ("contributes: true", "contributes: false", "contributes is true or absent"),
            ("contributes: true", "contributes: [true]", "contributes is true or absent"),
            ("signals:", "suspect_at: 10\nsignals:", "unknown key 'suspect_at'"),
            ("signals:", "benign: []\nsignals:", "unknown key 'benign'"),
            ("signals:", "chain: [{any: [seen]}]\nsignals:", "unknown key 'chain'"),
            ("stage: reach", "stage: land", "signal 'seen' is of stage land"),
        ],
    )
    def test_it_has_nothing_else(self, old: str, new: str, fault: str) -> None:
        assert any(fault in one for one in faults(self.TEXT.replace(old, new)))

    def test_without_the_word_a_chain_is_required(self) -> None:
        told = faults(self.TEXT.replace("contributes: true\n", ""))
        assert any("lacks the key 'chain'" in one for one in told)

    def test_its_signals_count_in_the_chains_of_others(self) -> None:
        (joined,) = with_contributions((rule(), replace(rule(self.TEXT), id="adds")))
        assert joined.id == "demo-chain"
        assert [name for name in joined.signals if contributed(name)] == ["adds:seen"]
        assert joined.signals["adds:seen"].points == 10
        alone = rule()
        assert with_contributions((alone,)) == (alone,)


class TestFolders:
    def test_folders_and_single_files_are_rules(self, tmp_path: Path) -> None:
        (tmp_path / "demo-chain").mkdir()
        (tmp_path / "demo-chain" / "rule.yml").write_text(TEXT)
        (tmp_path / "single.yml").write_text(changed("id: demo-chain", "id: single"))
        (tmp_path / "x.exception.yml").write_text("not read here")
        (tmp_path / "..data").mkdir()
        (tmp_path / "..data" / "rule.yml").write_text("not read here")
        (tmp_path / ".hidden.yml").write_text("not read here")
        (tmp_path / "notes.txt").write_text("not read here")
        (tmp_path / "empty").mkdir()
        rules = load_folder(tmp_path)
        assert [one.id for one in rules] == ["demo-chain", "single"]
        assert rules[1].origin == str(tmp_path / "single.yml")

    def test_the_errors_of_all_files_are_told(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / f"{name}.yml").write_text(changed("id: demo-chain", "id: c"))
        with pytest.raises(RuleFileError) as caught:
            load_folder(tmp_path)
        assert [Path(one.file).name for one in caught.value.errors] == ["a.yml", "b.yml"]

    def test_two_rules_of_one_name_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "demo-chain").mkdir()
        (tmp_path / "demo-chain" / "rule.yml").write_text(TEXT)
        (tmp_path / "demo-chain.yml").write_text(TEXT)
        with pytest.raises(RuleError, match="two rules are called 'demo-chain'"):
            load_folder(tmp_path)

    def test_no_folder_is_a_usage_error(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is no folder"):
            load_folder(tmp_path / "no")

    def test_load_all_joins_packaged_and_own_rules_with_exceptions(self, tmp_path: Path) -> None:
        (tmp_path / "demo-chain.yml").write_text(TEXT)
        (tmp_path / "one.exception.yml").write_text(
            "{name: one, rule: demo-chain, workload: ml/train, destination: example.org, created: 2026-11-01,"
            " expires: 2026-12-01, reason: a test, author: me}"
        )
        catalog = load_all(str(tmp_path))
        assert {one.id for one in catalog.rules} == {"demo-chain", *(one.id for one in load_packaged())}
        assert [one.name for one in catalog.exceptions] == ["one"]
        assert load_all("").exceptions == ()


class TestPackaged:
    def test_every_packaged_rule_loads(self) -> None:
        folders = {file.parent.name for file in packaged_folder().glob("*/rule.yml")}
        assert {one.id for one in load_packaged()} == folders
        assert all(one.origin == "packaged" for one in load_packaged())


class TestCatalog:
    def test_index_by_action(self) -> None:
        catalog = Catalog([rule()])
        found = {
            action: [signal.name for _, signal in asking] for action, asking in catalog.by_action.items()
        }
        assert set(found) == ACTIONS
        assert found["install"] == ["landed", "cleaned"]
        assert found["credential"] == ["taken", "cleaned"]
        assert found["exec"] == ["cleaned"], "a signal that names no action is asked for each"

    def test_lookup_names_the_nearest(self) -> None:
        catalog = Catalog([rule()])
        assert catalog.get("demo-chain").title.startswith("Demonstration")
        with pytest.raises(UsageError) as caught:
            catalog.get("demo-chian")
        assert caught.value.advice == "did you mean 'demo-chain'?"
