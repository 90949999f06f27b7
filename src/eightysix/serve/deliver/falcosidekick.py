"""falcosidekick's input: an incident in the shape of a Falco alert, to wherever falcosidekick forwards.

It answers before its own outputs have delivered: what is lost behind it, nobody here sees.
"""

from __future__ import annotations

from collections.abc import Mapping

from eightysix.report.falco_alert import alert_line
from eightysix.serve.deliver.chat import MessageSink
from eightysix.serve.deliver.http import HttpClient, parse_address

__all__ = ["open_sink"]


def open_sink(kind: str, target: str, environment: Mapping[str, str]) -> MessageSink:
    """`falcosidekick:URL`, usually `http://falcosidekick:2801/`: it has no TLS of its own unless configured."""
    return MessageSink(
        parse_address(kind, target, environment, plain=True), HttpClient(environment), alert_line
    )
