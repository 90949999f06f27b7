"""What the shipped Falco rules put into their outputs is what the source reads, and all that lineage and attribution need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from eightysix.detect.needs import met_needs
from eightysix.detect.rule import Need
from eightysix.model.words import Grade, Source
from eightysix.sources.falco import FalcoDecoder
from tests.sources.test_falco import CONNECT, READ, alert

RULES = Path(__file__).resolve().parents[2] / "deploy" / "falco" / "eightysix_rules.yaml"

OUTPUTS: dict[str, frozenset[str]] = {
    item["rule"]: frozenset(
        word.rstrip(",") for part in item["output"].split("%")[1:] for word in part.split()[:1]
    )
    for item in yaml.safe_load(RULES.read_text(encoding="utf-8"))
    if "rule" in item
}
"""By rule, the fields that its output names."""

CALLS: dict[str, dict[str, Any]] = {
    "connect": CONNECT,
    "file": READ,
    "exec": {
        "evt_type": "execve",
        "evt_res": "SUCCESS",
        "proc_cmdline": "pip install x",
        "proc_name": "pip",
        "proc_exepath": "/usr/bin/pip",
    },
}


def test_there_are_rules() -> None:
    assert len(OUTPUTS) > 5


@pytest.mark.parametrize("rule", OUTPUTS)
@pytest.mark.parametrize("call", CALLS)
def test_an_output_has_who_did_what_where(rule: str, call: str) -> None:
    record = alert(rule, **CALLS[call])
    named = OUTPUTS[rule]
    record["output_fields"] = {
        name: value
        for name, value in record["output_fields"].items()
        if name in named or name == "evt.arg.flags"
    }
    trees: dict[str, Any] = {}
    batch = FalcoDecoder(trees).decode(json.dumps(record).encode(), "f", 1)
    (event,) = batch.events
    assert event.exec_id.startswith("falco:")
    assert not event.exec_id.endswith(":0")
    assert event.parent_exec_id
    assert (event.pod_uid, event.namespace, event.pod) == (
        "916eac50-4d4e-4d3a-85ed-d68205d18fa2",
        "ml",
        "inference-0",
    )
    assert (event.grade, event.container_id) == (Grade.B, "383cd98375af")
    assert trees
    assert met_needs({Source.FALCO: batch.kinds}, baseline=False) <= {
        Need.CONNECTIONS,
        Need.FILES,
        Need.PROCESSES,
    }
    assert met_needs({Source.FALCO: batch.kinds}, baseline=False)
