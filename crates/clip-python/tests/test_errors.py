"""Each kind of failure is an exception of its own, and never a vector."""

from __future__ import annotations

import http.server
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import clip_everywhere as ce
import numpy as np
import pytest
from clip_everywhere import Clip, Fetcher, get_image_embedding
from conftest import bits, draw, encoded
from PIL import Image


@pytest.mark.parametrize(
    ("content", "kind", "error"),
    [
        (b"", "image.empty", ce.EmptyImageError),
        (b"<html><body>not found", "image.not_an_image", ce.NotAnImageError),
        (encoded(draw(1), "JPEG")[:900], "image.truncated", ce.TruncatedImageError),
        (encoded(draw(1), "PNG")[:60] + b"\0" * 400, "image.corrupt", ce.CorruptImageError),
        (b"\0\0\0\x1cftypheic\0\0\0\0mif1heic", "image.unsupported", ce.UnsupportedImageError),
    ],
)
def test_images(clip: Clip, content: bytes, kind: str, error: type[ce.ClipError]) -> None:
    with pytest.raises(error) as raised:
        clip.embed_images([encoded(draw(1), "PNG"), content])
    assert raised.value.kind == kind and str(raised.value)
    assert isinstance(raised.value, ce.ImageError)


def test_limits_and_files(folder: Path, tmp_path: Path) -> None:
    small = Clip.load("tiny", max_pixels=100, max_bytes=10_000)
    with pytest.raises(ce.ImageTooLargeError, match="max_pixels"):
        small.embed_images([folder / "plain.jpg"])
    with pytest.raises(ce.FetchError) as raised:
        small.embed_images([tmp_path / "nowhere.png"])
    assert raised.value.kind == "file.missing" and "nowhere.png" in str(raised.value)
    (tmp_path / "long").write_bytes(b"x" * 10_001)
    with pytest.raises(ce.FetchError, match="limit|larger|over"):
        small.embed_images([tmp_path / "long"])


def test_none_in_the_places_of_the_bad(clip: Clip) -> None:
    good = encoded(draw(1), "PNG")
    cut = Image.open(io.BytesIO(encoded(draw(1), "JPEG")[:900]))
    found = clip.embed_images([good, b"", cut, good], on_error="none")
    assert [vector is None for vector in found] == [False, True, True, False]
    assert found[0] is not None and found[3] is not None
    [alone] = clip.embed_images([good])
    assert (bits(found[0]) == bits(alone)).all() and (bits(found[3]) == bits(alone)).all()
    with pytest.raises(ce.CorruptImageError):
        clip.embed_images([Image.open(io.BytesIO(encoded(draw(1), "JPEG")[:900]))])


def test_mistakes_of_the_caller(clip: Clip) -> None:
    for wrong in (3.5, None, object()):
        with pytest.raises(TypeError, match="an image is"):
            clip.embed_images([wrong], on_error="none")  # type: ignore[call-overload]
    for shape, dtype in (((4, 4), "u1"), ((4, 4, 4), "u1"), ((3, 8, 8), "u1"), ((4, 4, 3), "f4")):
        with pytest.raises(ValueError, match="height, width, 3"):
            clip.embed_images([np.zeros(shape, dtype)])
    with pytest.raises(TypeError, match="brackets"):
        clip.embed_images("a.png")
    with pytest.raises(TypeError, match="brackets"):
        clip.embed_texts("a dress")
    with pytest.raises(ValueError, match="on_error"):
        clip.embed_images([], on_error="ignore")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="towers"):
        Clip.load("tiny", towers="all")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="profile"):
        Clip.load("tiny", profile="mine")
    with pytest.raises(ce.InputError, match="vision tower"):
        Clip.load("tiny", towers="text").embed_images([encoded(draw(1), "PNG")])


def test_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    cases: list[tuple[object, type[ce.ModelError]]] = [
        ("org/name", ce.ModelOfflineError),
        ("no such thing", ce.ModelNotFoundError),
        ("./nowhere", ce.ModelNotFoundError),
        (tmp_path, ce.ModelIncompleteError),
    ]
    for model, error in cases:
        with pytest.raises(error):
            Clip.load(model)  # type: ignore[arg-type]
    monkeypatch.setenv("EMBEDDINGS_MODEL", "tiny")
    assert Clip.load(towers="text").provenance.model == "tiny"


@pytest.fixture
def server(folder: Path) -> str:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{found.server_port}"


SEED = """
from clip_everywhere import get_image_embedding

embedding = get_image_embedding(URL)
print(len(embedding), type(embedding[0]).__name__)
"""


def test_the_snippet_of_the_original_runs_with_one_line_changed(server: str) -> None:
    program = SEED.replace("URL", repr(f"{server}/plain.jpg"))
    environment = os.environ | {"EMBEDDINGS_MODEL": "tiny"}
    out = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True)
    assert out == "512 float\n"


def test_one_image_by_whatever_names_it(
    server: str, folder: Path, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDINGS_MODEL", "tiny")
    path = folder / "plain.jpg"
    [expected] = clip.embed_images([path], normalize=False)
    for named in (f"{server}/plain.jpg", path, str(path), path.as_uri(), path.read_bytes()):
        assert (bits(get_image_embedding(named)) == bits(expected)).all()
    with pytest.raises(ce.FetchError) as raised:
        get_image_embedding(f"{server}/nothing.jpg")
    assert raised.value.kind == "fetch.status"


def test_addresses_of_others_are_guarded(server: str, folder: Path) -> None:
    addresses = [f"{server}/plain.jpg", "file:///etc/passwd", "/etc/passwd"]
    kinds = [getattr(e, "kind", None) for e in Fetcher().fetch(addresses, on_error="return")]
    assert kinds == ["fetch.private", "fetch.address", "fetch.address"]
    fetched = Fetcher(allow_private=True).fetch(addresses[:1])
    assert fetched == [(folder / "plain.jpg").read_bytes()]
    with pytest.raises(ce.FetchError):
        Fetcher().fetch(addresses)
