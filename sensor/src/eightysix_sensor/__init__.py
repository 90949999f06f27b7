"""Tells which package's code acts inside of a Python process: the audit-hook sensor of eightysix."""

__version__ = "0.1.0"
