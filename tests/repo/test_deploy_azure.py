"""deploy/azure, dns and audit: the language, the published types, the categories, and commands that ask for the same.

Bicep's own compiler is in no package index that tests may use, so another parser of the language reads the files, and what
the compiler would hold them against stands here: the properties of Azure/bicep-types-az (generated, by type and version).
The same for `az`: its options are those of Azure/azure-cli, command_modules/monitor/aaz, and of `az rest --help`; the real
parser of the Azure CLI is a tier.
"""

from __future__ import annotations

import itertools
import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pycep import BicepParser

from eightysix.reconstruct.coverage import fixes
from eightysix.sources.azure import CATEGORIES
from tests.reconstruct.test_rotating_tools import AZURE, PARSE
from tests.tiers import require_tier

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "azure"
NAMES = ("aks-audit", "sign-ins", "activity", "key-vault", "storage", "registry")

SETTING = frozenset(
    "eventHubAuthorizationRuleId eventHubName logAnalyticsDestinationType logs marketplacePartnerId metrics"
    " serviceBusRuleId storageAccountId workspaceId".split()
)
"""microsoft.insights/2021-05-01-preview, DiagnosticSettings; none is required."""

TENANT_SETTING = frozenset(
    "eventHubAuthorizationRuleId eventHubName logs serviceBusRuleId storageAccountId workspaceId".split()
)
"""microsoft.aadiam/2017-04-01, DiagnosticSettings."""

LOG = {"category", "categoryGroup", "enabled", "retentionPolicy"}
TYPES = {
    ("Microsoft.Insights/diagnosticSettings", "2021-05-01-preview"): SETTING,
    ("microsoft.aadiam/diagnosticSettings", "2017-04-01"): TENANT_SETTING,
}

OPTIONS = {
    "az monitor diagnostic-settings create": (
        {"--name", "--resource"},
        {"--event-hub", "--event-hub-rule", "--export-to-resource-specific", "--logs", "--metrics", "--resource-group",
         "--storage-account", "--workspace"},
    ),
    "az monitor diagnostic-settings subscription create": (
        {"--name"},
        {"--event-hub-auth-rule", "--event-hub-name", "--location", "--logs", "--service-bus-rule", "--storage-account",
         "--workspace"},
    ),
    "az deployment group create": ({"--resource-group"}, {"--template-file", "--parameters", "--name", "--mode"}),
    "az deployment sub create": ({"--location"}, {"--template-file", "--parameters", "--name"}),
    "az deployment tenant create": ({"--location"}, {"--template-file", "--parameters", "--name"}),
    "az rest": ({"--url"}, {"--method", "--body", "--headers", "--resource", "--url-parameters"}),
}  # fmt: skip
"""By command, the options that it requires and others that it has."""


def parsed(name: str) -> dict[str, Any]:
    return dict(BicepParser().parse(text=(FOLDER / f"{name}.bicep").read_text(encoding="utf-8")))


def setting(name: str) -> dict[str, Any]:
    made = [one for one in parsed(name)["resources"].values() if not one["existing"]]
    assert len(made) == 1
    return dict(made[0])


def categories(name: str) -> list[str]:
    return [log["category"] for log in setting(name)["config"]["properties"]["logs"]]


@pytest.mark.parametrize("name", NAMES)
def test_the_setting_has_the_published_properties_and_no_others(name: str) -> None:
    made = setting(name)
    allowed = TYPES[made["type"], made["api_version"]]
    config = made["config"]
    assert set(config) <= {"name", "scope", "properties"}
    assert config["name"]
    assert set(config["properties"]) <= allowed
    for log in config["properties"]["logs"]:
        assert set(log) <= LOG
        assert log["enabled"] is True


@pytest.mark.parametrize("name", NAMES)
def test_every_name_that_a_file_uses_is_declared(name: str) -> None:
    document = parsed(name)
    declared = set(document["parameters"]) | set(document["resources"])
    made = setting(name)["config"]
    assert made.get("scope") is None or made["scope"] in declared
    for value in made["properties"].values():
        if isinstance(value, dict):
            assert value["operator"]["operands"]["false_value"] in declared
    scope = document["globals"]["scope"]["value"]
    assert scope == {"activity": "subscription", "sign-ins": "tenant"}.get(name, "resourceGroup")
    assert ("scope" in made) == (scope == "resourceGroup")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_switched_on_is_what_is_read(name: str) -> None:
    for category in categories(name):
        assert category == "kube-audit" or category in CATEGORIES


def commands() -> Iterator[tuple[str, str]]:
    for name in NAMES:
        fix = fixes.cloud(name)
        assert fix.file == f"deploy/azure/{name}.bicep"
        yield from ((name, command) for command in (*fix.commands, *fix.instead))
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    blocks = readme.split("```sh\n")[1:]
    for block in blocks:
        text = block.partition("```")[0].replace("\\\n", " ")
        lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
        lexer.whitespace_split = True
        words = list(lexer)
        starts = [at for at, word in enumerate(words) if word == "az"]
        for begin, end in itertools.pairwise([*starts, len(words)]):
            yield "", shlex.join(words[begin:end])


def options(command: str) -> tuple[str, dict[str, list[str]]]:
    words = shlex.split(command)
    start = next(at for at, word in enumerate(words) if word.startswith("--"))
    found: dict[str, list[str]] = {}
    option = ""
    for word in words[start:]:
        if word.startswith("--"):
            option = word
            found[option] = []
        else:
            found[option].append(word)
    return " ".join(words[:start]), found


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_commands_have_only_options_that_are_documented(name: str, command: str) -> None:
    what, found = options(command)
    required, others = OPTIONS[what]
    assert required <= set(found) <= required | others
    assert all(found.values())
    if name and "--template-file" in found:
        assert found["--template-file"] == [f"deploy/azure/{name}.bicep"]
        given = {parameter.partition("=")[0] for parameter in found["--parameters"]}
        assert given <= set(parsed(name)["parameters"])
        needed = {key for key, told in parsed(name)["parameters"].items() if told.get("default") is None}
        assert needed <= given
    if name and "--logs" in found:
        assert [one["category"] for one in json.loads(found["--logs"][0])] == categories(name)
        dedicated = setting(name)["config"]["properties"].get("logAnalyticsDestinationType") == "Dedicated"
        assert ("--export-to-resource-specific" in found) == dedicated
    if name and what == "az rest":
        made = setting(name)
        assert found["--url"] == [f"/providers/{made['type']}/eightysix"]
        assert found["--url-parameters"] == [f"api-version={made['api_version']}"]
        body = json.loads(found["--body"][0])
        assert [one["category"] for one in body["properties"]["logs"]] == categories(name)
        assert body["properties"]["workspaceId"] == "$WORKSPACE_ID"


@pytest.mark.tier("azure-cli")
def test_the_azure_cli_takes_every_command(tmp_path: Path) -> None:
    """The real parser, as tests/reconstruct/test_rotating_tools.py asks it: it stops before anything is sent."""
    python = os.environ.get(AZURE, "")
    if not python:
        require_tier("azure-cli", f"{AZURE} names no interpreter with the package azure-cli")
    lines = [
        [word.replace("$LOCATION", "westeurope") for word in shlex.split(command)[1:]]
        for _, command in commands()
        if "az" in command[:3]
    ]
    wrong = [["monitor", "diagnostic-settings", "create", "--name=x", "--nonsense=1"]]
    done = subprocess.run(
        [python, "-c", PARSE],
        input=json.dumps([*lines, *wrong]),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        cwd=ROOT,
        env=os.environ | {"HOME": str(tmp_path), "AZURE_CORE_COLLECT_TELEMETRY": "no"},
    )
    told = json.loads(done.stderr.splitlines()[-1])
    assert told[-1] == 2
    assert [
        (words, code) for words, code in zip(lines, told, strict=False) if code not in ("parsed", 1)
    ] == []


def test_the_readme_names_every_file_and_command() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    told = [options(command)[1] for name, command in commands() if not name]
    logs = [one for found in told for one in found.get("--logs", [])]
    assert {one["category"] for text in logs for one in json.loads(text)} == {
        category for name in NAMES if name != "sign-ins" for category in categories(name)
    }
    for name in NAMES:
        assert f"({name}.bicep)" in readme


def test_corednss_log_goes_into_the_server_block_of_the_cluster() -> None:
    document = yaml.safe_load((ROOT / "deploy" / "dns" / "coredns-custom.yaml").read_text(encoding="utf-8"))
    assert (document["kind"], document["metadata"]) == (
        "ConfigMap",
        {"name": "coredns-custom", "namespace": "kube-system"},
    )
    ((name, text),) = document["data"].items()
    assert name.endswith(".override")
    assert text.split() == ["log"]


def test_the_audit_policy_logs_reads_and_never_the_bodies_of_secrets() -> None:
    policy = yaml.safe_load((ROOT / "deploy" / "audit" / "policy.yaml").read_text(encoding="utf-8"))
    assert (policy["apiVersion"], policy["kind"]) == ("audit.k8s.io/v1", "Policy")

    def level(verb: str, group: str, resource: str) -> str:
        """The first rule that matches decides (kubernetes.io/docs/reference/config-api/apiserver-audit.v1)."""
        for rule in policy["rules"]:
            assert set(rule) <= {"level", "verbs", "resources"}
            named = [
                one
                for one in rule.get("resources", [])
                if one["group"] == group and resource in one["resources"]
            ]
            if (not rule.get("resources") or named) and verb in rule.get("verbs", [verb]):
                return str(rule["level"])
        return "None"

    for resource in ("secrets", "configmaps", "serviceaccounts/token"):
        for verb in ("get", "list", "create", "update"):
            assert level(verb, "", resource) == "Metadata"
    assert level("create", "", "pods") == level("create", "apps", "deployments") == "Request"
    assert level("get", "", "pods") == level("list", "rbac.authorization.k8s.io", "roles") == "Metadata"
    assert "RequestResponse" not in {rule["level"] for rule in policy["rules"]}
