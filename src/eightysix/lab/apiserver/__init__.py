"""A stand-in for the Kubernetes API server: real HTTP and TLS, objects in memory, RBAC, watches, tokens, audit events.

Real clients talk to it. What is as in a real one, and what is not, is told in `docs/lab-apiserver.md`.
"""

from __future__ import annotations

from eightysix.lab.apiserver.audit import AuditRule, Policy
from eightysix.lab.apiserver.http import Limits
from eightysix.lab.apiserver.messages import Answer, User
from eightysix.lab.apiserver.pki import Authority, Issued
from eightysix.lab.apiserver.server import ADMIN, ApiServer, Tls
from eightysix.lab.apiserver.subresources import Command, Kubelet
from eightysix.lab.apiserver.tokens import Minted

__all__ = [
    "ADMIN",
    "Answer",
    "ApiServer",
    "AuditRule",
    "Authority",
    "Command",
    "Issued",
    "Kubelet",
    "Limits",
    "Minted",
    "Policy",
    "Tls",
    "User",
]
