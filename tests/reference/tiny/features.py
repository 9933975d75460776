"""A head start: the first layer learns to tell edges and colours before anything is classified.

From each patch alone and its neighbours it predicts the patch's mean colour and a histogram of oriented
gradients (Dalal and Triggs 2005; as a target: MaskFeat, Wei et al. 2022). That takes a minute, and spares
the contrastive training from finding edges by way of captions.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from tiny import data
from tiny.student import GRID

BINS, CELLS = 8, 2
SIZE = BINS * CELLS * CELLS + 4


def described(pixels):
    """[n, 3, 112, 112], 0 to 1 -> [n, 49, SIZE]: edges by direction and cell, contrast, mean colour."""
    grey = F.pad(pixels.mean(1, keepdim=True), [1, 1, 1, 1], mode="replicate")
    gx, gy = grey[:, :, 1:-1, 2:] - grey[:, :, 1:-1, :-2], grey[:, :, 2:, 1:-1] - grey[:, :, :-2, 1:-1]
    angles = torch.arange(BINS).view(1, BINS, 1, 1) * (math.pi / BINS)
    size = (gx * gx + gy * gy).sqrt() + 1e-3
    along = ((gx * angles.cos() + gy * angles.sin()) / size) ** 8 * size
    cells = F.avg_pool2d(along, data.VIEW // GRID // CELLS)
    cells = cells.view(-1, BINS, GRID, CELLS, GRID, CELLS).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
    norm = cells.norm(dim=2, keepdim=True)
    edges = (cells / (norm + 0.02)).sqrt()
    color = F.avg_pool2d(data.normalised(pixels), data.VIEW // GRID).flatten(2).transpose(1, 2)
    return torch.cat([edges * 3, (norm * 20).sqrt(), color], 2)


def head_start(vision, batches, steps, log):
    """Trains the embeddings and the first layer of `vision` in place."""
    layer, e = vision.encoder.layers[0], vision.embeddings
    head = nn.Linear(e.class_embedding.numel(), SIZE)
    parameters = [*e.parameters(), *vision.pre_layrnorm.parameters(), *layer.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, weight_decay=0.01)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 20, (steps - step) / (steps / 2))
        pixels = batches.next()[0]
        target = described(pixels)
        tokens = vision.embedded(data.normalised(pixels), None)
        loss = F.mse_loss(head(layer(tokens, False)[:, 1:]), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in (0, 49) or step + 1 == steps:
            share = loss.item() / target.flatten(0, 1).var(0).mean().item()
            log(f"head start, step {step + 1}: {share:.3f} of the variance is unexplained")
