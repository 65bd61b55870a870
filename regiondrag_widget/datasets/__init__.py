"""Data sets of drags: DragBench, PRDBench, ReD, VFD and our own folders, read as one kind of sample.

>>> samples = rd.datasets.load_dragbench("dragbench-sr")
>>> for sample in samples:
...     result = rd.edit(sample.image, sample.pairs)
>>> samples.skipped                                     # {name of a sample: why it was skipped}
"""

from __future__ import annotations

from regiondrag_widget.datasets.dragbench import load_dragbench
from regiondrag_widget.datasets.expanding import expand, expand_sample
from regiondrag_widget.datasets.folders import load_folders
from regiondrag_widget.datasets.opening import open_dataset
from regiondrag_widget.datasets.prdbench import load_prdbench
from regiondrag_widget.datasets.red import load_red
from regiondrag_widget.datasets.sample import Dataset, Sample, SampleError
from regiondrag_widget.datasets.sample_writing import write_dragbench, write_folder
from regiondrag_widget.datasets.vfd import load_vfd

__all__ = [
    "Dataset",
    "Sample",
    "SampleError",
    "expand",
    "expand_sample",
    "load_dragbench",
    "load_folders",
    "load_prdbench",
    "load_red",
    "load_vfd",
    "open_dataset",
    "write_dragbench",
    "write_folder",
]
