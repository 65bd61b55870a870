"""`regiondrag bench truth`: edits measured against a truth that is known."""
