"""`clip_everywhere` beside `transformers`, `sentence-transformers` and `fastembed`, one checkpoint.

    python peers.py MODEL_FOLDER [--threads N] [--rounds N]

`cargo xtask bench python --python PYTHON` makes the folder and runs it. Needs torch and transformers; what
else is not installed is left out of the table. Every round measures all, one after another; the table
has medians.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
LIMIT, IMAGES, BATCH = 1e-5, 100, 16


def drawn() -> list[bytes]:
    """Files of the drawn corpus."""
    names = json.loads((ROOT / "tests/goldens/embeddings.json").read_text())["files"]
    return [(ROOT / "tests/corpus" / name).read_bytes() for name in names[:: len(names) // IMAGES]][:IMAGES]


def photos(count: int) -> list[bytes]:
    """Sizes and sharpness of shop photos: JPEG of 800 x 1000."""
    import numpy as np
    from PIL import Image

    random, found = np.random.default_rng(1), []
    for _ in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (25, 20, 3), np.uint8))
        out = io.BytesIO()
        coarse.resize((800, 1000), Image.Resampling.BICUBIC).save(out, "JPEG", quality=85)
        found.append(out.getvalue())
    return found


def compare(folder: str) -> None:
    """The same checkpoint by `CLIPModel`: every value of 100 images within 1e-5."""
    import numpy as np
    import torch
    import transformers
    from clip_everywhere import Clip

    sys.path.insert(0, str(ROOT / "tests/reference"))
    from images import processors

    run = processors(5)["transformers5"]
    network = transformers.CLIPModel.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32
    ).eval()
    clip = Clip.load(folder, profile="transformers5")
    files = drawn()
    theirs = []
    with torch.inference_mode():
        for content in files:
            pixels = torch.from_numpy(np.ascontiguousarray(run(content), np.float32))
            features = network.get_image_features(pixel_values=pixels)
            features = getattr(features, "pooler_output", features)
            theirs.append(torch.nn.functional.normalize(features, dim=-1).numpy()[0])
    worst = float(np.abs(clip.embed_images(files) - np.array(theirs)).max())
    print(f"{len(files)} images: largest difference from transformers {transformers.__version__}: {worst:.2e}")
    if not worst <= LIMIT:
        sys.exit(f"more than {LIMIT}")


def peers(folder: str, threads: int) -> dict[str, Callable[[list[bytes]], Any]]:
    """By name, what embeds files; all loaded."""
    from PIL import Image

    found: dict[str, Callable[[list[bytes]], Any]] = {}
    opened = lambda files: [Image.open(io.BytesIO(content)) for content in files]  # noqa: E731

    from clip_everywhere import Clip

    clip = Clip.load(folder, threads=threads, towers="image")
    found["clip-everywhere"] = lambda files: clip.embed_images(files, batch_size=BATCH)

    import torch
    import transformers

    torch.set_num_threads(threads)
    network = transformers.CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder)

    def by_transformers(files: list[bytes]) -> None:
        for start in range(0, len(files), BATCH):
            pixels = processor(opened(files[start : start + BATCH]), return_tensors="pt")
            with torch.inference_mode():
                network.get_image_features(**pixels)

    found[f"transformers {transformers.__version__}"] = by_transformers
    for name, make in (("sentence-transformers", sentence_transformers), ("fastembed", fastembed)):
        try:
            encode, version = make(folder, threads)
        except Exception as e:  # noqa: BLE001 - whatever keeps it from loading is what the table says
            print(f"{name} is left out: {type(e).__name__}: {str(e)[:200]}")
            continue
        found[f"{name} {version}"] = lambda files, encode=encode: encode(opened(files))
    return found


def sentence_transformers(folder: str, threads: int) -> tuple[Callable[[list[Any]], Any], str]:
    import sentence_transformers as st

    model = st.SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": "float32"})
    return lambda images: model.encode(images, batch_size=BATCH, show_progress_bar=False), st.__version__


def fastembed(folder: str, threads: int) -> tuple[Callable[[list[Any]], Any], str]:
    """It takes ONNX: the checkpoint as tests/reference/peers.py exports it."""
    import importlib.metadata
    import shutil

    from fastembed import ImageEmbedding

    export = [sys.executable, str(ROOT / "tests/reference/peers.py"), "onnxruntime", folder, "1"]
    subprocess.run(export, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    onnx = Path(folder) / "fastembed"
    onnx.mkdir(exist_ok=True)
    shutil.copy(Path(folder) / "vision.onnx", onnx / "model.onnx")
    settings = json.loads((Path(folder) / "preprocessor_config.json").read_text())
    (onnx / "preprocessor_config.json").write_text(
        json.dumps({**settings, "image_processor_type": "CLIPImageProcessor", "do_center_crop": True})
    )
    model = ImageEmbedding(
        "Qdrant/clip-ViT-B-32-vision", specific_model_path=str(onnx), threads=threads
    )
    return lambda images: list(model.embed(images, batch_size=BATCH)), importlib.metadata.version("fastembed")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    settings = Path(arguments.folder) / "preprocessor_config.json"
    if "image_processor_type" not in (known := json.loads(settings.read_text())):
        settings.write_text(json.dumps(known | {"image_processor_type": "CLIPImageProcessor"}))
    compare(arguments.folder)
    files, times = photos(4 * BATCH), {}
    loaded = peers(arguments.folder, arguments.threads)
    for round in range(arguments.rounds + 1):
        for name, embed in loaded.items():
            start = time.perf_counter()
            embed(files)
            if round:
                times.setdefault(name, []).append(time.perf_counter() - start)
    print(f"\n{len(files)} JPEG files of 800 x 1000, {arguments.threads} threads, median of {arguments.rounds}")
    print("\n| | ms per image | |\n|---|---:|---:|")
    best = statistics.median(times["clip-everywhere"])
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"| {name} | {median / len(files) * 1e3:.1f} | {median / best:.2f}x |")


if __name__ == "__main__":
    main()
