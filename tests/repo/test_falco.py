"""deploy/falco: well formed, every output has what is read, and each rule fires on what it is for and not on its neighbours.

Falco itself is not run: `tests/repo/falco.py` reads the conditions as its documentation says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from eightysix.context.destinations import classify
from eightysix.serve import receiver
from tests.repo.falco import RuleFile, fields_of, parse

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "falco"

READ = (
    "evt.time", "evt.type", "evt.res", "proc.name", "proc.exepath", "proc.cmdline", "proc.pid", "proc.vpid", "proc.ppid",
    "proc.pid.ts", "proc.ppid.ts", "proc.aname[1]", "proc.aname[2]", "proc.aname[3]", "proc.aname[4]",
    "proc.aexepath[1]", "proc.aexepath[2]", "user.uid", "container.id", "container.image.repository",
    "container.image.digest", "k8s.ns.name", "k8s.pod.name", "k8s.pod.uid", "fd.name", "fd.sip", "fd.sport", "fd.rip",
    "fd.rport", "fd.type", "evt.arg.flags", "evt.is_open_write",
)  # fmt: skip
"""Without these an alert tells less than the source can read."""


@pytest.fixture(scope="module")
def rules() -> RuleFile:
    return parse(yaml.safe_load((FOLDER / "eightysix_rules.yaml").read_text()))


def event(**fields: object) -> dict[str, object]:
    """Fields of an event in a container; two underscores in a name stand for a dot."""
    given = {name.replace("__", "."): value for name, value in fields.items()}
    return {"container.id": "383cd98375af", "proc.name": "python3.11", "evt.res": "SUCCESS", **given}


def connection(ip: str, port: int = 443, **fields: object) -> dict[str, object]:
    kind = "ipv6" if ":" in ip else "ipv4"
    told = {"fd.sip": ip, "fd.snet": ip, "fd.sport": port, "fd.type": kind, "evt.type": "connect"}
    return event(**{**told, **fields})


def opened(path: str, *, write: bool = False, **fields: object) -> dict[str, object]:
    told = {"fd.name": path, "fd.typechar": "f", "evt.type": "openat"}
    modes = {"evt.is_open_write": str(write).lower(), "evt.is_open_read": str(not write).lower()}
    return event(**{**told, **modes, **fields})


def started(name: str, **fields: object) -> dict[str, object]:
    return event(**{"evt.type": "execve", "proc.name": name, **fields})


TOKEN = "/run/secrets/kubernetes.io/serviceaccount/..2026_11_24_06_41_09.1274825283/token"
OTHERS_TOKEN = "/host/var/lib/kubelet/pods/1/volumes/kubernetes.io~projected/x/token"
SITE = "/opt/venv/lib/python3.11/site-packages"

FIRES: list[tuple[str, dict[str, object]]] = [
    ("metadata service", connection("169.254.169.254", 80)),
    ("metadata service", connection("fd00:ec2::254", 80)),
    ("metadata service", connection("169.254.169.254", 80, evt__type="sendto")),  # fast open, or a socket handed on
    ("metadata service", connection("169.254.169.254", 80, proc__name="curl", container__id=None)),
    ("wire server", connection("168.63.129.16", 80)),
    ("wire server", connection("168.63.129.16", 32526)),
    ("connection of an interpreter", connection("198.51.100.86")),
    ("connection of an interpreter", connection("10.0.0.1")),
    ("connection of an interpreter", connection("168.63.129.16", 53)),
    ("connection of an interpreter", connection("203.0.113.9", proc__name="node")),
    ("credential file", opened(TOKEN)),
    ("credential file", opened("/home/me/.aws/credentials", evt__type="openat2")),
    ("credential file", opened("/proc/17/environ")),
    ("startup hook", opened(f"{SITE}/zz.pth", write=True)),
    ("startup hook", opened("/usr/lib/python3/dist-packages/sitecustomize.py", write=True)),
    ("package metadata", opened(f"{SITE}/a-1.0.dist-info/METADATA", write=True)),
    ("install", started("pip", proc__cmdline="pip install a")),
    ("install", started("pip3.11", proc__cmdline="pip3.11 install a")),
    ("install", started("python3", proc__cmdline="python3 -m pip install a")),
    ("install", started("node", proc__cmdline="node /usr/lib/node_modules/npm/bin/npm-cli.js ci")),
    ("install", started("uv", proc__cmdline="uv pip sync requirements.txt")),
    ("program from a temporary folder", started("x", proc__exepath="/tmp/x")),
    ("program from a temporary folder", started("3", proc__exepath="memfd:a", proc__is_exe_from_memfd="true")),
    ("child of an installer", started("sh", proc__aname=("node", "npm", "bash"))),
    ("child of an installer", started("python3", proc__acmdline=("python3 -m pip install a", "bash"))),
    ("host namespace entry", started("nsenter", proc__cmdline="nsenter -t 1 -m")),
    ("host namespace entry", event(evt__type="setns")),
    ("host namespace entry", started("bash", proc__exepath="/proc/1/root/bin/bash")),
    ("kubelet folder", opened(OTHERS_TOKEN)),
    ("kubelet folder", opened("/var/lib/kubelet/pki/kubelet-client-current.pem")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given"), FIRES, ids=[f"{n}-{name}" for n, (name, _) in enumerate(FIRES)])
def test_a_rule_fires_on_what_it_is_for(rules: RuleFile, name: str, given: dict[str, object]) -> None:
    assert f"Eightysix {name}" in rules.fired(given)


QUIET: list[tuple[str, dict[str, object]]] = [
    ("the node", connection("169.254.169.254", 80, container__id="host")),
    ("the node opens a token", opened(TOKEN, container__id="host")),
    ("a DNS server in the cluster, by a server that is no interpreter", connection("10.0.0.10", 53, proc__name="coredns")),
    ("a port of the wire server that gives out nothing", connection("168.63.129.16", 53, proc__name="coredns")),
    ("itself", connection("127.0.0.1")),
    ("itself on IPv6", connection("::1")),
    ("what is sent on a connection", connection("198.51.100.86", evt__type="sendto")),
    ("a socket of the machine", event(evt__type="connect", fd__type="unix")),
    ("a file that is no credential", opened("/app/config.json")),
    ("a folder", opened("/run/secrets/kubernetes.io", fd__typechar="d")),
    ("the runtime looks into a volume", opened(TOKEN, proc__name="runc:[2:INIT]")),
    ("a hook that is read", opened(f"{SITE}/zz.pth")),
    ("package metadata that are read", opened(f"{SITE}/a-1.0.dist-info/METADATA")),
    ("a module that is written", opened(f"{SITE}/a/b.py", write=True)),
    ("a program of the image", started("python3", proc__cmdline="python3 /app/server.py", proc__exepath="/usr/bin/python3")),
    ("a program that could not be started", started("nsenter", evt__res="ENOENT")),
    ("the runtime enters a container", event(evt__type="setns", proc__name="runc:[1:CHILD]")),
    ("the kubelet", opened("/var/lib/kubelet/pods/1/etc-hosts", proc__name="kubelet")),
]  # fmt: skip


@pytest.mark.parametrize("given", [one[1] for one in QUIET], ids=[one[0] for one in QUIET])
def test_neighbours_stay_quiet(rules: RuleFile, given: dict[str, object]) -> None:
    assert rules.fired(given) == set()


def test_every_rule_has_something_that_fires_it(rules: RuleFile) -> None:
    assert {f"Eightysix {name}" for name, _ in FIRES} == rules.rules.keys()


def test_every_output_has_all_that_is_read(rules: RuleFile) -> None:
    outputs = {tuple(fields_of(rule["output"])) for rule in rules.rules.values()}
    assert len(outputs) == 1
    (fields,) = outputs
    assert set(READ) <= set(fields)
    assert len(set(fields)) == len(fields)


def test_rules_are_evidence_and_no_alarms(rules: RuleFile) -> None:
    for rule in rules.rules.values():
        assert rule["priority"] in ("DEBUG", "INFORMATIONAL", "NOTICE")
        assert "eightysix" in rule["tags"]
        assert len(rule["desc"]) > 20


def test_addresses_are_those_of_the_tool(rules: RuleFile) -> None:
    listed = rules.lists["eightysix_metadata_addresses"]
    assert {classify(ip, 80) for ip in listed} == {"metadata"}
    assert [classify("168.63.129.16", port) for port in (80, 32526)] == ["wire-server"] * 2


def test_an_image_can_be_left_out(rules: RuleFile) -> None:
    document = yaml.safe_load((FOLDER / "eightysix_rules.yaml").read_text())
    for item in document:
        if item.get("list") == "eightysix_unwatched_images":
            item["items"] = ["registry.example/ml/chat"]
    given = connection("169.254.169.254", 80, container__image__repository="registry.example/ml/chat")
    assert rules.fired(given)
    assert not parse(document).fired(given)


WRONG: list[tuple[str, str, str, str]] = [
    ("an unknown field", "fd.sip in (eightysix", "fd.address in (eightysix", r"no field"),
    ("an unknown macro", "eightysix_reaches and", "eightysix_reach and", r"no macro"),
    ("an unknown operator", "fd.name endswith .pth", "fd.name ends .pth", r"no operator"),
    (
        "an open bracket",
        "(container.id != host)",
        "(container.id != host",
        r"ends too early|not closed|left over",
    ),
    ("an unknown priority", "priority: NOTICE", "priority: LOUD", r"priority LOUD"),
    ("an unknown field of an output", "%user.uid", "%user.uuid", r"no field"),
    ("an unknown key", "priority: NOTICE", "prio: NOTICE", r"keys"),
]


@pytest.mark.parametrize(
    ("before", "after", "why"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG]
)
def test_the_checker_refuses(before: str, after: str, why: str) -> None:
    text = (FOLDER / "eightysix_rules.yaml").read_text()
    assert before in text
    with pytest.raises(ValueError, match=why):
        parse(yaml.safe_load(text.replace(before, after)))


def load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return document


def test_falco_writes_json_with_fields() -> None:
    falco = load("values.yaml")["falco"]
    assert falco["json_output"] is True
    assert falco["json_include_output_fields_property"] is True
    assert "/etc/falco/rules.d" in falco["rules_files"]
    assert falco["rule_matching"] == "all"
    # Evidence has a low priority: with a higher threshold nothing would come.
    assert falco["priority"] == "debug"


def test_falcosidekick_sends_everything_and_a_secret_that_is_no_part_of_the_file() -> None:
    config = load("falcosidekick.yaml")["config"]
    assert config["webhook"]["minimumpriority"] == "debug"
    assert config["webhook"]["checkcert"] is True
    address = config["webhook"]["address"]
    assert address.startswith("https://")
    assert address.endswith(receiver.PATH)
    assert receiver.TOKEN_VARIABLE in (FOLDER / "falcosidekick.yaml").read_text()
    assert config["existingSecret"]
    assert "Authorization" not in str(config)
