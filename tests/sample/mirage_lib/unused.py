"""Loaded by no chapter."""
