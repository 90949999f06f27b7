"""What a scene needs of the cluster that it is played in, when many scenes share one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from eightysix.lab.generate.cluster import Node
    from eightysix.lab.generate.scene import Process

__all__ = ["Stage"]


class Stage(Protocol):
    """Nodes to run on, and somebody who takes the records. A scene keeps none of its own then."""

    def node(self, index: int) -> Node:
        """The node of this number, the same object for every scene."""
        ...

    def noted(self, file: str, time_ns: int, record: dict[str, object]) -> None:
        """Take a record of the source that writes `file`."""
        ...

    def entered(self, process: Process) -> None:
        """Hear of a container's first process."""
        ...

    def left(self, process: Process, time_ns: int) -> None:
        """Hear of a process's end."""
        ...

    def marked(self, stage: str, time_ns: int, process: Process) -> None:
        """Hear of a stage of an attack, for its label."""
        ...
