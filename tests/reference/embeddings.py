"""Goldens from file bytes to embedding: the image corpus through `transformers` and the synthetic
ViT-B/32, as an endpoint computes it (preset hf-endpoint).

    python embeddings.py --python4 PY
        # tests/goldens/embeddings.json and .f32.zz (needs requirements-images.txt; PY: an interpreter
        # with requirements-4.txt)

Pixel values come from transformers 4 (Pillow 12, slow processor), vectors from CLIPModel in f32 on
the CPU; versions are recorded in the golden. Vectors are L2-normalised, little-endian f32, in the
order of the file names, compressed with zlib.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np

from images import CORPUS, GOLDENS, processors

PRESET = "hf-endpoint"


def pixel_values(out):
    """Runs under transformers 4: file names on stdin, one array for each appended to `out`."""
    run = processors(4)[PRESET]
    with open(out, "wb") as file:
        for line in sys.stdin:
            values = np.ascontiguousarray(run((CORPUS / line.strip()).read_bytes()), "<f4")
            assert values.shape == (1, 3, 224, 224)
            file.write(values.tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python4")
    parser.add_argument("--values", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.values:
        return pixel_values(args.values)

    import torch
    import transformers

    import synthetic

    goldens = json.loads((GOLDENS / "images.json").read_text())
    column = goldens["presets"].index(PRESET)
    names = [name for name, digests in goldens["files"].items() if digests[column]]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "values"
        command = [args.python4, __file__, "--values", str(out)]
        subprocess.run(command, input="\n".join(names), text=True, check=True)
        pixels = np.fromfile(out, "<f4").reshape(len(names), 3, 224, 224)
        cfg = synthetic.vit_b_32()
        synthetic.write_folder(Path(folder), cfg, synthetic.checkpoint(cfg, 1))
        model = transformers.CLIPModel.from_pretrained(folder, attn_implementation="eager").eval()
    vectors = []
    with torch.inference_mode():
        for start in range(0, len(names), 8):
            batch = torch.from_numpy(pixels[start : start + 8].copy())
            features = model.get_image_features(pixel_values=batch)
            features = getattr(features, "pooler_output", features)
            vectors.append(torch.nn.functional.normalize(features, dim=-1).numpy())
    data = np.concatenate(vectors).astype("<f4").tobytes()
    (GOLDENS / "embeddings.f32.zz").write_bytes(zlib.compress(data, 9))
    versions = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__,
                "pixel_values": goldens["versions"]["4"]}
    facts = {"versions": versions, "seed": 1, "preset": PRESET, "files": names}
    (GOLDENS / "embeddings.json").write_text(json.dumps(facts, indent=1) + "\n")
    print(len(names), "vectors")


main()
