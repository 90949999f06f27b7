"""The audit hook: one look-up, one quick question, and only then the work. No exception of ours leaves it."""

from __future__ import annotations

import sys
from _thread import get_ident

from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Tuple

    from eightysix_sensor.core import Core
    from eightysix_sensor.events import Handler, Skips

_frame = sys._getframe


def make_hook(
    core: Core, table: Dict[str, Tuple[Skips, Handler]], own_folder: str
) -> Callable[[str, Tuple[Any, ...]], None]:
    """The hook over `table`. All that it needs is in its cells."""
    questions = {event: skips for event, (skips, _) in table.items()}
    handlers = {event: handler for event, (_, handler) in table.items()}
    get = questions.get
    busy = core.busy
    ours = (own_folder + "/", "<frozen ")

    def hook(event: str, args: Tuple[Any, ...]) -> None:
        skips = get(event)
        if skips is None:
            return
        here = 0
        try:
            if skips(args):
                return
            here = get_ident()
            if here in busy:
                here = 0
                return
            busy[here] = True
            handlers[event](args, _frame().f_back)
        except Exception as error:
            if _is_foreign(error, ours):
                raise
            core.failed(error)
        finally:
            if here:
                busy.pop(here, None)

    return hook


def _is_foreign(error: BaseException, ours: Tuple[str, ...]) -> bool:
    """Whether an exception came out of code that is not ours: a signal's handler that ran in the middle of the hook. It is
    meant for the program (a deadline, for one), so it goes on to there. Such ones that are no `Exception` always do."""
    trace = error.__traceback__
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    file = trace.tb_frame.f_code.co_filename
    return type(file) is str and not file.startswith(ours)
