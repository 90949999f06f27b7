"""The tables that queries are bound against, beside what was read on the pages and measured elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from eightysix.model.table import Environment, ScalarType, Table
from eightysix.store.columns import TIMES, create_table, local_columns
from eightysix.store.tables import load

LOG_ANALYTICS = Environment.LOG_ANALYTICS
DEFENDER = Environment.DEFENDER

COUNTS = {
    "AADManagedIdentitySignInLogs": {LOG_ANALYTICS: 47},
    "AADServicePrincipalSignInLogs": {LOG_ANALYTICS: 46},
    "AKSAudit": {LOG_ANALYTICS: 24},
    "AKSAuditAdmin": {LOG_ANALYTICS: 24},
    "AKSControlPlane": {LOG_ANALYTICS: 13},
    "AZKVAuditLogs": {LOG_ANALYTICS: 51},
    "AuditLogs": {LOG_ANALYTICS: 31},
    "AzureActivity": {LOG_ANALYTICS: 37},
    "AzureDiagnostics": {LOG_ANALYTICS: 170 + 13},
    "CloudAuditEvents": {LOG_ANALYTICS: 23, DEFENDER: 14},
    "CloudDnsEvents": {LOG_ANALYTICS: 27, DEFENDER: 25},
    "CloudPolicyEnforcementEvents": {DEFENDER: 14},
    "CloudProcessEvents": {LOG_ANALYTICS: 30, DEFENDER: 28},
    "CloudStorageAggregatedEvents": {LOG_ANALYTICS: 50, DEFENDER: 44},
    "ContainerLogV2": {LOG_ANALYTICS: 17},
    "ContainerRegistryLoginEvents": {LOG_ANALYTICS: 20},
    "ContainerRegistryRepositoryEvents": {LOG_ANALYTICS: 26},
    "DeviceProcessEvents": {LOG_ANALYTICS: 74, DEFENDER: 68},
    "EntraIdSpnSignInEvents": {DEFENDER: 28},
    "KubePodInventory": {LOG_ANALYTICS: 31},
    "StorageBlobLogs": {LOG_ANALYTICS: 55},
}
"""Columns as counted on each page; AzureDiagnostics has thirteen that its page leaves out."""

TYPES = {
    ("AKSAudit", LOG_ANALYTICS): (
        "Annotations ObjectRef RequestObject ResponseObject ResponseStatus SourceIps User",
        ScalarType.DYNAMIC,
    ),
    ("CloudProcessEvents", DEFENDER): ("ProcessId LogonId", ScalarType.LONG),
    ("CloudProcessEvents", LOG_ANALYTICS): (
        "ParentProcessId InitiatingProcessId AdditionalFields",
        ScalarType.STRING,
    ),
    ("CloudAuditEvents", DEFENDER): ("RawEventData AdditionalFields", ScalarType.DYNAMIC),
    ("AADManagedIdentitySignInLogs", LOG_ANALYTICS): (
        "ResultType FederatedCredentialId ManagedServiceIdentity SourceAppClientId SessionId UniqueTokenIdentifier",
        ScalarType.STRING,
    ),
    ("EntraIdSpnSignInEvents", DEFENDER): ("ErrorCode", ScalarType.INT),
    ("ContainerRegistryRepositoryEvents", LOG_ANALYTICS): ("Size", ScalarType.INT),
    ("AzureActivity", LOG_ANALYTICS): ("Authorization_d Claims_d Properties_d", ScalarType.DYNAMIC),
    ("ContainerLogV2", LOG_ANALYTICS): ("LogMessage KubernetesMetadata", ScalarType.DYNAMIC),
    ("DeviceProcessEvents", DEFENDER): ("AdditionalFields", ScalarType.STRING),
    ("DeviceProcessEvents", LOG_ANALYTICS): ("AdditionalFields", ScalarType.DYNAMIC),
    ("AzureDiagnostics", LOG_ANALYTICS): ("log_s pod_s stream_s containerID_s", ScalarType.STRING),
}

OF_LOG_ANALYTICS_ONLY = {"TenantId", "SourceSystem", "Type", "_IsBillable", "_BilledSize"}

TABLES: Mapping[str, Table] = load()


def types(table: str, where: Environment) -> dict[str, ScalarType]:
    return {one.name: one.type for one in TABLES[table].columns[where]}


def test_every_table_is_counted() -> None:
    documented = {name: table for name, table in TABLES.items() if not table.own}
    assert {
        name: {where: len(columns) for where, columns in table.columns.items()}
        for name, table in documented.items()
    } == COUNTS


@pytest.mark.parametrize(("table", "where"), TYPES)
def test_types_are_those_of_the_pages(table: str, where: Environment) -> None:
    names, kind = TYPES[table, where]
    assert {name: types(table, where)[name] for name in names.split()} == dict.fromkeys(names.split(), kind)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_table_is_placed_in_time_and_names_its_page(table: Table) -> None:
    assert table.columns.keys() <= {LOG_ANALYTICS, DEFENDER}
    for where, columns in table.columns.items():
        names = [one.name for one in columns]
        assert len(names) == len(set(names))
        assert types(table.name, where)[TIMES[where]] is ScalarType.DATETIME
        page = table.sources.get(where, table.source)
        if not table.own:
            part = {
                LOG_ANALYTICS: "azure/azure-monitor/reference/tables/",
                DEFENDER: "defender-xdr/advanced-hunting-",
            }
            assert page.startswith(f"https://learn.microsoft.com/{part[where]}{table.name.lower()}")
    assert bool(table.plans) == (LOG_ANALYTICS in table.columns)
    assert table.title
    assert table.filled


@pytest.mark.parametrize("table", [one for one in TABLES.values() if not one.own], ids=lambda one: one.name)
def test_log_analytics_lists_columns_by_name_as_its_pages_do(table: Table) -> None:
    names = [one.name for one in table.columns.get(LOG_ANALYTICS, ())]
    assert names == sorted(names, key=lambda name: name.lstrip("_").lower())
    assert set(table.undocumented) <= set(names)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_what_is_renamed_is_there_under_both_names(table: Table) -> None:
    for theirs, ours in table.renamed.items():
        assert theirs in types(table.name, DEFENDER)
        assert ours in types(table.name, LOG_ANALYTICS)
        assert theirs not in types(table.name, LOG_ANALYTICS)
        assert types(table.name, DEFENDER)[theirs] is types(table.name, LOG_ANALYTICS)[ours]


def test_what_defender_lacks_in_both_is_known() -> None:
    """A query over such a column has no twin: docs/hunt-tables.md tells which these are."""
    lacking = {}
    for name, table in TABLES.items():
        if len(table.columns) == 2:
            there = types(name, DEFENDER).keys() | table.renamed.values()
            lacking[name] = (
                types(name, LOG_ANALYTICS).keys() - there - OF_LOG_ANALYTICS_ONLY - {"TimeGenerated"}
            )
    assert lacking == {
        "CloudAuditEvents": {"Account", "AuditSource", "AwsResourceName", "GcpFullResourceName"},
        "CloudDnsEvents": set(),
        "CloudProcessEvents": {"ReportId"},
        "CloudStorageAggregatedEvents": {"Md5Hashes"},
        "DeviceProcessEvents": {"MachineGroup"},
    }


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_local_table_has_every_column_once(table: Table) -> None:
    duckdb = pytest.importorskip("duckdb")
    names = [one.name for one in local_columns(table)]
    assert names[:2] == ["TimeGenerated", "Timestamp"]
    for columns in table.columns.values():
        assert {one.name.casefold() for one in columns} <= {name.casefold() for name in names}
    with duckdb.connect() as connection:
        connection.execute(create_table(table))
        made = connection.execute(f'DESCRIBE "{table.name}"').fetchall()
    assert [row[0] for row in made] == names


RESERVED = {"_resourceid", "id", "_subscriptionid", "tenantid", "type", "uniqueid", "title"}
"""Names that no custom table may use (learn.microsoft.com/azure/azure-monitor/logs/create-custom-table)."""


@pytest.mark.parametrize("table", [one for one in TABLES.values() if one.own], ids=lambda one: one.name)
def test_our_own_tables_can_be_created(table: Table) -> None:
    assert table.name.endswith("_CL")
    assert list(table.columns) == [LOG_ANALYTICS]
    for column in table.columns[LOG_ANALYTICS]:
        assert column.name[0].isalpha()
        assert column.name.replace("_", "").isalnum()
        assert len(column.name) <= 45
        assert column.name.lower() not in RESERVED
        assert column.type is not ScalarType.TIMESPAN
