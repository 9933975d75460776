"""A folder of drawn images, and what the scraper makes of it."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clip_everywhere import Clip
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]
Scraper = Callable[..., str]


def draw(seed: int, width: int = 96, height: int = 72) -> Image.Image:
    """Colours that run into each other, and some noise."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (4, 5, 3), np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    noise = random.integers(-9, 10, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


@pytest.fixture(scope="session")
def program() -> str:
    """The scraper; `cargo xtask python --test` builds it and says where it is."""
    return os.environ.get("SCRAPER") or str(ROOT / "target/debug/scraper")


@pytest.fixture(scope="session")
def scraper(program: str) -> Scraper:
    def run(*arguments: object, folder: Path | None = None, code: int = 0) -> str:
        command = [program, "--quiet", *map(str, arguments)]
        environment = os.environ | {"EMBEDDINGS_MODEL": "tiny"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stderr}"
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope="session")
def clip() -> Clip:
    return Clip.load("tiny")


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One of each kind, with what makes a difference: orientation, palettes, transparency."""
    exif = Image.Exif()
    exif[0x0112] = 6
    see_through = draw(3).convert("RGBA")
    see_through.putalpha(draw(4).convert("L"))
    return {
        "plain.jpg": encoded(draw(1), "JPEG", quality=90),
        "turned.jpg": encoded(draw(2), "JPEG", quality=90, exif=exif),
        "alpha.png": encoded(see_through, "PNG"),
        "grey.png": encoded(draw(5).convert("L"), "PNG"),
        "palette.gif": encoded(draw(6).convert("P"), "GIF"),
        "tall.webp": encoded(draw(7, 64, 200), "WEBP", lossless=True),
        "small.bmp": encoded(draw(8, 20, 31), "BMP"),
        "some.tif": encoded(draw(9), "TIFF"),
    }


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> Path:
    """The same on disk."""
    folder = tmp_path_factory.mktemp("files")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def embedded(scraper: Scraper, *arguments: object) -> list[dict[str, Any]]:
    """The lines of `scraper embed`."""
    out = scraper("embed", *arguments, "--format", "jsonl")
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def bits(values: Any) -> NDArray[np.uint32]:
    """NaN and signs of zero count."""
    found: NDArray[np.uint32] = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The line by which `cargo xtask test` counts tests."""
    counts = {name: len(terminalreporter.stats.get(name, [])) for name in ("passed", "failed", "error", "skipped")}
    failed = counts["failed"] + counts["error"]
    terminalreporter.write_line(
        f"test result: {'FAILED' if failed else 'ok'}. {counts['passed']} passed; {failed} failed; "
        f"{counts['skipped']} ignored"
    )
