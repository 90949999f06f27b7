"""Follows files and folders through rotation, truncation, deletion and restarts: each byte once, none left out.

What is a file here is its inode and its content, not its name; `position` says how it is found again. One thread uses a
`Follower`; nothing in it waits but `wait`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from eightysix.model.incident import Problem
from eightysix.serve.follow.copies import Copies
from eightysix.serve.follow.cutter import Cutter
from eightysix.serve.follow.notify import IDLE_POLL_S, IDLE_S, PACE_S, POLL_S, Wake, Watcher, wait_for
from eightysix.serve.follow.places import Found, Places, is_rotated_name, printable
from eightysix.serve.follow.position import ANCHOR_BYTES, Position
from eightysix.serve.follow.tracked import Tracked
from eightysix.sources.decompress import Limits
from eightysix.sources.lines import Block

__all__ = ["GRACE_S", "MAX_OPEN", "REST_S", "WHOLE_S", "Follower"]

OnProblem = Callable[[Problem], None]

GRACE_S = 5.0
"""A deleted file is kept open until it was quiet for this long: who writes to it may need a moment to open the new one."""

REST_S = 5.0
"""A last line without newline, of a file that was renamed or deleted, is given out after this long."""

WHOLE_S = 1.0
"""The same of any file, where the line is a whole record already."""

MAX_OPEN = 256
"""Files that are held open. Where there are more, the later ones are opened only while they are read, inotify does not
watch them, and what a deleted one had that was not read is lost (and told)."""

_COLD_S = 60.0
_COLD_LOOK_S = 1.0
"""A file that is not held open and was quiet for `_COLD_S` is looked at only every `_COLD_LOOK_S`."""

_TOLD_ONCE = 10_000
"""Files whose refusal is remembered, so that it is told once."""


_COPIED = (
    "was truncated after it had been copied: the rest of it is read from the copy, and here reading begins again at the "
    "start; what was written between copying and truncating is lost"
)
_TRUNCATED = (
    "was truncated or replaced: reading begins again at its start; what had been written after byte {} and was not read "
    "is lost, unless it was copied before"
)
_SHORTENED = "was shortened: what had been written after byte {} and was not read is lost"
_GONE = "is gone, by deletion or rotation: what may have been written after byte {} is lost"


class _Missing(Struct, frozen=True):
    """A file whose content went elsewhere: truncated `in_place`, or gone. `copied` tells that a copy was seen before."""

    told: Position
    in_place: bool = False
    copied: bool = False


class Follower:
    """Follows `paths` (files, folders) on from `positions`.

    A file that is named is read from its beginning, and so is every file in a named folder, the oldest first; what
    rotation made of a named file before the first start is not read. `positions()` belongs to the blocks that `poll`
    gave out so far: commit both together, replacing all positions that were stored, and nothing is lost or repeated
    whenever the process dies.

    `on_problem` hears what could not be read, once for each cause. `clock` counts seconds, `wall_ns` tells the time of
    day as file times do. `wake` ends `wait` from other threads; `inotify=False` always polls. Files in the folders
    `consumed` are deleted only after what was read of them was committed (the receiver's spool), so that they are gone is
    no loss.
    """

    def __init__(
        self,
        paths: Sequence[str],
        positions: Mapping[str, Position],
        limits: Limits,
        on_problem: OnProblem,
        *,
        wake: Wake | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = time.time_ns,
        inotify: bool = True,
        consumed: Sequence[str] = (),
    ) -> None:
        self._limits = limits
        self._on_problem = on_problem
        self._clock = clock
        self._places = Places(paths, on_problem, clock, wall_ns)
        self._watcher = Watcher(use=inotify)
        self._wake = wake
        self._files: dict[str, Tracked] = {}
        ours = {key: told for key, told in positions.items() if key.isdecimal() and _below(told.path, paths)}
        self._copies = Copies({key: told for key, told in ours.items() if told.gone})
        self._saved = {key: told for key, told in ours.items() if not told.gone}
        self._known_paths = {told.path for told in ours.values()}
        self._missing: dict[str, _Missing] = {}
        self._consumed = tuple(printable(folder).rstrip("/") + "/" for folder in consumed)
        self._first = True
        self._refused: set[tuple[int, int]] = set()
        self._next = max(map(int, ours), default=0) + 1
        self._behind = False
        self._careful = True
        self._woken_at = self._busy_at = float("-inf")

    # --- what the main loop calls

    def poll(self, budget_bytes: int) -> list[Block]:
        """Whole new lines since the last poll, of at most about `budget_bytes`; what is older comes first."""
        self._watcher.drain()
        found = self._places.look()
        if found is not None:
            self._arrange(found)
        blocks: list[Block] = []
        ready = self._ready(blocks)
        self._tell_missing()
        left = max(1, budget_bytes)
        for file in ready:
            if left <= 0:
                break
            left = self._read(file, left, blocks)
            if len(self._files) > MAX_OPEN and not file.deleted:
                file.close()
        self._behind = left <= 0
        if blocks:
            self._busy_at = time.monotonic()
        self._tell_missing()
        return blocks

    def positions(self) -> dict[str, Position]:
        """Where reading goes on after the blocks that `poll` gave out: all of it, to replace what was stored."""
        told = {key: file.position() for key, file in self._files.items() if not file.shadows}
        return {**self._saved, **self._copies.gone, **told}

    def wait(self, timeout_s: float, others: Sequence[int] = ()) -> None:
        """Return when there is something to poll, when one of the descriptors `others` can be read, when the wake is
        set, or after `timeout_s`."""
        if not self._behind:
            pause = min(self._woken_at + PACE_S - time.monotonic(), timeout_s)
            if pause > 0:
                time.sleep(pause)
            poll_s = IDLE_POLL_S if time.monotonic() - self._busy_at > IDLE_S else POLL_S
            left = timeout_s - max(0.0, pause)
            wait_for(left, others, self._wake, self._watcher, self._stirred, poll_s=poll_s)
        self._woken_at = time.monotonic()

    def lag_bytes(self) -> int:
        """Bytes that are there and were not read yet, as of the last poll."""
        return sum(file.behind() for file in self._files.values())

    def lags(self) -> dict[str, int]:
        """The same by the name that blocks have."""
        lags: dict[str, int] = {}
        for file in self._files.values():
            if not file.finished:
                lags[file.cutter.name] = lags.get(file.cutter.name, 0) + file.behind()
        return lags

    def close(self) -> None:
        """Give all descriptors back."""
        for file in self._files.values():
            file.close()
        self._watcher.close()

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- which files there are

    def _arrange(self, found: Sequence[Found]) -> None:
        """Take note of files that came, went and moved."""
        by_inode = {(each.dev, each.ino): each for each in found}
        for file in self._files.values():
            each = by_inode.pop((file.dev, file.ino), None)
            path = each.path if each else ""
            file.moved = file.moved or path != file.path
            file.path = path
        saved = {(told.dev, told.ino): key for key, told in self._saved.items()}
        for each in by_inode.values():
            self._adopt(each, saved.get((each.dev, each.ino), ""))
        if self._first:
            self._first = False
            for key, told in self._saved.items():
                self._forget(key, told)
            self._saved = {}
        busy = [file.path for file in self._files.values() if file.path and file.descriptor >= 0]
        self._watcher.watch(busy, self._places.folders())

    def _adopt(self, found: Found, saved: str) -> None:
        """Begin to follow a file, or go on with it at the position `saved`."""
        told = self._saved.get(saved)
        cutter = Cutter(told.path if told else printable(found.path), self._limits, self._on_problem)
        key = saved or str(self._next)
        try:
            file = Tracked(key, found, cutter, self._limits)
            self._next += not saved
            if told is not None:
                self._resume(file, told)
            elif self._first and found.of and printable(found.of) not in self._known_paths:
                self._leave_out(file)
        except OSError as error:
            self._refuse(found, error)
            return
        self._refused.discard((found.dev, found.ino))
        self._saved.pop(saved, None)
        self._files[key] = file
        if len(self._files) > MAX_OPEN:
            file.close()

    def _resume(self, file: Tracked, told: Position) -> None:
        file.look(self._clock())
        file.tell_kind()
        anchors = file.fits(told)
        if anchors is None:
            self._forget(self._new_key(), told, in_place=printable(file.path) == told.path)
            return
        file.head, tail = anchors
        file.cutter.resume(told.offset, told.line, tail, skipping=told.skipping)
        file.finished = told.finished
        file.decided = told.offset > 0

    def _leave_out(self, file: Tracked) -> None:
        """A file that rotation left behind before the first start: known, so that its copies are, but not read."""
        file.look(self._clock())
        file.tell_kind()
        file.decided = file.finished = True
        if file.kind == "packed":
            file.packed()
        elif file.kind == "text":
            count = min(ANCHOR_BYTES, file.size)
            file.head = file.pread(count, 0)
            file.cutter.resume(file.size, 1, file.pread(count, file.size - count), skipping=False)

    def _refuse(self, found: Found, error: OSError) -> None:
        if isinstance(error, FileNotFoundError) or (found.dev, found.ino) in self._refused:
            return
        if len(self._refused) < _TOLD_ONCE:
            self._refused.add((found.dev, found.ino))
            reason = f"{error.strerror or 'cannot be read'}: trying again"
            self._on_problem(Problem(printable(found.path), 0, "unreadable", reason))

    def _new_key(self) -> str:
        self._next += 1
        return str(self._next - 1)

    # --- what there is to read

    def _ready(self, blocks: list[Block]) -> list[Tracked]:
        """Files with something to read, the oldest first; ends those that ended, with what they left."""
        now = self._clock()
        ready = []
        opened = 0
        # Whether a new file is a copy can only be told while what is known of the others is right.
        self._careful = not all(file.decided for file in self._files.values())
        for file in list(self._files.values()):
            quiet = now - file.changed_at
            kept = file.descriptor >= 0 and not file.finished
            if not kept and quiet > _COLD_S and now - file.looked_at < _COLD_LOOK_S and not file.behind():
                continue
            try:
                if self._look(file, now):
                    ready.append(file)
                else:
                    blocks += self._rest(file, now)
                    self._retire(file, now)
            except OSError as error:
                self._lose(file, error)
            opened += file.descriptor >= 0
            if not file.deleted and (file.finished or opened > MAX_OPEN):
                opened -= file.descriptor >= 0
                file.close()
        return sorted(ready, key=lambda file: (file.mtime_ns, not file.moved))

    def _look(self, file: Tracked, now: float) -> bool:
        """Whether there is something to read in `file`, after finding out what it is."""
        changed = file.look(now)
        if changed and file.kind in ("", "text"):
            if file.size > file.cutter.end and not file.shrank and not self._careful:
                pass  # reading the next bytes tells whether those before them are still the same
            elif not file.unchanged() or (file.shrank and not file.cutter.end):
                self._restart(file)
            elif file.shrank:
                self._tell(file.position(), _SHORTENED)
        if not file.kind and (other := file.tell_kind()):
            reason = f"looks like {other}, not like JSON Lines: it is not followed"
            self._on_problem(Problem(file.cutter.name, 0, "unreadable", reason))
        if file.kind in ("", "other"):
            return False
        if not file.decided:
            original = self._files.get(file.shadows)
            if changed or original is None or file.compared != (original.size, original.mtime_ns):
                self._copies.decide(file, self._files, settled=now - file.changed_at >= GRACE_S)
        if not file.decided:
            return False
        if file.finished:
            if file.kind == "packed" or file.size <= file.cutter.end:
                return False
            file.finished = False  # somebody wrote to it after all
        if file.kind == "packed" and changed:
            file.packed(again=True)
            file.packed().skip(file.cutter.end)
        return file.behind() > 0

    def _read(self, file: Tracked, budget: int, blocks: list[Block]) -> int:
        """Read what `budget` allows and give what is left of it."""
        try:
            while budget > 0:
                count = min(budget, self._limits.block_bytes)
                data = file.read(count)
                if data is None:
                    self._restart(file)
                    if not self._look(file, file.looked_at):
                        break
                    continue
                if not data:
                    self._end_packed(file, blocks)
                    break
                budget -= len(data)
                file.take_head(data)
                blocks += file.cutter.take(data)
                if file.kind == "text" and len(data) < count:
                    break
        except OSError as error:
            self._lose(file, error)
        return budget

    def _end_packed(self, file: Tracked, blocks: list[Block]) -> None:
        """The end of a compressed file: of one that is still being written, or damaged, more may come."""
        if file.kind != "packed":
            return
        failure = file.packed().state.failure
        if not failure:
            blocks += file.cutter.rest()
            file.finished = True
        elif file.tried_at != file.size:
            file.tried_at = file.size
            self._on_problem(Problem(file.cutter.name, file.cutter.line, "unreadable", failure))

    def _restart(self, file: Tracked) -> None:
        """Its content is another one now: truncated, or its inode given to a new file."""
        told = file.position(gone=True)
        copied = any(other.shadows == file.key for other in self._files.values())
        file.restart()
        self._forget(self._new_key(), told, in_place=True, copied=copied)
        for other in self._files.values():
            if other.shadows == file.key:
                self._copies.decide(other, self._files)

    def _forget(self, key: str, told: Position, *, in_place: bool = False, copied: bool = False) -> None:
        """What was read up to `told` is no longer where it was; whether a copy has it is known when all were looked at."""
        self._copies.remember(key, told)
        if not told.finished:
            self._missing[key] = _Missing(told, in_place, copied)

    def _tell_missing(self) -> None:
        """Say what became of files that are gone or were truncated."""
        for key, missing in self._missing.items():
            told = missing.told
            copied = key not in self._copies.gone if told.offset else missing.copied
            if missing.in_place:
                reason = _COPIED if copied else _TRUNCATED
            elif copied or not told.offset or told.path.startswith(self._consumed):
                continue
            else:
                reason = _GONE
            self._tell(told, reason)
        self._missing = {}

    def _tell(self, told: Position, reason: str) -> None:
        self._on_problem(Problem(told.path, told.line, "unreadable", reason.format(told.offset)))

    # --- how files end

    def _rest(self, file: Tracked, now: float) -> list[Block]:
        """A last line that nobody will end."""
        if not file.cutter.held_bytes or file.behind() or file.kind != "text":
            return []
        quiet = now - file.changed_at
        if file.moved or file.deleted:
            return file.cutter.rest() if quiet >= REST_S else []
        if quiet >= WHOLE_S and file.tried_at != file.cutter.end:
            file.tried_at = file.cutter.end
            if file.cutter.whole_record():
                return file.cutter.rest()
        return []

    def _retire(self, file: Tracked, now: float) -> None:
        """Let go of a file that is no longer there, once all of it was read and nobody writes to it any more; of one
        that was renamed and is quiet, that all of it was read is remembered."""
        if (
            file.moved
            and file.kind == "text"
            and now - file.changed_at > _COLD_S
            and not file.cutter.held_bytes
        ):
            file.finished = not file.behind()
        if (file.path and not file.deleted) or now - file.changed_at < GRACE_S or file.cutter.held_bytes:
            return
        del self._files[file.key]
        file.finished = file.finished or not file.behind()
        if not file.shadows:
            self._copies.remember(file.key, file.position(gone=True))
        file.close()

    def _lose(self, file: Tracked, error: OSError) -> None:
        """It cannot be read on. Where it vanished while it was closed, what was written since is told as lost."""
        if not isinstance(error, FileNotFoundError):
            file.close()  # a descriptor can go stale (NFS): the next look opens it anew
            self._refuse(Found(file.path or file.cutter.name, file.dev, file.ino, 0, 0), error)
            return
        if file.path and file.descriptor < 0 and os.path.exists(file.path):
            return  # it moved: the next look at the places finds it
        del self._files[file.key]
        self._forget(file.key, file.position(gone=True))
        file.close()

    def _stirred(self) -> bool:
        """Whether something changed since the last poll, without taking note of it."""
        for file in self._files.values():
            if file.descriptor >= 0 and not file.finished:
                status = os.fstat(file.descriptor)
                if (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns):
                    return True
        return self._places.stirred()


def _below(name: str, paths: Sequence[str]) -> bool:
    """Whether what blocks call `name` is one of `paths`, lies in one, or was made of one by rotation: others are no
    longer followed."""
    for path in paths:
        shown, real = printable(path), printable(os.path.realpath(path))
        if name == shown or name.startswith(shown.rstrip("/") + "/"):
            return True
        if os.path.dirname(name) == os.path.dirname(real) and is_rotated_name(
            os.path.basename(real), os.path.basename(name)
        ):
            return True
    return False
