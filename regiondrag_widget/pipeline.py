"""RegionDragPipeline: the diffusers face of the engine."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor

from regiondrag_widget.engine.denoise import EditStep
from regiondrag_widget.engine.diffusers_call import (
    StepCallback,
    check_tensor_inputs,
    named_once,
    offloading_afterwards,
    reporting,
    seeds_from,
)
from regiondrag_widget.engine.keywords import check_keywords, names_near_misses
from regiondrag_widget.engine.latent_edit import edit_latents
from regiondrag_widget.engine.output import OUTPUT_TYPES, RegionDragOutput, decoded, joined, pictured
from regiondrag_widget.engine.result import EditResult
from regiondrag_widget.engine.session import ImageSession
from regiondrag_widget.engine.settings import lists_settings, resolve
from regiondrag_widget.imaging.picture import PictureSource, load_picture
from regiondrag_widget.models.borrowing import borrowed_parts
from regiondrag_widget.models.loading import OPTIONS, load_pretrained
from regiondrag_widget.models.pipeline_parts import PARTS, PipelineParts
from regiondrag_widget.models.single_file import is_single_file
from regiondrag_widget.regions import Correspondence, RegionPair, RegionPairs

__all__ = ["RegionDragOutput", "RegionDragPipeline"]

# refused elsewhere, in words of their own; `torch_dtype` is diffusers' former name of `dtype`
NAMED_WHEN_LOADING = ("torch_dtype", "trust_remote_code", "custom_pipeline")


class RegionDragPipeline(PipelineParts):
    """Drag regions of a picture with a latent diffusion model, in one pass (RegionDrag, ECCV 2024).

    Built from the parts of a pipeline of a known family, or from the bundled model: see `from_pretrained` and
    `from_pipe`. The parts are used as they are: never cast, never reconfigured.

    Parameters
    ----------
    vae, unet, transformer, scheduler, text_encoder, tokenizer, text_encoder_2, ...
        The parts of the pipeline, as diffusers names them. The network is either a UNet or a transformer.
    draft_vae : AutoencoderTiny, optional
        A small autoencoder of the same latents, for drafts.
    image_encoder, feature_extractor : optional
        What makes the image prompt of IP-Adapters: see `load_ip_adapter`.
    processor : optional
        What reads the picture with the prompt, in Qwen-Image-Edit.

    Raises
    ------
    ValueError
        No network, a transformer of an unknown family, or a scheduler of another kind than the network's.
    """

    _callback_tensor_inputs: ClassVar[list[str]] = ["latents", "pred_original_sample"]
    _interrupt = False

    # -- making one ----

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str] = "mini",
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        compile: bool | str = "auto",
        draft_vae: Any = "auto",
        lora: str | os.PathLike[str] | None = None,
        lora_scale: float = 1.0,
        **options: Any,
    ) -> RegionDragPipeline:
        """Load a model; only safetensors weights.

        Parameters
        ----------
        model : str or path
            "mini" or "mini-flow" (bundled), a local diffusers folder, a hub id, or a checkpoint that is one
            .safetensors file (see `from_single_file`).
        device : str or torch.device, optional
            "cuda", "mps" or "cpu"; the best available when left out.
        dtype : str or torch.dtype, optional
            "float16", "bfloat16" or "float32". When left out: float16 on GPUs, bfloat16 on CPUs that compute
            in it, float32 elsewhere.
        compile : "auto" or bool
            See `accelerate`.
        draft_vae : str, path, AutoencoderTiny or None
            A small autoencoder that decodes drafts: a diffusers folder or hub id, or a loaded one. "auto"
            takes madebyollin/taesd or taesdxl where they are in the hub's local cache, without a download.
        lora, lora_scale : str or path, float
            LoRA weights to add permanently, such as few-step ones (LCM, Hyper-SD): a .safetensors file, a
            folder, a hub id, or "owner/name/file.safetensors"; and their strength.
        **options
            Passed on to diffusers: `variant`, `revision`, `cache_dir`, `local_files_only`, `device_map`...;
            and parts to take instead of the model's (`vae=`, `scheduler=`...).

        Raises
        ------
        ValueError, FileNotFoundError
            In one sentence: missing parts, pickled weights, a wrong id, no such device.
        TypeError
            A keyword that does not exist.
        """
        check_keywords("from_pretrained", options, [*NAMED_WHEN_LOADING, *OPTIONS, *PARTS])
        load: Callable[..., Any] = super().from_pretrained
        pipe: RegionDragPipeline = load_pretrained(
            cls,
            load,
            model,
            device=device,
            dtype=dtype if dtype is not None else options.pop("torch_dtype", None),
            compile=compile,
            draft_vae=draft_vae,
            lora=lora,
            lora_scale=lora_scale,
            **options,
        )
        return pipe

    @classmethod
    def from_single_file(
        cls,
        path: str | os.PathLike[str],
        *,
        config: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> RegionDragPipeline:
        """Load a checkpoint of Stable Diffusion 1.5, 2.1 or SDXL that is one .safetensors file.

        Parameters
        ----------
        path : str or path
            The file, or its address on the hub.
        config : str or path, optional
            A diffusers folder or hub id of the same family, for sizes, tokeniser and noise schedule: its
            .json and .txt files suffice. When left out, the hub is asked for them.
        **options
            As `from_pretrained` takes them: `device`, `dtype`, `lora`...

        Raises
        ------
        ValueError, FileNotFoundError
            In one sentence: no such file, pickled weights, another family, no configuration.
        """
        if not is_single_file(path):
            raise FileNotFoundError(f"there is no file {os.fspath(path)}: name a .safetensors file")
        return cls.from_pretrained(path, config=config, **options)

    @classmethod
    def from_pipe(
        cls, pipeline: Any, *, compile: bool | str = "auto", draft_vae: Any = None, **parts: Any
    ) -> RegionDragPipeline:
        """Edit with the parts of a pipeline that is already loaded.

        The parts are shared, not copied: no memory is taken, nothing is cast or moved. The scheduler
        is copied.

        Parameters
        ----------
        pipeline : diffusers pipeline
            A pipeline of a known family.
        compile : "auto" or bool
            See `accelerate`.
        draft_vae : str, path, AutoencoderTiny or None
            As `from_pretrained` takes it.
        **parts
            Parts to take instead of the pipeline's, by their names: `unet`, `vae`, `scheduler`...

        Raises
        ------
        ValueError
            The pipeline lacks a network, an autoencoder or a scheduler, or has a part that an edit would have
            to leave out, such as a ControlNet.
        TypeError
            It is not a pipeline; a keyword that does not exist.
        """
        check_keywords("from_pipe", parts, [*inspect.signature(cls.from_pipe).parameters, *PARTS])
        wanted = borrowed_parts(pipeline, PARTS, parts, draft_vae)
        pipe = cls(**wanted)
        pipe.use_as(pipeline._named if isinstance(pipeline, cls) else type(pipeline).__name__)
        pipe.accelerate(compile)
        loras = getattr(pipe.denoiser, "peft_config", {})  # the pipeline's own LoRA adapters, by their names
        named = str(getattr(pipeline, "name_or_path", "") or type(pipeline).__name__)
        pipe.name = " + ".join([named, *loras])
        return pipe

    # -- editing ----

    @names_near_misses
    @offloading_afterwards
    @lists_settings()
    def __call__(
        self,
        image: PictureSource | None = None,
        pairs: RegionPairs | Sequence[RegionPair] | None = None,
        *,
        latents: Tensor | None = None,
        correspondence: Correspondence | None = None,
        prompt: str = "",
        prompt_embeds: Tensor | None = None,
        negative_prompt: str | None = None,
        negative_prompt_embeds: Tensor | None = None,
        guidance_scale: float | None = None,
        ip_adapter_image: Any = None,
        ip_adapter_image_embeds: Sequence[Tensor] | None = None,
        num_images_per_prompt: int = 1,
        steps: int | None = None,
        num_inference_steps: int | None = None,
        start: float | None = None,
        strength: float | None = None,
        stop: float | None = None,
        seed: int | Sequence[int] = 0,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        handle_noise_scale: float | None = None,
        attention_swap: bool | str | Callable[[str], bool] | None = None,
        content: str | None = None,
        residual: str | None = None,
        vacated: str | None = None,
        matte: str | None = None,
        prefill: str | None = None,
        method: str | None = None,
        crop: bool | None = None,
        editable: Any = None,
        preset: str = "default",
        output_type: str = "pil",
        callback_on_step_end: StepCallback | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        levels: Sequence[float] | None = None,
        path_noise: Tensor | None = None,
        handle_noise: Tensor | None = None,
        copy_until: float | None = None,
        return_dict: bool = True,
    ) -> RegionDragOutput:
        """Carry handles to their targets, in a picture or in bare latents.

        Parameters
        ----------
        image, pairs : picture, region pairs
            A picture (see `load_picture`) and the region pairs to carry.
        latents, correspondence : (1, C, h, w) Tensor, Correspondence
            Instead of them: clean, scaled latents, and which cell comes from which. A correspondence may also
            stand for the pairs of a picture; its cells then are those of the picture at its own size.
        prompt_embeds, negative_prompt_embeds : (1, tokens, dim) Tensor, optional
            The text conditions themselves.
        ip_adapter_image, ip_adapter_image_embeds
            What IP-Adapters are told, as in diffusers; the picture itself when left out.
        num_images_per_prompt : int
            Pictures to make, each from a seed of its own: `seed` and those that follow it, or a list of
            seeds. The picture is encoded once and inverted once for each.
        num_inference_steps, strength
            What diffusers calls `steps` and `start`.
        generator : torch.Generator or a list of them, optional
            Draws the seeds; a list has one for each picture.
        {settings}
        editable : (H, W) bool array or (1, 1, h, w) Tensor, optional
            Of the picture, or of the latents; 0 where nothing may change.
        output_type : str
            "pil", "np" ((B, H, W, 3) float32 in [0, 1]), "pt" ((B, 3, H, W) in [0, 1]) or "latent".
        callback_on_step_end : callable, optional
            Called as callback(pipe, index, timestep, tensors) after each step, as diffusers does, with a
            0-d tensor for the timestep; `latents` in the dict it returns replace the edit's.
            `pipe.interrupt = True` stops after the step. Several pictures are made one after the other, each
            with its own steps from index 0.
        callback_on_step_end_tensor_inputs : sequence of str
            The tensors it is given: "latents", "pred_original_sample".
        levels, path_noise, handle_noise, copy_until
            For reproduction: the timesteps, cleanest first; the draws (K, C, h, w) of the path; those of the
            handle (C, n), one column a row of the correspondence; paste while the timestep is at least this.
        return_dict : bool
            Whether to return a `RegionDragOutput` and not a tuple (which type checkers are not told of).

        Returns
        -------
        RegionDragOutput or tuple
            The tuple is (images,).

        Raises
        ------
        ValueError, TypeError
            Input that does not fit, before anything is computed.
        """
        if output_type not in OUTPUT_TYPES:
            raise ValueError(f"output_type must be pil, np, pt or latent, got {output_type!r}")
        check_tensor_inputs(callback_on_step_end_tensor_inputs, self._callback_tensor_inputs)
        given: dict[str, Any] = {
            "stop": stop,
            "handle_noise_scale": handle_noise_scale,
            "attention_swap": attention_swap,
            "content": content,
            "residual": residual,
            "vacated": vacated,
            "matte": matte,
            "prefill": prefill,
            "method": method,
            "crop": crop,
        }
        self._interrupt = False
        seeds = seeds_from(generator, seed, num_images_per_prompt)
        steps = named_once("steps", steps, "num_inference_steps", num_inference_steps)
        start = named_once("start", start, "strength", strength)
        texts: dict[str, Any] = {
            "guidance_scale": guidance_scale,
            "negative_prompt": negative_prompt or "",
            "negative_prompt_embeds": negative_prompt_embeds,
        }
        watch = (callback_on_step_end, callback_on_step_end_tensor_inputs)

        if latents is not None:
            if image is not None or pairs is not None:
                raise ValueError("give either image and pairs, or latents and correspondence, not both")
            if correspondence is None:
                raise ValueError("latents need a correspondence: rd.Correspondence(source_xy, target_xy)")
            settings = resolve(preset, {**self.edit_defaults, "content": "latents"}, given)
            edited = edit_latents(
                self.model,
                latents,
                correspondence,
                settings,
                network=self.model.network(
                    prompt,
                    prompt_embeds,
                    images=self.model.image_prompt(ip_adapter_image, ip_adapter_image_embeds),
                    edited=lambda: decoded(self.backbone, latents, "pil", self.numpy_to_pil)[0],
                    **texts,
                ),
                steps=steps,
                start=start,
                stop=stop,
                seeds=seeds,
                editable=editable,
                levels=levels,
                path_noise=path_noise,
                handle_noise=handle_noise,
                copy_until=copy_until,
                watching=lambda total: self._watching(total, *watch),
                interrupted=lambda: self._interrupt,
            )
            images = joined([decoded(self.backbone, z, output_type, self.numpy_to_pil) for z in edited])
            return RegionDragOutput(images) if return_dict else (images,)  # type: ignore[return-value]
        if handle_noise is not None or copy_until is not None:
            raise ValueError("handle_noise and copy_until go with latents, not with a picture")
        if image is None or (pairs is None and correspondence is None):
            raise ValueError("give a picture and region pairs: pipe(image, pairs)")
        if pairs is not None and correspondence is not None:
            raise ValueError("give region pairs or a correspondence, not both")
        if correspondence is not None:
            image = load_picture(image)
            height, width = image.shape
            cell = self.backbone.cell
            pairs = [correspondence.as_pair((height, width), (-(-height // cell), -(-width // cell)))]
        assert pairs is not None
        session = ImageSession(
            self,
            image,
            prompt,
            steps,
            start,
            seeds[0],
            preset=preset,
            levels=levels,
            path_noise=path_noise,
            prompt_embeds=prompt_embeds,
            ip_adapter_image=ip_adapter_image,
            ip_adapter_image_embeds=ip_adapter_image_embeds,
            **texts,
        )
        made: list[Any] = []
        results: list[EditResult] = []
        with self._watching(len(session.levels) * len(seeds), *watch) as report:
            for one in seeds:
                last: Tensor | None = None
                for step in session.edit(pairs, editable=editable, seed=one, **given):
                    report(step)
                    last = step.latents
                    if self._interrupt:
                        break
                if session.result is None or (results and session.result is results[-1]):
                    break
                results.append(session.result)
                latent = output_type == "latent" and last is not None
                made.append(last[None] if latent and last is not None else pictured(results[-1], output_type))
                if self._interrupt:
                    break
        images = joined(made)
        if not return_dict:
            return (images,)  # type: ignore[return-value]
        return RegionDragOutput(images, results[0] if results else None, results)

    @contextmanager
    def _watching(
        self, total: int, callback: StepCallback | None, asked: Sequence[str]
    ) -> Iterator[Callable[[EditStep], None]]:
        """What is told of each step, and shows a progress bar as `set_progress_bar_config` has it."""
        with self.progress_bar(total=total) as bar:
            yield reporting(self, callback, asked, bar)

    @property
    def interrupt(self) -> bool:
        """Set to True, from a callback or another thread, to stop the running call after its step."""
        return self._interrupt

    @interrupt.setter
    def interrupt(self, value: bool) -> None:
        self._interrupt = bool(value)
