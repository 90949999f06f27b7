"""eightysix-sensor: tells which package's code acts inside of a Python process. Nothing happens on import; see `boot`."""

__version__ = "0.1.0"
