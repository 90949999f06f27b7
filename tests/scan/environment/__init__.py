"""Tests of `eightysix.scan.environment`."""
