"""The model card."""

import platform

import numpy as np
import torch

from tiny import data, evaluate

CARD = """# tiny: a small CLIP of drawn garments

A `CLIPModel` of {parameters} trained parameters ({size} in f16, of which {table} is the token table, nearly all
zeros) that is part of this repository, so that a fresh clone finds "red dress" without a download. It is made
for first looks, demonstrations and tests. **For real work use `openai/clip-vit-base-patch32`**: this model knows
{tokens} tokens of 49,408 and sixteen kinds of garment.

## What it is

- Vision: 224 x 224, patches of 32, {vision}. Text: {text}. Projection 512, `quick_gelu`.
- The standard vocabulary and format: `transformers` loads the folder with
  `CLIPModel.from_pretrained(folder, dtype="float32")` (the file is f16, and transformers 5 would compute in it)
  and `CLIPImageProcessor.from_pretrained`. The tokenizer is that of every CLIP and not repeated here:
  `CLIPTokenizer.from_pretrained("openai/clip-vit-base-patch32")`; the scraper has it built in.
- Words that training did not have are zero vectors: the text tower sees only that something is there.

## How it was made

`tests/reference/train_tiny.py`, seed {seed}, {steps} steps of {batch} pictures ({sources}), {minutes} minutes on two
busy cores of a {machine}, {versions}. {drawn}
pictures of garments drawn by the project's own `drawn-shop` with generated captions (kind, colour, pattern,
sleeve, length, in varied wording){photos}. The loss is CLIP's, with every true pair of a batch as a positive and
pairs of unknown truth left out, plus classification by captions. While training a picture keeps {keep} of its 49
patches; attention starts as local; weights are an average over the last steps, rounded to f16.

## Scores

Of exactly these files, loaded by `transformers` {transformers}. Drawn: {held_out} pictures of shops it was not
trained on (same generator, other seeds).

| measured | score | chance |
|---|---:|---:|
{rows}

recall@5: share of the captions "red dress" (all kind and colour pairs that occur) with a picture of that kind and
colour among the five nearest. precision@5: share of such pictures of the five. Classes are found by the nearest of
"a photo of a dress" and so on.

## Limits

- Drawn pictures are easy, and held-out ones come from the same generator: those scores say nothing about other
  pictures. The photographs' score is the honest one, and their class is all that was measured: colours in their
  captions were guessed from the middle of the picture.
- It has no notion of people, brands, scenes, style or anything that is no garment. Any picture gets a vector.
- Captions were in English, of at most {reached} tokens; longer texts work and mean little.
- Its vectors cannot be compared with those of any other model.

## Data and licences

{licences} The weights have the project's licence, MIT or Apache-2.0.
"""

PHOTOS = """, and {n} photographs of clothes in ten classes (the "train" part of
clothing-dataset-small, CC0-1.0), with captions made of the class and a measured colour. A third kind of picture lays
cut-out drawn garments on the floors of the photographs"""


def versions():
    import safetensors
    import transformers

    names = [("Python", platform.python_version()), ("torch", torch.__version__.split("+")[0]),
             ("transformers", transformers.__version__), ("numpy", np.__version__), ("safetensors", safetensors.__version__)]
    return ", ".join(f"{name} {version}" for name, version in names)


def text(scores, sets, facts):
    """The card as Markdown; `scores` of `evaluate.shipped`."""
    import transformers

    held_out = sets["held out"][1]
    any_of_five, share = evaluate.chances(held_out)
    chance = {"drawn recall@5": any_of_five, "drawn precision@5": share, "drawn type": 1 / 16, "drawn color": 1 / 17}
    labels = {"drawn recall@5": "drawn, text to image, kind and colour: recall@5",
              "drawn precision@5": "drawn, text to image, kind and colour: precision@5",
              "drawn type": "drawn, kind out of 16", "drawn color": "drawn, colour out of 17"}
    for split in ("validation", "test"):
        if split in sets:
            name = f"{split} class"
            n = len(sets[split][1])
            counts = np.bincount([data.CLASSES.index(r["garment"]) for r in sets[split][1]])
            chance[name] = 1 / len(data.CLASSES)
            labels[name] = (f"photographs, {split} part ({n}): class out of 10 "
                            f"(the commonest class alone: {counts.max() / n:.2f})")
    rows = "\n".join(f"| {labels[name]} | {value:.3f} | {chance[name]:.3f} |" for name, value in scores.items())
    licences = "The drawn pictures are made by code of this repository."
    photos = ""
    if "train" in sets:
        photos = PHOTOS.format(n=f"{len(sets['train'][1]):,}")
        licences += ("\nThe photographs are CC0-1.0 (<https://github.com/alexeygrigorev/clothing-dataset-small>); none is "
                     "in this repository.")
    return CARD.format(scores=scores, rows=rows, photos=photos, licences=licences, held_out=f"{len(held_out):,}",
                       drawn=f"{len(sets['drawn'][1]):,}", versions=versions(),
                       transformers=transformers.__version__, **facts)
