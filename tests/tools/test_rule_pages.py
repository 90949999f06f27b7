"""The generated pages are those of the rules as they are, and tell everything of a rule."""

from __future__ import annotations

from pathlib import Path

from eightysix.detect.fieldnames import FIELDS
from eightysix.rules.catalog import load_packaged, parse_rule
from tools import rule_pages
from tools.generated import out_of_date

DEMO = Path(__file__).parent.parent / "rules" / "data" / "demo-chain" / "rule.yml"


def test_pages_and_field_list_are_up_to_date(root: Path) -> None:
    stale = out_of_date(root, rule_pages.pages(load_packaged()), rule_pages.PAGES)
    assert not stale, "run: python -m tools.rule_pages"


def test_a_page_tells_everything_of_its_rule() -> None:
    rule = parse_rule(DEMO.read_bytes(), "rule.yml")
    page = rule_pages.page(rule)
    expected = [rule.title, rule.what, rule.why, rule.blind_spots, *rule.respond]
    expected += [signal.title for signal in rule.signals.values()] + [one.why for one in rule.benign]
    for text in expected:
        assert text in page
    assert "https://attack.mitre.org/techniques/T1552/005/" in page
    assert "https://atlas.mitre.org/techniques/AML.T0010.001" in page
    assert "| +30 | taken (`taken`) | reach | judged |" in page
    assert "starts with a\\|b)`" in page, "a bar must not end the cell"
    assert "at grade B or better" in page
    assert "| -15 | the container's own process tree did it | benign | judged |" in page


def test_the_list_names_every_rule() -> None:
    rules = load_packaged()
    overview = rule_pages.overview(rules)
    assert all(f"[{rule.id}]({rule.id}.md)" in overview for rule in rules)


def test_every_field_has_its_line() -> None:
    page = rule_pages.fields_page(FIELDS)
    assert [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")] == [
        field.name for field in FIELDS
    ]


def test_left_over_and_changed_pages_are_found(tmp_path: Path) -> None:
    (tmp_path / "docs" / "rules").mkdir(parents=True)
    (tmp_path / "docs" / "rules" / "gone.md").write_text("x")
    (tmp_path / "docs" / "rules" / "old.md").write_text("x")
    wanted = {"docs/rules/old.md": "y", "docs/rules/new.md": "z"}
    assert out_of_date(tmp_path, wanted, rule_pages.PAGES) == [
        "docs/rules/old.md",
        "docs/rules/new.md",
        "docs/rules/gone.md",
    ]
