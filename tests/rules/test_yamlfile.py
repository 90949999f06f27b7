"""YAML with places: what is read, what is refused, and that nothing crashes or takes long."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from eightysix.rules import yamlfile
from eightysix.rules.yamlfile import MAX_BYTES, Fault, RuleFileError, locate, parse_yaml, plain, read_bytes


def read(text: str | bytes) -> object:
    faults: list[Fault] = []
    node = parse_yaml(text.encode() if isinstance(text, str) else text, faults)
    assert not faults, faults
    assert node is not None
    return plain(node)


def faults_of(text: str | bytes) -> list[str]:
    faults: list[Fault] = []
    parse_yaml(text.encode() if isinstance(text, str) else text, faults)
    return [str(fault) for fault in faults]


def test_plain_values() -> None:
    assert read("a: 1\nb: [x, 'y', \"z\", 1.5, true, null, ~, -3, '1']\nc: {d: }\n") == {
        "a": 1,
        "b": ["x", "y", "z", 1.5, True, None, None, -3, "1"],
        "c": {"d": None},
    }


def test_dates_times_and_keys_stay_text() -> None:
    assert read("1: 2026-11-23\ntrue: a\n") == {"1": "2026-11-23", "true": "a"}


def test_a_byte_order_mark_is_allowed() -> None:
    assert read(b"\xef\xbb\xbfa: b") == {"a": "b"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "a: yes",
            "line 1, column 4: 'yes' can be read as a bool or as a text; write true or false, or put a text in quotes",
        ),
        ("a: 0x1F", "line 1, column 4: '0x1F' can be read as a int or as a text; put a text in quotes"),
        ("a: 010", "line 1, column 4: '010' can be read as a int or as a text; put a text in quotes"),
        ("a: 12:30", "line 1, column 4: '12:30' can be read as a int or as a text; put a text in quotes"),
        ("a: .inf", "line 1, column 4: '.inf' can be read as a float or as a text; put a text in quotes"),
        ("a: 1\nb: 2\na: 3", "line 3, column 1: key 'a' stands twice; remove one"),
        ("a: &x 1\nb: *x", "line 1, column 4: anchors and aliases are not allowed; write the value out"),
        ("a: *x", "line 1, column 4: anchors and aliases are not allowed; write the value out"),
        (
            "a: !!python/object:os.system 1",
            "line 1, column 4: tags are not allowed; remove the part that begins with '!'",
        ),
        ("a: !x {}", "line 1, column 4: tags are not allowed; remove the part that begins with '!'"),
        ("a: 1\n---\nb: 1", "line 2, column 1: a second document; write one document a file"),
        ("? [a]\n: 1", "line 1, column 3: a key is a text"),
        ("", "line 1, column 1: the file is empty"),
        ("# nothing\n", "line 1, column 1: the file is empty"),
        ("a: 'é\u202e'", "line 1, column 4: hidden character U+202E; remove it"),
        (b"a: 1\nbc\xff", "line 2, column 3: not UTF-8; save the file as UTF-8"),
        ("ab\nc\x01", "line 2, column 2: a control character; remove it"),
    ],
)
def test_refusals_point_to_the_place(text: str | bytes, fault: str) -> None:
    assert faults_of(text) == [fault]


def test_the_parsers_own_errors_are_told_with_their_place() -> None:
    assert faults_of("a: 1\nb: [1, 2]]\n")[0].startswith("line 2, column 10: not YAML: ")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "{a: " * 60_000,
        "- " * 100_000,
        "? " * 100_000,
        "a: [" + "1," * 100_000 + "]",
        "x" * (MAX_BYTES + 1),
    ],
)
def test_hostile_sizes_and_depths_are_refused_at_once(text: str) -> None:
    before = time.process_time()
    assert faults_of(text)
    assert time.process_time() - before < 120, "what grows with the square takes hours"


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
    )
    assert faults_of(bomb) == ["line 1, column 4: anchors and aliases are not allowed; write the value out"]


def test_places_inside() -> None:
    faults: list[Fault] = []
    node = parse_yaml(b"a:\n  - {bc: 'x and y', d: 1}\n", faults)
    assert node is not None
    assert locate(node, ("a", 0, "bc")) == (2, 10)
    assert locate(node, ("a", 0, "bc"), offset=6) == (2, 17)
    assert locate(node, ("a", 0, "d"), at_key=True) == (2, 21)
    assert locate(node, ("a", 7, "d")) == (2, 3)
    assert locate(node, ("nothing",)) == (1, 1)


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_arbitrary_bytes_never_crash(data: bytes) -> None:
    faults: list[Fault] = []
    assert parse_yaml(data, faults) is not None or faults


PIECES = st.sampled_from(
    [
        "a",
        "b:",
        "- ",
        "\n",
        "  ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "'",
        '"',
        "|",
        ">",
        "&x",
        "*x",
        "!t",
        "---",
        "...",
        "%Y",
        "#",
        "? ",
        ": ",
        "é",
        "\\u0",
        "~",
    ]
)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_both_parsers_agree(text: str) -> None:
    """PyYAML without libyaml is what some platforms have: same tree, or a refusal by both or of a stranger by one."""
    results = []
    for loader in (yaml.SafeLoader, yamlfile._LOADER):
        before, yamlfile._LOADER = yamlfile._LOADER, loader  # type: ignore[misc]
        try:
            faults: list[Fault] = []
            node = parse_yaml(text.encode(), faults)
            results.append(None if faults or node is None else plain(node))
        finally:
            yamlfile._LOADER = before  # type: ignore[misc]
    if None not in results:
        assert results[0] == results[1]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=10,
    )
)
def test_what_pyyaml_writes_is_read_back_or_refused(value: object) -> None:
    faults: list[Fault] = []
    node = parse_yaml(yaml.safe_dump(value).encode(), faults)
    assert faults or (node is not None and plain(node) == value)


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match="cannot be read: No such file or directory"):
        read_bytes(tmp_path / "no.yml")
    with pytest.raises(RuleFileError, match="cannot be read: Is a directory"):
        read_bytes(tmp_path)
    (tmp_path / "big.yml").write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(RuleFileError, match="larger than 256 KiB"):
        read_bytes(tmp_path / "big.yml")
