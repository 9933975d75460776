"""The bits are those of `scraper embed`, whatever an image is given as and on however many threads."""

from __future__ import annotations

import multiprocessing
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from clip_everywhere import Clip
from conftest import Scraper, bits, draw, embedded
from numpy.typing import NDArray
from PIL import Image

PROFILES = ["hf-endpoint", "transformers4", "transformers5", "transformers5-pil"]


@pytest.mark.parametrize("profile", PROFILES)
def test_vectors_are_those_of_the_scraper(scraper: Scraper, folder: Path, profile: str) -> None:
    names = sorted(path.name for path in folder.iterdir())
    flags = [folder / name for name in names] + ["--profile", profile]
    clip = Clip.load("tiny", profile=profile)
    for normalize in [True, False]:
        lines = embedded(scraper, *flags, *([] if normalize else ["--raw"]))
        theirs = np.array([line["embedding"] for line in lines], np.float32)
        content = [(folder / name).read_bytes() for name in names]
        assert len(theirs) == 8
        assert (bits(clip.embed_images(content, normalize=normalize)) == bits(theirs)).all()
        paths: list[Path | str | bytes] = [folder / names[0], str(folder / names[1]), *content[2:]]
        assert (bits(clip.embed_images(paths, normalize=normalize)) == bits(theirs)).all()
    assert clip.provenance._asdict() == lines[0]["provenance"] | {"revision": None}


@pytest.mark.parametrize("profile", PROFILES)
def test_pillow_and_numpy_hold_the_same_pixels(folder: Path, profile: str) -> None:
    clip = Clip.load("tiny", profile=profile)
    for path in sorted(folder.iterdir()):
        if path.suffix == ".jpg":
            continue  # Pillow's decoder is not the scraper's in every version
        ours, pillows = clip.embed_images([path, Image.open(path)])
        assert (bits(ours) == bits(pillows)).all(), path.name
    turned = folder / "turned.jpg"
    upright, stored = clip.pixel_values([Image.open(turned), np.asarray(Image.open(turned))])
    assert upright.shape == (3, clip.image_size, clip.image_size) and upright.dtype == np.float32
    # The camera's orientation counts where the profile says so, for pictures of Pillow too.
    assert (upright == stored).all() == (profile != "hf-endpoint")
    array = np.asarray(draw(8, 20, 31))
    picture, plain, reversed_twice = clip.embed_images(
        [Image.fromarray(array), array, np.asfortranarray(array)]
    )
    assert (bits(picture) == bits(plain)).all() and (bits(plain) == bits(reversed_twice)).all()


def test_pixel_values_are_pillows_and_numpys(clip: Clip) -> None:
    """As `CLIPImageProcessor` (slow) computes them."""
    image = draw(11, 300, 260)
    size = clip.image_size
    small = image.resize((size * 300 // 260, size), Image.Resampling.BICUBIC)
    left = (small.width - size) // 2
    pixels = np.asarray(small.crop((left, 0, left + size, size)))
    mean = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
    std = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
    scaled = (pixels * (1 / 255)).astype(np.float32)
    expected = ((scaled - mean) / std).transpose(2, 0, 1)
    [found] = clip.pixel_values([image])
    assert np.abs(found - expected).max() < 1e-6


def test_texts_and_tokens_are_those_of_the_scraper(scraper: Scraper, clip: Clip) -> None:
    texts = ["a red dress", "", "Übergröße 👗 " * 60, "\0", "jeans"]
    given = [text for text in texts if "\0" not in text]
    flags = [flag for text in given for flag in ("--text", text)]
    theirs = np.array([line["embedding"] for line in embedded(scraper, *flags)], np.float32)
    assert (bits(clip.embed_texts(given)) == bits(theirs)).all()
    assert clip.embed_texts(texts).shape == (5, clip.dim)
    assert len(clip.tokenize(texts)[2]) == 77
    assert clip.embed_texts([]).shape == (0, clip.dim)
    assert clip.embed_images([]).shape == (0, clip.dim)


def test_traces_are_those_of_the_scraper(scraper: Scraper, clip: Clip, folder: Path) -> None:
    path = folder / "turned.jpg"
    image, text = embedded(scraper, path, "--text", "boots", "--trace")
    for line, stages in [(image, clip.trace(path)), (text, clip.trace("boots", text=True))]:
        theirs = [(s["name"], tuple(s["shape"]), s["sha256"]) for s in line["trace"]]
        assert [tuple(stage) for stage in stages] == theirs
    png = folder / "grey.png"
    assert clip.trace(Image.open(png)) == clip.trace(png)


def test_threads_batches_and_forks_change_nothing(files: dict[str, bytes]) -> None:
    content = list(files.values()) * 3
    expected = bits(Clip.load("tiny", threads=1).embed_images(content, batch_size=1))
    clip = Clip.load("tiny", threads=3)
    with ThreadPoolExecutor(6) as pool:
        for found in pool.map(lambda size: clip.embed_images(content, batch_size=size), range(1, 9)):
            assert (bits(found) == expected).all()
    # In a child the clip itself is used, and another is loaded.
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)

    def child() -> None:
        send.send(clip.embed_images(content))
        send.send(Clip.load("tiny").embed_images(content))

    process = context.Process(target=child, daemon=True)
    process.start()
    for _ in range(2):
        assert receive.poll(60), "the child waits for threads that it does not have"
        assert (bits(receive.recv()) == expected).all()
    again = pickle.loads(pickle.dumps(clip))
    assert (bits(again.embed_images(content)) == expected).all()


def test_the_interpreter_goes_on_meanwhile(clip: Clip) -> None:
    content = [np.asarray(draw(seed, 400, 400)) for seed in range(48)]
    found: list[NDArray[np.float32]] = []
    worker = threading.Thread(target=lambda: found.append(clip.embed_images(content, batch_size=48)))
    worker.start()
    turns = 0
    while worker.is_alive():
        turns += 1
        worker.join(0.0005)
    # One or two, if the lock were held.
    assert len(found) == 1 and turns > 10, turns


def test_encode_is_that_of_sentence_transformers(clip: Clip, folder: Path) -> None:
    picture = Image.open(folder / "alpha.png")
    mixed = clip.encode(["a dress", picture, "jeans"])
    assert mixed.shape == (3, clip.dim) and mixed.dtype == np.float32
    assert (bits(mixed[0]) == bits(clip.encode("a dress"))).all()
    assert (bits(mixed[1]) == bits(clip.embed_images([picture], normalize=False)[0])).all()
    unit = clip.encode(["a dress"], normalize_embeddings=True)
    assert (bits(unit) == bits(clip.embed_texts(["a dress"]))).all()
