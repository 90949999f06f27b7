"""The kernel side for the lab and for single hosts: what the processes of a cgroup start, open and connect to, in the form
of Tetragon's export. `python -m eightysix.lab.kernel` runs it; `docs/lab-kernel.md` tells what each mechanism sees.
"""

from __future__ import annotations

__all__ = ["MECHANISMS", "available"]

MECHANISMS = ("ebpf", "tracefs", "strace")
"""From the one that sees most to the one that sees least."""


def available() -> dict[str, str]:
    """Each mechanism, and why it cannot be used here: empty where it can."""
    from eightysix.lab.kernel import ebpf, strace, tracefs

    return {"ebpf": ebpf.missing(), "tracefs": tracefs.missing(), "strace": strace.missing()}
