"""IP-Adapters on our pipeline: loaded as diffusers loads them, from safetensors alone."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from regiondrag_widget.models.turns import turns_of

_transformers = logging.getLogger("transformers")
_level = _transformers.level
_transformers.setLevel(logging.ERROR)  # it would tell every user that image processors miss torchvision
try:
    from diffusers.loaders import IPAdapterMixin
finally:
    _transformers.setLevel(_level)

__all__ = ["SafeIPAdapters"]


class SafeIPAdapters(IPAdapterMixin):
    """diffusers' loading of IP-Adapters, which refuses pickled weights and waits for a running edit."""

    unet: Any

    def load_ip_adapter(
        self,
        pretrained_model_name_or_path_or_dict: Any,
        subfolder: str | list[str],
        weight_name: str | list[str],
        image_encoder_folder: str | None = "image_encoder",
        **options: Any,
    ) -> None:
        """Load IP-Adapters as diffusers does (see its ``load_ip_adapter``).

        An edit is then told a picture besides the prompt: `ip_adapter_image`, or else the picture that is
        edited, as the released RegionDrag code has it. `set_ip_adapter_scale` says how much it counts.

        Raises
        ------
        ValueError
            Pickled weights.
        """
        if self.unet is None:
            raise ValueError("IP-Adapters are for the UNets of Stable Diffusion, and this model has none")
        for name in weight_name if isinstance(weight_name, list) else [weight_name]:
            if not str(name).endswith(".safetensors"):
                raise ValueError(
                    f"{name} holds pickled weights, which can run code when loaded: "
                    "name the .safetensors file"
                )
        told, inner = pretrained_model_name_or_path_or_dict, subfolder
        for place in told if isinstance(told, list) else [told]:
            if image_encoder_folder is not None and isinstance(place, (str, os.PathLike)):
                first = inner[0] if isinstance(inner, list) else inner
                where = (
                    image_encoder_folder if "/" in image_encoder_folder else f"{first}/{image_encoder_folder}"
                )
                _check_encoder(Path(place).expanduser() / where)
        with turns_of(self.unet):
            super().load_ip_adapter(told, subfolder, weight_name, image_encoder_folder, **options)

    def unload_ip_adapter(self) -> None:
        """Take the IP-Adapters out of the UNet, as diffusers does."""
        with turns_of(self.unet):
            super().unload_ip_adapter()


def _check_encoder(folder: Path) -> None:
    """Refuse an image encoder in a local folder that has pickled weights alone."""
    if folder.is_dir() and not list(folder.glob("*.safetensors")) and list(folder.glob("*.bin")):
        raise ValueError(
            f"{folder} has only pickled weights (.bin), which can run code when loaded: convert them to "
            ".safetensors"
        )
