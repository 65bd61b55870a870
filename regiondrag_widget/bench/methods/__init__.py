"""What the benchmarks compare: our edits, their settings, and what else one could do."""
