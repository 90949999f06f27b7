"""Which code acts inside of a load, and which only stands in the same file as one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.detect import Knowledge, PodState, step
from eightysix.detect.descent import lineage_of
from eightysix.detect.facts import ObservationFacts
from eightysix.detect.loads import BRIEF_NS, LOAD_NS, REVIVE_NS, loads_of, runs_code
from eightysix.detect.view import PodView
from eightysix.model.event import Event
from eightysix.model.words import Domain, Grade, Kind, Origin, Source
from tests.detect.events import BASE_NS, SECOND, SERVER, connect, event, metadata

APP = "app:/app/server.py"
TORCH = ("torch==2.13.0", APP)
SDK = ("urllib3==2.8.0", "requests==2.34.2", "azure-core==1.41.0", "azure-identity==1.27.0")
REMOTE = "app:/root/.cache/huggingface/modules/transformers_modules/contoso/chat/modeling.py"


def told(kind: Kind, at: float, chain: tuple[str, ...], *, tid: int = 7, **fields: Any) -> Event:
    """A record of the sensor in the server."""
    values: dict[str, Any] = {
        "source": Source.SENSOR,
        "origin": Origin.SUSPECT,
        "grade": Grade.A,
        "exec_id": "sensor:n/uid-0:1:5",
        "tid": tid,
        "chain": chain,
        "root": chain[-1] if chain else "",
    }
    return event(kind, at, **(values | fields))


def pickled(
    at: float, chain: tuple[str, ...] = TORCH, name: str = "torch._utils._rebuild_tensor_v2", **fields: Any
) -> Event:
    return told(Kind.PICKLE, at, chain, module=name, **fields)


def asks(at: float, chain: tuple[str, ...], **fields: Any) -> Event:
    values: dict[str, Any] = {"dst_ip": "169.254.169.254", "dst_port": 80, "domain": Domain.CLOUD}
    return told(Kind.CONNECT, at, chain, **(values | fields))


def view_of(*events: Event) -> PodView:
    state = PodState(key="uid-0")
    for one in events:
        step(state, one)
    view = PodView.of(state, Knowledge())
    assert view is not None
    return view


def load_of(*events: Event) -> str:
    """The `load` of the only credential."""
    view = view_of(*events)
    (taken,) = [o for o in view.observations if o.domain is not None]
    return loads_of(view).of(taken)


def test_code_of_a_pickle_stands_inside_of_the_loader() -> None:
    assert load_of(pickled(10.0), asks(11.0, TORCH)) == "unpickle"


def test_it_does_so_through_an_sdk_too() -> None:
    assert load_of(pickled(10.0), asks(11.0, SDK + TORCH)) == "unpickle"


def test_the_kernels_record_gets_the_load_of_its_twin() -> None:
    view = view_of(pickled(10.0), asks(11.0, TORCH), metadata(11.0001))
    (taken,) = [o for o in view.observations if o.domain is not None]
    assert taken.event.origin is Origin.KERNEL
    assert loads_of(view).of(taken) == "unpickle"


@pytest.mark.parametrize(
    ("why", "chain", "fields"),
    [
        ("the application asks after the load", (*SDK, APP), {}),
        ("another thread asks", TORCH, {"tid": 8}),
        ("another process asks", TORCH, {"exec_id": "sensor:n/uid-0:9:9"}),
        ("the loader called the application back", (*SDK, "app:/app/data.py", *TORCH), {}),
        ("another caller stands below the loader", (*SDK, "torch==2.13.0", "app:/app/train.py"), {}),
    ],
)
def test_what_is_no_part_of_the_load(why: str, chain: tuple[str, ...], fields: dict[str, Any]) -> None:
    assert load_of(pickled(10.0), asks(11.0, chain, **fields)) == "none", why


@pytest.mark.parametrize(
    ("chain", "name", "lasts"),
    [
        (TORCH, "builtins.exec", LOAD_NS),
        (TORCH, "torch._utils._rebuild_tensor_v2", BRIEF_NS),
        ((APP,), "builtins.exec", BRIEF_NS),
    ],
    ids=["a loader, and code", "a loader, and weights", "the application, and code"],
)
def test_a_load_ends(chain: tuple[str, ...], name: str, lasts: int) -> None:
    seconds = lasts / SECOND
    assert load_of(pickled(10.0, chain, name), asks(10.0 + seconds, chain)) == "unpickle"
    assert load_of(pickled(10.0, chain, name), asks(10.1 + seconds, chain)) == "none"


def test_effects_do_not_come_before_causes() -> None:
    assert load_of(pickled(11.0), asks(10.0, TORCH)) == "none"


def test_a_storage_client_of_the_loader_fetches() -> None:
    assert (
        load_of(pickled(10.0), asks(11.0, (*SDK, "adlfs==2026.1.0", "fsspec==2026.1.0", *TORCH))) == "fetch"
    )


def test_the_applications_own_unpickling_needs_a_global_that_runs_code() -> None:
    bare = (APP,)
    assert load_of(pickled(10.0, bare), asks(11.0, (*SDK, APP))) == "none"
    assert load_of(pickled(10.0, bare, "builtins.exec"), asks(11.0, bare)) == "unpickle"


@pytest.mark.parametrize("carrier", ["ray==2.60.0", "distributed==2026.1.0", "pyspark==4.2.0"])
def test_work_that_is_sent_as_a_pickle_is_no_load(carrier: str) -> None:
    """A task from a notebook has no file, so nothing of the application is on the stack."""
    assert load_of(pickled(10.0, (carrier,), "builtins.exec"), asks(11.0, (*SDK, carrier))) == "none"
    inside = ("torch==2.13.0", "app:/home/ray/train.py", carrier)
    assert load_of(pickled(10.0, inside), asks(11.0, inside)) == "unpickle"


def test_code_that_came_with_a_model_is_known_by_its_place() -> None:
    chain = (REMOTE, "transformers==5.23.0", APP)
    assert load_of(asks(11.0, chain)) == "remote-code"
    assert load_of(asks(11.0, ("huggingface-hub==1.9.0", *chain))) == "fetch"
    assert load_of(asks(11.0, ("transformers==5.23.0", APP))) == "none"


def test_a_revival_is_a_load() -> None:
    loads = ("langchain-core==1.2.4", APP)
    revive = told(Kind.REVIVE, 10.0, loads, module="runpy.run_path", activity="constructor")
    assert load_of(revive, asks(10.5, loads)) == "revive"
    assert load_of(revive, asks(10.5, (*SDK, APP))) == "none"
    used = asks(10.1 + REVIVE_NS / SECOND, (*SDK, "langchain-openai==1.1.0", *loads))
    assert load_of(revive, used) == "none", "the same packages stand there when the object is used"


def test_without_a_stack_nothing_is_known() -> None:
    assert load_of(pickled(10.0), metadata(11.0)) == "unknown"


def child(at: float, binary: str = "/bin/sh", parent: str = SERVER) -> Event:
    started = BASE_NS + round(at * SECOND)
    return connect(
        at + 0.5,
        exec_id=f"child-{at}",
        parent_exec_id=parent,
        process_started_ns=started,
        binary=binary,
        command="",
    )


def spawn(at: float, chain: tuple[str, ...], binary: str = "/bin/sh") -> Event:
    return told(Kind.SPAWN, at, chain, binary=binary, command="sh -c", activity="shell")


@pytest.mark.parametrize(
    ("why", "events", "expected"),
    [
        ("the pickle called os.system", (spawn(10.1, TORCH), child(10.11)), True),
        ("its shell has another name", (spawn(10.1, TORCH), child(10.11, "/usr/bin/dash")), True),
        ("the application started it", (spawn(10.1, (APP,)), child(10.11)), False),
        ("another program started", (spawn(10.1, TORCH, "/usr/bin/git"), child(10.11)), False),
        ("it started long after", (spawn(10.1, TORCH), child(15.0)), False),
        ("it is no child of the server", (spawn(10.1, TORCH), child(10.11, parent="other")), False),
    ],
)
def test_processes_that_a_load_started(why: str, events: tuple[Event, ...], expected: bool) -> None:
    twins = (
        told(Kind.CONNECT, 1.0, (APP,), dst_ip="203.0.113.7", dst_port=80),
        connect(1.0001, "203.0.113.7"),
    )
    view = view_of(*twins, pickled(10.0, name="posix.system"), *events)
    (started,) = [o for o in view.observations if o.actor.startswith("child-")]
    assert ("load" in lineage_of(view, started)) is expected, why


@pytest.mark.parametrize(
    "name", ["posix.system", "os.system", "builtins.exec", "subprocess.Popen", "runpy._run_code"]
)
def test_globals_that_run_code(name: str) -> None:
    assert runs_code(name)


@pytest.mark.parametrize(
    "name",
    ["collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "numpy.ndarray", "builtins.set", "functools.partial",
     "sklearn.pipeline.Pipeline", "posixpath.join", ""],
)  # fmt: skip
def test_globals_of_weights(name: str) -> None:
    assert not runs_code(name)


frames = st.sampled_from(
    [APP, "app:/app/data.py", REMOTE, "torch==2.13.0", "adlfs==2026.1.0", "azure-identity==1.27.0"]
)


@given(
    st.lists(frames, max_size=6),
    st.lists(st.tuples(st.integers(0, 20), st.lists(frames, max_size=4)), max_size=6),
)
def test_a_load_is_never_told_without_one(chain: list[str], lookups: list[tuple[int, list[str]]]) -> None:
    """Whatever the stacks: an act whose stack holds no lookup's stack, and no model's code, is in no load."""
    marks = [pickled(float(at), tuple(outer), "builtins.exec") for at, outer in lookups]
    told_load = load_of(*marks, asks(21.0, tuple(chain)))
    inside = any(outer and chain[len(chain) - len(outer) :] == outer for _, outer in lookups)
    if not inside and REMOTE not in chain:
        assert told_load == ("none" if chain else "unknown")


@pytest.mark.parametrize(
    ("why", "chain", "command", "expected"),
    [
        ("multiprocessing hands work to its worker", ("<unknown>",), "python -c multiprocessing", None),
        ("the worker loads a model", TORCH, "python -c multiprocessing", True),
        ("the application does in a worker", (APP,), "python -c multiprocessing", True),
        ("other code of the command line", ("<unknown>",), "python -c", True),
        ("a script", ("<unknown>",), "python /app/server.py", True),
    ],
)
def test_what_multiprocessing_hands_over_is_no_load(
    why: str, chain: tuple[str, ...], command: str, expected: bool | None
) -> None:
    twins = (
        told(Kind.CONNECT, 1.0, (APP,), dst_ip="203.0.113.7", dst_port=80),
        connect(1.0001, "203.0.113.7", command=command),
    )
    view = view_of(*twins, pickled(2.0, chain, "multiprocessing.reduction._rebuild_socket"))
    (lookup,) = [o for o in view.observations if o.event.kind is Kind.PICKLE]
    assert ObservationFacts(view, lookup, "pickle").get("pickle.runs_code") is expected, why
