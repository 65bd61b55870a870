"""Rows on a Ray cluster: Ray Data places the workers, feeds them, and starts those anew that die."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from regiondrag_widget.batch.placing import Needs, Place, machines_of, placed
from regiondrag_widget.batch.ray_worker import RowsOnRay, outcome_in, portion_of, raise_fatal
from regiondrag_widget.batch.result_folder import ResultFolder
from regiondrag_widget.batch.row import Row
from regiondrag_widget.batch.row_outcome import Outcome
from regiondrag_widget.batch.work import Work

__all__ = ["connected", "on_ray", "required_ray", "with_workers"]


@dataclass(frozen=True)
class _Portion:
    """Keeps Ray from taking a list of rows apart."""

    rows: list[Row]


def on_ray(
    portions: Sequence[list[Row]],
    work: Work,
    folder: ResultFolder,
    address: str = "",
    workers: int | None = None,
) -> Generator[Outcome, None, None]:
    """Do rows on a cluster, a portion at a time each; yield how they ended.

    A worker that dies is started again, and its portion is done again but for the rows that it had finished.

    Parameters
    ----------
    portions
        Rows that share something.
    work
        What is done; it is pickled.
    folder
        Where results go; all machines of the cluster must see it at this path.
    address
        As `connected` takes it.
    workers
        How many at most; as many as the cluster has room for when left out.

    Raises
    ------
    RuntimeError, ConnectionError
        Ray is not installed, or no cluster answers.
    ValueError
        The model fits no worker.
    OutputError, Exception
        As `RowDoer`; and where a machine does not see the folder.
    """
    ray = required_ray()
    most = len(portions) if workers is None else min(workers, len(portions))
    rows = {row.name: row for portion in portions for row in portion}
    folder.forget_attempts()
    with connected(address), _quietly(ray):
        place = placed(machines_of(ray), needs_of(work), most)
        items = [{"portion": _Portion(portion)} for portion in portions]
        data = ray.data.from_items(items, override_num_blocks=len(items))
        data = with_workers(ray, data, work, folder, portion_of, place, batch_size=1)
        for line in data.iter_rows():
            raise_fatal(line)
            yield outcome_in(line, rows[line["name"]])


def with_workers(
    ray: Any,
    data: Any,
    work: Work,
    folder: ResultFolder,
    rows_of: Any,
    place: Place,
    batch_size: int,
    raises: bool = False,
) -> Any:
    """A dataset whose batches of rows go through workers; its lines are those of `RowsOnRay`."""
    told = {
        "work": work,
        "output": str(folder.path.absolute()),
        "token": folder.token(),
        "rows_of": rows_of,
        "raises": raises,
    }
    asked: dict[str, Any] = {"num_cpus": place.cpus}
    if place.gpus:
        asked["num_gpus"] = place.gpus
    if place.memory:
        asked["memory"] = place.memory
    return data.map_batches(
        RowsOnRay,
        fn_constructor_kwargs=told,
        batch_size=batch_size,
        compute=ray.data.ActorPoolStrategy(size=place.workers),
        **asked,
    )


def needs_of(work: Work) -> Needs:
    """What a worker needs for the work; nothing where the work has no word for it."""
    tell = getattr(work, "needs", None)
    return Needs() if tell is None else tell()


def required_ray() -> Any:
    """The package ray with its part for data; raises ``RuntimeError`` that says how to install it."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise RuntimeError(
            "a cluster needs the package ray, which is not installed: pip install 'regiondrag-widget[ray]'"
        ) from error
    return ray


@contextmanager
def connected(address: str = "") -> Iterator[Any]:
    """A connection to a cluster: the one that is there, or a new one that ends with the block.

    Parameters
    ----------
    address
        Of a cluster's head, such as "10.0.0.1:6379". Empty: the one of the environment variable
        ``RAY_ADDRESS``, or of this machine, or else a new one of this machine alone.

    Raises
    ------
    ConnectionError
        No cluster answers.
    """
    ray = required_ray()
    if ray.is_initialized():
        yield ray
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    try:
        ray.init(address or None, logging_level=logging.WARNING, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConnectionError(f"no Ray cluster answers at {address or 'this machine'}: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def _quietly(ray: Any) -> Iterator[None]:
    """Without Ray Data's own progress, beside which ours would not be read."""
    context, logger = ray.data.DataContext.get_current(), logging.getLogger("ray.data")
    bars, level = context.enable_progress_bars, logger.level
    context.enable_progress_bars = False
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        context.enable_progress_bars = bars
        logger.setLevel(level)
