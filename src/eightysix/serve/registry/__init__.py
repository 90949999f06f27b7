"""Registries, asked: who may be told what, within which bounds, and every byte held against its digest.

Needs httpx: importing this room without it raises `MissingExtraError`.
"""

from eightysix.model.errors import MissingExtraError

try:
    import httpcore as _httpcore  # noqa: F401 - httpx imports it when it is first used
    import httpx as _httpx  # noqa: F401 - asked for once, here, with what to do
except ImportError as _error:
    raise MissingExtraError("asking registries needs httpx", "pip install 'eightysix[gate]'") from _error

from eightysix.serve.registry.bounds import Bounds, Settings
from eightysix.serve.registry.client import Head, Listing, Referrers, RegistryClient, Told
from eightysix.serve.registry.credentials import Anonymous, Credentials, DockerConfig, EntraLogin, Login
from eightysix.serve.registry.lane import Pace
from eightysix.serve.registry.reconcile import Reconciler, settings_for_asking
from eightysix.serve.registry.status import RegistryStatus, Status
from eightysix.serve.registry.tree import ArtifactTree, Part, read_tree

__all__ = [
    "Anonymous",
    "ArtifactTree",
    "Bounds",
    "Credentials",
    "DockerConfig",
    "EntraLogin",
    "Head",
    "Listing",
    "Login",
    "Pace",
    "Part",
    "Reconciler",
    "Referrers",
    "RegistryClient",
    "RegistryStatus",
    "Settings",
    "Status",
    "Told",
    "read_tree",
    "settings_for_asking",
]
