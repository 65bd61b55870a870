"""The parts of a pipeline that is already loaded, as ours takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from regiondrag_widget.models.admission import check_components
from regiondrag_widget.models.checkpoint import load_draft_vae
from regiondrag_widget.models.families import family_of
from regiondrag_widget.models.placement import device_of, dtype_of

__all__ = ["borrowed_parts"]


def borrowed_parts(
    pipeline: Any, names: Sequence[str], replaced: Mapping[str, Any], draft_vae: Any
) -> dict[str, Any]:
    """The parts of a pipeline by name; its scheduler is copied.

    Parameters
    ----------
    pipeline : diffusers pipeline
        Already loaded.
    names : sequence of str
        The parts that an edit uses.
    replaced : mapping
        Parts to take instead of the pipeline's.
    draft_vae : str, path, AutoencoderTiny or None
        As `RegionDragPipeline.from_pretrained` takes it.

    Raises
    ------
    TypeError
        It is not a pipeline.
    ValueError
        It lacks a part, has one that an edit would have to leave out, or is of an unknown family.
    """
    components = getattr(pipeline, "components", None)
    if not isinstance(components, Mapping):
        given = repr(pipeline) if isinstance(pipeline, str) else type(pipeline).__name__
        raise TypeError(
            f"from_pipe takes a diffusers pipeline that is already loaded, not {given}: "
            "RegionDragPipeline.from_pretrained loads one by its name or folder"
        )
    given_parts = {**components, **replaced}
    check_components(type(pipeline).__name__, given_parts, names)
    if given_parts.get("transformer") is not None:
        family_of(given_parts["transformer"])  # refused before diffusers asks what it is a part of
    wanted: dict[str, Any] = {name: given_parts.get(name) for name in names}
    scheduler = wanted["scheduler"]
    try:
        wanted["scheduler"] = type(scheduler).from_config(scheduler.config)
    except (AttributeError, TypeError):
        raise ValueError(
            f"the scheduler is a {type(scheduler).__name__}, which an edit cannot use: "
            "pass the one that the model's folder has"
        ) from None
    if draft_vae is not None:
        network = wanted["unet"] if wanted["unet"] is not None else wanted["transformer"]
        tiny = load_draft_vae(draft_vae, wanted["vae"], dtype_of(network))
        wanted["draft_vae"] = None if tiny is None else tiny.to(device_of(network))
    return wanted
