"""What closes each gap: a file of `deploy/` and the command that uses it.

Names that come from telemetry go into commands only where they are names that Kubernetes allows; else a variable stands
there for the operator to fill.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from eightysix.model.visibility import Fix

__all__ = [
    "PATCHED",
    "baseline",
    "cloud",
    "command_name",
    "connections",
    "falco_drops",
    "falco_pods",
    "files",
    "host_policy",
    "ledger",
    "look_at_node",
    "look_at_receiver",
    "names",
    "own_audit",
    "policies",
    "sensor",
    "sooner",
    "tetragon",
    "tetragon_values",
]

PATCHED = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds of workloads whose template can be patched while their pods run."""

_HARMLESS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")
_VALUES = "deploy/tetragon/values.yaml"
_HELM = f"helm upgrade --install tetragon cilium/tetragon -n kube-system -f {_VALUES}"


def command_name(name: str, variable: str) -> str:
    """A name for a command: as it is where Kubernetes would allow it, else a variable."""
    harmless = name and len(name) <= 253 and _HARMLESS.issuperset(name) and name[0].isalnum()
    return name if harmless else f'"${variable}"'


def tetragon() -> Fix:
    """Nothing of the kernel arrives."""
    return Fix(
        "Tetragon with the values and policies of deploy/tetragon (Falco: deploy/falco)",
        _VALUES,
        (
            _HELM,
            (
                "kubectl apply -f deploy/tetragon/connections.yaml -f deploy/tetragon/files.yaml"
                " -f deploy/tetragon/host.yaml"
            ),
        ),
    )


def connections(falco: bool) -> Fix:
    """No connections."""
    if falco:
        return _falco_rules("the rules of deploy/falco that tell of connections")
    file = "deploy/tetragon/connections.yaml"
    return Fix("the Tetragon policy on tcp_connect", file, (f"kubectl apply -f {file}",))


def files(falco: bool) -> Fix:
    """No files."""
    if falco:
        return _falco_rules("the rules of deploy/falco that tell of files")
    file = "deploy/tetragon/files.yaml"
    return Fix("the Tetragon policy on files of credentials and code", file, (f"kubectl apply -f {file}",))


def _falco_rules(what: str) -> Fix:
    file = "deploy/falco/eightysix_rules.yaml"
    return Fix(
        what,
        file,
        (
            (
                "helm upgrade --install falco falcosecurity/falco -n falco --create-namespace -f deploy/falco/values.yaml"
                f' --set-file customRules."eightysix_rules\\.yaml"={file}'
            ),
        ),
    )


def falco_pods() -> Fix:
    """Falco's alerts do not say of which pod they are."""
    return _falco_rules(
        "the rules of deploy/falco, whose alerts carry the pod; Falco needs the socket of the nodes' container runtime for it"
    )


def host_policy() -> Fix:
    """No way to the node."""
    file = "deploy/tetragon/host.yaml"
    return Fix("the Tetragon policy on setns and the kubelet's folders", file, (f"kubectl apply -f {file}",))


def policies() -> Fix:
    """Policies are there and not loaded."""
    fix = tetragon()
    return Fix(
        "what the agent says of them, then the policies of deploy/tetragon again",
        "deploy/tetragon/connections.yaml",
        (
            "kubectl get tracingpolicies",
            "kubectl -n kube-system logs -l app.kubernetes.io/name=tetragon -c tetragon --tail=-1 | grep -i polic",
            fix.commands[1],
        ),
    )


def tetragon_values(what: str) -> Fix:
    """A value of Tetragon's chart."""
    return Fix(what, _VALUES, (_HELM,))


def falco_drops() -> Fix:
    """Falco loses system calls."""
    return Fix(
        "a larger buffer of Falco's driver, and fewer rules beside those of deploy/falco",
        "deploy/falco/values.yaml",
        (
            (
                "helm upgrade falco falcosecurity/falco -n falco --reuse-values -f deploy/falco/values.yaml"
                " --set driver.modernEbpf.bufSizePreset=6"
            ),
        ),
    )


def look_at_node(node: str, falco: bool) -> Fix:
    """Whether the agent of a node runs."""
    place = command_name(node, "NODE")
    name, namespace = ("falco", "falco") if falco else ("tetragon", "kube-system")
    fix = _falco_rules("Falco on every node") if falco else tetragon()
    return Fix(
        "look at the agent of that node; the DaemonSet must tolerate its taints",
        fix.file,
        (
            (
                f"kubectl -n {namespace} get pods -l app.kubernetes.io/name={name} -o wide"
                f" --field-selector spec.nodeName={place}"
            ),
        ),
    )


def look_at_receiver(node: str) -> Fix:
    """Why records of sensors are missing."""
    place = command_name(node, "NODE")
    return Fix(
        "look at the receiver of that node; sensor_lost_total of its metrics says which pod",
        "deploy/sensor/receiver.yaml",
        (
            (
                "kubectl -n eightysix get pods -l app.kubernetes.io/name=eightysix-receiver -o wide"
                f" --field-selector spec.nodeName={place}"
            ),
        ),
    )


def sensor(namespace: str, workload: str, kind: str, *, receiver: bool) -> Fix:
    """Pods with Python without the sensor."""
    commands = () if receiver else ("kubectl apply -f deploy/sensor/receiver.yaml",)
    space, name = command_name(namespace, "NAMESPACE"), command_name(workload, "WORKLOAD")
    what = kind.lower() if kind in PATCHED else "deployment"
    label = '{"spec": {"template": {"metadata": {"labels": {"eightysix.dev/sensor": "enabled"}}}}}'
    return Fix(
        "the label of deploy/sensor/workload.yaml on the pods' template, and the receiver on their nodes",
        "deploy/sensor/workload.yaml",
        (*commands, f"kubectl -n {space} patch {what} {name} -p '{label}'"),
    )


def own_audit() -> Fix:
    """The audit log of an API server that is not AKS's."""
    file = "deploy/audit/policy.yaml"
    return Fix(
        "the audit policy of deploy/audit, where the API server is your own",
        file,
        (
            "kube-apiserver --audit-policy-file=/etc/kubernetes/audit/policy.yaml --audit-log-path=/var/log/kubernetes/audit.log",
        ),
    )


_WORKSPACE = '--parameters workspaceId="$WORKSPACE_ID"'
_CREATE = "az monitor diagnostic-settings create --name eightysix"
_DEDICATED = "--export-to-resource-specific true"
_TENANT = "/providers/microsoft.aadiam/diagnosticSettings/eightysix --url-parameters api-version=2017-04-01"


class _Setting(Struct, frozen=True):
    """A diagnostic setting of a resource: what it is, the parameter of its Bicep file, the variable of its name (the group's
    and the id's begin alike), and what `az` needs: a path behind the id, and tables of their own or not."""

    what: str
    parameter: str
    variable: str
    categories: tuple[str, ...]
    below: str = ""
    dedicated: bool = False


_SETTINGS: Mapping[str, _Setting] = {
    "aks-audit": _Setting(
        "the category kube-audit of the cluster", "clusterName", "CLUSTER", ("kube-audit",), dedicated=True
    ),
    "key-vault": _Setting("AuditEvent of each vault", "vaultName", "VAULT", ("AuditEvent",), dedicated=True),
    "storage": _Setting(
        "reads and writes of each storage account",
        "accountName",
        "ACCOUNT",
        ("StorageRead", "StorageWrite", "StorageDelete"),
        "/blobServices/default",
    ),
    "registry": _Setting(
        "logins and repository events of each registry",
        "registryName",
        "REGISTRY",
        ("ContainerRegistryLoginEvents", "ContainerRegistryRepositoryEvents"),
    ),
}


def cloud(name: str) -> Fix:
    """One diagnostic setting of Azure: as Bicep, and what `az` makes of the same."""
    file = f"deploy/azure/{name}.bicep"
    if name == "activity":
        return Fix(
            "the activity log of the subscription",
            file,
            (f'az deployment sub create --location "$LOCATION" --template-file {file} {_WORKSPACE}',),
            (
                (
                    'az monitor diagnostic-settings subscription create --name eightysix --location "$LOCATION"'
                    f""" --workspace "$WORKSPACE_ID" --logs '{_logs("Administrative")}'"""
                ),
            ),
        )
    if name == "sign-ins":
        logs = _logs("ManagedIdentitySignInLogs", "ServicePrincipalSignInLogs")
        body = f'{{"properties": {{"workspaceId": "\'"$WORKSPACE_ID"\'", "logs": {logs}}}}}'
        return Fix(
            "sign-ins of managed identities and service principals, by a setting of the tenant",
            file,
            (f'az deployment tenant create --location "$LOCATION" --template-file {file} {_WORKSPACE}',),
            (f"az rest --method put --url {_TENANT} --body '{body}'",),
        )
    setting = _SETTINGS[name]
    variable, dedicated = setting.variable, f" {_DEDICATED}" if setting.dedicated else ""
    return Fix(
        setting.what,
        file,
        (
            (
                f'az deployment group create --resource-group "${variable}_GROUP" --template-file {file}'
                f' --parameters {setting.parameter}="${variable}" workspaceId="$WORKSPACE_ID"'
            ),
        ),
        (
            (
                f'{_CREATE} --resource "${variable}_ID{setting.below}" --workspace "$WORKSPACE_ID"{dedicated}'
                f" --logs '{_logs(*setting.categories)}'"
            ),
        ),
    )


def sooner() -> Fix:
    """A log that comes late."""
    file = "deploy/azure/activity.bicep"
    return Fix(
        "an Event Hub in the same setting, which Azure writes to before it ingests (each file of deploy/azure takes one)",
        file,
        (
            (
                f'az deployment sub create --location "$LOCATION" --template-file {file}'
                ' --parameters eventHubRuleId="$HUB_RULE_ID" eventHubName="$HUB"'
            ),
        ),
    )


def _logs(*categories: str) -> str:
    return "[" + ", ".join(f'{{"category": "{category}", "enabled": true}}' for category in categories) + "]"


def names() -> Fix:
    """No names of destinations."""
    file = "deploy/dns/coredns-custom.yaml"
    return Fix(
        "CoreDNS's log on AKS (questions), or Hubble's flows with DNS (answers too)",
        file,
        (
            f"kubectl apply -f {file}",
            "kubectl -n kube-system rollout restart deployment coredns",
            "kubectl -n kube-system logs -l k8s-app=kube-dns --timestamps --tail=-1",
        ),
    )


def baseline() -> Fix:
    """Nobody knows what is normal."""
    return Fix(
        "a baseline of days that you trust",
        "",
        ("eightysix baseline build TELEMETRY... --output baseline.json",),
    )


def ledger() -> Fix:
    """Nobody knows what was scanned."""
    return Fix("scans that are written down", "", ("eightysix scan MODELS... --ledger ledger.db",))
