"""Entities of alerts: what `about.yml` may name, and how each portal calls it.

Kinds and identifiers are Sentinel's (learn.microsoft.com/azure/sentinel/entities-reference); Defender's are properties of
`entityMappingConfiguration` (learn.microsoft.com/graph/api/resources/security-entitymappingconfiguration). Defender has no
place for a process by its command line, a digest without its algorithm, malware or a registry key's hive: they are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = [
    "DEFENDER",
    "IDENTIFIERS",
    "MAX_ENTITIES",
    "MAX_IDENTIFIERS",
    "faults",
    "for_defender",
    "for_sentinel",
]

MAX_ENTITIES = 10
MAX_IDENTIFIERS = 3
"""Entities of a rule and identifiers of one (learn.microsoft.com/azure/sentinel/map-data-fields-to-entities)."""

IDENTIFIERS: Mapping[str, frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in {
        "Account": "Name FullName NTDomain DnsDomain UPNSuffix Sid AadTenantId AadUserId PUID IsDomainJoined DisplayName"
        " ObjectGuid CloudAppAccountId IsAnonymized",
        "Host": "DnsDomain NTDomain HostName FullName NetBiosName AzureID OMSAgentID OSFamily OSVersion IsDomainJoined",
        "IP": "Address AddressScope",
        "URL": "Url",
        "AzureResource": "ResourceId",
        "CloudApplication": "AppId Name InstanceName",
        "DNS": "DomainName",
        "File": "Directory Name",
        "FileHash": "Algorithm Value",
        "Malware": "Name Category",
        "Process": "ProcessId CommandLine ElevationToken CreationTimeUtc",
        "SecurityGroup": "DistinguishedName SID ObjectGuid",
    }.items()
}
"""Kind of entity -> its identifiers."""

DEFENDER: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "Account": (
        "accounts",
        {
            "Name": "nameColumn",
            "FullName": "upnColumn",
            "NTDomain": "ntDomainColumn",
            "DnsDomain": "dnsDomainColumn",
            "UPNSuffix": "upnSuffixColumn",
            "Sid": "sidColumn",
            "AadUserId": "aadUserIdColumn",
        },
    ),
    "Host": (
        "hosts",
        {
            "HostName": "nameColumn",
            "NetBiosName": "netBiosNameColumn",
            "DnsDomain": "dnsDomainColumn",
            "NTDomain": "ntDomainColumn",
        },
    ),
    "IP": ("ips", {"Address": "addressColumn", "AddressScope": "scopeColumn"}),
    "URL": ("urls", {"Url": "addressColumn"}),
    "AzureResource": ("azureResources", {"ResourceId": "resourceIdColumn"}),
    "CloudApplication": ("cloudApplications", {"AppId": "appIdColumn", "Name": "nameColumn"}),
    "DNS": ("dns", {"DomainName": "domainNameColumn"}),
    "File": ("files", {"Name": "nameColumn"}),
    "SecurityGroup": (
        "securityGroups",
        {"DistinguishedName": "distinguishedNameColumn", "SID": "sidColumn", "ObjectGuid": "objectIdColumn"},
    ),
}
"""Kind of entity -> the property of Defender, and identifier -> property of its mapping."""

Entities = Mapping[str, Mapping[str, str]]


def faults(entities: Entities, columns: Iterable[str]) -> list[str]:
    """What is wrong with entities over a result with these columns, in words."""
    there = frozenset(columns)
    found = []
    if len(entities) > MAX_ENTITIES:
        found.append(f"it maps {len(entities)} entities, and {MAX_ENTITIES} is the most")
    for kind, identifiers in entities.items():
        known = IDENTIFIERS.get(kind)
        if known is None:
            found.append(f"there is no entity {kind}")
            continue
        if not 1 <= len(identifiers) <= MAX_IDENTIFIERS:
            found.append(f"{kind} has {len(identifiers)} identifiers, and 1 to {MAX_IDENTIFIERS} are taken")
        for identifier, column in identifiers.items():
            if identifier not in known:
                found.append(f"{kind} has no identifier {identifier}")
            if column not in there:
                found.append(f"{kind} is to be in the column {column}, which the query does not give")
    return found


def for_sentinel(entities: Entities) -> list[dict[str, object]]:
    """`entityMappings` of an analytics rule."""
    return [
        {
            "entityType": kind,
            "fieldMappings": [
                {"identifier": identifier, "columnName": column} for identifier, column in identifiers.items()
            ],
        }
        for kind, identifiers in entities.items()
    ]


def for_defender(entities: Entities) -> dict[str, list[dict[str, str]]]:
    """`entityMappings` of a custom detection; what Defender has no place for is left out."""
    found: dict[str, list[dict[str, str]]] = {}
    for kind, identifiers in entities.items():
        place, names = DEFENDER.get(kind, ("", {}))
        mapped = {names[one]: column for one, column in identifiers.items() if one in names}
        if mapped:
            found.setdefault(place, []).append(mapped)
    return found
