"""How many workers a cluster has room for, and what each of them gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["Needs", "Place", "leaving_a_cpu", "machines_of", "placed"]


@dataclass(frozen=True)
class Needs:
    """What one worker needs.

    Attributes
    ----------
    memory : int
        Bytes for the model's weights; 0 where they are not known.
    device : str, optional
        "cpu" or "cuda"; None takes GPUs where there are any.
    name : str
        The model, for messages.
    """

    memory: int = 0
    device: str | None = None
    name: str = "the model"


@dataclass(frozen=True)
class Place:
    """What is asked of a cluster.

    Attributes
    ----------
    workers : int
        How many at once.
    cpus, gpus : float
        CPUs and GPUs of each.
    memory : int
        Bytes of the machine's memory that each reserves; 0 reserves none.
    """

    workers: int
    cpus: float = 1.0
    gpus: float = 0.0
    memory: int = 0


def placed(
    machines: Iterable[Mapping[str, float]], needs: Needs, most: int | None = None, gpus: float | None = None
) -> Place:
    """Choose the workers for a cluster: one a GPU where there are GPUs, else one a CPU as memory allows.

    Parameters
    ----------
    machines
        The resources of each machine as Ray names them: "CPU", "GPU", "memory" in bytes.
    needs
        What one worker needs.
    most
        At most so many workers.
    gpus
        GPUs of each worker: half a GPU lets two workers share one. Chosen when left out.

    Raises
    ------
    ValueError
        The model fits no machine, or no machine has the GPUs.
    """
    found = [dict(machine) for machine in machines]
    if not found:
        raise ValueError("the cluster has no machines: start one with ray start --head")
    greatest = max(machine.get("GPU", 0.0) for machine in found)
    on_gpus = needs.device is None or not needs.device.startswith("cpu")
    if gpus is None:
        gpus = 1.0 if on_gpus and greatest >= 1 else 0.0
    if gpus > greatest:
        raise ValueError(
            f"no machine of the cluster has {gpus:g} GPUs for a worker: the most is {greatest:g}. Ask for "
            "fewer with num_gpus"
        )
    if gpus == 0 and needs.device is not None and needs.device.startswith("cuda"):
        raise ValueError("no machine of the cluster has a GPU: leave the device out, or name cpu")
    memory = 0 if gpus else needs.memory
    room = [_room(machine, gpus, memory) for machine in found]
    if not any(room):
        largest = max(machine.get("memory", 0.0) for machine in found)
        raise ValueError(
            f"{needs.name} fits no worker: its weights take {_gigabytes(memory)} and the largest machine has "
            f"{_gigabytes(largest)} for them. Use a smaller model, or a machine with more memory"
        )
    workers = sum(room)
    return Place(workers if most is None else max(1, min(workers, most)), 1.0, gpus, memory)


def _room(machine: Mapping[str, float], gpus: float, memory: int) -> int:
    """Workers that one machine has room for."""
    if gpus:
        return int(machine.get("GPU", 0.0) / gpus + 1e-9)
    cpus = int(machine.get("CPU", 0.0))
    return min(cpus, int(machine.get("memory", 0.0) // memory)) if memory else cpus


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB"


def leaving_a_cpu(place: Place, machines: Iterable[Mapping[str, float]]) -> Place:
    """Leave a CPU to the tasks that read and sort rows and write lines: without one they never run."""
    cpus = sum(machine.get("CPU", 0.0) for machine in machines)
    if place.workers * place.cpus < cpus:
        return place
    return replace(place, workers=place.workers - 1) if place.workers > 1 else replace(place, cpus=cpus / 2)


def machines_of(ray: Any) -> list[dict[str, float]]:
    """The resources of the machines of a cluster that are alive."""
    return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]
