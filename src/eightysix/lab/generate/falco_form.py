"""What Falco's rules put into their outputs: the variants that are written."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FALCO", "FalcoForm"]


@dataclass(frozen=True)
class FalcoForm:
    """What rules put into their output. `pods`: Kubernetes fields are known, else null, as in six years of reports;
    `uid`: the pod's uid is among them; `starts`: when processes began is told (`proc.pid.ts`); `text`: numbers are text,
    as some forwarders write them; `iso`: times are ISO 8601; `container`: even the container is known;
    `meta`: the k8smeta plugin names the Deployment."""

    pods: bool = True
    uid: bool = True
    starts: bool = True
    text: bool = False
    iso: bool = False
    container: bool = True
    meta: bool = False


FALCO = FalcoForm()
