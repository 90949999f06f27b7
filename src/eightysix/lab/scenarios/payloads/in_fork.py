"""Driver of the eightysix lab's payload (see `_stages`, which refuses to act outside of a lab run): in a forked child, which has the
server's image, name and memory."""

import os

from . import _stages

if not _stages.refuses(_stages.marked()) and os.fork() == 0:
    try:
        _stages.go()
    finally:
        os._exit(0)
