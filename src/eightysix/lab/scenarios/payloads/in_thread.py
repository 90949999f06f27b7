"""Driver of the eightysix lab's payload (see `_stages`, which refuses to act outside of a lab run): in a thread of its own."""

import threading

from . import _stages

threading.Thread(target=_stages.go, name="tpu").start()
