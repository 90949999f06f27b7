"""The extra `hunt`, imported on use: DuckDB takes 60 MB and a tenth of a second that no other command should pay."""

from __future__ import annotations

from types import ModuleType

from eightysix.model.errors import MissingExtraError

__all__ = ["duckdb_module", "translator_module"]

_WHAT = "running KQL here needs DuckDB and a translator"
_ADVICE = "Install them: pip install 'eightysix[hunt]'"


def duckdb_module() -> ModuleType:
    """DuckDB, or `MissingExtraError`."""
    try:
        import duckdb
    except ImportError:
        raise MissingExtraError(_WHAT, _ADVICE) from None
    return duckdb


def translator_module() -> ModuleType:
    """duckdb-kql with the functions of ours, or `MissingExtraError`."""
    try:
        import duckdb_kql

        from eightysix.hunt.functions import add
    except ImportError:
        raise MissingExtraError(_WHAT, _ADVICE) from None
    add()
    return duckdb_kql
