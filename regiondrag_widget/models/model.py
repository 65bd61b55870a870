"""A model as the engine uses it: a backbone, how it is best used, its name and its text encoder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from regiondrag_widget.models.backbone import Backbone, Condition, Network
from regiondrag_widget.models.profile import BackboneProfile

__all__ = ["Model", "model_of"]


@dataclass
class Model:
    """A backbone with all that an edit needs to know of it.

    Attributes
    ----------
    backbone : Backbone
        Autoencoder, network and schedule.
    profile : BackboneProfile
        Working size and default levels.
    name : str
        What results call it.
    encode_prompt : callable, optional
        Prompt to `Condition`; None where there is no text encoder.
    """

    backbone: Backbone
    profile: BackboneProfile
    name: str = "custom"
    encode_prompt: Callable[[str], Condition] | None = None

    @property
    def defaults(self) -> dict[str, Any]:
        """Settings an edit uses when it is not told: steps, start, stop..."""
        return dict(self.profile.defaults)

    def network(self, prompt: str = "", prompt_embeds: Tensor | None = None) -> Network:
        """The network under a prompt's condition, or that of prompt_embeds (1, tokens, dim).

        Raises
        ------
        ValueError
            Embeds of another width, or a prompt where there is no text encoder.
        TypeError
            A prompt that is no text.
        """
        return self.backbone.network(self._condition(prompt, prompt_embeds))

    def _condition(self, prompt: str, prompt_embeds: Tensor | None) -> Condition:
        if prompt_embeds is not None:
            return self.backbone.condition(prompt_embeds)
        if not isinstance(prompt, str):
            raise TypeError(f"prompt must be a text, got {type(prompt).__name__}")
        if not self.profile.takes_text:
            if prompt:
                warnings.warn("the bundled model takes no text: the prompt is unused", stacklevel=5)
            return self.backbone.condition(None)
        if self.encode_prompt is None:
            raise ValueError("this pipeline has no text encoder: pass prompt_embeds")
        return self.encode_prompt(prompt)


def model_of(given: Any) -> Model:
    """The `Model` of a pipeline, or the model itself.

    Raises
    ------
    TypeError
        Something else.
    """
    found = given if isinstance(given, Model) else getattr(given, "model", None)
    if not isinstance(found, Model):
        raise TypeError(
            f"a RegionDragPipeline is needed, not {type(given).__name__}: "
            "rd.load_pipeline(name) or rd.RegionDragPipeline.from_pipe(pipeline) makes one"
        )
    return found
