"""Writes what is generated from the tables: docs/hunt-tables.md, and the template in deploy/sentinel.

python -m tools.hunt_pages            write what is out of date
python -m tools.hunt_pages --check    write nothing, exit 1 where something is out of date
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from eightysix.model.table import Column, Environment, ScalarType, Table
from eightysix.store.tables import load
from tools.generated import write_or_check

__all__ = ["main", "pages", "template"]

ROOT = Path(__file__).resolve().parent.parent
PAGE = "docs/hunt-tables.md"
TEMPLATE = "deploy/sentinel/tables.json"
GENERATED = "<!-- Written by tools/hunt_pages.py; change src/eightysix/store/tables, not this page. -->"
PLACES = {
    Environment.LOG_ANALYTICS: "Log Analytics (Sentinel)",
    Environment.DEFENDER: "Defender (advanced hunting)",
}

BOTH = (
    "Here every table has the columns of both, and `TimeGenerated` and `Timestamp` are the same moment. In the Defender"
    " portal a workspace that was connected to it has its tables beside Defender's own, under their own names."
)
PLANS = (
    "Plans are those of Log Analytics that take the table. Scheduled rules, joins and unions need `Analytics`; tables of the"
    " others are read one by one, without `join`, `union` among them, or functions of one's own, over the time range of the"
    " request, and nothing alerts on `Auxiliary`"
    " ([Azure Monitor](https://learn.microsoft.com/azure/azure-monitor/logs/data-platform-logs#table-plans),"
    " [Basic and Auxiliary](https://learn.microsoft.com/azure/azure-monitor/logs/basic-logs-query))."
)

OF_TABLE = {
    ScalarType.STRING: "string",
    ScalarType.LONG: "long",
    ScalarType.INT: "int",
    ScalarType.REAL: "real",
    ScalarType.BOOL: "boolean",
    ScalarType.DATETIME: "dateTime",
    ScalarType.DYNAMIC: "dynamic",
}
"""As the resource of a table has them: learn.microsoft.com/azure/templates/microsoft.operationalinsights/workspaces/tables"""

OF_STREAM = {**OF_TABLE, ScalarType.DATETIME: "datetime"}
"""As a stream has them: learn.microsoft.com/azure/azure-monitor/data-collection/data-collection-rule-structure"""


def pages(tables: Mapping[str, Table]) -> Mapping[str, str]:
    """Every generated file: path below the repository, and text."""
    own = [table for table in tables.values() if table.own]
    return {
        PAGE: "\n".join(_page(tables)) + "\n",
        TEMPLATE: json.dumps(template(own), indent=2) + "\n",
    }


def _page(tables: Mapping[str, Table]) -> Iterator[str]:
    yield from (GENERATED, "# Tables of the hunt", "")
    yield (
        "Queries are bound against these columns, by Microsoft's own parser ([hunt-publish.md](hunt-publish.md)), and"
        " `hunt run` has them all. They are written from the page that each table names, in the order of that page: those of"
        " Log Analytics as they were on 14 August 2026, those of Defender as they were between June and August 2026"
        " (CloudStorageAggregatedEvents: August 2025). What Azure changes after that, nothing here knows."
    )
    yield from (
        "",
        "| table | what it holds | Log Analytics | Defender | what fills it here |",
        "|---|---|---:|---:|---|",
    )
    for table in tables.values():
        yield _row(table)
    yield from (
        "",
        BOTH,
        "",
        PLANS,
    )
    for table in tables.values():
        yield from _section(table)


def _row(table: Table) -> str:
    counts = [str(len(table.columns[where])) if where in table.columns else "" for where in PLACES]
    return f"| [{table.name}](#{table.name.lower()}) | {table.title} | {counts[0]} | {counts[1]} | {table.filled} |"


def _section(table: Table) -> Iterator[str]:
    yield from ("", f"## {table.name}", "", f"{table.title}.")
    if table.note:
        yield from ("", table.note)
    if table.renamed:
        told = ", ".join(f"`{theirs}` is `{ours}`" for theirs, ours in table.renamed.items())
        yield from ("", f"From Defender to Log Analytics: {told}.")
    if table.undocumented:
        yield from ("", f"Not on its page: {', '.join(f'`{one}`' for one in table.undocumented)}.")
    if table.plans:
        yield from ("", f"Plans: {', '.join(table.plans)}.")
    for where, columns in table.columns.items():
        source = table.sources.get(where, table.source)
        page = (
            f"[its page]({source})"
            if not table.own
            else "made by [deploy/sentinel](../deploy/sentinel/README.md)"
        )
        yield from ("", f"**{PLACES[where]}**, {len(columns)} columns, {page}:", "", _columns(columns))


def _columns(columns: tuple[Column, ...]) -> str:
    """Texts are the many: only other types are told."""
    return ", ".join(
        f"`{one.name}`" if one.type is ScalarType.STRING else f"`{one.name}` {one.type.value}"
        for one in columns
    )


def template(own: list[Table]) -> dict[str, object]:
    """The Azure Resource Manager template: our tables, and a rule by which rows are sent to them."""
    workspace = "[resourceId('Microsoft.OperationalInsights/workspaces', parameters('workspaceName'))]"
    name = "parameters('ruleName')"
    made = f"reference(resourceId('Microsoft.Insights/dataCollectionRules', {name}), '2023-03-11')"
    return {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {
            "workspaceName": {
                "type": "string",
                "metadata": {"description": "Log Analytics workspace of this resource group"},
            },
            "location": {
                "type": "string",
                "defaultValue": "[resourceGroup().location]",
                "metadata": {"description": "Region of the workspace"},
            },
            "ruleName": {
                "type": "string",
                "defaultValue": "eightysix",
                "metadata": {"description": "Name of the data collection rule"},
            },
            "plan": {
                "type": "string",
                "defaultValue": "Analytics",
                "allowedValues": ["Analytics", "Basic"],
                "metadata": {"description": "Plan of the tables: scheduled rules need Analytics"},
            },
            "retentionInDays": {
                "type": "int",
                "defaultValue": 90,
                "minValue": 4,
                "maxValue": 4383,
                "metadata": {"description": "Days that rows are kept in all"},
            },
        },
        "resources": [*(_table(one) for one in own), _rule(own, workspace, name)],
        "outputs": {
            "endpoint": {
                "type": "string",
                "value": f"[{made}.endpoints.logsIngestion]",
            },
            "ruleId": {
                "type": "string",
                "value": f"[{made}.immutableId]",
            },
        },
    }


def _table(table: Table) -> dict[str, object]:
    return {
        "type": "Microsoft.OperationalInsights/workspaces/tables",
        "apiVersion": "2022-10-01",
        "name": f"[concat(parameters('workspaceName'), '/{table.name}')]",
        "properties": {
            "plan": "[parameters('plan')]",
            "totalRetentionInDays": "[parameters('retentionInDays')]",
            "schema": {
                "name": table.name,
                "description": table.title,
                "columns": [
                    {"name": one.name, "type": OF_TABLE[one.type]}
                    for one in table.columns[Environment.LOG_ANALYTICS]
                ],
            },
        },
    }


def _rule(own: list[Table], workspace: str, name: str) -> dict[str, object]:
    """Of kind `Direct`, so that it has an endpoint: learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview"""
    return {
        "type": "Microsoft.Insights/dataCollectionRules",
        "apiVersion": "2023-03-11",
        "name": f"[{name}]",
        "location": "[parameters('location')]",
        "kind": "Direct",
        "dependsOn": [
            f"[resourceId('Microsoft.OperationalInsights/workspaces/tables', parameters('workspaceName'), '{one.name}')]"
            for one in own
        ],
        "properties": {
            "description": "Rows of eightysix",
            "streamDeclarations": {
                f"Custom-{one.name}": {
                    "columns": [
                        {"name": column.name, "type": OF_STREAM[column.type]}
                        for column in one.columns[Environment.LOG_ANALYTICS]
                    ]
                }
                for one in own
            },
            "destinations": {"logAnalytics": [{"name": "workspace", "workspaceResourceId": workspace}]},
            "dataFlows": [
                {
                    "streams": [f"Custom-{one.name}"],
                    "destinations": ["workspace"],
                    "transformKql": "source",
                    "outputStream": f"Custom-{one.name}",
                }
                for one in own
            ],
        },
    }


def main(arguments: Sequence[str]) -> int:
    """Write or check."""
    return write_or_check(ROOT, pages(load()), arguments, tool="hunt_pages")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
