"""Writes the snapshot of advisories that `scan --environment` compares with."""
