"""Driver of the eightysix lab's payload (see `_stages`, which refuses to act outside of a lab run): in the module body."""

from . import _stages

_stages.go()
