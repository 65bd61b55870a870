"""Networks: loading them, calling them, reading their keys and values; torch."""
