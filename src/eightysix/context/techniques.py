"""What a step of a story is called in MITRE ATT&CK for Enterprise, version 18 (October 2025, attack.mitre.org).

By signal, where one says more than its stage; a stage without a word of its own gets the technique that it is by its
definition. The rules' `attack` names the same techniques for whole chains. ATLAS has ids of its own (`AML.T…`) and is not
among these: Navigator, OCSF and SARIF consumers know those of ATT&CK.
"""

from __future__ import annotations

from eightysix.model.words import Stage

__all__ = ["ATTACK_VERSION", "NAMES", "TACTICS", "technique_url", "techniques"]

ATTACK_VERSION = "18"

NAMES = {
    "T1041": "Exfiltration Over C2 Channel",
    "T1053.007": "Container Orchestration Job",
    "T1059": "Command and Scripting Interpreter",
    "T1059.006": "Python",
    "T1078.004": "Cloud Accounts",
    "T1105": "Ingress Tool Transfer",
    "T1195.002": "Compromise Software Supply Chain",
    "T1496.001": "Compute Hijacking",
    "T1525": "Implant Internal Image",
    "T1528": "Steal Application Access Token",
    "T1530": "Data from Cloud Storage",
    "T1546.018": "Python Startup Hooks",
    "T1550.001": "Application Access Token",
    "T1552": "Unsecured Credentials",
    "T1552.001": "Credentials In Files",
    "T1552.005": "Cloud Instance Metadata API",
    "T1552.007": "Container API",
    "T1555.006": "Cloud Secrets Management Stores",
    "T1562.001": "Disable or Modify Tools",
    "T1567": "Exfiltration Over Web Service",
    "T1567.001": "Exfiltration to Code Repository",
    "T1610": "Deploy Container",
    "T1611": "Escape to Host",
}
"""The name of each technique that is used here or in a rule."""

TACTICS = {
    Stage.LAND: "initial-access",
    Stage.RUN: "execution",
    Stage.REACH: "credential-access",
    Stage.PIVOT: "lateral-movement",
    Stage.LEAVE: "exfiltration",
    Stage.USE: "impact",
}
"""The tactic that a stage is nearest to. A technique may belong to others: layers leave it to the technique."""

_STAGES = {
    Stage.LAND: "T1195.002",
    Stage.RUN: "T1059.006",
    Stage.REACH: "T1552",
    Stage.PIVOT: "T1550.001",
    Stage.LEAVE: "T1041",
    Stage.USE: "T1078.004",
}
_SIGNALS = """
common_hook_written hook_lands hook_written hook_runs    | T1546.018
install install_lands model_lands                        | T1195.002
new_release                                              | T1195.002 T1525
program_lands program_written                            | T1105
new_program                                              | T1059
load_begins unknown_loads                                |
environment_read secret_revived key_revived              | T1552
publish_credential takes_other_tokens                    | T1552.001
made_pod_takes_tokens                                    | T1552.001 T1611
identity_token token_taken token_minted                  | T1528
token_minted_from_there                                  | T1528
secrets_listed secret_read secrets_from_there            | T1552.007
untold                                                   | T1552.005 T1562.001
reach reach_by_landed                                    | T1552.005
second_domain second_domain_through_fresh                | T1528
enters_after_landing enters_node made_pod_enters_node    | T1611
contacts uploads                                         | T1567
publish_tool                                             | T1567.001
moved_elsewhere other_client tried_outside               | T1550.001
used_elsewhere used_outside made_pod_asks new_request    | T1550.001
api_use                                                  | T1550.001
seen_outside refused_outside control_plane signs_in      | T1078.004
host_pod                                                 | T1610 T1611
pod_made pod_elsewhere                                   | T1610
pushed                                                   | T1525
"""
_BY_SIGNAL = {
    signal: tuple(told.split())
    for signals, _, told in (row.partition("|") for row in _SIGNALS.strip().splitlines())
    for signal in signals.split()
}
_BY_IDENTITY = {
    "managed-identity": "T1552.005",
    "service-account": "T1528",
    "service-account-token": "T1528",
    "federated-token": "T1528",
    "secret": "T1552.007",
    "environment": "T1552",
}
"""What taking an identity of a kind is; every other kind is one of a file (`context.credentials`)."""
_TAKING = (Stage.REACH, Stage.PIVOT)
_UNSAID = frozenset(
    {"second_domain", "second_domain_through_fresh"}
)  # the kind of identity says more than they do


def techniques(stage: Stage | None, signal: str = "", identity_kind: str = "") -> tuple[str, ...]:
    """Ids of what a step is, the most telling first. `identity_kind` is the kind of the identity that was taken, empty
    where none was. What surrounds a chain (no `stage`) is no technique."""
    if stage is None:
        return ()
    if stage is Stage.USE and signal == "secret_read":  # of a vault; in a pivot it is the Kubernetes API's
        return ("T1555.006",)
    if identity_kind == "secret" and stage in _TAKING:  # whatever the request is called
        return (_BY_IDENTITY[identity_kind],)
    told = _BY_SIGNAL.get(signal)
    if told is not None and signal not in _UNSAID:
        return told
    if identity_kind and stage in _TAKING:
        return (_BY_IDENTITY.get(identity_kind, "T1552.001"),)
    return told or (_STAGES[stage],)


def technique_url(technique: str) -> str:
    """The page of `technique` at attack.mitre.org."""
    return f"https://attack.mitre.org/techniques/{technique.replace('.', '/')}/"
