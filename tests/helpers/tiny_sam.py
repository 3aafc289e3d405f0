"""SAM in two small forms: the real network with random weights, and one that is a few lines of arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.segmenter.masks import grow, resize, shrink
from services.segmenter.sam.letterbox import GRID_STRIDE_PX

SIDE_PX = 256


def random_sam(seed: int = 3) -> Any:
    """`segment_anything.modeling.Sam` of every kind of layer the published models have, but small and untrained.

    Weights that start as zeros (relative positions, for one) are random too, so that leaving one out shows.
    """
    import torch
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    torch.manual_seed(seed)
    channels, patch_px = 32, 16
    sam = Sam(
        image_encoder=ImageEncoderViT(
            img_size=SIDE_PX,
            patch_size=patch_px,
            embed_dim=32,
            depth=2,
            num_heads=2,
            out_chans=channels,
            qkv_bias=True,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=14,
            global_attn_indexes=(1,),
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=channels,
            image_embedding_size=(SIDE_PX // patch_px, SIDE_PX // patch_px),
            input_image_size=(SIDE_PX, SIDE_PX),
            mask_in_chans=16,
        ),
        mask_decoder=MaskDecoder(
            transformer_dim=channels,
            transformer=TwoWayTransformer(depth=2, embedding_dim=channels, num_heads=8, mlp_dim=64),
            iou_head_hidden_dim=32,
        ),
    )
    for parameter in sam.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
    return sam.eval()


class ColorEncoder:
    """The embedding is the image itself, at the grid's size: (1, 3, G, G)."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        image = inputs["image"][0].transpose(1, 2, 0)
        grid = resize(image, image.shape[0] // GRID_STRIDE_PX, image.shape[1] // GRID_STRIDE_PX)
        return {"image_embeddings": grid.transpose(2, 0, 1)[None]}


class ColorDecoder:
    """Product is what is nearer in colour to a product point than to any background point, inside the box.

    Its four answers are that mask eroded, that mask grown, that mask, and everything else: the third is right.
    """

    def __init__(self) -> None:
        self.mask_inputs: list[NDArray[np.float32]] = []

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self.mask_inputs.append(inputs["mask_input"][0, 0])
        colors = inputs["image_embeddings"][0].transpose(1, 2, 0)
        labels = inputs["point_labels"][0]
        x, y = (inputs["point_coords"][0] / GRID_STRIDE_PX).astype(int).T
        at_points = colors[y, x]
        near, far = (
            np.min(
                [np.linalg.norm(colors - color, axis=2) for color in at_points[labels == label]], axis=0, initial=1.0
            )
            for label in (1, 0)
        )
        inside = np.zeros(colors.shape[:2], bool)
        inside[y[labels == 2][0] : y[labels == 3][0] + 1, x[labels == 2][0] : x[labels == 3][0] + 1] = True
        logits = np.where(inside, np.clip(10 * (far - near), -10, 10), -10).astype(np.float32)
        mask = logits > 0
        wrong = [np.where(other, 10, -10) for other in (shrink(mask, 5), grow(mask, 5))]
        answers = np.stack([*wrong, logits, -logits]).astype(np.float32)[None]
        return {"low_res_logits": answers, "iou_predictions": np.full((1, 4), 0.9, np.float32)}
