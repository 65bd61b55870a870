"""A model as the engine uses it: a backbone, how it is best used, its name and its text encoder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from regiondrag_widget.models.backbone import Backbone, Condition, Network
from regiondrag_widget.models.levels import Levels
from regiondrag_widget.models.profile import BackboneProfile

__all__ = ["Model", "model_of"]


@dataclass
class Model:
    """A backbone with everything an edit needs to know about it.

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
    def edit_defaults(self) -> dict[str, Any]:
        """Settings of edits that name none: steps, start, stop..."""
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

    def warn_if_untrained(self, levels: Levels, stacklevel: int = 2) -> None:
        """Warn where levels reach further into the noise than the network was trained for.

        Parameters
        ----------
        levels : Levels
            Of an edit.
        stacklevel : int
            As `warnings.warn` takes it.
        """
        top, trained = levels.fraction(len(levels)), self.profile.max_start
        if top > trained:
            warnings.warn(
                f"the edit begins at {top:g} of the noise schedule but {self.name} was trained up to "
                f"{trained:g}: expect less; lower start, or raise steps",
                stacklevel=stacklevel,
            )

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
            f"a RegionDragPipeline or a Model is needed, not {type(given).__name__}: "
            "rd.load_pipeline(name) or rd.RegionDragPipeline.from_pipe(pipeline) makes one"
        )
    return found
