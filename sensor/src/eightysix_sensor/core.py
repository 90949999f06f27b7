"""The one object of a process: takes what a handler found, adds whose code it was, and sends it within the bounds."""

from __future__ import annotations

import sys
from _thread import get_ident, get_native_id
from posix import stat as stat_of
from time import monotonic, time_ns

from eightysix_sensor.limits import IMPORTANT, ORDINARY, Bucket, Recent
from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING
from eightysix_sensor.record import VERSION, boot_id, identity, members
from eightysix_sensor.transport import MAX_RECORD

if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Callable, Dict, Optional

    from eightysix_sensor.attribution import Attribution, Origin, Steps
    from eightysix_sensor.transport import Transport

HEARTBEAT_S = 30.0
KILL_FILE = "/run/eightysix/disable"
_LOOK_S = 5.0
REPEAT_S = 10.0
"""The same act from the same stack is told once in this time; the rest is counted."""

HOT = 64
"""An act that is repeated more often in ten seconds is sampled from then on (judged)."""

_MAX_RECENT = 4096
_ABORTS = sys.version_info < (3, 10)


class Core:
    """What a process knows and counts."""

    def __init__(self, transport: Transport, attribution: Attribution, native: Any) -> None:
        self.attribution = attribution
        self.native = native
        self.origins: Dict[int, Origin] = {}
        self.loading: Dict[int, Dict[str, int]] = {}
        self.busy: Dict[int, bool] = {}
        self.off = False
        self.housekeeping: Callable[[float], None] = _nothing
        self._transport = transport
        self._boot_id = boot_id()
        self._identity = identity(self._boot_id)
        self._recent = Recent(_MAX_RECENT)
        self._hot: Dict[Any, int] = {}
        self._hot_until = 0.0
        self._ordinary = Bucket(*ORDINARY)
        self._important = Bucket(*IMPORTANT)
        self._counts = {"sent": 0, "dropped": 0, "capped": 0, "repeats": 0, "errors": 0}
        self._seq = 0
        self._told = monotonic()
        self._looked = monotonic()
        seal = getattr(native, "seal", None)
        self.seal: Callable[[Any, str, str], Any] = seal if callable(seal) else _open
        numbers = getattr(native, "next_number", None)
        hush = getattr(native, "hush", None)
        self._hush: Optional[Callable[[int], Any]] = hush if callable(hush) else None
        self._next: Callable[[], int] = numbers if callable(numbers) else self._count_up

    def emit(
        self,
        event: str,
        fields: Dict[str, Any],
        frame: Optional[FrameType],
        important: bool = False,
        key: Any = None,
        seconds: float = REPEAT_S,
    ) -> None:
        """Send one record, if it is none of those that were just told (`key`) and its bucket has room."""
        steps = self.news(event, key, frame, seconds)
        if steps is not None:
            self.tell(event, fields, steps, important)

    def news(
        self, event: str, key: Any, frame: Optional[FrameType], seconds: float = REPEAT_S
    ) -> Optional[Steps]:
        """The stack, if `key` (unless it is None) was not told from it in the last `seconds`. What is known of an act before
        anything is worked out belongs here: a loop of requests asks it at each turn."""
        now = monotonic()
        if self.off or (now - self._looked > _LOOK_S and self._is_killed(now)):
            return None
        if key is None:
            return self.attribution.walk(frame)
        hush = self._hush
        if hush is None and self._is_hot((event, key), now):
            self._counts["repeats"] += 1
            return None
        steps, kept = self.attribution.walk_kept(frame)
        origin = self.origins.get(get_ident())
        left = self._recent.left((event, key, steps, origin and origin.key), now, seconds)
        if hush is not None and kept:
            hush(int((left or seconds) * 1000))
        if not left:
            return steps
        self._counts["repeats"] += 1
        return None

    def _is_hot(self, act: Any, now: float) -> bool:
        """Whether an act was asked about so often in these ten seconds that only every eighth time is looked at whose it is."""
        hot = self._hot
        if now > self._hot_until or len(hot) >= _MAX_RECENT:
            hot.clear()
            self._hot_until = now + REPEAT_S
        count = hot[act] = hot.get(act, 0) + 1
        return count > HOT and bool(count & 7)

    def tell(self, event: str, fields: Dict[str, Any], steps: Steps, important: bool) -> None:
        """Send one record of a stack, if its bucket has room."""
        now = monotonic()
        if not (self._important if important else self._ordinary).take(now):
            self._counts["capped"] += 1
            return
        stack = self.attribution.stack(steps, self.origins.get(get_ident()))
        if stack.dynamic:
            fields["dyn"] = True
        self.send(event, stack.told, stack.dists_told(), fields)
        if now - self._told > HEARTBEAT_S:
            self.heartbeat()
            self.housekeeping(now)

    def send(self, event: str, told: str, dists: str, fields: Dict[str, Any]) -> bool:
        """Put a record together and send it. What is too long loses what it was about, not who did it."""
        head = '{"v":%d,"t_ns":%d,%s,"tid":%d,"seq":%d,"event":"%s",%s,"dists":[%s]' % (
            VERSION, time_ns(), self._identity, get_native_id(), self._next(), event, told, dists,
        )  # fmt: skip
        line = head + members(fields) + "}"
        if len(line) > MAX_RECORD:
            line = head + ',"cut":true}'
        sent = self._transport.send(line.encode("ascii", "replace"))
        self._counts["sent" if sent else "dropped"] += 1
        return sent

    def heartbeat(self, last: bool = False) -> None:
        """Tell the counts, so that a gap can be told from silence."""
        self._told = monotonic()
        fields: Dict[str, Any] = dict(self._counts)
        if self.native is not None:
            stats = getattr(self.native, "stats", None)
            fields["native"] = stats() if callable(stats) else None
        if last:
            fields["last"] = True
        self.send("heartbeat", NOBODY, "", fields)

    def guarded(self, act: Callable[[], Any]) -> None:
        """Do something of our own: its audit events are not told, its failure is counted."""
        here = get_ident()
        if here in self.busy or self.off:
            return
        self.busy[here] = True
        try:
            act()
        except Exception as error:  # noqa: BLE001 - the host goes on
            self.failed(error)
        finally:
            self.busy.pop(here, None)

    def failed(self, error: BaseException) -> None:
        """Count a failure of the sensor's own. Python 3.8 and 3.9 abort soon after a RecursionError was swallowed, so there
        it goes on: the program is at its limit itself."""
        self._counts["errors"] += 1
        if _ABORTS and issubclass(type(error), RecursionError):
            raise error

    def loading_file(self) -> Optional[Dict[str, int]]:
        """The file that a loader reads on this thread."""
        return self.loading.get(get_ident())

    def forked(self) -> None:
        """In a child: nothing of the parent's threads goes on. No lock is held anywhere, so none can be stuck."""
        here = get_ident()
        self.busy.clear()
        self.loading.clear()
        mine = self.origins.get(here)
        self.origins.clear()
        if mine is not None:
            self.origins[here] = mine
        self._identity = identity(self._boot_id)
        self._recent.forget()  # what the parent told is not told of this process
        forget = getattr(self.native, "forget_repeats", None)
        if callable(forget):
            forget()
        self._seq = 0
        self._counts.update(sent=0, dropped=0, capped=0, repeats=0, errors=0)
        self._told = monotonic()

    def _is_killed(self, now: float) -> bool:
        """Look for the kill switch; the sensor stays off once it was there."""
        self._looked = now
        try:
            stat_of(KILL_FILE)
        except OSError:
            return False
        self.off = True
        return True

    def _count_up(self) -> int:
        number = self._seq
        self._seq = number + 1
        return number


NOBODY = '"chain":[],"root":"","at_import":""'
"""Of records that no code asked for."""


def _open(called: Any, name: str, module: str) -> Any:
    """Without the native part everybody who looks finds what is behind a function."""
    return called


def _nothing(now: float) -> None:
    """No housekeeping yet."""
