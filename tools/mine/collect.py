"""Facts of every pinned wheel, kept beside the wheels under a name that changes with the code that made them."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import msgspec

from tools.mine import facts, frontend, native, primitives, sources
from tools.mine.facts import Module, Native, Release
from tools.mine.fetch import Pin, verified

__all__ = ["natives", "release", "releases", "standard_release"]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Release).decode


def _made_by() -> str:
    """A digest of the code that facts depend on."""
    return _digest(facts, frontend, primitives, sources)


def _digest(*modules: ModuleType) -> str:
    return hashlib.sha256(b"\0".join(Path(str(one.__file__)).read_bytes() for one in modules)).hexdigest()[
        :16
    ]


def _read(name: str, version: str, sha256: str, members: Iterable[sources.Source]) -> Release:
    modules: list[Module] = []
    unread: list[str] = []
    for one in members:
        if module := frontend.read_module(one.name, one.text, package=one.package, stub=one.kind == "pyi"):
            modules.append(module)
        else:
            unread.append(one.name)
    return Release(name, version, sha256, tuple(modules), tuple(unread))


def _kept(path: Path, make: Callable[[], Release]) -> Release:
    """What `path` holds; made, and kept there, if it is not."""
    if path.exists():
        return _decode(path.read_bytes())
    found = make()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(_encode(found))
    return found


def natives(cache: Path, pin: Pin) -> list[Native]:
    """The compiled modules of one wheel, kept apart: they are read anew much faster than sources."""
    path = cache / "facts" / f"{pin.file}.native.{_digest(native, sources)}"
    if path.exists():
        return msgspec.msgpack.decode(path.read_bytes(), type=list[Native])
    members = sources.wheel(verified(cache, pin), wanted=("native",))
    found = [native.read_native(one.name, one.text) for one in members]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(_encode(found))
    return found


def release(cache: Path, pin: Pin) -> Release:
    """The facts of one wheel, from the cache if they were taken before."""

    def make() -> Release:
        return _read(
            pin.name, pin.version, pin.sha256, sources.wheel(verified(cache, pin), wanted=("py", "pyi"))
        )

    return _kept(cache / "facts" / f"{pin.file}.{_made_by()}", make)


def standard_release(cache: Path, root: Path) -> Release:
    """The facts of the standard library in folder `root`, which ends in the version: .../lib/python3.13."""
    version = root.name.removeprefix("python")
    return _kept(
        cache / "facts" / f"python-{version}.{_made_by()}",
        lambda: _read("python", version, "", sources.standard_library(root)),
    )


def _warm(job: tuple[Path, Pin]) -> str:
    found = release(*job)
    natives(*job)
    return f"{found.name} {found.version}: {len(found.modules)} modules, {len(found.unread)} not parsed"


def releases(cache: Path, pins: list[Pin], jobs: int) -> Iterable[str]:
    """Take the facts of all pins that have none yet, with `jobs` processes; a line for each."""
    with multiprocessing.Pool(jobs) as pool:
        yield from pool.imap_unordered(_warm, [(cache, pin) for pin in pins])


if __name__ == "__main__":
    import sys

    from tools.mine.fetch import read_pins

    folder = Path(sys.argv[1])
    for line in releases(folder, read_pins()[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2):
        print(line, flush=True)
