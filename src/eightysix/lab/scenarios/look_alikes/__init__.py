"""Scenarios that look like an attack and are none."""
