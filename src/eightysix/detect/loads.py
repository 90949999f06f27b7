"""Whether code acts inside of a load: while a model is unpickled, by code that came with a model, while an object of
LangChain is revived. From the sensor's records alone, because the kernel knows no call chain.

A load is told by what it looks up: unpickling by the global (`pickle.find_class`), a reviver by the object. The stack at
that moment is the outer part of the stack of everything that the load runs, on the same thread. What the application
does afterwards, in the same file, has no loader below it; what a loader's own storage client does is a `fetch`.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from eightysix.context.commands import program_kind
from eightysix.model.event import Event
from eightysix.model.words import Kind, Source

if TYPE_CHECKING:
    from eightysix.detect.observe import Observation
    from eightysix.detect.view import PodView

__all__ = ["BRIEF_NS", "LOAD_NS", "REVIVE_NS", "Loads", "loads_of", "runs_code"]

LOAD_NS = 300_000_000_000
"""Where a loader's pickle looked up a global that runs code, what stands inside of the loader within 5 minutes is that
code: it may wait (judged)."""

BRIEF_NS = 5_000_000_000
"""Any other lookup says so for 5 s, because what a pickle calls is called when it was looked up; and so does a global that
runs code where the application itself calls `pickle.load` and no loader stands on the stack (judged)."""

REVIVE_NS = 2_000_000_000
"""An object is built right after it was given to the reviver, importing its package included. Later, the same packages
stand on the stack when the object is used (judged)."""

CHILD_NS: Final = (50_000_000, 3_000_000_000)
"""A child's exec follows its parent's announcement (`subprocess.Popen`, `os.system`) within 3 s; clocks of the two
records differ by milliseconds."""

MAX_LOOKUPS: Final = 256
"""Lookups of one thread that are compared: the latest before an act."""

_REMOTE_CODE: Final = "/transformers_modules/"
"""Where transformers puts the code of a model before it imports it (`HF_MODULES_CACHE`,
huggingface.co/docs/transformers, dynamic_module_utils)."""

_CLIENTS: Final = frozenset(
    """adlfs fsspec s3fs gcsfs ocifs azure-storage-blob azure-storage-file-datalake azure-storage-common google-cloud-storage
    s3transfer huggingface-hub hf-xet smart-open mlflow mlflow-skinny modelscope pyarrow kserve""".split()
)
"""Clients that loaders fetch models with: a credential that they take, they take to fetch."""

_CARRIERS: Final = frozenset(
    """ray distributed dask pyspark celery kombu billiard rq dramatiq prefect apache-airflow flytekit luigi parsl mpi4py loky
    ipyparallel multiprocess""".split()
)
"""Frameworks that send functions as pickles: what they unpickle is work, and running it is what they are for."""

_RUNS_CODE: Final = frozenset(
    """os posix nt subprocess pty runpy importlib imp code codeop socket webbrowser ctypes commands popen2 platform pdb bdb
    timeit cProfile trace asyncio multiprocessing distutils shutil requests urllib httpx aiohttp""".split()
)
_RUNS_CODE_NAMES: Final = frozenset(
    """builtins.exec builtins.eval builtins.compile builtins.__import__ builtins.getattr builtins.open builtins.execfile
    __builtin__.exec __builtin__.eval __builtin__.compile __builtin__.__import__ __builtin__.getattr __builtin__.open
    __builtin__.execfile operator.attrgetter operator.methodcaller types.FunctionType types.CodeType sys.modules
    functools.reduce pickle.loads _pickle.loads marshal.loads torch.load torch.hub.load numpy.testing""".split()
)
"""Globals that a pickle of weights has no use for and that run what the pickle says (CPython's and pickle scanners' lists
of unsafe globals)."""

_HARMLESS_NAMES: Final = frozenset(
    {"os.getcwd", "os.PathLike", "os.fspath", "multiprocessing.reduction", "asyncio.Queue"}
)


class Lookup(Struct, frozen=True, gc=False):
    """One lookup of a load: when, under which stack, of what kind, and whether the global runs code."""

    time_ns: int
    chain: tuple[str, ...]
    what: str
    runs_code: bool


class Loads:
    """The loads of one pod, and which processes they started."""

    def __init__(self, view: PodView) -> None:
        self._view = view
        self._lookups: dict[tuple[str, int], list[Lookup]] = {}
        self._actors: dict[str, str] = {}
        self._children: dict[str, list[tuple[int, str]]] = {}
        spawns: list[Event] = []
        for o in view.observations:
            told = o.provenance
            if told.source is not Source.SENSOR:
                continue
            if o.actor:
                self._actors.setdefault(told.exec_id, o.actor)
            if told.kind in (Kind.PICKLE, Kind.REVIVE) and told.chain and not _carries(told.chain):
                what = "revive" if told.kind is Kind.REVIVE else "unpickle"
                lookup = Lookup(told.time_ns, told.chain, what, runs_code(told.module))
                self._lookups.setdefault((told.exec_id, told.tid), []).append(lookup)
            elif told.kind is Kind.SPAWN:
                spawns.append(told)
        for event in spawns:
            if self._inside(event) in ("unpickle", "remote-code", "revive"):
                actor = self._actors.get(event.exec_id, event.exec_id)
                name = event.binary.rpartition("/")[2]
                self._children.setdefault(actor, []).append((event.time_ns, name))

    def of(self, observation: Observation) -> str:
        """`unpickle`, `remote-code`, `revive`: the load that runs the code which acts; `fetch` where the loader's storage
        client acts; `none`; `unknown` where no sensor told the stack."""
        told = observation.provenance
        if told.source is not Source.SENSOR or not told.chain:
            return "unknown"
        return self._inside(told)

    def _inside(self, event: Event) -> str:
        chain = event.chain
        if event.kind is Kind.IMPORT and event.module.partition(".")[0] == _REMOTE_CODE.strip("/"):
            return "remote-code"
        place = next((place for place, entry in enumerate(chain) if _REMOTE_CODE in entry), -1)
        if place >= 0:
            return "fetch" if _is_fetch(chain[:place]) else "remote-code"
        lookups = self._lookups.get((event.exec_id, event.tid), [])
        end = bisect_right(lookups, event.time_ns, key=lambda lookup: lookup.time_ns)
        for lookup in reversed(lookups[max(0, end - MAX_LOOKUPS) : end]):
            apart = event.time_ns - lookup.time_ns
            if apart > LOAD_NS:
                break
            outer = len(lookup.chain)
            if chain[len(chain) - outer :] != lookup.chain:
                continue
            inner = chain[: len(chain) - outer]
            if any(entry.startswith("app:") for entry in inner):
                continue  # the loader called the application back, which asks for itself
            if apart <= _lasts_ns(lookup):
                return "fetch" if _is_fetch(inner) else lookup.what
        return "none"

    def started(self, actor: str) -> bool:
        """Whether a load started the process or an ancestor of it."""
        if not self._children:
            return False
        tree = self._view.lineage
        path = tree.ancestors(actor)
        for child, parent in pairwise(path):
            spawned = self._children.get(parent)
            if spawned is None:
                continue
            began = tree.started_ns(child)
            names = [path.rpartition("/")[2] for path in (tree.binary(child), *tree.programs(child))]
            for time_ns, asked in spawned:
                in_time = -CHILD_NS[0] <= began - time_ns <= CHILD_NS[1]
                if in_time and any(_same_program(asked, name) for name in names):
                    return True
        return False


def loads_of(view: PodView) -> Loads:
    """The loads of a pod, worked out once."""
    if view.loads is None:
        view.loads = Loads(view)
    return view.loads


def runs_code(name: str) -> bool:
    """Whether a global that unpickling looked up (`module.name`) runs code that the pickle chooses."""
    if name in _HARMLESS_NAMES:
        return False
    return name.partition(".")[0] in _RUNS_CODE or name in _RUNS_CODE_NAMES


def _lasts_ns(lookup: Lookup) -> int:
    """How long a lookup says that its load goes on."""
    if lookup.what == "revive":
        return REVIVE_NS
    bare = all(entry.startswith("app:") for entry in lookup.chain)
    if bare:
        return BRIEF_NS if lookup.runs_code else -1
    return LOAD_NS if lookup.runs_code else BRIEF_NS


def _same_program(asked: str, started: str) -> bool:
    """Whether a child runs what was asked for. The shell of `os.system` has many names, and an interpreter its version."""
    if asked in ("", "?", started) or asked.rstrip(_VERSION) == started.rstrip(_VERSION):
        return True
    return program_kind(asked) == program_kind(started) == "shell"


_VERSION: Final = "0123456789."


def _carries(chain: tuple[str, ...]) -> bool:
    """Whether the innermost package of a lookup's stack is one that sends work as pickles."""
    inner = next((entry for entry in chain if not entry.startswith("app:")), "")
    return inner.partition("==")[0] in _CARRIERS


def _is_fetch(inner: tuple[str, ...]) -> bool:
    return any(entry.partition("==")[0] in _CLIENTS for entry in inner)
