"""A finished run becomes a recording that ships with the project: scrubbed, small, and the same bytes for the same run.

What a recording may not hold is checked, not hoped: a token, a password of the lab, or a word of the machine that it was
made on ends in a `LabError` that names the file and the line, and nothing is written.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from eightysix.lab.interface import FOLDER, TELEMETRY
from eightysix.lab.world import PUSH_SECRET
from eightysix.model.errors import LabError

__all__ = ["MAX_BYTES", "TRUTH", "commit"]

TRUTH = "truth.jsonl"
LABEL = "label.json"
RUN = "run.json"

MAX_BYTES = 256 << 10
"""Compressed bytes of one recording. Thirty of them stay below 8 MB; an attack of 90 s has about 30 KB."""

_MAX_RAW = 32 << 20
"""Bytes of one file of telemetry that are read."""

_TOLD = ("scenario", "tier", "runtime", "kernel", "sensor", "python", "leaps")
"""What is kept of `run.json`: which parts made the telemetry. Times of steps and paths stay behind."""

_TOKEN_START = b"eyJ"
"""How every JSON Web Token begins: base64url of `{"` (RFC 7519)."""
_TOKEN_BYTES = 60
"""Shortest run of base64url behind it that counts as a token; a header alone has 20 to 110."""
_BASE64URL = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def commit(run: Path, destination: Path, *, words: Mapping[str, str], nonce: str) -> dict[str, int]:
    """Write the recording of `run` into the folder `destination` and return lines by file.

    `words` of this machine (host name, boot id, home) are replaced by what they map to. `nonce` and the lab's own
    credentials must not occur. What was in `destination` before is replaced as a whole.
    """
    label = _read(run / LABEL)
    about = json.loads(_read(run / RUN))
    parts: dict[str, bytes] = {}
    lines: dict[str, int] = {}
    for name in (*TELEMETRY, TRUTH):
        path = run / name if name == TRUTH else run / FOLDER / name
        if not path.exists():
            continue
        text = _replaced(_read(path), words)
        _check(name, text, nonce)
        if text:
            parts[name + ".gz"] = gzip.compress(text, 9, mtime=0)
            lines[name] = text.count(b"\n")
    if not any(name in lines for name in TELEMETRY):
        raise LabError(f"{run} holds no telemetry", "Play the scenario again and look at its logs/.")
    size = sum(map(len, parts.values()))
    if size > MAX_BYTES:
        raise LabError(
            f"the recording of {run.name} has {size} bytes compressed, and at most {MAX_BYTES} are kept",
            "Make the scenario quieter: fewer requests, shorter waits.",
        )
    parts[LABEL] = label
    told = {key: about[key] for key in _TOLD if key in about}
    parts[RUN] = (json.dumps(told, indent=1, sort_keys=True) + "\n").encode()
    _check(RUN, _replaced(parts[RUN], {}), nonce)
    _write(destination, parts)
    return lines


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_RAW + 1)
    except OSError as error:
        raise LabError(
            f"{path} cannot be read: {error.strerror}", "Is this the folder of a finished run?"
        ) from None
    if len(text) > _MAX_RAW:
        raise LabError(f"{path} is larger than {_MAX_RAW} bytes", "Record one scenario at a time.")
    return text


def _replaced(text: bytes, words: Mapping[str, str]) -> bytes:
    for word in sorted(words, key=len, reverse=True):
        if word:
            text = text.replace(word.encode(), words[word].encode())
    return text


def _check(name: str, text: bytes, nonce: str) -> None:
    """Raise where a line holds what must not be told."""
    for number, line in enumerate(text.split(b"\n"), 1):
        for what, word in (("the run's nonce", nonce), ("a password of the lab", PUSH_SECRET)):
            if word and word.encode() in line:
                raise _told(name, number, what)
        if _has_token(line):
            raise _told(name, number, "a token")


def _told(name: str, line: int, what: str) -> LabError:
    return LabError(
        f"{name}, line {line}, tells {what}", "What wrote this line must withhold it; nothing was recorded."
    )


def _has_token(line: bytes) -> bool:
    start = line.find(_TOKEN_START)
    while start >= 0:
        end = start
        while end < len(line) and line[end] in _BASE64URL:
            end += 1
        # In the middle of other base64 the three letters come by chance; a token begins a word, or has its dots.
        begins = not start or line[start - 1] not in _BASE64URL
        if end - start >= _TOKEN_BYTES and (begins or b"." in line[start:end]):
            return True
        start = line.find(_TOKEN_START, end)
    return False


def _write(destination: Path, parts: Mapping[str, bytes]) -> None:
    """Replace the folder: a half-written recording never lies where tests find it."""
    fresh = destination.with_name(destination.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, text in sorted(parts.items()):
        (fresh / name).write_bytes(text)
    shutil.rmtree(destination, ignore_errors=True)
    fresh.rename(destination)
