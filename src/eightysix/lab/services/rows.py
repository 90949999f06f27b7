"""Rows as Log Analytics has them: every documented column, in the documented order.

Source: Azure Monitor's table reference (learn.microsoft.com/azure/azure-monitor/reference/tables/NAME). Left out are
`_IsBillable` and `_BilledSize`, which tell of the workspace's bill. A column of the kind string that is not given is empty, as
in the tables; one of another kind is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["COLUMNS", "WORKSPACE", "row"]

WORKSPACE = "00000000-0000-4000-8000-00000000cccc"
"""`TenantId` of every row is the workspace's id, not the tenant's."""


def _columns(text: str) -> dict[str, str]:
    """`name` or `name:kind`, parted by blanks."""
    return {name: kind or "string" for name, _, kind in (word.partition(":") for word in text.split())}


COLUMNS: Mapping[str, Mapping[str, str]] = {
    "AADManagedIdentitySignInLogs": _columns(
        "TenantId SourceSystem TimeGenerated:datetime OperationName OperationVersion Category ResultType "
        "ResultSignature ResultDescription DurationMs:long CorrelationId ResourceGroup Identity Level "
        "Location AADTenantId Agent AppId AppOwnerTenantId AuthenticationContextClassReferences "
        "AuthenticationProcessingDetails ClientCredentialType ConditionalAccessAudiences "
        "ConditionalAccessPolicies ConditionalAccessStatus CreatedDateTime:datetime FederatedCredentialId Id "
        "IPAddress LocationDetails ManagedServiceIdentity NetworkLocationDetails ResourceDisplayName "
        "ResourceIdentity ResourceOwnerTenantId ResourceServicePrincipalId ServicePrincipalCredentialKeyId "
        "ServicePrincipalCredentialThumbprint ServicePrincipalId ServicePrincipalName SessionId "
        "SourceAppClientId UniqueTokenIdentifier UserAgent Type "
    ),
    "AADServicePrincipalSignInLogs": _columns(
        "TenantId SourceSystem TimeGenerated:datetime OperationName OperationVersion Category ResultType "
        "ResultSignature ResultDescription DurationMs:long CorrelationId ResourceGroup Identity Level "
        "Location AppId AppOwnerTenantId AuthenticationContextClassReferences AutonomousSystemNumber "
        "AuthenticationProcessingDetails ClientCredentialType ConditionalAccessAudiences "
        "ConditionalAccessPolicies ConditionalAccessStatus CreatedDateTime:datetime FederatedCredentialId Id "
        "IPAddress LocationDetails NetworkLocationDetails ResourceDisplayName ResourceIdentity "
        "ResourceOwnerTenantId ResourceServicePrincipalId ServicePrincipalCredentialKeyId "
        "ServicePrincipalCredentialThumbprint ServicePrincipalId ServicePrincipalName SessionId "
        "UniqueTokenIdentifier Agent UserAgent AADTenantId Type "
    ),
    "AzureActivity": _columns(
        "OperationName OperationNameValue Level ActivityStatus ActivityStatusValue ActivitySubstatus "
        "ActivitySubstatusValue ResourceGroup SubscriptionId CorrelationId Caller CallerIpAddress Category "
        "CategoryValue HTTPRequest Properties EventSubmissionTimestamp:datetime Authorization ResourceId "
        "OperationId ResourceProvider ResourceProviderValue Resource EventDataId TenantId "
        "TimeGenerated:datetime SourceSystem Authorization_d:dynamic Claims Claims_d:dynamic "
        "Properties_d:dynamic Hierarchy Type _ResourceId _SubscriptionId "
    ),
    "ContainerRegistryLoginEvents": _columns(
        "TenantId SourceSystem TimeGenerated:datetime OperationName LoginServer Identity JwtId Region "
        "CorrelationId ResultType ResultDescription CallerIpAddress DurationMs UserAgent Category Type "
        "_ResourceId _SubscriptionId "
    ),
    "ContainerRegistryRepositoryEvents": _columns(
        "TenantId SourceSystem TimeGenerated:datetime OperationName LoginServer Identity Repository Tag "
        "Digest MediaType Size:int ArtifactType CorrelationId Region ResultType Category ResultDescription "
        "CallerIpAddress DurationMs UserTenantId UserAgent Type _ResourceId _SubscriptionId "
    ),
}
"""Each table's columns with their kinds; kinds that are not told are string."""


def row(table: str, values: Mapping[str, object]) -> dict[str, object]:
    """A row of `table`; ValueError for a value whose column is not documented."""
    columns = COLUMNS[table]
    unknown = values.keys() - columns.keys()
    if unknown:
        raise ValueError(f"{table} has no column {', '.join(sorted(unknown))}")
    found = {**values, "Type": table}
    return {name: found.get(name, "") for name, kind in columns.items() if name in found or kind == "string"}
