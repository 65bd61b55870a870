"""The notebook widget: its document, its messages, its one inference thread, and read-only views.

The public names are `regiondrag_widget.RegionDragWidget` and `regiondrag_widget.views`.
"""
