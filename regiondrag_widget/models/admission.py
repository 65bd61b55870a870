"""Which parts an edit can use, said before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from diffusers import UNet2DConditionModel

from regiondrag_widget.models.image_prompt import adapters_of
from regiondrag_widget.models.placement import is_moved

__all__ = ["KNOWN_MODELS", "check_components", "check_images", "check_network", "check_parts", "is_edm"]

KNOWN_MODELS = "Stable Diffusion 1.5, 2.1 and SDXL"
# parts of other pipelines that an edit can do without: they check, label or describe what comes out
SPARE = {"safety_checker", "feature_extractor", "image_encoder", "image_processor", "watermark"}
# parts that steer a generation; an edit without them would be another one than was asked for
STEERING = {
    "controlnet": "a ControlNet",
    "adapter": "a T2I-Adapter",
    "t2i_adapter": "a T2I-Adapter",
    "motion_adapter": "a motion adapter",
    "referencenet": "a reference network",
}
CONDITIONS = (None, "text_time")
# diffusers' own hooks that leave alone what is computed: they move weights, or cast them
MOVING_HOOKS = ("group_offloading", "layer_execution_tracker", "lazy_prefetch_group_offloading", "lazy_leafs")
CASTING_HOOKS = ("layerwise_casting", "peft_autocast_disable")


def check_components(kind: str, components: Mapping[str, Any], used: Iterable[str]) -> None:
    """Refuse the parts of a pipeline that an edit would leave out, and those it lacks.

    Parameters
    ----------
    kind : str
        What the pipeline is called.
    components : mapping
        Its parts by name; None where one is missing.
    used : iterable of str
        The names of parts that an edit uses.

    Raises
    ------
    ValueError
        No autoencoder, UNet or scheduler; a ControlNet, a T2I-Adapter or another part that would be dropped.
    """
    network = "unet" if components.get("transformer") is None else "transformer"
    for part in ("vae", network, "scheduler"):
        if components.get(part) is None:
            raise ValueError(
                f"this pipeline has no {part}: RegionDrag needs a network, an autoencoder and a schedule, "
                f"and {kind} is another family ({KNOWN_MODELS} can be used, and known transformers)"
            )
    for part, value in components.items():
        if value is None or part in used or part in SPARE:
            continue
        raise ValueError(
            f"this {kind} has {STEERING.get(part, f'a part called {part}')}, which an edit cannot use and "
            "would have to leave out: pass the pipeline without it, as StableDiffusionPipeline.from_pipe does"
        )


def check_parts(vae: Any, unet: Any, scheduler: Any) -> None:
    """Refuse an autoencoder, a UNet or a schedule of another kind than Stable Diffusion's.

    Raises
    ------
    ValueError
        In one sentence.
    """
    kind = type(getattr(unet, "_orig_mod", unet))  # what torch.compile has wrapped
    if kind.__module__.startswith("diffusers.") and not issubclass(kind, UNet2DConditionModel):
        raise ValueError(f"the network is a {kind.__name__}: the UNets of {KNOWN_MODELS} can be used")
    config = unet.config
    channels, wanted = config.in_channels, config.out_channels
    if channels not in (wanted, 2 * wanted + 1):  # inpainting ones read a mask and a picture besides
        raise ValueError(
            f"this UNet takes {channels} channels and gives {wanted}: it upscales or edits by instructions; "
            "use a text-to-image or an inpainting one"
        )
    labels = config.get("class_embed_type") or config.get("num_class_embeds")
    if labels is not None:
        raise ValueError(
            f"this UNet is conditioned on classes ({labels}), and an edit has none: use a text-to-image one"
        )
    added = config.get("addition_embed_type")
    if added not in CONDITIONS:
        raise ValueError(f"this UNet wants {added!r} beside the text, which an edit has none of")
    if not hasattr(vae, "encode") or not hasattr(vae, "decode"):
        raise ValueError(f"the autoencoder is a {type(vae).__name__}, which has no encode and decode")
    _check_scheduler(scheduler)
    check_network(unet)


def check_network(unet: Any) -> None:
    """Refuse what may have come to a network since it was loaded: a cache, an image prompt; or no weights.

    Raises
    ------
    ValueError
        In one sentence.
    """
    projected = unet.config.get("encoder_hid_dim_type")
    if adapters_of(unet) and "encoder_hid_dim_type" not in unet.config:  # of a transformer
        raise ValueError(
            "an IP-Adapter is loaded, and an edit with a transformer has no image prompt to give it: "
            "pipeline.unload_ip_adapter() takes it out"
        )
    if projected not in (None, "text_proj"):
        raise ValueError(f"this UNet reads {projected!r} beside the text, which an edit has none of")
    first = next(unet.parameters(), None)
    if first is not None and first.device == torch.device("meta") and not is_moved(unet):
        what = "UNet" if "UNet" in type(unet).__name__ else "transformer"
        raise ValueError(
            f"the {what} has no weights: they are on torch's meta device; load it with from_pretrained, or "
            "fill it with load_state_dict(..., assign=True)"
        )
    _check_hooks(unet)


def check_images(unet: Any, images: int) -> None:
    """Refuse a UNet whose IP-Adapters are not those that a condition was made for.

    Parameters
    ----------
    unet : UNet
        What is called.
    images : int
        The adapters that the condition has embeds for.

    Raises
    ------
    ValueError
        In one sentence.
    """
    loaded = len(adapters_of(unet))
    if loaded == images:
        return
    if images == 0:
        raise ValueError(
            "an IP-Adapter is loaded, and this edit has no image prompt to give it: pass ip_adapter_image or "
            "make a new session, or take it out by pipeline.unload_ip_adapter()"
        )
    raise ValueError(
        f"this session was made with {images} IP-Adapters and the network now has {loaded}: "
        "make a new session"
    )


def _check_hooks(network: torch.nn.Module) -> None:
    """Refuse caches that give a block's last output again: an edit reads every call's keys and values."""
    for module in network.modules():
        for hook in getattr(getattr(module, "_diffusers_hook", None), "hooks", ()):
            if hook not in MOVING_HOOKS + CASTING_HOOKS:
                raise ValueError(
                    f"the network has diffusers' hook {hook!r}, which may leave out or repeat what an edit "
                    "has to read: take it off first, a cache by disable_cache() on the UNet or transformer"
                )


def is_edm(scheduler: Any) -> bool:
    """Whether a scheduler is one of EDM's, which a network must have been trained on."""
    return type(scheduler).__name__.startswith("EDM") and scheduler.config.get("sigma_data") is not None


def _check_scheduler(scheduler: Any) -> None:
    kind = type(scheduler).__name__
    if is_edm(scheduler):
        if scheduler.config.get("prediction_type", "epsilon") not in ("epsilon", "v_prediction"):
            raise ValueError(f"the prediction_type of {kind} must be epsilon or v_prediction")
        return
    if not isinstance(getattr(scheduler, "alphas_cumprod", None), torch.Tensor):
        raise ValueError(
            f"{kind} has no alphas_cumprod: a schedule of flow matching cannot be used with a UNet; "
            "use one of Stable Diffusion's, such as DDIMScheduler.from_config(pipeline.scheduler.config)"
        )
    predicted = scheduler.config.get("prediction_type", "epsilon")
    if predicted not in ("epsilon", "v_prediction", "sample"):
        raise ValueError(
            f"the scheduler's prediction_type {predicted!r} is not one of epsilon, v_prediction, sample"
        )
