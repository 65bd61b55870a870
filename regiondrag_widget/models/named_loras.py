"""LoRA weights that a pipeline remembers by name: the names tell few-step weights."""

from __future__ import annotations

import os
from typing import Any

from diffusers.loaders import StableDiffusionLoraLoaderMixin, StableDiffusionXLLoraLoaderMixin

from regiondrag_widget.models.lora import refuse_pickled
from regiondrag_widget.models.lora_check import check_lora

__all__ = ["NamedLoras"]


class NamedLoras(StableDiffusionLoraLoaderMixin):
    """diffusers' loading of LoRA weights; a pipeline calls itself by them and takes its steps from them."""

    _lora_loadable_modules = ("unet", "transformer", "text_encoder", "text_encoder_2")
    unet: Any
    transformer: Any
    text_encoder_2: Any
    components: Any
    family: Any  # a `Family`; `RegionDragPipeline` tells it
    _loras: dict[str, str]  # what was loaded, by the adapter's name

    def load_lora_weights(
        self, pretrained_model_name_or_path_or_dict: Any, adapter_name: str | None = None, **options: Any
    ) -> None:
        """Add LoRA weights as diffusers does (see its ``load_lora_weights``; PEFT must be installed).

        Few-step weights that their name tells (LCM, Hyper-SD, Lightning, "4step") change `edit_defaults`.
        Those of a transformer are read as diffusers' own pipeline of its family reads them.

        Raises
        ------
        ValueError
            Pickled weights, or those of another base, before anything is changed.
        """
        told = pretrained_model_name_or_path_or_dict
        for name in (told, options.get("weight_name")):
            if isinstance(name, (str, os.PathLike)):
                refuse_pickled(os.fspath(name))
        if not isinstance(told, dict):
            options = {"use_safetensors": True, **options}
        self._check_lora(told, options)
        before = set(getattr(self.denoiser, "peft_config", {}))
        if self.unet is None:
            theirs = self.family.own_pipeline(self.components)
            theirs.load_lora_weights(told, adapter_name, **options)
        elif self.text_encoder_2 is not None:  # by SDXL's names of blocks, and into both of its text encoders
            StableDiffusionXLLoraLoaderMixin.load_lora_weights(self, told, adapter_name, **options)
        else:
            super().load_lora_weights(told, adapter_name, **options)
        words = [str(told)] if isinstance(told, (str, os.PathLike)) else []
        words += [str(options["weight_name"])] if options.get("weight_name") else []
        for adapter in set(getattr(self.denoiser, "peft_config", {})) - before:
            self._loras[adapter] = "/".join(words) or adapter
        self._use_as_named()

    def _check_lora(self, told: Any, options: dict[str, Any]) -> None:
        family = self.family if self.unet is None else None
        read = self.lora_state_dict if family is None else family.pipeline_class().lora_state_dict
        more = {"unet_config": self.unet.config} if family is None else {}
        try:
            state = read(dict(told) if isinstance(told, dict) else told, **more, **options)
        except Exception:  # safetensors and the hub have exceptions of their own
            return  # which diffusers raises again when it loads them
        check_lora(self.denoiser, family, told, state[0] if isinstance(state, tuple) else state)

    def unload_lora_weights(self, *args: Any, **options: Any) -> None:
        """Remove all LoRA weights that `load_lora_weights` added."""
        super().unload_lora_weights(*args, **options)
        if not self.num_fused_loras:  # fused weights stay when their adapters go
            self._loras.clear()
        self._use_as_named()

    def fuse_lora(self, components: list[str] | None = None, **options: Any) -> None:
        """Add LoRA weights into the network's own, as diffusers does (see its ``fuse_lora``).

        Parameters
        ----------
        components : list of str, optional
            The parts that they are added into; all that can have them when left out.
        **options
            As diffusers takes them.
        """
        super().fuse_lora(self._with_loras() if components is None else components, **options)

    def unfuse_lora(self, components: list[str] | None = None, **options: Any) -> None:
        """Take LoRA weights out of the network's own again; `components` as `fuse_lora` takes them."""
        super().unfuse_lora(self._with_loras() if components is None else components, **options)

    def _with_loras(self) -> list[str]:
        """The parts of this pipeline that can have LoRA weights; diffusers would look at a UNet alone."""
        return [name for name in self._lora_loadable_modules if getattr(self, name, None) is not None]

    def delete_adapters(self, adapter_names: list[str] | str) -> None:
        """Remove LoRA weights by their adapters' names."""
        super().delete_adapters(adapter_names)
        for adapter in [adapter_names] if isinstance(adapter_names, str) else adapter_names:
            self._loras.pop(adapter, None)
        self._use_as_named()

    @property
    def denoiser(self) -> Any:
        """The network: the UNet or the transformer."""
        return self.transformer if self.unet is None else self.unet

    def _use_as_named(self) -> None:
        raise NotImplementedError
