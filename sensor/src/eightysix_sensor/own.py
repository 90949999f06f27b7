"""The builtins as they were when the sensor started.

Every module of the sensor takes them as its own `__builtins__`: what a program puts into `builtins` later is not called
from here.
"""

from __future__ import annotations

import builtins

BUILTINS = dict(vars(builtins))

TYPE_CHECKING = False
"""As in `typing`, whose import would cost more than the whole sensor."""
