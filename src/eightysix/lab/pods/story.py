"""The story of a run while it happens: steps of the script, and marks of what the services saw, second by second."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

__all__ = ["Story", "Teller", "sentence"]

Teller = Callable[[float, str, str], None]
"""Hears of one thing: seconds since the run's first step by the run's clock, `step` or the mark's name, and a sentence."""

_LOOK_S = 0.05

_SENTENCES: Mapping[str, str] = {
    "metadata-token": "the metadata service gives out a token for {resource}",
    "metadata-denied": "the metadata service is denied to {peer}",
    "entra-token": "the login endpoint gives out a token ({grant})",
    "arm-call": "Azure Resource Manager is called: {operation}",
    "storage": "storage is called: {operation} {object}",
    "sink": "{size} bytes arrive at the sink",
    "index-download": "{file} is downloaded",
    "registry-push": "{repository}:{tag} is pushed by {identity}",
    "registry-pull": "{repository}:{tag} is pulled",
    "api-list-secrets": "the API server lists the secrets of {namespace} for {user}",
    "api-secret": "the API server gives the secret {namespace}/{name} to {user}",
    "api-token-request": "the API server mints a token of {namespace}/{name} for {user}",
    "api-pod-created": "a pod {namespace}/{name} is made through the API by {user}",
}
"""Marks that are told. Others repeat what a step says, or are too many."""


def sentence(mark: Mapping[str, object]) -> str:
    """What a mark says in words; empty where it is not told."""
    form = _SENTENCES.get(str(mark.get("mark", "")), "")
    return form.format_map(_Known(mark))


class _Known(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


class Story:
    """Follows `truth` while it is entered, and passes on what is told."""

    def __init__(self, truth: Path, tell: Teller) -> None:
        self._truth = truth
        self._tell = tell
        self._began_ns = 0
        self._ahead_ns = 0
        self._offset = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="story", daemon=True)

    def step(self, text: str) -> None:
        """Tell a step of the script, after what the services saw before it."""
        now = time.time_ns()
        with self._lock:
            self._read()
            self._began_ns = self._began_ns or now
            self._tell((now + self._ahead_ns - self._began_ns) / 1e9, "step", text)

    def _follow(self) -> None:
        while not self._ended.wait(_LOOK_S):
            with self._lock:
                self._read()

    def _read(self) -> None:
        try:
            with self._truth.open("rb") as file:
                file.seek(self._offset)
                text = file.read(1 << 20)
        except FileNotFoundError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            self._mark(json.loads(line))

    def _mark(self, mark: Mapping[str, object]) -> None:
        at, seconds = mark.get("t_ns"), mark.get("seconds")
        if mark.get("mark") == "leap" and isinstance(seconds, int | float):
            self._ahead_ns += int(seconds * 1e9)
        text = sentence(mark)
        if text and isinstance(at, int):
            self._tell((at - (self._began_ns or at)) / 1e9, str(mark["mark"]), text)

    def __enter__(self) -> Story:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        with self._lock:
            self._read()
