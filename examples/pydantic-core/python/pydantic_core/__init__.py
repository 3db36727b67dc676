"""Stands in for pydantic-core."""
