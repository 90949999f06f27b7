"""Decisions of the gate, in the formats that people and pipelines read."""
