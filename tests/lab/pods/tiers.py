"""What tests of real pods need, and the reason that is printed where it is missing."""

from __future__ import annotations

from eightysix.lab.pods import choice, environments, interpreter
from eightysix.model.errors import LabError
from tests.tiers import require_tier

__all__ = ["need_environment", "need_root", "need_rootless"]


def need_environment() -> None:
    """Skip where the pods' packages cannot be installed."""
    try:
        environments.build("serving", interpreter.find())
    except LabError as error:
        require_tier("runtime", error.what)


def need_root() -> None:
    """Skip where no pod can be run as root."""
    refusal = choice.root_refusal()
    if refusal:
        require_tier("runtime" if "runtime" in refusal else "root", refusal)
    need_environment()


def need_rootless() -> None:
    """Skip where no pod can be run by an ordinary user."""
    refusal = choice.rootless_refusal()
    if refusal:
        require_tier("rootless", refusal)
    need_environment()
