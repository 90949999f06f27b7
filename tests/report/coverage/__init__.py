"""Formats of coverage."""
