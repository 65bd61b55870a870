"""SDEdit: paste by hand, add noise, let the network denoise what was touched (Meng et al., ICLR 2022)."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from regiondrag_widget.bench.methods.baselines import inpainted, pasted
from regiondrag_widget.bench.methods.method import Method
from regiondrag_widget.bench.methods.network import BenchNetwork
from regiondrag_widget.bench.methods.workspace import Workspace
from regiondrag_widget.bench.truth.scene import Image, Scene
from regiondrag_widget.engine.denoise import EditPlan, reverse
from regiondrag_widget.engine.inversion import Inversion, draw_path_noise, noising_path
from regiondrag_widget.models.keyvalues import KeyValueCache

SEED = 0
STEPS = 20


def sdedit(network: BenchNetwork, start: float, seed: int = SEED) -> Method:
    """Paste + Telea, noised to ``start`` of the schedule and denoised.

    The rest of the picture is imposed at each level, no attention reads the original, the steps are
    deterministic (DDIM), and what the codec loses of the paste is given back.
    """

    def edit(scene: Scene) -> Image:
        work = Workspace(network, scene)
        paste = pasted(scene, inpainted(scene, cv2.INPAINT_TELEA))
        clean = work.encode(paste)
        levels = work.levels(STEPS, start)
        rng = torch.Generator().manual_seed(seed)
        noise = draw_path_noise(len(levels), tuple(clean.shape), rng).to(clean)
        path = noising_path(clean, noise, levels)
        free = work.cells(scene.touched, (clean.shape[1], clean.shape[2]))
        plan = EditPlan(
            start=path[-1],
            anchors=path,
            pinned=(~free).expand(len(path), -1, -1),
            residuals=torch.zeros_like(noise),
            deterministic=free,
        )
        inversion = Inversion(levels, path, noise, plan.residuals, KeyValueCache())
        last = clean
        for step in reverse(work.network, inversion, plan, swap=False):
            last = step.latents
        change = work.decode(last) - work.decode(clean)
        return work.pasted(paste[work.window.slices].astype(np.float32) + change)

    return network.method(f"SDEdit {start:g}", edit, settings={"seed": seed, "steps": STEPS, "start": start})
