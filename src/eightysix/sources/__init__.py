"""Bytes of telemetry in, events out: one file a format."""
