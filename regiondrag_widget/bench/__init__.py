"""Benchmarks: edits measured against a truth that is known, and how long they take."""
