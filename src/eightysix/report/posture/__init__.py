"""Formats of a posture; `interface` has them by name."""
