"""`eightysix rules`: whole outputs, exit codes, and that a new rule is valid from the start."""

from __future__ import annotations

import argparse
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from eightysix.cli import rules
from eightysix.detect.rule import Rule
from eightysix.model.errors import RuleError, UsageError
from eightysix.rules.catalog import load_folder, load_packaged

DATA = Path(__file__).parent.parent / "rules" / "data"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "EIGHTYSIX_RULES", "EIGHTYSIX_FORMAT"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str) -> tuple[int, str, str]:
    parser = argparse.ArgumentParser(prog="eightysix")
    rules.add_parser(parser.add_subparsers(dest="command"))
    parsed = parser.parse_args(["rules", *arguments])
    out, err = io.StringIO(), io.StringIO()
    return parsed.run(parsed, out, err), out.getvalue(), err.getvalue()


def test_show_tells_everything() -> None:
    code, out, _ = run("show", "demo-chain", "--rules", str(DATA))
    before, _, rest = out.partition("from ")
    origin, _, after = rest.partition("\n\n")
    assert "".join(line.strip() for line in origin.splitlines()) == str(DATA / "demo-chain" / "rule.yml")
    assert (code, f"{before}\n{after}") == (0, SHOWN)


SHOWN = """\
demo-chain: Demonstration of everything that a rule can say
medium, maturity experimental, kept by workload, T1552.005, AML.T0010.001

finds
  A test rule that uses each key.

because
  So that loading, describing and documenting are tested without the packaged
  rules.

chain
  1. something landed
  2. all of these, within 5 min
     - taken
     - left for good
  3. not: cleaned, by the process of the step before, or a descendant of it
  suspect at 50 points; contain at 60 points, and only with a landing, then two
  credential domains taken by one process at grade A or B, then use of the API
  or a destination new to the workload

points
   +20  something landed
        (landed, land, measured) when action is one of (install, download) and
          startup is false
   +30  taken
        (taken, reach, judged) when (action is credential and dst.ip is inside
          169.254.0.0/16) and not (k8s.user_agent starts with a|b); grade B or
          better
   +10  left for good
        (left_for_good, leave, judged) when action is connect and dst.class is
          public
    +0  cleaned
        (cleaned, run, judged) when binary.name is cleaner

less alarming when
   -15  the container's own process tree did it
        when lineage is entrypoint

needs
  - connections
    connections: a Tetragon policy on tcp_connect (or
      security_socket_connect), or the in-process sensor
  - files or provenance
    files: a Tetragon policy on security_file_permission for credential and
      site-packages paths, or the sensor
    provenance: the in-process sensor

cannot see
  It detects nothing real.

do
  - read the test
  - go on: nothing happened
"""


def test_no_line_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    for rule in load_packaged():
        _, out, _ = run("show", rule.id)
        assert max(map(len, out.splitlines())) <= 50


def test_list_is_a_table(tmp_path: Path) -> None:
    _, out, _ = run("list", "--rules", str(DATA))
    table = out.splitlines()
    assert table[0].split() == ["rule", "severity", "maturity", "title", "needs"]
    assert table[-1].endswith("1 of them yours, 0 exceptions")
    (row,) = [line for line in table if line.startswith("demo-chain ")]
    assert row.split("  ")[0] == "demo-chain"
    assert row.endswith("connections, files|provenance")
    columns = {line.index("experimental" if line is row else line.split()[2]) for line in table[:-1]}
    assert len(columns) == 1, "the columns are aligned"


def test_json_holds_the_same(tmp_path: Path) -> None:
    _, out, _ = run("list", "--format", "json", "--rules", str(DATA))
    listed = json.loads(out)
    assert listed["schema"] == "eightysix/rules/v1"
    _, out, _ = run("show", "demo-chain", "--format", "json", "--rules", str(DATA))
    (shown,) = json.loads(out)["rules"]
    assert shown in listed["rules"]
    assert shown["needs"] == ["connections", "files|provenance"]
    assert shown["chain"][1] == {"all": ["taken", "left_for_good"], "join": "window"}
    assert shown["signals"][0]["actions"] == ["download", "install"]


def test_hostile_texts_are_inert(tmp_path: Path) -> None:
    text = (
        (DATA / "demo-chain" / "rule.yml")
        .read_text()
        .replace("T1552.005, ", "")
        .replace("A test rule", "\u05d0 test rule")
    )
    folder = tmp_path / "demo-chain"
    folder.mkdir()
    (folder / "rule.yml").write_text(text)
    _, out, _ = run("show", "demo-chain", "--rules", str(tmp_path))
    assert "\\u05d0 test rule" in out


def test_an_unknown_rule_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        run("show", "demo-chian", "--rules", str(DATA))
    assert caught.value.advice == "did you mean 'demo-chain'?"


class TestNew:
    def test_the_new_rule_loads_and_is_shown(self, tmp_path: Path) -> None:
        code, out, err = run("new", "my-rule", "--rules", str(tmp_path / "rules.d"))
        folder = tmp_path / "rules.d" / "my-rule"
        assert (code, out) == (0, f"{folder}\n")
        assert f"eightysix rules test {folder}" in err
        assert sorted(str(file.relative_to(folder)) for file in folder.rglob("*.*")) == [
            "fires/README.md",
            "quiet/README.md",
            "rule.yml",
        ]
        (rule,) = load_folder(folder.parent)
        assert (rule.id, rule.suspect_at, rule.contain_at) == ("my-rule", 50, None)
        assert run("show", "my-rule", "--rules", str(folder.parent))[0] == 0

    @pytest.mark.parametrize("rule_id", ["My_Rule", "../x", "", "a b", "-x"])
    def test_a_wrong_id_writes_nothing(self, tmp_path: Path, rule_id: str) -> None:
        with pytest.raises((UsageError, SystemExit)):
            run("new", "--rules", str(tmp_path), "--", rule_id)
        assert list(tmp_path.iterdir()) == []

    def test_nothing_is_overwritten(self, tmp_path: Path) -> None:
        run("new", "my-rule", "--rules", str(tmp_path))
        with pytest.raises(UsageError, match="is there already"):
            run("new", "my-rule", "--rules", str(tmp_path))

    def test_packaged_ids_are_taken(self, tmp_path: Path) -> None:
        for rule in load_packaged():
            with pytest.raises(UsageError, match="there is a packaged rule"):
                run("new", rule.id, "--rules", str(tmp_path))


@dataclass
class Result:
    rule: str
    stream: str
    expected: str
    passed: bool
    detail: str = ""


class TestTests:
    """The printing, with a runner that returns what the test says."""

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], Path]]:
        asked: list[tuple[tuple[str, ...], Path]] = []
        self.results: list[Result] = []

        def run_rule_tests(rules_asked: tuple[Rule, ...], folder: Path) -> list[Result]:
            asked.append((tuple(rule.id for rule in rules_asked), folder))
            return self.results

        module = ModuleType("eightysix.serve.ruletest")
        module.run_rule_tests = run_rule_tests  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "eightysix.serve.ruletest", module)
        return asked

    def test_failures_are_told_and_exit_1(self, asked: list[tuple[tuple[str, ...], Path]]) -> None:
        self.results = [
            Result("demo-chain", "fires/a.jsonl", "fires", True),
            Result("demo-chain", "fires/a.jsonl, other pod", "quiet", False, "suspect with 65 points"),
            Result("demo-chain", "quiet/b\x1b.jsonl", "fires", False),
        ]
        code, out, _ = run("test", str(DATA))
        assert code == 1
        assert out == (
            "FAIL demo-chain fires/a.jsonl, other pod (must be quiet): suspect with 65 points\n"
            "FAIL demo-chain quiet/b\\x1b.jsonl (must be told)\n"
            "1 rule, 3 tests: 1 passed, 2 failed\n"
        )
        assert asked == [(("demo-chain",), DATA)]

    def test_verbose_tells_all(self, asked: list[tuple[tuple[str, ...], Path]]) -> None:
        self.results = [Result("demo-chain", "fires/a.jsonl", "fires", True)]
        code, out, _ = run("test", "-v", str(DATA))
        assert (code, out) == (
            0,
            "ok   demo-chain fires/a.jsonl (must be told)\n1 rule, 1 test: 1 passed, 0 failed\n",
        )

    def test_one_rules_own_folder(self, asked: list[tuple[tuple[str, ...], Path]]) -> None:
        code, out, _ = run("test", str(DATA / "demo-chain"))
        assert asked == [(("demo-chain",), DATA)]
        assert (code, out) == (3, "0 rules, 0 tests: 0 passed, 0 failed\n"), (
            "nothing was tested, and that is told"
        )

    def test_the_packaged_rules_by_default(self, asked: list[tuple[tuple[str, ...], Path]]) -> None:
        run("test")
        assert asked[0][0] == tuple(rule.id for rule in load_packaged())

    def test_a_wrong_rule_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "rule.yml").write_text("id: x")
        with pytest.raises(RuleError):
            run("test", str(tmp_path))
