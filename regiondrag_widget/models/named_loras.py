"""LoRA weights that a pipeline remembers by name: the names tell few-step weights."""

from __future__ import annotations

import os
from typing import Any

from diffusers.loaders import StableDiffusionLoraLoaderMixin

__all__ = ["NamedLoras"]


class NamedLoras(StableDiffusionLoraLoaderMixin):
    """diffusers' loading of LoRA weights; a pipeline calls itself by them and takes its steps from them."""

    unet: Any
    _loras: dict[str, str]  # what was loaded, by the adapter's name

    def load_lora_weights(
        self, pretrained_model_name_or_path_or_dict: Any, adapter_name: str | None = None, **options: Any
    ) -> None:
        """Add LoRA weights as diffusers does (see its ``load_lora_weights``; PEFT must be installed).

        Few-step weights that their name tells (LCM, Hyper-SD, Lightning, "4step") change `edit_defaults`.
        """
        if self.unet is None:
            raise ValueError(
                "load_lora_weights is for UNets here: load a transformer's LoRA on diffusers' own pipeline "
                "and pass that to RegionDragPipeline.from_pipe, or say lora= to from_pretrained"
            )
        before = set(getattr(self.unet, "peft_config", {}))
        super().load_lora_weights(pretrained_model_name_or_path_or_dict, adapter_name, **options)
        told = pretrained_model_name_or_path_or_dict
        words = [str(told)] if isinstance(told, (str, os.PathLike)) else []
        words += [str(options["weight_name"])] if options.get("weight_name") else []
        for adapter in set(getattr(self.unet, "peft_config", {})) - before:
            self._loras[adapter] = "/".join(words) or adapter
        self._use_as_named()

    def unload_lora_weights(self, *args: Any, **options: Any) -> None:
        """Remove all LoRA weights that `load_lora_weights` added."""
        super().unload_lora_weights(*args, **options)
        if not self.num_fused_loras:  # fused weights stay when their adapters go
            self._loras.clear()
        self._use_as_named()

    def delete_adapters(self, adapter_names: list[str] | str) -> None:
        """Remove LoRA weights by their adapters' names."""
        super().delete_adapters(adapter_names)
        for adapter in [adapter_names] if isinstance(adapter_names, str) else adapter_names:
            self._loras.pop(adapter, None)
        self._use_as_named()

    def _use_as_named(self) -> None:
        raise NotImplementedError
