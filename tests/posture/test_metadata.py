"""What closes the metadata service to a pod, and what only seems to."""

from __future__ import annotations

import pytest

from eightysix.posture.lookup import lookup
from eightysix.posture.metadata import Reach, metadata_reach
from eightysix.posture.snapshot import Cloud
from tests.posture.written import world

POD = """
kind: Pod
metadata: {name: server, namespace: ml, labels: {app: server}}
spec:
  hostNetwork: %s
  containers: [{name: main, image: x%s}]
"""


def policy(rules: str, selector: str = "{}", types: str = "[Egress]") -> str:
    return (
        "---\nkind: NetworkPolicy\nmetadata: {name: p, namespace: ml}\n"
        f"spec: {{podSelector: {selector}, policyTypes: {types}, egress: {rules}}}\n"
    )


def reach(
    text: str = "",
    plugin: str = "cilium",
    restricted: bool | None = None,
    host: str = "false",
    more: str = "",
) -> Reach:
    cloud = Cloud(given=True, network_policy=plugin, metadata_restricted=restricted)
    snapshot, templates = world(POD % (host, more) + text, cloud)
    return metadata_reach(templates[0], lookup(snapshot))


DENY = policy("[]")


@pytest.mark.parametrize(
    ("rules", "open_"),
    [
        ("[]", False),
        ("[{}]", True),
        ("[{to: []}]", True),
        ("[{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]", True),
        ("[{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}]}]", False),
        ("[{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16]}}]}]", False),
        ("[{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]", False),
        ("[{to: [{ipBlock: {cidr: '2000::/3'}}]}]", False),
        ("[{to: [{ipBlock: {cidr: hostile}}]}]", False),
        ("[{to: [{namespaceSelector: {}}]}]", False),
        ("[{to: [{ipBlock: {cidr: 169.254.169.254/32}}], ports: [{port: 53}]}]", False),  # JupyterHub: names only
        ("[{to: [{ipBlock: {cidr: 169.254.169.254/32}}], ports: [{port: 53}, {port: 80}]}]", True),
        ("[{ports: [{port: 1, endPort: 1024}]}]", True),
        ("[{ports: [{port: 80, protocol: UDP}]}]", False),
        ("[{ports: [{port: http}]}]", True),
    ],
)  # fmt: skip
def test_policies_by_their_rules(rules: str, open_: bool) -> None:
    assert reach(policy(rules)).open is open_


@pytest.mark.parametrize(
    ("selector", "types", "open_"),
    [
        ("{matchLabels: {app: server}}", "[Egress]", False),
        ("{matchLabels: {app: other}}", "[Egress]", True),
        ("{matchExpressions: [{key: app, operator: In, values: [server]}]}", "[Egress]", False),
        ("{matchExpressions: [{key: app, operator: NotIn, values: [server]}]}", "[Egress]", True),
        ("{matchExpressions: [{key: app, operator: Exists}]}", "[Egress]", False),
        ("{matchExpressions: [{key: app, operator: DoesNotExist}]}", "[Egress]", True),
        ("{matchExpressions: [{key: app, operator: Hostile}]}", "[Egress]", True),
        ("{}", "[Ingress]", True),
    ],
)
def test_policies_by_whom_they_select(selector: str, types: str, open_: bool) -> None:
    assert reach(policy("[]", selector, types)).open is open_


def test_one_policy_that_allows_undoes_another_that_does_not() -> None:
    assert reach(DENY + policy("[{}]").replace("name: p", "name: q")).open


@pytest.mark.parametrize(
    ("plugin", "open_"), [("calico", False), ("cilium", False), ("azure", True), ("", True)]
)
def test_a_policy_counts_only_where_the_plugin_holds_it(plugin: str, open_: bool) -> None:
    found = reach(DENY, plugin)
    assert found.open is open_
    assert bool(found.doubt) is open_
    if open_:
        assert found.confidence == "assumed"


def test_the_plugin_is_known_by_its_agents() -> None:
    agent = "---\nkind: DaemonSet\nmetadata: {name: cilium, namespace: %s}\nspec: {}\n"
    assert not reach(DENY + agent % "kube-system", "").open
    assert reach(DENY + agent % "ml", "").open


def test_the_network_of_the_node_is_always_open() -> None:
    assert reach(DENY, host="true", restricted=True).open


def test_the_restriction_of_aks_closes_it() -> None:
    assert not reach(restricted=True).open
    assert reach(restricted=False).open


def test_machines_of_no_cloud_have_none() -> None:
    node = "---\nkind: Node\nmetadata: {name: n}\nspec: {providerID: '%s'}\n"
    for provider, open_ in (("kind://docker/kind/n", False), ("aws:///eu/i-1", True), ("", True)):
        snapshot, templates = world(POD % ("false", "") + node % provider)
        assert metadata_reach(templates[0], lookup(snapshot)).open is open_


def test_a_firewall_rule_counts_unless_it_can_be_taken_back() -> None:
    rule = (
        "}]\n  initContainers: [{name: block, image: y, command: [iptables, --append, OUTPUT, --destination,"
        " 169.254.169.254, --jump, DROP]"
    )
    assert not reach(more=rule).open
    assert reach(more=rule.replace("DROP", "ACCEPT")).open
    assert reach(more=rule.replace("169.254.169.254", "10.0.0.1")).open
    assert reach(more=", securityContext: {privileged: true}" + rule).open
    assert reach(more=", securityContext: {capabilities: {add: [NET_ADMIN]}}" + rule).open


def test_google_nodes_answer_with_the_pods_own_identity() -> None:
    node = (
        "---\nkind: Node\nmetadata: {name: n, labels: {iam.gke.io/gke-metadata-server-enabled: '%s'}}\n"
        "spec: {providerID: 'gce://p/z/n'}\n"
    )
    for value, open_ in (("true", False), ("false", True)):
        snapshot, templates = world(POD % ("false", "") + node % value, nodes=("n",))
        assert metadata_reach(templates[0], lookup(snapshot)).open is open_
