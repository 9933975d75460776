"""Scores: while training (112 x 112 views, f32) and of the files that are shipped (through `transformers`)."""

import json

import numpy as np
import torch

from tiny import data, words


def retrieval(images, texts, truth):
    """Of text to image: share of texts with a true picture among the five nearest; share of true ones of five."""
    nearest = (texts @ images.T).topk(5, 1).indices
    hits = torch.from_numpy(truth.T == words.TRUE).gather(1, nearest)
    return hits.any(1).float().mean().item(), hits.float().mean().item()


def type_and_color(records):
    """The captions "red dress" of all pairs that occur, with their truth [pictures, captions]."""
    claims = words.Claims()
    nouns, colors = list(words.NOUNS), list(words.COLORS)
    for garment, color in sorted({(r["garment"], r["color"]) for r in records}):
        claims.add(f"{color} {garment}", [nouns.index(garment), len(nouns) + colors.index(color)])
    return claims.texts, claims.truth(words.facts(records))


def classified(images, texts, labels):
    return ((images @ texts.T).argmax(1) == torch.tensor(labels)).float().mean().item()


def scores(images_of, texts_of, sets, photo_split):
    """{name: score} with any model: functions from tiles and from captions to unit vectors."""
    tiles, records = sets["held out"]
    images = images_of("held out", tiles)
    captions, truth = type_and_color(records)
    recall, precision = retrieval(images, texts_of(captions), truth)
    labels = [words.TYPES.index(r["garment"]) for r in records]
    found = {"drawn recall@5": recall, "drawn precision@5": precision, "drawn type": classified(
        images, texts_of([words.prompt(t) for t in words.TYPES]), labels)}
    colors = list(words.COLORS)
    found["drawn color"] = classified(images, texts_of(colors),
                                      [colors.index(r["color"]) for r in records])
    if photo_split in sets:
        tiles, records = sets[photo_split]
        images = images_of(photo_split, tiles)
        labels = [data.CLASSES.index(r["garment"]) for r in records]
        found[f"{photo_split} class"] = classified(
            images, texts_of([words.prompt(c) for c in data.CLASSES]), labels)
    return found


def quick(model, tokens, sets):
    """Scores of the model in training, on its own views; the first 800 held-out pictures."""
    with torch.no_grad():
        def images_of(_, tiles):
            return torch.cat([model.images(data.normalised(data.plain(part))) for part in tiles.split(200)])

        def texts_of(texts):
            return model.texts(tokens(texts))

        tiles, records = sets["held out"]
        sets = {**sets, "held out": (tiles[:800], records[:800])}
        found = scores(images_of, texts_of, sets, "validation")
    return ", ".join(f"{name} {value:.3f}" for name, value in found.items())


# --- the shipped files -------------------------------------------------------------------------


def chances(records):
    """What blind guessing would reach at type + colour: share of true pictures of five, any of five."""
    _, truth = type_and_color(records)
    share = (truth == words.TRUE).mean(0)
    return float((1 - (1 - share) ** 5).mean()), float(share.mean())


def shipped(folder, args, sets, splits):
    """Scores of the files in `folder`: loaded by `transformers`, pictures through its own processor."""
    from PIL import Image
    from transformers import CLIPImageProcessor, CLIPModel

    from tiny.tokens import tokenizer

    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    processor, tokenize = CLIPImageProcessor.from_pretrained(folder), tokenizer()

    def unit(output):
        return torch.nn.functional.normalize(getattr(output, "pooler_output", output), dim=1)

    def texts_of(texts):
        ids = tokenize(texts, padding=True, return_tensors="pt")
        return unit(model.get_text_features(**ids))

    def images_of(_, paths):
        found = []
        for start in range(0, len(paths), 64):
            pictures = []
            for path in paths[start:start + 64]:
                with Image.open(path) as image:
                    pictures.append(image.convert("RGB"))
            found.append(unit(model.get_image_features(**processor(images=pictures, return_tensors="pt"))))
        return torch.cat(found)

    folders = {"held out": None, **{split: args.photos and args.photos / split for split in splits}}
    with torch.inference_mode():
        found = {}
        for split in splits or [None]:
            files = {name: ([(root or args.shops / record["shop"]) / record["path"] for record in sets[name][1]],
                            sets[name][1]) for name, root in folders.items() if name in ("held out", split)}
            found |= scores(images_of, texts_of, files, split)
    return found


def finish(args, cfg, model, tokens, sets, facts):
    """Writes the model in f16, measures exactly what was written, and writes the card."""
    from safetensors.torch import save_file

    from tiny import card, student

    rng = np.random.default_rng(0)
    records = sets["held out"][1] + sets.get("validation", ((), []))[1]
    table = words.facts(records)
    reached = max(tokens(words.captions(rng, table, records).texts).shape[1] for _ in range(8))
    args.out.mkdir(parents=True, exist_ok=True)
    save_file(student.export(model.state_dict(), tokens.ids, reached), args.out / "model.safetensors",
              metadata={"format": "pt"})
    (args.out / "config.json").write_text(json.dumps(cfg, indent=2) + "\n")
    (args.out / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=2) + "\n")
    splits = [split for split in ("validation", "test") if split in sets]
    found = shipped(args.out, args, sets, splits)
    for name, value in found.items():
        print(f"{name}: {value:.3f}")
    vision, text = cfg["vision_config"], cfg["text_config"]

    def shape(c):
        return f"{c['num_hidden_layers']} layers of {c['hidden_size']}, {c['num_attention_heads']} heads"

    facts |= {
        "tokens": len(tokens.ids), "reached": reached, "vision": shape(vision), "text": shape(text),
        "parameters": f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} million",
        "size": f"{(args.out / 'model.safetensors').stat().st_size / 1e6:.1f} MB",
        "table": f"{text['vocab_size'] * text['hidden_size'] * 2 / 1e6:.1f} MB",
    }
    (args.out / "README.md").write_text(card.text(found, sets, facts))


PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": 224}, "resample": 3,
    "do_center_crop": True, "crop_size": {"height": 224, "width": 224}, "do_convert_rgb": True, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
