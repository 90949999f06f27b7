"""Tactics of techniques, as MITRE ATT&CK for Enterprise assigns them (attack.mitre.org/techniques): the portals ask for both.

Names are those of Sentinel's `AttackTactic` (learn.microsoft.com/rest/api/securityinsights/alert-rules/create-or-update).
A technique that is not here has no tactic, and a query that names one cannot be published: add it.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["ORDER", "TECHNIQUES", "of_enterprise", "parent", "tactics"]

ORDER = (
    *("Reconnaissance", "ResourceDevelopment", "InitialAccess", "Execution", "Persistence"),
    *("PrivilegeEscalation", "DefenseEvasion", "CredentialAccess", "Discovery", "LateralMovement"),
    *("Collection", "CommandAndControl", "Exfiltration", "Impact"),
)
"""Tactics, as an attack goes."""

_BY_TACTIC = {
    "Reconnaissance": "T1592 T1595",
    "ResourceDevelopment": "T1583 T1584 T1586 T1587 T1588 T1608",
    "InitialAccess": "T1078 T1133 T1189 T1190 T1195 T1199 T1566",
    "Execution": "T1047 T1053 T1059 T1072 T1106 T1129 T1203 T1204 T1569 T1609 T1610 T1648 T1651",
    "Persistence": "T1053 T1078 T1098 T1133 T1136 T1505 T1525 T1543 T1546 T1547 T1554 T1556 T1574",
    "PrivilegeEscalation": "T1053 T1055 T1068 T1078 T1098 T1134 T1484 T1543 T1546 T1547 T1548 T1574 T1611",
    "DefenseEvasion": "T1027 T1036 T1055 T1070 T1078 T1134 T1140 T1211 T1218 T1480 T1484 T1535 T1548 T1550 T1553 T1556 T1562"
    " T1564 T1574 T1578 T1599 T1610 T1612 T1620",
    "CredentialAccess": "T1003 T1040 T1056 T1110 T1111 T1187 T1212 T1528 T1539 T1552 T1555 T1556 T1557 T1558 T1606 T1621 T1649",
    "Discovery": "T1007 T1010 T1016 T1018 T1033 T1040 T1046 T1049 T1057 T1069 T1082 T1083 T1087 T1120 T1135 T1201 T1482 T1518"
    " T1526 T1538 T1580 T1613 T1614 T1619",
    "LateralMovement": "T1021 T1072 T1080 T1210 T1534 T1550 T1570",
    "Collection": "T1005 T1039 T1056 T1074 T1113 T1114 T1119 T1213 T1530 T1557 T1560 T1602",
    "CommandAndControl": "T1001 T1008 T1071 T1090 T1092 T1095 T1102 T1104 T1105 T1132 T1205 T1219 T1568 T1571 T1572 T1573",
    "Exfiltration": "T1011 T1020 T1029 T1030 T1041 T1048 T1052 T1537 T1567",
    "Impact": "T1485 T1486 T1489 T1490 T1491 T1495 T1496 T1498 T1499 T1529 T1531 T1561 T1565 T1657",
}

TECHNIQUES: dict[str, tuple[str, ...]] = {}
"""Technique -> its tactics, in the order of an attack. A sub-technique has those of its technique."""
for _tactic in ORDER:
    for _technique in _BY_TACTIC[_tactic].split():
        TECHNIQUES[_technique] = (*TECHNIQUES.get(_technique, ()), _tactic)


def of_enterprise(techniques: Iterable[str]) -> tuple[str, ...]:
    """Those of ATT&CK for Enterprise: the portals have no place for ATLAS (`AML.T0010`)."""
    return tuple(one for one in techniques if not one.startswith("AML."))


def parent(technique: str) -> str:
    """`T1552` for `T1552.005`."""
    return technique.partition(".")[0]


def tactics(techniques: Iterable[str]) -> tuple[str, ...]:
    """The tactics that the techniques can serve, in the order of an attack.

    A technique that serves several is counted for one that another technique serves alone, where there is one: valid
    accounts in a query about stolen credentials need not make it one about persistence too.
    """
    served = [TECHNIQUES.get(parent(technique), ()) for technique in techniques]
    sure = {one[0] for one in served if len(one) == 1}
    for one in served:
        if one and not sure.intersection(one):
            sure.add(one[0])
    return tuple(tactic for tactic in ORDER if tactic in sure)
