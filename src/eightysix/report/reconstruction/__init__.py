"""Formats of a reconstruction; `interface` has them by name."""
