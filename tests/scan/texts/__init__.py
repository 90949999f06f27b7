"""Tests of `eightysix.scan.texts`."""
