"""Lineage with the gaps of real telemetry."""

from __future__ import annotations

from eightysix.detect.lineage import MAX_DEPTH, Lineage
from tests.detect.events import BASE_NS, install, metadata

START = "2026-11-23T03:38:{:02d}.000000000Z"


def fact(
    parent: str = "", pid: int = 1, second: int = 50, binary: str = "/bin/sh", **more: object
) -> tuple[str, int, str, str, str, bool | None]:
    entrypoint = more.get("entrypoint")
    return (
        parent,
        pid,
        START.format(second),
        binary,
        "c9eb4ebb9cee",
        entrypoint if isinstance(entrypoint, bool) else None,
    )


def test_descendants_are_found_through_processes_without_events() -> None:
    tree = Lineage({"pip": fact("sh", 2), "hook": fact("pip", 3), "sh": fact(), "curl": fact("hook", 4)}, [])
    assert tree.ancestors("curl") == ("curl", "hook", "pip", "sh")
    assert tree.descends("curl", "pip")
    assert not tree.descends("pip", "curl")


def test_a_process_that_replaces_its_image_goes_on() -> None:
    tree = Lineage(
        {
            "start.sh": fact(pid=8740, second=50),
            "server": fact(pid=8740, second=52, binary="/usr/bin/python"),
        },
        [],
    )
    assert tree.parent("server") == "start.sh"
    assert tree.parent("start.sh") == ""


def test_a_known_parent_wins_over_the_same_pid() -> None:
    tree = Lineage(
        {"old": fact(pid=9, second=50), "new": fact("shell", pid=9, second=55), "shell": fact(pid=1)}, []
    )
    assert tree.parent("new") == "shell"


def test_a_cycle_ends() -> None:
    tree = Lineage({"a": fact("b"), "b": fact("a")}, [])
    assert set(tree.ancestors("a")) == {"a", "b"}


def test_depth_is_bounded() -> None:
    tree = Lineage({str(n): fact(str(n + 1), pid=n) for n in range(500)}, [])
    assert len(tree.ancestors("0")) == MAX_DEPTH


def test_the_kernels_word_on_the_init_tree_wins() -> None:
    tree = Lineage({"exec": fact(entrypoint=False), "child": fact(entrypoint=True)}, [])
    assert tree.in_entrypoint_tree("exec") is False
    assert tree.is_exec_session("exec")
    assert tree.in_entrypoint_tree("child") is True


def test_the_first_process_is_the_entrypoint_only_near_the_start_of_the_container() -> None:
    events = [metadata(60.0, exec_id="server", container_id="c9eb4ebb9cee")]
    # BASE_NS is 2026-11-23T03:38:50Z: the container starts with its first process, or half a minute before it.
    near = Lineage({"server": fact(second=50), "worker": fact("server", 2, 51)}, events)
    assert near.in_entrypoint_tree("worker") is True
    late = Lineage(
        {"server": fact(second=50), "worker": fact("server", 2, 51)},
        [
            metadata(
                60.0,
                exec_id="server",
                container_id="c9eb4ebb9cee",
                container_started_ns=BASE_NS - 30_000_000_000,
            )
        ],
    )
    assert late.in_entrypoint_tree("worker") is None


def test_a_child_of_the_runtime_that_is_not_the_entrypoint_is_a_session() -> None:
    events = [
        install(5.0, exec_id="pip", parent_exec_id="shim", parent_binary="/usr/bin/containerd-shim-runc-v2")
    ]
    tree = Lineage({"server": fact(), "pip": fact("shim", 7, 55)}, events)
    assert tree.ancestors("pip") == ("pip", "shim")
    assert tree.is_exec_session("pip")
