"""The rules of the scan: what each finding means. One module a family; the docs pages are generated from here."""

from eightysix.scan.catalog.rule import ScanRule
from eightysix.scan.catalog.table import rule, rules, rules_version

__all__ = ["ScanRule", "rule", "rules", "rules_version"]
