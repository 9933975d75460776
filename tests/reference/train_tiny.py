"""Trains crates/scraper-lib/models/tiny: a small real CLIP for a fresh clone, on a CPU.

    for s in "101 7000 300x400" "102 3500 300x375" "103 3500 300x450" \
             "201 700 300x400" "202 350 300x375" "203 350 300x450"; do
      set -- $s
      cargo xtask draw-shop --out target/tiny/shop-$1 --seed $1 --products $2 --size $3 --images 1
    done
    cargo xtask draw-shop --out target/tiny/shop-104 --seed 104 --products 7000 --size 300x375 --images 1 --format png
    python tests/reference/train_tiny.py --photos ../shared/data/clothing-cc0

Needs requirements-model.txt, pillow, and open_clip_torch for the vocabulary (requirements-tokens.txt). Without
--photos it trains on drawn garments only. A run that was stopped goes on where its last checkpoint was; the
same seed gives the same model on the same machine, number of threads and versions.

Shops 101 to 104 are for training, 201 to 203 are held out; of the photographs, "validation" is looked at
while training, "test" once, at the end. See `tiny/` for the parts.
"""

import argparse
import copy
import math
import platform
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from tiny import data, evaluate, features, student, words
from tiny.tokens import Tokens

ROOT = Path(__file__).resolve().parents[2]
TRAIN_SHOPS, CUTOUT_SHOP, HELD_OUT_SHOPS = ("shop-101", "shop-102", "shop-103"), "shop-104", (
    "shop-201", "shop-202", "shop-203")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shops", type=Path, default=ROOT / "target/tiny")
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "crates/scraper-lib/models/tiny")
    parser.add_argument("--cache", type=Path, help="tiles and the checkpoint [default: cache in --shops]")
    parser.add_argument("--run", default="run", help="name of the checkpoint")
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--batch", type=int, nargs=3, default=(40, 28, 12), help="drawn, photographs, cutouts")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--head-start", type=int, default=0, help="steps before, see tiny/features.py")
    parser.add_argument("--keep", type=int, default=49, help="patches that a picture keeps, of 49")
    parser.add_argument("--start-from", type=Path, help="a checkpoint whose weights to start with")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    args.cache = args.cache or args.shops / "cache"
    return args


def load(args):
    """Everything to train on and to check with, as {name: (tiles, records, ...)}."""
    sets = {}
    shops = [data.drawn(args.shops / name, args.cache) for name in TRAIN_SHOPS]
    sets["drawn"] = torch.cat([tiles for tiles, _ in shops]), sum((records for _, records in shops), [])
    held = [data.drawn(args.shops / name, args.cache) for name in HELD_OUT_SHOPS]
    sets["held out"] = torch.cat([tiles for tiles, _ in held]), sum((records for _, records in held), [])
    if args.photos:
        for split in ("train", "validation", "test"):
            tiles, records = data.photographs(args.photos, split, args.cache)
            file = args.cache / f"colors-{split}-{len(records)}.npy"
            if not file.exists():
                np.save(file, np.stack([words.measured(picture.numpy()) for picture in tiles]))
            for record, colors in zip(records, np.load(file)):
                record["colors"] = colors
            sets[split] = tiles, records
        sets["cutouts"] = data.cutouts(args.shops / CUTOUT_SHOP, args.cache)
    return sets


class Batches:
    """Random batches: pixels (augmented, not yet normalised) and records."""

    def __init__(self, sets, sizes, generator):
        self.sets, self.sizes, self.generator = sets, sizes, generator
        if "train" in sets:
            classes = torch.tensor([data.CLASSES.index(r["garment"]) for r in sets["train"][1]])
            # Between as they come and all classes alike.
            self.weights = classes.bincount()[classes].float() ** -0.5

    def next(self):
        """pixels, records, how many of them are drawn (they come first)."""
        n_drawn, n_photos, n_cutouts = self.sizes
        tiles, records = self.sets["drawn"]
        chosen = torch.randint(len(tiles), (n_drawn,), generator=self.generator)
        parts, found = [tiles[chosen]], [records[i] for i in chosen.tolist()]
        if "train" in self.sets:
            photos, photo_records = self.sets["train"]
            chosen = torch.multinomial(self.weights, n_photos, generator=self.generator)
            parts.append(photos[chosen])
            found += [photo_records[i] for i in chosen.tolist()]
            tiles, masks, records = self.sets["cutouts"]
            chosen = torch.randint(len(tiles), (n_cutouts,), generator=self.generator)
            floors = torch.randint(len(photos), (n_cutouts,), generator=self.generator)
            parts.append(data.on_floors(tiles[chosen], masks[chosen], photos[floors], self.generator))
            found += [records[i] for i in chosen.tolist()]
        drawn = data.augmented(parts[0], self.generator, scale=(0.85, 1.2), turn=6, light=0.12, tint=0.02)
        if len(parts) == 1:
            return drawn, found, n_drawn
        others = data.augmented(torch.cat(parts[1:]), self.generator, scale=(0.65, 1.15), turn=15, light=0.25)
        return torch.cat([drawn, others]), found, n_drawn


def contrast(logits, truth):
    """CLIP's loss with any number of positives: cross-entropy towards all true pairs alike, both ways.

    Pairs of unknown truth take no part. logits, truth: [pictures, captions].
    """
    truth = torch.from_numpy(truth)
    logits = logits.masked_fill(truth == words.UNKNOWN, -1e4)
    true = (truth == words.TRUE).float()
    loss = 0
    for l, t in ((logits, true), (logits.T, true.T)):
        loss = loss - ((l.log_softmax(1) * t).sum(1) / t.sum(1).clamp(min=1)).mean()
    return loss / 2


def soft_cross_entropy(logits, target, smoothing=0.05):
    target = target * (1 - smoothing) + smoothing / target.shape[1]
    return -(target * logits.log_softmax(1)).sum(1).mean()


def loss_of(model, heads, tokens, batch, rng, generator, keep):
    """All losses of one step. Half of the photographs are cut into one another and only classified."""
    pixels, records, n_drawn = batch
    others = len(pixels) - n_drawn
    mixed = others // 3
    classes = torch.tensor([words.as_photo(record, data.CLASSES) for record in records])
    target = F.one_hot(classes.clamp(min=0), len(data.CLASSES)).float()
    if mixed:
        # Photographs follow the drawn pictures; the first of them are mixed.
        part = slice(n_drawn, n_drawn + mixed)
        cut, partner, share = data.cutmix(pixels[part], generator)
        pixels = torch.cat([pixels[:n_drawn], cut, pixels[n_drawn + mixed:]])
        target[part] = target[part] * share[:, None] + target[part][partner] * (1 - share[:, None])
    whole = torch.cat([torch.arange(n_drawn), torch.arange(n_drawn + mixed, len(records))])
    said = [records[i] for i in whole.tolist()]
    table = words.facts(said)
    claims = words.captions(rng, table, said)
    prompts = [words.varied(rng, noun) for noun in data.CLASSES + words.TYPES]

    states = model.vision_model(data.normalised(pixels), keep)
    images = F.normalize(model.visual_projection(states), dim=1)
    texts = model.texts(tokens(claims.texts + prompts))
    scale = model.logit_scale.exp()
    captions, by_class, by_type = texts.split([len(whole), len(data.CLASSES), len(words.TYPES)])
    loss = contrast(scale * images[whole] @ captions.T, claims.truth(table))
    types = torch.tensor([words.TYPES.index(record["garment"]) for record in records[:n_drawn]])
    loss = loss + 0.5 * F.cross_entropy(scale * images[:n_drawn] @ by_type.T, types)
    # The same questions without words: plain classifiers learn shapes sooner than a young text tower teaches them.
    colors = torch.tensor([list(words.COLORS).index(record["color"]) for record in records[:n_drawn]])
    loss = loss + F.cross_entropy(heads["kind"](states[:n_drawn]), types)
    loss = loss + 0.5 * F.cross_entropy(heads["hue"](states[:n_drawn]), colors)
    if others:
        photos = torch.arange(n_drawn, len(records))
        photos = photos[classes[photos] >= 0]
        loss = loss + soft_cross_entropy(heads["photo"](states[photos]), target[photos])
        loss = loss + soft_cross_entropy(scale * images[photos] @ by_class.T, target[photos])
    return loss


def rate(step, steps):
    """Share of the peak learning rate: a rise, level, a straight fall over the last 40 %."""
    return min(1, (step + 1) / 30, (steps - step) / (0.4 * steps))


def log(text):
    print(text, flush=True)


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    started = time.time()
    sets = load(args)
    tokens = Tokens()
    cfg = student.config()
    model = student.Clip(cfg, len(tokens.ids))
    width = cfg["vision_config"]["hidden_size"]
    heads = torch.nn.ModuleDict({"kind": torch.nn.Linear(width, len(words.TYPES)), "hue": torch.nn.Linear(
        width, len(words.COLORS)), "photo": torch.nn.Linear(width, len(data.CLASSES))})
    average = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW([*model.parameters(), *heads.parameters()], lr=args.lr, weight_decay=0.05)
    checkpoint = args.cache / f"{args.run}.pt"
    first, spent = 0, 0.0
    generator, rng = torch.Generator(), np.random.default_rng(args.seed)
    generator.manual_seed(args.seed)
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=False)
        model.load_state_dict(saved["model"]), heads.load_state_dict(saved["heads"]), average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        first, spent = saved["step"], saved["seconds"]
        generator.set_state(saved["generator"]), torch.set_rng_state(saved["torch"])
        rng.bit_generator.state = saved["numpy"]
    elif args.start_from:
        saved = torch.load(args.start_from, weights_only=False)["average"]
        model.load_state_dict(saved), average.load_state_dict(saved)
        model.logit_scale.data.fill_(math.log(20))
    print(f"{time.time() - started:.0f} s to load; {len(tokens.ids)} tokens; from step {first}", flush=True)
    batches = Batches(sets, args.batch, generator)
    if first == 0 and args.head_start:
        features.head_start(model.vision_model, batches, args.head_start, log)
        average.load_state_dict(model.state_dict())
    started, cpu, losses = time.time(), time.process_time(), []
    for step in range(first, args.steps):
        for group in optimizer.param_groups:
            group["lr"] = args.lr * rate(step, args.steps)
        optimizer.zero_grad()
        # The last tenth sees whole pictures, as the model will.
        keep = args.keep if args.keep < 49 and step < 0.9 * args.steps else None
        loss = loss_of(model, heads, tokens, batches.next(), rng, generator, keep)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=math.log(50))
            decay = min(0.99, (step + 10) / (step + 100))
            for a, p in zip(average.parameters(), model.parameters()):
                a.lerp_(p, 1 - decay)
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            print(f"step {step + 1}: loss {np.mean(losses[-50:]):.3f}, {time.time() - started:.0f} s, "
                  f"{time.process_time() - cpu:.0f} s of CPU", flush=True)
        if (step + 1) % 250 == 0 or step + 1 == args.steps:
            print(f"  {evaluate.quick(average, tokens, sets)}", flush=True)
            state = {"model": model.state_dict(), "heads": heads.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(),
                     "step": step + 1, "seconds": spent + time.time() - started, "generator": generator.get_state(),
                     "torch": torch.get_rng_state(), "numpy": rng.bit_generator.state}
            torch.save(state, checkpoint.with_suffix(".tmp"))
            checkpoint.with_suffix(".tmp").rename(checkpoint)
    n_drawn, n_photos, n_cutouts = args.batch
    facts = {"steps": args.steps, "seed": args.seed, "keep": args.keep, "machine": platform.machine(),
             "minutes": round((spent + time.time() - started) / 60)}
    if "train" in sets:
        facts |= {"batch": sum(args.batch),
                  "sources": f"{n_drawn} drawn, {n_photos} photographs, {n_cutouts} drawn on photographed floors"}
    else:
        facts |= {"batch": n_drawn, "sources": "all drawn"}
    evaluate.finish(args, cfg, average, tokens, sets, facts)


if __name__ == "__main__":
    main()
