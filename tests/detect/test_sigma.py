"""Detections: what matches, which actions they can match, and what is said about wrong ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.detect.fieldnames import ACTIONS, FIELDS, FieldType
from eightysix.detect.sigma import DetectionError, compile_detection


def matches(detection: object, **facts: object) -> bool:
    """Whether `detection` matches facts whose names are written with `_` for the dot."""
    names = {field.name.replace(".", "_"): field.name for field in FIELDS}
    return compile_detection(detection).matches({names[name]: value for name, value in facts.items()})


def problems(detection: object) -> list[tuple[tuple[str | int, ...], str, str]]:
    with pytest.raises(DetectionError) as caught:
        compile_detection(detection)
    return [(problem.path, problem.what, problem.advice) for problem in caught.value.problems]


def only(selection: object) -> dict[str, object]:
    return {"selection": selection}


class TestSelections:
    def test_a_map_needs_every_field(self) -> None:
        detection = only({"action": "credential", "domain": "cloud"})
        assert matches(detection, action="credential", domain="cloud")
        assert not matches(detection, action="credential", domain="cluster")
        assert not matches(detection, action="credential")

    def test_a_list_of_maps_needs_one(self) -> None:
        detection = only([{"action": "install"}, {"domain": "cloud", "uid": 0}])
        assert matches(detection, action="install")
        assert matches(detection, domain="cloud", uid=0)
        assert not matches(detection, domain="cloud", uid=1)

    def test_a_single_selection_needs_no_condition(self) -> None:
        assert matches({"anything": {"domain": "cloud"}}, domain="cloud")

    def test_conditions_combine_selections(self) -> None:
        detection = {
            "sel": {"action": "connect"},
            "f_a": {"uid": 0},
            "f_b": {"uid": 1},
            "condition": "sel and not 1 of f_*",
        }
        assert matches(detection, action="connect", uid=2)
        assert not matches(detection, action="connect", uid=1)
        assert not matches(detection, action="exec", uid=2)

    def test_a_list_of_conditions_needs_one(self) -> None:
        detection = {"a": {"uid": 0}, "b": {"uid": 1}, "condition": ["a", "b"]}
        assert matches(detection, uid=0)
        assert matches(detection, uid=1)
        assert not matches(detection, uid=2)


class TestText:
    def test_case_does_not_matter(self) -> None:
        assert matches(only({"binary.name": "PyThon"}), binary_name="pYTHON")
        assert matches(only({"binary.name": "STRASSE"}), binary_name="straße")

    def test_cased_makes_it_matter(self) -> None:
        assert matches(only({"binary.name|cased": "Python"}), binary_name="Python")
        assert not matches(only({"binary.name|cased": "Python"}), binary_name="python")
        assert not matches(only({"binary.name|contains|cased": "yT"}), binary_name="python")

    def test_places(self) -> None:
        path = "/var/run/secrets/token"
        assert matches(only({"file.path|startswith": "/VAR/run/"}), file_path=path)
        assert matches(only({"file.path|endswith": "/token"}), file_path=path)
        assert matches(only({"file.path|contains": "secrets"}), file_path=path)
        assert not matches(only({"file.path|startswith": "var"}), file_path=path)
        assert not matches(only({"file.path|endswith": "/toke"}), file_path=path)

    def test_wildcards_and_their_escapes(self) -> None:
        assert matches(only({"file.path": "/proc/*/environ"}), file_path="/proc/17/environ")
        assert matches(only({"file.path": "/proc/?/environ"}), file_path="/proc/1/environ")
        assert not matches(only({"file.path": "/proc/?/environ"}), file_path="/proc/17/environ")
        assert matches(only({"file.path": "/a\\*"}), file_path="/a*")
        assert not matches(only({"file.path": "/a\\*"}), file_path="/ab")
        assert matches(only({"file.path|startswith": "/proc/*/env"}), file_path="/proc/9/environ")

    def test_lists_mean_or_and_all_means_and(self) -> None:
        assert matches(only({"command|contains": ["pip", "conda"]}), command="pip install")
        assert not matches(only({"command|contains|all": ["pip", "conda"]}), command="pip install")
        assert matches(only({"command|contains|all": ["pip", "install"]}), command="pip install")

    def test_of_several_values_any_may_match(self) -> None:
        assert matches(only({"lineage": "installer"}), lineage=("entrypoint", "installer"))
        assert not matches(only({"lineage": "exec-probe"}), lineage=("entrypoint", "installer"))
        assert matches(only({"artifact.name": "evil*"}), artifact_name=("good", "evil-pkg"))
        assert matches(only({"artifact.name|all": ["good", "evil*"]}), artifact_name=("good", "evil-pkg"))
        assert not matches(only({"artifact.name|all": ["good", "bad"]}), artifact_name=("good", "evil-pkg"))

    def test_wildcards_on_a_closed_set_are_worked_out_when_compiled(self) -> None:
        detection = compile_detection(only({"action": "api*"}))
        assert detection.actions == {"api", "api-connect"}
        assert detection.matches({"action": "api-connect"})


class TestNotTold:
    @pytest.mark.parametrize("facts", [{}, {"dst.name": None}, {"dst.name": ""}])
    def test_null_empty_and_exists_agree(self, facts: dict[str, object]) -> None:
        for selection, expected in (
            ({"dst.name": None}, True),
            ({"dst.name": ""}, True),
            ({"dst.name|exists": False}, True),
            ({"dst.name|exists": True}, False),
            ({"dst.name|neq": None}, False),
            ({"dst.name|neq": "example.org"}, True),
            ({"dst.name": ["example.org", None]}, True),
            ({"dst.name|contains": "e"}, False),
            ({"dst.name": "?*"}, False),
        ):
            assert compile_detection(only(selection)).matches(facts) is expected, selection

    def test_nothing_in_a_tuple_is_not_told(self) -> None:
        assert matches(only({"lineage": None}), lineage=())
        assert matches(only({"lineage|exists": False}), lineage=())

    def test_zero_and_false_are_told(self) -> None:
        assert matches(only({"uid|exists": True}), uid=0)
        assert matches(only({"startup|exists": True}), startup=False)
        assert not matches(only({"uid": None}), uid=0)
        assert not matches(only({"startup": None}), startup=False)


class TestNumbersAndBools:
    def test_equality(self) -> None:
        assert matches(only({"dst.port": [80, 443]}), dst_port=443)
        assert matches(only({"container.age_s": 2}), container_age_s=2)
        assert not matches(only({"dst.port": 443}), dst_port="443"), "a fact of a wrong type matches nothing"
        assert not matches(only({"uid": 1}), uid=True)
        assert not matches(only({"uid": 1}))

    @pytest.mark.parametrize(
        ("modifier", "holds"), [("gt", (3,)), ("gte", (2, 3)), ("lt", (1,)), ("lte", (1, 2))]
    )
    def test_comparisons(self, modifier: str, holds: tuple[int, ...]) -> None:
        detection = compile_detection(only({"domain.order|" + modifier: 2}))
        assert [n for n in (1, 2, 3) if detection.matches({"domain.order": n})] == list(holds)
        assert not detection.matches({})
        assert not detection.matches({"domain.order": True})
        assert not detection.matches({"domain.order": float("nan")})
        assert isinstance(detection.matches({"domain.order": 10**400}), bool)

    def test_bools(self) -> None:
        assert matches(only({"startup": True}), startup=True)
        assert not matches(only({"startup": True}), startup=False)
        assert not matches(only({"startup": True}), startup=1)
        assert matches(only({"startup": [False, None]}))

    def test_neq_is_the_opposite_of_the_same_line(self) -> None:
        assert matches(only({"uid|neq": [0, 1]}), uid=2)
        assert not matches(only({"uid|neq": [0, 1]}), uid=1)
        assert not matches(only({"lineage|neq": "installer"}), lineage=("installer", "entrypoint"))


class TestNetworks:
    @pytest.mark.parametrize(
        ("address", "expected"),
        [
            ("10.2.3.4", True),
            ("11.2.3.4", False),
            ("::ffff:10.2.3.4", True),
            ("fd00::1", True),
            ("fe80::1", False),
            ("not an address", False),
            ("", False),
            (None, False),
            ("1" * 100, False),
        ],
    )
    def test_cidr(self, address: str | None, expected: bool) -> None:
        assert matches(only({"dst.ip|cidr": ["10.0.0.0/8", "fd00::/8"]}), dst_ip=address) is expected

    def test_a_network_with_host_bits_is_refused_with_the_right_one(self) -> None:
        assert problems(only({"dst.ip|cidr": "10.1.2.3/8"})) == [
            (("selection", "dst.ip|cidr"), "'10.1.2.3/8' is no network", "did you mean '10.0.0.0/8'?")
        ]


class TestActions:
    @pytest.mark.parametrize(
        ("detection", "expected"),
        [
            (only({"action": "install"}), {"install"}),
            (only({"action": ["install", "download"], "uid": 0}), {"install", "download"}),
            (only([{"action": "install"}, {"action": "exec"}]), {"install", "exec"}),
            (only([{"action": "install"}, {"uid": 0}]), set()),
            (only({"uid": 0}), set()),
            ({"a": {"action": "api*"}, "b": {"action": "api"}, "condition": "a and not b"}, {"api-connect"}),
            ({"a": {"action": "install"}, "b": {"uid": 0}, "condition": "a and not b"}, {"install"}),
            ({"a": {"action": "install"}, "b": {"uid": 0}, "condition": "not (a and b)"}, set()),
            (
                {"a": {"action|neq": "install"}, "b": {"action": "in*"}, "condition": "a and b"},
                {"interpreter"},
            ),
            (only({"action|neq": "install"}), set()),
            (only({"action|contains": "conn"}), {"connect", "api-connect"}),
        ],
    )
    def test_by_example(self, detection: object, expected: set[str]) -> None:
        assert compile_detection(detection).actions == expected

    def test_a_detection_that_cannot_match_is_refused(self) -> None:
        detection = {"a": {"action": "install"}, "b": {"action": "exec"}, "condition": "a and b"}
        assert problems(detection) == [
            ((), "can never match: no value of 'action' fits", "check the tests on 'action'")
        ]


# --- random detections over a few fields, against a reference ---------------------------------------------------------

_TEXTS = ["/a", "/A/b", "/b", "*b", "/?", "c\\*", "", None]
ITEMS = st.one_of(
    st.tuples(
        st.just("action"),
        st.lists(st.sampled_from([*sorted(ACTIONS), "api*", "*load", None]), min_size=1, max_size=3),
    ),
    st.tuples(st.just("action|neq"), st.sampled_from(sorted(ACTIONS))),
    st.tuples(st.just("action|startswith"), st.sampled_from(["in", "c"])),
    st.tuples(
        st.sampled_from(["file.path", "file.path|cased", "file.path|neq"]),
        st.lists(st.sampled_from(_TEXTS), min_size=1, max_size=3),
    ),
    st.tuples(
        st.sampled_from(["file.path|contains", "file.path|startswith|neq"]),
        st.sampled_from(["/a", "b", "A/"]),
    ),
    st.tuples(st.just("lineage"), st.sampled_from(["installer", "entrypoint", "exec-*", None])),
    st.tuples(st.sampled_from(["uid|gt", "uid|lte", "uid", "uid|neq"]), st.integers(-1, 3)),
    st.tuples(st.just("startup"), st.sampled_from([True, False, None])),
    st.tuples(st.sampled_from(["domain|exists", "uid|exists"]), st.booleans()),
)
MAPS = st.lists(ITEMS, min_size=1, max_size=3).map(dict)
SELECTIONS = st.one_of(MAPS, st.lists(MAPS, min_size=1, max_size=3))
CONDITIONS = [
    "a",
    "not a",
    "a and b",
    "a and not b",
    "not (a or b)",
    "a or not b and c",
    "1 of *",
    "all of them and not c",
]
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "action": st.sampled_from(sorted(ACTIONS)),
        "file.path": st.sampled_from(["/a", "/A", "/a/b", "/A/b", "b", "c*", "cx", "", None]),
        "lineage": st.sampled_from([(), ("installer",), ("exec-probe", "entrypoint"), None]),
        "uid": st.integers(-1, 4) | st.none(),
        "startup": st.booleans() | st.none(),
        "domain": st.sampled_from(["cloud", None]),
    },
)


@st.composite
def detections(draw: st.DrawFn) -> dict[str, Any]:
    """Detections of one to three selections with every kind of condition."""
    text = draw(st.sampled_from(CONDITIONS))
    names = (
        "abc"
        if "*" in text or "them" in text
        else [name for name in "abc" if re.search(rf"\b{name}\b", text)]
    )
    return {**{name: draw(SELECTIONS) for name in names}, "condition": text}


def reference(detection: Mapping[str, Any], facts: Mapping[str, object]) -> bool:
    names = [name for name in detection if name != "condition"]
    truth = {name: selection_holds(detection[name], facts) for name in names}
    python = re.sub(r"1 of \*", "any(truth.values())", detection["condition"])
    python = python.replace("all of them", "all(truth.values())")
    return bool(eval(python, {"__builtins__": {"any": any, "all": all}}, {**truth, "truth": truth}))  # noqa: S307


def selection_holds(selection: Any, facts: Mapping[str, object]) -> bool:
    maps = selection if isinstance(selection, list) else [selection]
    return any(all(item_holds(key, value, facts) for key, value in one.items()) for one in maps)


def item_holds(key: str, value: Any, facts: Mapping[str, object]) -> bool:
    name, *modifiers = key.split("|")
    fact = facts.get(name)
    if "exists" in modifiers:
        return (fact not in (None, "", ())) is value
    values = value if isinstance(value, list) else [value]
    held = any(value_holds(fact, one, modifiers) for one in values)
    return not held if "neq" in modifiers else held


def value_holds(fact: Any, value: Any, modifiers: list[str]) -> bool:
    if value is None or value == "":
        return fact is None or fact in ("", ())
    if fact is None or isinstance(fact, tuple):
        return any(value_holds(one, value, modifiers) for one in fact or ())
    if isinstance(value, bool):
        return fact is value
    if isinstance(value, int):
        return bool(
            fact > value if "gt" in modifiers else fact <= value if "lte" in modifiers else fact == value
        )
    regex = (
        re.escape(value)
        .replace("\\\\\\*", "\x00")
        .replace("\\*", ".*")
        .replace("\\?", ".")
        .replace("\x00", "\\*")
    )
    regex = (
        f".*{regex}.*" if "contains" in modifiers else f"{regex}.*" if "startswith" in modifiers else regex
    )
    return (
        fact != ""
        and re.fullmatch(regex, fact, re.DOTALL | (0 if "cased" in modifiers else re.IGNORECASE)) is not None
    )


@given(detections(), st.lists(FACTS, min_size=1, max_size=8))
def test_random_detections_match_what_the_reference_says(
    detection: dict[str, Any], streams: list[dict[str, object]]
) -> None:
    try:
        compiled = compile_detection(detection)
    except DetectionError:  # the reference must agree that it can never match
        for action in ACTIONS:
            for facts in streams:
                assert not reference(detection, {**facts, "action": action})
        return
    for facts in streams:
        assert compiled.matches(facts) == reference(detection, facts)


@given(detections(), FACTS)
def test_actions_are_a_superset_of_what_matches(detection: dict[str, Any], facts: dict[str, object]) -> None:
    try:
        compiled = compile_detection(detection)
    except DetectionError:
        return
    for action in [*ACTIONS, "an action of a later release", None]:
        told = {**facts, "action": action}
        if compiled.actions and action not in compiled.actions:
            assert not compiled.matches(told)


def test_words_tell_the_detection() -> None:
    detection = {
        "taken": {"action": "credential", "novelty.process": ["new", "first"]},
        "known": [{"dst.ip|cidr": "10.0.0.0/8"}, {"dst.name|endswith": ".example.org", "startup": True}],
        "condition": "taken and not known",
    }
    assert compile_detection(detection).source == (
        "(action is credential and novelty.process is one of (new, first)) and "
        "not (dst.ip is inside 10.0.0.0/8 or (dst.name ends with .example.org and startup is true))"
    )


# --- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("detection", "path", "what", "advice"),
    [
        (
            {"action": "install"},
            ("action",),
            "'action' stands where the name of a selection is expected",
            "put it under a selection: 'selection: {action: ...}'",
        ),
        (
            {"file.path|contains": ["a"]},
            ("file.path|contains",),
            "'file.path|contains' stands where the name of a selection is expected",
            "put it under a selection: 'selection: {file.path|contains: ...}'",
        ),
        (
            only({"binry.name": "x"}),
            ("selection", "binry.name"),
            "unknown field 'binry.name'",
            "did you mean 'binary.name'?",
        ),
        (
            only({"file.path|re": ".*"}),
            ("selection", "file.path|re"),
            "modifier 're' is not supported",
            "a regular expression can take time that is not linear in the attacker's text: use wildcards or 'contains'",
        ),
        (
            only({"file.path|contain": "a"}),
            ("selection", "file.path|contain"),
            "unknown modifier 'contain'",
            "did you mean 'contains'?",
        ),
        (
            only({"uid|contains": 1}),
            ("selection", "uid|contains"),
            "modifier 'contains' does not fit 'uid', which holds number",
            "it takes exists, gt, gte, lt, lte, neq",
        ),
        (
            only({"action": "instal"}),
            ("selection", "action"),
            "'action' is never 'instal'",
            "did you mean 'install'?",
        ),
        (
            only({"domain": ["cloud", "clod"]}),
            ("selection", "domain", 1),
            "'domain' is never 'clod'",
            "did you mean 'cloud'?",
        ),
        (
            only({"dst.port": "443"}),
            ("selection", "dst.port"),
            "'dst.port' holds a number",
            "write it in digits, without quotes",
        ),
        (
            only({"uid": True}),
            ("selection", "uid"),
            "'uid' holds a number",
            "write it in digits, without quotes",
        ),
        (only({"pod": 7}), ("selection", "pod"), "'pod' holds text", "put it in quotes: '7'"),
        (
            only({"startup": "yes"}),
            ("selection", "startup"),
            "'startup' is true or false",
            "write true or false, without quotes",
        ),
        (only({"pod": "*"}), ("selection", "pod"), "matches every text", "write 'pod|exists: true'"),
        (
            only({"pod|contains": ""}),
            ("selection", "pod|contains"),
            "matches every text",
            "write 'pod|exists: true'",
        ),
        (
            only({"pod|all": "a"}),
            ("selection", "pod|all"),
            "'all' needs at least two values",
            "remove it: one value needs no 'all'",
        ),
        (only({"pod": []}), ("selection", "pod"), "an empty list matches nothing", "give at least one value"),
        (
            only({}),
            ("selection",),
            "a map of 1 to 64 fields is expected",
            "an empty selection would match everything",
        ),
        (
            only(["keyword"]),
            ("selection", 0),
            "keyword search is not supported: facts have no full text",
            "name a field",
        ),
        (
            only({"|all": ["a", "b"]}),
            ("selection", "|all"),
            "keyword search is not supported: facts have no full text",
            "FIELDS.md lists the fields",
        ),
        (
            only({"pod|contains|startswith": "a"}),
            ("selection", "pod|contains|startswith"),
            "modifiers 'contains|startswith' do not go together",
            "use a selection for each",
        ),
        (
            {"a": {"uid": 0}, "b": {"uid": 1}},
            (),
            "several selections and no condition",
            "add 'condition: a and b'",
        ),
        (
            {"a": {"uid": 0}, "b": {"uid": 1}, "condition": "a"},
            ("b",),
            "selection 'b' is never used by the condition",
            "use it or remove it",
        ),
        (
            {"them": {"uid": 0}},
            ("them",),
            "a selection cannot be called 'them'",
            "it is a word of conditions",
        ),
        ({}, (), "a detection is a map of selections and a condition", "write 'selection: {field: value}'"),
        ({"condition": "a"}, (), "no selection", "write 'selection: {field: value}'"),
        (None, (), "a detection is a map of selections and a condition", "write 'selection: {field: value}'"),
    ],
)
def test_errors_say_where_what_and_what_to_do(
    detection: object, path: tuple[str | int, ...], what: str, advice: str
) -> None:
    assert problems(detection) == [(path, what, advice)]


def test_all_problems_are_found_at_once() -> None:
    found = problems(
        {"a": {"binry.name": "x", "uid": "0"}, "b": {"domain": "clod"}, "condition": "a and not c"}
    )
    assert [path for path, _, _ in found] == [
        ("a", "binry.name"),
        ("a", "uid"),
        ("b", "domain"),
        ("condition",),
    ]


@pytest.mark.parametrize(
    "detection",
    [
        only({"pod": ["x"] * 3000}),
        only({"pod": "x" * 5000}),
        only({"pod": "*a" * 100}),
        only([{"pod": "x"}] * 100),
        {f"s{n}": {"pod": "x"} for n in range(100)},
        only({"dst.port": float("inf")}),
        only({"pod": [["x"]]}),
        only({"pod": {"a": "b"}}),
        {1: {"pod": "x"}},
        only({1: "x"}),
    ],
)
def test_hostile_sizes_and_shapes_are_refused(detection: object) -> None:
    assert problems(detection)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([f.name for f in FIELDS]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=6)
            | st.sampled_from(["condition", "a", "action", "uid|gt", "pod|contains", "dst.ip|cidr"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JUNK)
def test_any_tree_compiles_or_is_refused(tree: object) -> None:
    with suppress(DetectionError):
        assert compile_detection(tree).matches({}) in (True, False)


def test_every_field_can_be_asked_for() -> None:
    sample: dict[FieldType, object] = {
        FieldType.NUMBER: 1,
        FieldType.BOOL: True,
        FieldType.ADDRESS: "10.0.0.1",
    }
    for field in FIELDS:
        value = field.values[0][0] if field.values else sample.get(field.type, "x")
        fact = (value,) if field.type is FieldType.TEXTS else value
        assert compile_detection(only({field.name: value})).matches({field.name: fact})
