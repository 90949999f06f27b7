"""The page of the tables and the template are those of the tables as they are."""

from __future__ import annotations

import json
from pathlib import Path

from eightysix.model.table import Environment
from eightysix.store.tables import load
from tools import hunt_pages
from tools.generated import out_of_date

OWN = {name: table for name, table in load().items() if table.own}


def test_page_and_template_are_up_to_date(root: Path) -> None:
    stale = out_of_date(root, hunt_pages.pages(load()))
    assert not stale, "run: python -m tools.hunt_pages"


def test_the_page_tells_every_table_and_column(root: Path) -> None:
    page = (root / hunt_pages.PAGE).read_text()
    for name, table in load().items():
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert table.note in section
        for columns in table.columns.values():
            assert all(f"`{one.name}`" in section for one in columns)
        if not table.own:
            assert all(page in section for page in (table.source, *table.sources.values()))


def test_the_template_makes_our_tables_and_streams_with_our_columns(root: Path) -> None:
    read = json.loads((root / hunt_pages.TEMPLATE).read_text())
    *tables, rule = read["resources"]
    made = {one["properties"]["schema"]["name"]: one["properties"]["schema"]["columns"] for one in tables}
    streams = rule["properties"]["streamDeclarations"]
    assert made.keys() == OWN.keys()
    assert streams.keys() == {f"Custom-{name}" for name in OWN}
    spelled = {"boolean": "bool", "dateTime": "datetime"}
    for name, table in OWN.items():
        wanted = [(one.name, one.type.value) for one in table.columns[Environment.LOG_ANALYTICS]]
        for columns in (made[name], streams[f"Custom-{name}"]["columns"]):
            assert [(one["name"], spelled.get(one["type"], one["type"])) for one in columns] == wanted
    flows = rule["properties"]["dataFlows"]
    assert [(one["streams"], one["outputStream"]) for one in flows] == [
        ([stream], stream) for stream in streams
    ]
    assert rule["dependsOn"] == [
        f"[resourceId('Microsoft.OperationalInsights/workspaces/tables', parameters('workspaceName'), '{name}')]"
        for name in OWN
    ]
    assert all(table.plans == ("Analytics", "Basic") for table in OWN.values())
    assert read["parameters"]["plan"]["allowedValues"] == ["Analytics", "Basic"]


def test_only_texts_of_the_template_that_are_meant_are_expressions(root: Path) -> None:
    """Resource Manager evaluates every text that begins with a bracket: none of ours comes from elsewhere."""
    found: list[str] = []

    def walk(value: object) -> None:
        if isinstance(value, dict):
            for one in value.values():
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)
        elif isinstance(value, str) and value.startswith("["):
            found.append(value)

    walk(json.loads((root / hunt_pages.TEMPLATE).read_text()))
    calls = (
        "[parameters(",
        "[concat(parameters(",
        "[resourceId(",
        "[reference(resourceId(",
        "[resourceGroup()",
    )
    assert found
    assert all(one.startswith(calls) and one.endswith("]") for one in found)


def test_what_is_out_of_date_is_named(tmp_path: Path) -> None:
    wanted = {"a.md": "a", "b.md": "b"}
    (tmp_path / "a.md").write_text("a")
    assert out_of_date(tmp_path, wanted) == ["b.md"]
