"""Makes tests/goldens/model-*: vectors of the synthetic checkpoints and of the small real model by
transformers, f32 on a CPU.

    python -m venv venv && venv/bin/pip install -r tests/reference/requirements-model.txt
    venv/bin/python tests/reference/model.py [SHAPE]...

About two minutes and 3 GB of memory. No network: the weights are made by `synthetic.py`.

Per shape two files:
  model-SHAPE.json  configuration, seeds, versions, digests, token ids, a few inner states
  model-SHAPE.f32   raw (not normalised) vectors as little-endian f32, rows of projection_dim:
                    first one per pixel input, then one per text
"""

import hashlib
import json
import platform
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import CLIPModel

import synthetic

GOLDENS = Path(__file__).resolve().parent.parent / "goldens"
TINY = GOLDENS.parents[1] / "crates/scraper-lib/models/tiny"
SEED, PIXEL_SEED, TEXT_SEED = 1, 7, 11
IMAGES = 16
BOS, EOT = 49406, 49407
# Content tokens per text: no token, every small size, powers of two and their neighbours, the limit.
LENGTHS = [0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 74, 75, 75]


def texts(known=range(BOS)):
    """Token ids of texts; their content tokens are from `known`."""
    rows = []
    for index, length in enumerate(LENGTHS):
        words = synthetic.stream(synthetic.key(TEXT_SEED, f"text.{index}"), 0, length).tolist()
        rows.append([BOS, *(known[word % len(known)] for word in words), EOT])
    rows.append(rows[5] + [EOT] * (77 - len(rows[5])))  # padded, as processors do
    rows.append(rows[6][:4] + [EOT] + rows[6][4:])  # "<|endoftext|>" inside the text
    near = list(rows[9])
    near[4] = known[320 % len(known)]  # one token changed
    rows.append(near)
    return rows


def cosines(vectors):
    unit = torch.nn.functional.normalize(vectors.double(), dim=-1)
    return (unit @ unit.T)[~torch.eye(len(unit), dtype=torch.bool)]


def largest_difference(a, b):
    unit = torch.nn.functional.normalize
    return (unit(a.double(), dim=-1) - unit(b.double(), dim=-1)).abs().max().item()


def f32_list(values):
    """Shortest decimals of f32 values."""
    return [float(str(value)) for value in np.asarray(values, np.float32)]


@torch.no_grad()
def run(model, pixel_values, rows):
    vision = model.vision_model(pixel_values, output_hidden_states=True)
    images = model.visual_projection(vision.pooler_output)
    outputs = [model.text_model(torch.tensor([row]), output_hidden_states=True) for row in rows]
    # One text at a time, exactly as it is: no padding, no mask.
    vectors = torch.cat([model.text_projection(output.pooler_output) for output in outputs])
    return images, vectors, vision.hidden_states, [output.hidden_states for output in outputs]


def load(folder):
    model, info = CLIPModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32,
                                            output_loading_info=True)
    assert not any(info.values()), info
    return model.eval()


def make_synthetic(shape, config):
    arrays = synthetic.checkpoint(config, SEED)
    with tempfile.TemporaryDirectory() as folder:
        synthetic.write_folder(folder, config, arrays)
        model = load(folder)
    facts = {"config": config, "seed": SEED, "weights_sha256": synthetic.digest(arrays)}
    measured = make(shape, model, texts(), facts)
    assert max(measured["largest_cosine_images"], measured["largest_cosine_texts"]) < 0.95


def make_tiny():
    model = load(TINY)
    rows = model.text_model.embeddings.token_embedding.weight.abs().sum(1).nonzero().flatten().tolist()
    file = hashlib.sha256((TINY / "model.safetensors").read_bytes()).hexdigest()
    make("tiny", model, texts([row for row in rows if row < BOS]), {"file_sha256": file})


@torch.no_grad()
def make(shape, model, rows, facts):
    pixel_values = [synthetic.pixels(PIXEL_SEED, index) for index in range(IMAGES)]
    batch = torch.from_numpy(np.stack(pixel_values))
    images, vectors, vision_states, text_states = run(model, batch, rows)

    chosen = [1, 6, 14]
    padded = torch.tensor([rows[i] + [EOT] * (77 - len(rows[i])) for i in chosen])
    logits = model(input_ids=padded, pixel_values=batch[:3]).logits_per_image
    images64, vectors64, *_ = run(model.double(), batch.double(), rows)

    golden = {
        **facts,
        "pixel_seed": PIXEL_SEED,
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__,
                     "numpy": np.__version__, "python": platform.python_version()},
        "pixels_sha256": [hashlib.sha256(p.astype("<f4").tobytes()).hexdigest() for p in pixel_values],
        "measured": {
            "f32_to_f64_max_difference_images": largest_difference(images, images64),
            "f32_to_f64_max_difference_texts": largest_difference(vectors, vectors64),
            "largest_cosine_images": cosines(images).max().item(),
            # Without the pairs that must be equal or nearly so by construction.
            "largest_cosine_texts": cosines(vectors[:len(LENGTHS)]).max().item(),
        },
        "texts": rows,
        "logits_per_image": {"images": [0, 1, 2], "texts": chosen,
                             "values": [f32_list(row) for row in logits]},
        # First 8 values: class token of image 0, pooled token of text 14; after the embeddings
        # (vision: after the first norm) and after each block.
        "states": {
            "vision_image_0_class_token": [f32_list(state[0, 0, :8]) for state in vision_states],
            "text_14_pooled_token": [f32_list(state[0, -1, :8]) for state in text_states[14]],
        },
    }
    measured = golden["measured"]
    assert max(measured["f32_to_f64_max_difference_images"], measured["f32_to_f64_max_difference_texts"]) < 2e-6
    # One row per line stays readable and diffable.
    body = json.dumps(golden, indent=1)
    (GOLDENS / f"model-{shape}.json").write_text(compact(body) + "\n")
    torch.cat([images, vectors]).numpy().astype("<f4").tofile(GOLDENS / f"model-{shape}.f32")
    print(shape, json.dumps(measured, indent=1))
    return measured


def compact(text):
    """Puts arrays of numbers on one line each."""
    import re

    return re.sub(r"\[[\s\d.,e+-]*\]", lambda m: re.sub(r"\s+", " ", m[0]), text)


if __name__ == "__main__":
    GOLDENS.mkdir(exist_ok=True)
    torch.set_num_threads(2)
    makers = {"second_shape": lambda: make_synthetic("second_shape", synthetic.second_shape()),
              "vit_b_32": lambda: make_synthetic("vit_b_32", synthetic.vit_b_32()), "tiny": make_tiny}
    for name in sys.argv[1:] or makers:
        makers[name]()
