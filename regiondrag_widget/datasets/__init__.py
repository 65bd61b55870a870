"""Data sets of drags: DragBench, PRDBench, ReD, VFD and our own folders, read as one kind of sample.

>>> samples = rd.datasets.load_dragbench("dragbench-sr")
>>> for sample in samples:
...     result = rd.edit(sample.image, sample.pairs)
>>> samples.skipped                                     # {name of a sample: why it was skipped}
"""

from __future__ import annotations

from regiondrag_widget.datasets.dragbench import load_dragbench
from regiondrag_widget.datasets.folders import load_folders
from regiondrag_widget.datasets.sample import Dataset, Sample, SampleError
from regiondrag_widget.datasets.sample_writing import write_dragbench, write_folder

__all__ = [
    "Dataset",
    "Sample",
    "SampleError",
    "load_dragbench",
    "load_folders",
    "write_dragbench",
    "write_folder",
]
