"""CLIP embeddings, the same to the last bit as those of the scraper and of the browser.

>>> from clip_everywhere import Clip
>>> clip = Clip.load("tiny")  # the small model that comes with it; without a name: EMBEDDINGS_MODEL
>>> vectors = clip.embed_texts(["a red dress", "blue jeans"])
>>> vectors.shape == (2, clip.dim), str(vectors.dtype)
(True, 'float32')
"""

from __future__ import annotations

from clip_everywhere._clip import Clip, Provenance, Stage, get_image_embedding
from clip_everywhere._fetch import Fetcher
from clip_everywhere._native import DEFAULT_MODEL, NUMERICS_VERSION, __version__
from clip_everywhere.errors import (
    ClipError,
    CorruptImageError,
    EmptyImageError,
    FetchError,
    ImageError,
    ImageTooLargeError,
    InputError,
    ModelAccessError,
    ModelDamagedError,
    ModelError,
    ModelIncompleteError,
    ModelNotFoundError,
    ModelOfflineError,
    NotAnImageError,
    TruncatedImageError,
    UnsupportedImageError,
)

__all__ = [
    "DEFAULT_MODEL",
    "NUMERICS_VERSION",
    "Clip",
    "ClipError",
    "CorruptImageError",
    "EmptyImageError",
    "FetchError",
    "Fetcher",
    "ImageError",
    "ImageTooLargeError",
    "InputError",
    "ModelAccessError",
    "ModelDamagedError",
    "ModelError",
    "ModelIncompleteError",
    "ModelNotFoundError",
    "ModelOfflineError",
    "NotAnImageError",
    "Provenance",
    "Stage",
    "TruncatedImageError",
    "UnsupportedImageError",
    "__version__",
    "get_image_embedding",
]
