"""Tests of `eightysix.scan.agent`."""
