"""Readers of configuration and documents around a model: JSON, YAML, templates, notebooks, tables."""
