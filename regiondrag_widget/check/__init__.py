"""``regiondrag check``: whether everything works on this machine, part by part, in words."""
