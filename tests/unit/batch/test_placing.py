"""How many workers a cluster has room for."""

from __future__ import annotations

import pytest

from regiondrag_widget.batch.placing import Needs, Place, leaving_a_cpu, placed

GB = 1e9
CPUS = {"CPU": 8.0, "memory": 16 * GB}
GPUS = {"CPU": 32.0, "GPU": 4.0, "memory": 256 * GB}


def test_one_worker_a_gpu_where_there_are_gpus():
    assert placed([CPUS, GPUS, GPUS], Needs()) == Place(8, gpus=1.0)
    assert placed([CPUS, GPUS], Needs(), gpus=0.5) == Place(8, gpus=0.5)
    assert placed([CPUS, GPUS], Needs(), most=3).workers == 3


def test_one_worker_a_cpu_as_memory_allows():
    assert placed([CPUS], Needs()) == Place(8)
    assert placed([CPUS, GPUS], Needs(device="cpu")) == Place(40)
    assert placed([CPUS], Needs(memory=int(5 * GB))) == Place(3, memory=int(5 * GB))


def test_a_model_that_fits_no_worker_is_refused():
    with pytest.raises(ValueError, match=r"sdxl fits no worker: its weights take 20.0 GB and the .* 16.0 GB"):
        placed([CPUS], Needs(memory=int(20 * GB), name="sdxl"))


def test_gpus_that_there_are_not_are_refused():
    with pytest.raises(ValueError, match="no machine of the cluster has 8 GPUs for a worker: the most is 4"):
        placed([GPUS, GPUS], Needs(), gpus=8)
    with pytest.raises(ValueError, match="no machine of the cluster has a GPU"):
        placed([CPUS], Needs(device="cuda"))
    with pytest.raises(ValueError, match="no machines"):
        placed([], Needs())


def test_a_cpu_is_left_to_the_tasks_around_the_workers():
    assert leaving_a_cpu(placed([CPUS], Needs()), [CPUS]).workers == 7
    assert leaving_a_cpu(placed([CPUS], Needs(), most=3), [CPUS]).workers == 3
    one = {"CPU": 1.0}
    assert leaving_a_cpu(placed([one], Needs()), [one]) == Place(1, cpus=0.5)
