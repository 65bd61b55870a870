"""Training the bundled model; not part of the installed package."""
