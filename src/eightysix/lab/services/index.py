"""The run's package index: the simple repository API in HTML and JSON, with hashes, yanks and metadata of its own.

Sources: packaging.python.org/specifications/simple-repository-api (PEP 503, 592, 629, 658, 691, 700, 714). A file that is put
into the folder is there at once; `FILE.yanked` beside it (its text is the reason) yanks it.
"""

from __future__ import annotations

import threading
import zipfile
from hashlib import sha256
from html import escape
from pathlib import Path
from urllib.parse import quote, unquote

from msgspec import Struct

from eightysix.lab.services.clock import rfc3339
from eightysix.lab.services.http import Answer, Request, json_answer
from eightysix.lab.services.roster import Roster
from eightysix.lab.services.truth import Record

__all__ = ["MOST_FILE_BYTES", "Index", "normal"]

MOST_FILE_BYTES = 512 << 20
_MOST_FILES = 10_000
_MOST_METADATA = 1 << 20
_JSON = "application/vnd.pypi.simple.v1+json"
_HTML = "application/vnd.pypi.simple.v1+html"


class _File(Struct, frozen=True):
    """A file of the index. `metadata` is the wheel's METADATA."""

    name: str
    project: str
    version: str
    size: int
    mtime_ns: int
    sha256: str
    metadata: bytes | None
    requires_python: str
    yanked: str | None


class Index:
    """Answers what pip and uv ask."""

    def __init__(self, folder: Path, record: Record, roster: Roster) -> None:
        self._folder = folder
        self._record = record
        self._roster = roster
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int, int], _File] = {}

    def __call__(self, request: Request) -> Answer:
        """Answer a request."""
        if request.method not in ("GET", "HEAD"):
            return json_answer(405, {"message": "Method Not Allowed"})
        steps = [unquote(step) for step in request.path.strip("/").split("/")]
        if steps == ["simple"]:
            return _page(request, None, self._files())
        if len(steps) == 2 and steps[0] == "simple":
            return self._project(request, steps[1])
        if len(steps) == 2 and steps[0] == "files":
            return self._download(request, steps[1])
        return json_answer(404, {"message": "Not Found"})

    def _project(self, request: Request, name: str) -> Answer:
        files = [file for file in self._files() if file.project == normal(name)]
        self._record.mark(
            "index-page",
            project=normal(name)[:128],
            found=len(files),
            peer=request.peer,
            user_agent=_agent(request),
        )
        return _page(request, normal(name), files) if files else json_answer(404, {"message": "Not Found"})

    def _download(self, request: Request, name: str) -> Answer:
        wanted = name.removesuffix(".metadata")
        file = next((each for each in self._files() if each.name == wanted), None)
        if file is None or (name != wanted and file.metadata is None):
            return json_answer(404, {"message": "Not Found"})
        if name != wanted:
            return Answer(200, file.metadata or b"", "application/octet-stream")
        if request.method == "HEAD":
            return Answer(200, content_type="application/octet-stream", length=file.size)
        body = (self._folder / file.name).read_bytes()
        self._record.mark(
            "index-download",
            file=file.name,
            sha256=sha256(body).hexdigest(),
            peer=request.peer,
            pod=self._roster.name_at(request.peer),
            user_agent=_agent(request),
        )
        return Answer(200, body, "application/octet-stream", headers=(("accept-ranges", "none"),))

    def _files(self) -> list[_File]:
        """What the folder holds now; a file is read again only when it changed. One that is half written waits."""
        found: list[_File] = []
        with self._lock:
            for path in sorted(self._folder.iterdir())[:_MOST_FILES]:
                if path.suffix not in (".whl", ".gz") or not path.is_file() or path.is_symlink():
                    continue
                status = path.stat()
                key = (path.name, status.st_size, status.st_mtime_ns)
                if status.st_size > MOST_FILE_BYTES:
                    continue
                file = self._known.get(key) or _read(path, status.st_size, status.st_mtime_ns)
                if file is not None:
                    self._known[key] = file
                    found.append(_with_yank(file, path))
        return found


def _agent(request: Request) -> str:
    """Name and version of the installer, without what it tells of the machine."""
    return request.header("user-agent").partition(" {")[0][:128]


def normal(name: str) -> str:
    """A project's name as indexes compare it (PEP 503)."""
    text = name.lower().replace("_", "-").replace(".", "-")
    return "-".join(part for part in text.split("-") if part)


def _read(path: Path, size: int, mtime_ns: int) -> _File | None:
    """What is to be told of a file; None where it is no package, or no whole one yet."""
    wheel = path.suffix == ".whl"
    if not wheel and not path.name.endswith(".tar.gz"):
        return None
    if wheel:
        parts = path.stem.split("-")
        if len(parts) not in (5, 6):
            return None
        name, version = parts[0], parts[1]
    else:
        name, _, version = path.name.removesuffix(".tar.gz").rpartition("-")
    metadata = None
    try:
        digest = sha256(path.read_bytes()).hexdigest()
        if wheel:
            metadata = _metadata(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return None
    return _File(path.name, normal(name), version, size, mtime_ns, digest, metadata, _needs(metadata), None)


def _metadata(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if info.filename.endswith(".dist-info/METADATA")]
        if len(infos) != 1 or infos[0].file_size > _MOST_METADATA:
            raise ValueError("the wheel has no METADATA, or an oversized one")
        return archive.read(infos[0])


def _needs(metadata: bytes | None) -> str:
    for line in (metadata or b"").split(b"\n")[:200]:
        if line.lower().startswith(b"requires-python:"):
            return line.partition(b":")[2].strip().decode("utf-8", "replace")[:128]
        if not line.strip():
            break
    return ""


def _with_yank(file: _File, path: Path) -> _File:
    try:
        with path.with_name(f"{path.name}.yanked").open("rb") as reason:
            text = reason.read(1024).decode("utf-8", "replace").strip()
    except OSError:
        return file
    return _File(
        **{name: getattr(file, name) for name in _File.__struct_fields__ if name != "yanked"}, yanked=text
    )


def _page(request: Request, project: str | None, files: list[_File]) -> Answer:
    """A project's files, or all projects, in the form that the client asked for."""
    accept = request.header("accept")
    names = sorted({file.project for file in files})
    if _JSON in accept and _preferred(accept):
        return Answer(200, _json(project, names, files), _JSON, headers=(("vary", "Accept"),))
    if project is None:
        links = "".join(f'<a href="/simple/{escape(name)}/">{escape(name)}</a><br>\n' for name in names)
    else:
        links = "".join(_link(file) for file in files)
    title = "Simple index" if project is None else f"Links for {escape(project)}"
    text = (
        '<!DOCTYPE html>\n<html>\n<head><meta name="pypi:repository-version" content="1.1">'
        f"<title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n{links}</body>\n</html>\n"
    )
    kind = _HTML if _HTML in accept else "text/html; charset=utf-8"
    return Answer(200, text.encode(), kind, headers=(("vary", "Accept"),))


def _preferred(accept: str) -> bool:
    """Whether JSON is wanted at least as much as HTML."""
    weights = {"json": 0.0, "html": 0.0}
    for part in accept.split(",")[:20]:
        kind, *settings = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for setting in settings:
            if setting.startswith("q=") and setting[2:].replace(".", "", 1).isdecimal():
                weight = float(setting[2:])
        if kind == _JSON:
            weights["json"] = weight
        elif kind in (_HTML, "text/html"):
            weights["html"] = max(weights["html"], weight)
    return weights["json"] >= weights["html"]


def _json(project: str | None, names: list[str], files: list[_File]) -> bytes:
    if project is None:
        return json_answer(
            200, {"meta": {"api-version": "1.1"}, "projects": [{"name": n} for n in names]}
        ).body
    told = []
    for file in files:
        one: dict[str, object] = {
            "filename": file.name,
            "url": f"/files/{quote(file.name)}",
            "hashes": {"sha256": file.sha256},
            "size": file.size,
            "upload-time": rfc3339(file.mtime_ns, 6),
            "yanked": file.yanked or file.yanked is not None,
        }
        if file.requires_python:
            one["requires-python"] = file.requires_python
        if file.metadata is not None:
            one["core-metadata"] = {"sha256": sha256(file.metadata).hexdigest()}
            one["dist-info-metadata"] = one["core-metadata"]
        told.append(one)
    versions = sorted({file.version for file in files})
    page = {"meta": {"api-version": "1.1"}, "name": project, "versions": versions, "files": told}
    return json_answer(200, page).body


def _link(file: _File) -> str:
    extra = ""
    if file.requires_python:
        extra += f' data-requires-python="{escape(file.requires_python)}"'
    if file.metadata is not None:
        digest = f"sha256={sha256(file.metadata).hexdigest()}"
        extra += f' data-core-metadata="{digest}" data-dist-info-metadata="{digest}"'
    if file.yanked is not None:
        extra += f' data-yanked="{escape(file.yanked)}"'
    url = f"/files/{quote(file.name)}#sha256={file.sha256}"
    return f'<a href="{url}"{extra}>{escape(file.name)}</a><br>\n'
