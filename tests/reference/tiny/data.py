"""Pictures as small uint8 squares, with what is known about each, and augmentation by batch.

A tile is 160 x 160: its central 128 x 128 is what CLIP's preprocessing shows a model (short side
scaled, centre crop), the rest is margin for shifts, turns and zooms. Views are 112 x 112, half the
model's 224: the patch embedding that is trained on them is spread over 2 x 2 pixels when it is saved
(see `student.py`), which is the same linear map.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

TILE, CROP, VIEW = 160, 128, 112
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)
CLASSES = ["dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt", "t-shirt"]


def tile(image):
    """One picture (a path or an RGB image) as uint8 [160, 160, 3]; alpha is dropped, as by `Image.convert`."""
    if isinstance(image, Path):
        with Image.open(image) as file:
            image = file.convert("RGB")
    scale = CROP / min(image.size)
    size = [max(CROP, round(side * scale)) for side in image.size]
    array = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
    for axis in (0, 1):
        side = array.shape[axis]
        if side > TILE:
            start = (side - TILE) // 2
            array = array.take(range(start, start + TILE), axis)
        else:
            before = (TILE - side) // 2
            pad = [(0, 0)] * 3
            pad[axis] = (before, TILE - side - before)
            array = np.pad(array, pad, "edge")
    return array


def cached(name, folder, records, cache):
    """Tiles of `records` (each with a `path`), made once and kept as one .npy file."""
    file = Path(cache) / f"{name}-{len(records)}.npy"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        tiles = np.stack([tile(Path(folder) / record["path"]) for record in records])
        np.save(file.with_suffix(".tmp.npy"), tiles)
        file.with_suffix(".tmp.npy").rename(file)
    # Read when it is needed; [n, 3, 160, 160] in the order of the file.
    return torch.from_numpy(np.load(file, mmap_mode="c")).permute(0, 3, 1, 2)


def drawn(folder, cache):
    """A shop of `cargo xtask draw-shop`: tiles and records."""
    folder = Path(folder)
    records = []
    for line in (folder / "feed.jsonl").read_text().splitlines():
        item = json.loads(line)
        records.append({
            "path": item["image"], "shop": folder.name, "source": "drawn", "garment": item["garment"], "color": item["color"],
            "accent": item["accent"], "pattern": item["pattern"], "caption": item["caption"], **{
                key: item["attributes"].get(key) for key in ("cut", "sleeve", "length", "neckline", "material")},
        })
    return cached(folder.name, folder, records, cache), records


def cutouts(folder, cache):
    """Those pictures of a shop that have a transparent background: tiles, masks (u8 [n, 160, 160]), records."""
    folder = Path(folder)
    tiles, records = drawn(folder, cache)
    file = Path(cache) / f"{folder.name}-masks-{len(records)}.npy"
    if not file.exists():
        masks = np.zeros((len(records), TILE, TILE), np.uint8)
        for mask, record in zip(masks, records):
            with Image.open(folder / record["path"]) as image:
                if image.mode == "RGBA":
                    alpha = image.getchannel("A").convert("RGB")
                    mask[:] = tile(alpha)[..., 0]
        np.save(file, masks)
    masks = torch.from_numpy(np.load(file))
    clear = (masks[:, 0].float().mean(1) < 1).nonzero().flatten()
    return tiles[clear], masks[clear], [records[i] for i in clear.tolist()]


def photographs(folder, split, cache):
    """One split of clothing-dataset-small: tiles and records (class, and the colours that were measured)."""
    folder = Path(folder) / split
    records = [{"path": f"{name}/{path.name}", "source": "photo", "garment": name}
               for name in CLASSES for path in sorted((folder / name).glob("*.jpg"))]
    return cached(f"photos-{split}", folder, records, cache), records


# --- augmentation ------------------------------------------------------------------------------


def plain(tiles):
    """The central crop of every tile, as a model sees it: f32 [n, 3, 112, 112], 0 to 1."""
    margin = (TILE - CROP) // 2
    crop = tiles[:, :, margin:-margin, margin:-margin].float() / 255
    return F.interpolate(crop, VIEW, mode="bilinear", antialias=True, align_corners=False)


def augmented(tiles, generator, scale=(0.75, 1.15), turn=12, stretch=0.15, light=0.2, tint=0.04, view=VIEW):
    """Random views: flip, zoom, stretch, turn (degrees), shift; brightness, contrast and a slight tint.

    The hue stays: captions name colours.
    """
    n = len(tiles)

    def uniform(low, high):
        return torch.empty(n).uniform_(low, high, generator=generator)

    zoom = torch.exp(uniform(math.log(scale[0]), math.log(scale[1])))
    ratio = torch.exp(uniform(-stretch, stretch))
    angle = uniform(-turn, turn) * math.pi / 180
    flip = torch.where(uniform(-1, 1) < 0, -1.0, 1.0)
    half = CROP / TILE
    sx, sy = half * zoom * ratio * flip, half * zoom / ratio
    room = (1 - half * zoom).clamp(min=0) + 0.06
    dx, dy = uniform(-0.5, 0.5) * room, uniform(-0.5, 0.5) * room
    cos, sin = torch.cos(angle), torch.sin(angle)
    theta = torch.stack([sx * cos, -sy * sin, dx, sx * sin, sy * cos, dy], 1).view(n, 2, 3)
    grid = F.affine_grid(theta, [n, 3, view, view], align_corners=False)
    pixels = F.grid_sample(tiles.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
    gain = (1 + uniform(-light, light)).view(n, 1, 1, 1) / 255
    gain = gain * (1 + torch.empty(n, 3, 1, 1).uniform_(-tint, tint, generator=generator))
    contrast = (1 + uniform(-light, light)).view(n, 1, 1, 1)
    mean = pixels[:, :, ::4, ::4].mean((2, 3), keepdim=True)
    return pixels.mul_(contrast * gain).add_(mean * (1 - contrast) * gain).clamp_(0, 1)


def on_floors(tiles, masks, floors, generator):
    """Lays cut-out garments on the floors of photographs: a corner of each, enlarged, which shows no garment."""
    n = len(tiles)
    side = 36
    corner = torch.randint(0, 4, (n,), generator=generator)
    margin = (TILE - CROP) // 2
    far = TILE - margin - side
    patches = torch.stack([floor[:, far if c & 1 else margin:, far if c & 2 else margin:][:, :side, :side]
                           for floor, c in zip(floors, corner.tolist())]).float()
    floor = F.interpolate(patches, TILE, mode="bilinear", align_corners=False)
    # Drawn shadows are gone with the background: a soft dark rim takes their place.
    alpha = masks[:, None].float() / 255
    shadow = F.avg_pool2d(alpha, 9, 1, 4, count_include_pad=False).roll(3, 2)
    floor = floor * (1 - 0.3 * shadow)
    return (tiles.float() * alpha + floor * (1 - alpha)).to(torch.uint8)


def cutmix(pixels, generator):
    """Pastes a random box of another picture of the batch into each; partners and shares kept."""
    n, size = len(pixels), pixels.shape[-1]
    partner = torch.randperm(n, generator=generator)
    mixed = pixels.clone()
    keep = torch.ones(n)
    for i in range(n):
        side = int(size * math.sqrt(float(torch.empty(1).uniform_(0.05, 0.6, generator=generator))))
        x, y = torch.randint(0, size - side + 1, (2,), generator=generator).tolist()
        mixed[i, :, y:y + side, x:x + side] = pixels[partner[i], :, y:y + side, x:x + side]
        keep[i] = 1 - side * side / size / size
    return mixed, partner, keep


def normalised(pixels):
    return (pixels - MEAN) / STD
