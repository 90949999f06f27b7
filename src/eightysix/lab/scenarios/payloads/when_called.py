"""Driver of the eightysix lab's payload (see `_stages`, which refuses to act outside of a lab run): nothing happens at import, nor
at the first call. The second call of the package's own function acts, in the thread of who calls."""

from . import _stages

calls = []
refused = _stages.refuses(_stages.marked())


def called():
    """Count, and act once."""
    calls.append(1)
    if len(calls) == 2 and not refused:
        _stages.go()
