"""How an edit is done: torch, no widget."""
