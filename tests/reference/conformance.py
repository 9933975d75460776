"""The real model by `transformers`, beside lines of `scraper embed --profile transformers5`.

    python conformance.py MODEL OURS.jsonl    # needs requirements-images.txt; exit 1 above 1e-5

`cargo xtask conformance --python PYTHON` runs it.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers

from images import processors

LIMIT = 1e-5


def has_tokenizer(model):
    """`transformers` takes a folder without one for a tokenizer that knows no word."""
    folder = Path(model)
    return not folder.is_dir() or any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json"))


def vectors(model, lines):
    """Features as projected, one for each line."""
    images = [line["input"] for line in lines if line["kind"] == "image"]
    texts = [line["input"] for line in lines if line["kind"] == "text"]
    run = processors(5)["transformers5"]
    network = transformers.CLIPModel.from_pretrained(
        model, attn_implementation="eager", dtype=torch.float32
    ).eval()
    for name in images:
        pixels = torch.from_numpy(np.ascontiguousarray(run(Path(name).read_bytes()), np.float32))
        yield network.get_image_features(pixel_values=pixels)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model) if texts else None
    for text in texts:
        tokens = tokenizer([text], truncation=True, max_length=77, return_tensors="pt")
        yield network.get_text_features(**tokens)


def main():
    lines = [json.loads(line) for line in Path(sys.argv[2]).read_text().splitlines()]
    if not has_tokenizer(sys.argv[1]):
        print(f"SKIPPED: texts, because {sys.argv[1]} has no tokenizer")
        lines = [line for line in lines if line["kind"] == "image"]
    worst, of = 0.0, ""
    with torch.inference_mode():
        for line, features in zip(lines, vectors(sys.argv[1], lines), strict=True):
            features = getattr(features, "pooler_output", features)
            theirs = torch.nn.functional.normalize(features, dim=-1).numpy()[0]
            difference = float(np.abs(theirs - np.array(line["embedding"], np.float32)).max())
            if not difference <= worst:
                worst, of = difference, line["input"]
    print(f"{len(lines)} inputs, largest difference {worst:.2e} ({of!r})")
    sys.exit(not worst <= LIMIT)


main()
