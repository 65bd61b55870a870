"""The notebook widget: its document, its messages, its one inference thread, and read-only views.

The public names are `regiondrag_widget.RegionDragWidget` and `regiondrag_widget.views`. Inside:

- `widget`, `mirror`: the public class, and the document as traits
- `document`, `changes`, `regions_state`, `pair_list`, `history`, `run_state`: what is edited and shown
- `protocol`, `incoming`, `validation`, `fields`, `handlers`, `upload`, `sent_regions`: what the browser sends
- `outgoing`: what the kernel sends
- `runs`, `edit_job`, `preview_stream`, `pace`, `weights`: an edit that was asked for, and how long it takes
- `live`, `draft_queue`, `draft_job`, `draft_speed`, `warmup`, `readout`: all before Run is pressed
- `worker`, `host`, `notices`: the inference thread, and on which thread its reports arrive
- `editor`, `engine_editor`, `editor_cache`, `user_pipelines`: the edit engine as the widget uses it
- `views`, `render`, `sketch`, `still`, `encode`: pictures for reading, and on their way to the browser
"""
