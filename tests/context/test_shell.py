"""Lines for a shell, given to real ones."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eightysix.context.shell import MAX_WORD, fold, line, option
from eightysix.report.inert import inert
from tests.tiers import require_tier

HOSTILE = (
    "$(id)",
    "`id`",
    "a'b\"c",
    "a\nrm -rf /",
    "a\r\n::error::x",
    "\x1b]8;;http://x\x07y\x1b]52;c;aGk=\x07",
    "\u202egpj.exe",
    "zero\u200bwidth",
    "--all",
    "-",
    "--",
    "~root",
    "!!",
    "it's !here\u00e9",
    "a  b   ",
    " ",
    "",
    "=ls",
    "{a,b}",
    "*",
    "a;b|c&d>e<f",
    "\\",
    "\\'",
    "$'\\x41'",
    "漢字1234567",
    "\x017",
    "\udc80x",
    "\ud800",
    "#x",
    "a=b",
    "--name=",
    "%1",
)
WORDS = st.text(st.characters(exclude_categories=(), exclude_characters="\0"), max_size=30) | st.sampled_from(
    HOSTILE
)


def raw(word: str) -> bytes:
    """What an argument is made of: bytes."""
    return b"".join(
        bytes([ord(c) - 0xDC00]) if 0xDC80 <= ord(c) <= 0xDCFF else c.encode("utf-8", "surrogatepass")
        for c in word
    )


def run_in(shell: list[str], lines: list[str]) -> bytes:
    """What each of `lines`, as arguments of printf, comes to; in the POSIX locale and without any variable."""
    program = "\n".join("printf '%s\\0' - " + text for text in lines)
    told = subprocess.run([*shell, "-c", program], capture_output=True, check=True, env={}, timeout=20)
    assert told.stderr == b""
    return told.stdout


def heard(lines: list[list[str]]) -> bytes:
    return b"".join(b"-\0" + b"".join(raw(word) + b"\0" for word in words) for words in lines)


@pytest.mark.parametrize("shell", ["bash", "zsh", "busybox"])
def test_shells_read_back_what_was_meant(shell: str) -> None:
    found = shutil.which(shell)
    if found is None:
        require_tier("shells", f"{shell} is not installed")
    several = [["a", *HOSTILE], *([word] for word in HOSTILE)]
    program = [line(*words) for words in several]
    assert run_in([found, "sh"] if shell == "busybox" else [found], program) == heard(several)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(WORDS, min_size=1, max_size=5), min_size=1, max_size=12))
def test_bash_reads_back_any_words(several: list[list[str]]) -> None:
    bash = shutil.which("bash")
    assert bash, "bash is what the lines are for"
    folded = ["\n".join(fold(line(*words), 30)) for words in several]
    assert run_in([bash], [line(*words) for words in several]) == heard(several)
    assert run_in([bash], folded) == heard(several)


@given(st.lists(WORDS, min_size=1, max_size=6))
@example(list(HOSTILE))
def test_a_line_is_harmless_to_show_as_it_is(words: list[str]) -> None:
    text = line(*words)
    assert text.isascii()
    assert text.isprintable()
    assert inert(text, 10**6) == text


@given(st.lists(st.text(st.sampled_from("abc'\"$` *;&|<>(){}~#=\\/-"), min_size=1, max_size=12), min_size=1))
def test_plain_words_are_read_the_same_by_shlex(words: list[str]) -> None:
    text = line(*words)
    if "$'" not in text:
        assert shlex.split(text) == words


def test_what_telemetry_told_is_no_option() -> None:
    assert line(
        "kubectl", "delete", "pod", option("--namespace", "--all"), operands=["--all-namespaces"]
    ) == ("kubectl delete pod --namespace=--all -- --all-namespaces")
    assert line("kubectl", "get", option("-n", "a b")) == "kubectl get '-n=a b'"
    assert line("az", option("--name", "x y")) == "az --name='x y'"


def test_a_word_too_long_gives_no_line_and_nul_is_replaced() -> None:
    assert line("kubectl", "x" * (MAX_WORD + 1)) == ""
    assert line("kubectl", operands=["x" * MAX_WORD]) != ""
    assert line("a\0b") == "$'a\\357\\277\\275b'"


def test_folding_breaks_between_words() -> None:
    command = line("az", "role", "assignment", "delete", option("--ids", "/subscriptions/0000 0000"), "--yes")
    lines = fold(command, 34)
    assert lines == [
        "az role assignment delete \\",
        "    --ids='/subscriptions/0000 0000' \\",
        "    --yes",
    ]
    assert fold("short", 80) == ["short"]


JSON = st.recursive(
    st.text(st.sampled_from('ab "\\{}[],:x'), max_size=9) | st.integers(0, 9) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("a b", max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.dictionaries(st.text("ab ", min_size=1), JSON, min_size=1), min_size=1, max_size=8))
def test_json_is_broken_between_its_values_and_never_in_a_text(documents: list[dict[str, object]]) -> None:
    bash = shutil.which("bash")
    assert bash, "bash is what the lines are for"
    commands = [f"--body '{json.dumps(document)}' --id \"a  b\"" for document in documents]
    told = run_in([bash], ["\n".join(fold(command, 24, json=True)) for command in commands])
    read = told.decode().split("\0")[:-1]
    assert len(read) == 5 * len(documents)
    assert [json.loads(read[5 * at + 2]) for at in range(len(documents))] == documents
    assert {read[5 * at + 4] for at in range(len(documents))} == {"a  b"}


def test_json_with_a_variable_in_it_is_broken_too() -> None:
    command = """az rest --body '{"id": "'"$A B"'", "name": "one two three four five six", "on": true}'"""
    assert fold(command, 40, json=True) == [
        """az rest --body '{"id": "'"$A B"'",""",
        '    "name":',
        '    "one two three four five six",',
        """    "on": true}'""",
    ]
    assert fold(command, 46) == ["az rest --body \\", "    " + command.removeprefix("az rest --body ")]
