"""The model."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Union, overload

import numpy as np
from numpy.typing import NDArray

from clip_everywhere import _native, _pil
from clip_everywhere.errors import ClipError

if TYPE_CHECKING:
    import PIL.Image
    import pyarrow

    Image = Union[bytes, bytearray, memoryview, str, os.PathLike[str], PIL.Image.Image, NDArray[np.uint8]]

# Images that are held at a time, at least.
WINDOW = 256

Vectors = NDArray[np.float32]
Native = Union[bytes, bytearray, str, "os.PathLike[str]", "NDArray[np.uint8]"]


class Stage(NamedTuple):
    """One intermediate result."""

    name: str
    shape: tuple[int, ...]
    sha256: str


class Provenance(NamedTuple):
    """All that decides the bits of a vector besides the input; what differs in it is not mixed."""

    model: str
    revision: str | None
    weights: str
    tokenizer: str | None
    preprocessing: str
    numerics: int
    device: str


class Clip:
    """A loaded model; :meth:`load` makes it. Share it between threads: no method changes it. It
    survives a ``fork``, and is pickled as the arguments of :meth:`load`.
    """

    _engine: _native.Engine
    _arguments: dict[str, Any]

    def __init__(self) -> None:
        raise TypeError("use Clip.load(...)")

    @classmethod
    def load(
        cls,
        model: str | os.PathLike[str] | None = None,
        *,
        towers: Literal["both", "image", "text"] = "both",
        profile: str = "hf-endpoint",
        threads: int | None = None,
        max_bytes: int = 64 << 20,
        max_pixels: int = 100_000_000,
    ) -> Clip:
        """Loads a model, and downloads what is missing of it (unless ``HF_HUB_OFFLINE`` is set).

        :param model: a hub id (``org/name`` or ``org/name@revision``), a folder, or ``tiny``, the
            small model that comes with this package. Default: ``EMBEDDINGS_MODEL``, else
            ``openai/clip-vit-base-patch32``. Cache and variables are those of ``huggingface_hub``.
        :param towers: what is loaded.
        :param profile: whose preprocessing: ``hf-endpoint``, ``transformers4``, ``transformers5``,
            ``transformers5-pil``, or parts such as ``exif=ignore,alpha=white``.
        :param threads: default: all cores. Never changes a bit of a result.
        :param max_bytes: largest image file.
        :param max_pixels: largest image.
        :raises ModelError: the model cannot be had or read.

        >>> Clip.load("tiny", threads=1)
        <Clip tiny, 512 dimensions>
        """
        name = None if model is None else os.fspath(model)
        arguments = {
            "model": name,
            "towers": towers,
            "profile": profile,
            "threads": threads,
            "max_bytes": max_bytes,
            "max_pixels": max_pixels,
        }
        if threads is not None and threads < 1:
            raise ValueError(f"threads is at least 1, not {threads}")
        engine = _native.Engine.load(name, towers, profile, threads or 0, max_bytes, max_pixels)
        clip = object.__new__(cls)
        clip._engine, clip._arguments = engine, arguments
        return clip

    def __reduce__(self) -> tuple[object, tuple[dict[str, Any]]]:
        return _load, (self._arguments,)

    def __repr__(self) -> str:
        return f"<Clip {self.provenance.model}, {self.dim} dimensions>"

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._engine.dim

    @property
    def image_size(self) -> int:
        """Width and height of what the model sees."""
        return self._engine.image_size

    @property
    def logit_scale(self) -> float:
        """Factor of the cosine in zero-shot classification."""
        return self._engine.logit_scale

    @property
    def provenance(self) -> Provenance:
        """What the vectors are to be labelled with."""
        return Provenance(*self._engine.provenance)

    @overload
    def embed_images(
        self,
        images: Iterable[Image],
        *,
        normalize: bool = True,
        on_error: Literal["raise"] = "raise",
        batch_size: int = 32,
    ) -> Vectors: ...
    @overload
    def embed_images(
        self,
        images: Iterable[Image],
        *,
        normalize: bool = True,
        on_error: Literal["none"],
        batch_size: int = 32,
    ) -> list[Vectors | None]: ...
    def embed_images(
        self,
        images: Iterable[Image],
        *,
        normalize: bool = True,
        on_error: Literal["raise", "none"] = "raise",
        batch_size: int = 32,
    ) -> Vectors | list[Vectors | None]:
        """One vector per image, ``[n, dim]``: the bits of ``scraper embed``.

        :param images: each is the content of a file (``bytes``), a path, a picture of Pillow, or an
            array ``[height, width, 3]`` of ``uint8``. The last two are pixels that somebody else
            has decoded: the result is that of ``transformers`` given these pixels.
        :param normalize: to unit length; else as projected (``scraper embed --raw``,
            ``get_image_features`` of ``transformers``).
        :param on_error: ``"none"`` gives a list, with ``None`` in the place of an image that cannot
            be read. A vector of zeros is never given.
        :param batch_size: images between two looks at Ctrl-C; affects speed and memory only.
        :raises ImageError: the first image that cannot be read.
        :raises FetchError: the first file that cannot be read.

        >>> import numpy as np
        >>> clip = Clip.load("tiny")
        >>> red = np.full((60, 80, 3), [200, 20, 30], np.uint8)
        >>> vectors = clip.embed_images([red, red])
        >>> vectors.shape, bool((vectors[0] == vectors[1]).all())
        ((2, 512), True)
        >>> clip.embed_images([b"", red], on_error="none")[0] is None
        True
        """
        if on_error not in ("raise", "none"):
            raise ValueError(f'on_error is "raise" or "none", not {on_error!r}')
        stop = on_error == "raise"
        rows: list[Vectors | None] = []
        blocks: list[Vectors] = []
        rest = iter(_many(images))
        # Pictures take memory once they are pixels: not all at a time.
        while window := list(itertools.islice(rest, max(batch_size, WINDOW))):
            found = [self._input(image) for image in window]
            broken = next((each for each in found if isinstance(each, ClipError)), None)
            if stop and broken:
                raise broken
            given = [each for each in found if not isinstance(each, ClipError)]
            vectors, failures = self._engine.embed_images(given, normalize, batch_size, stop)
            blocks.append(vectors)
            if not stop:
                failed = {place for place, _ in failures}
                made = (None if place in failed else row for place, row in enumerate(vectors))
                rows += [None if isinstance(each, ClipError) else next(made) for each in found]
        if not stop:
            return rows
        return np.concatenate(blocks) if blocks else np.empty((0, self.dim), np.float32)

    def embed_texts(self, texts: Iterable[str], *, normalize: bool = True) -> Vectors:
        """One vector per text, ``[n, dim]``: the bits of ``scraper embed --text``.

        >>> clip = Clip.load("tiny")
        >>> dress, jeans, red = clip.embed_texts(["a red dress", "blue jeans", "something red"])
        >>> bool(red @ dress > red @ jeans)
        True
        """
        return self._engine.embed_texts(_texts(texts), normalize)

    def encode(
        self,
        inputs: Any,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        convert_to_numpy: bool = True,
        normalize_embeddings: bool = False,
    ) -> Vectors:
        """As ``SentenceTransformer.encode`` of ``sentence-transformers``: a text, a picture, or a list
        of them; ``str`` is a text. One input gives one vector. Not normalised unless asked for.

        >>> Clip.load("tiny").encode("a red dress").shape
        (512,)
        """
        if not convert_to_numpy:
            raise ValueError("only convert_to_numpy=True is supported")
        alone = isinstance(inputs, (str, bytes)) or _pil.is_picture(inputs)
        all_inputs = [inputs] if alone else list(inputs)
        vectors = np.empty((len(all_inputs), self.dim), np.float32)
        texts = [place for place, each in enumerate(all_inputs) if isinstance(each, str)]
        images = [place for place, each in enumerate(all_inputs) if not isinstance(each, str)]
        if texts:
            chosen = [all_inputs[place] for place in texts]
            vectors[texts] = self.embed_texts(chosen, normalize=normalize_embeddings)
        if images:
            chosen = [all_inputs[place] for place in images]
            vectors[images] = self.embed_images(
                chosen, normalize=normalize_embeddings, batch_size=batch_size
            )
        return vectors[0] if alone else vectors

    def tokenize(self, texts: Iterable[str]) -> list[list[int]]:
        """Token ids of each text, with BOS and EOT, truncated to the model's length.

        >>> Clip.load("tiny").tokenize(["a red dress"])
        [[49406, 320, 736, 2595, 49407]]
        """
        return self._engine.tokenize(_texts(texts))

    def pixel_values(self, images: Iterable[Image]) -> Vectors:
        """What the image tower sees: ``[n, 3, size, size]``, the ``pixel_values`` of ``transformers``.

        :raises ImageError: as :meth:`embed_images`.
        """
        return self._engine.pixel_values([_raised(self._input(image)) for image in _many(images)])

    def trace(self, input: Image, *, text: bool = False) -> list[Stage]:
        """A digest of each stage, to find the first at which two machines differ; as
        ``scraper embed --trace``.

        :param text: ``input`` is a text; else it is an image, and a ``str`` its path.

        >>> [stage.name for stage in Clip.load("tiny").trace("a red dress", text=True)][:2]
        ['tokens', 'embeddings']
        """
        if text:
            if not isinstance(input, str):
                raise TypeError(f"a text is a str, not {type(input)}")
            stages = self._engine.trace_text(input)
        else:
            stages = self._engine.trace_image(_raised(self._input(input)))
        return [Stage(name, tuple(shape), sha256) for name, shape, sha256 in stages]

    def embed_arrow(
        self,
        column: Any,
        *,
        kind: Literal["image", "text"] = "image",
        normalize: bool = True,
        batch_size: int = 32,
    ) -> pyarrow.RecordBatch:
        """A column of Arrow in, a record batch out, neither copied on the way.

        :param column: whatever has ``__arrow_c_array__`` (an array of pyarrow, polars, nanoarrow …):
            for images the contents of files (binary), for texts strings.
        :returns: ``embedding`` (``FixedSizeList<float32>[dim]``), ``sha256`` of the bytes and
            whether they are a ``damaged`` file, whose pixels are what Pillow makes of it (images only),
            ``error_kind`` and ``error``. A bad image is a row with an error and no vector.

        Needs ``pyarrow``.

        >>> import pyarrow as pa
        >>> batch = Clip.load("tiny").embed_arrow(pa.array(["a red dress", None]), kind="text")
        >>> batch.column("embedding").type
        FixedSizeListType(fixed_size_list<item: float not null>[512])
        >>> batch.column("error_kind").to_pylist()
        [None, 'input']
        """
        if kind == "text":
            return self._engine.embed_arrow_texts(column, normalize)
        if kind != "image":
            raise ValueError(f'kind is "image" or "text", not {kind!r}')
        return self._engine.embed_arrow_images(column, normalize, batch_size)

    def _input(self, image: Any) -> Native | ClipError:
        """As the native half takes it."""
        if _pil.is_picture(image):
            return _pil.pixels(image, *self._engine.rules)
        if isinstance(image, memoryview):
            return bytes(image)
        return image  # type: ignore[no-any-return]


def _load(arguments: dict[str, Any]) -> Clip:
    return Clip.load(**arguments)


def _many(images: Iterable[Image]) -> Iterable[Image]:
    alone = isinstance(images, (str, bytes, bytearray, memoryview, os.PathLike))
    if alone or _pil.is_picture(images):
        raise TypeError("this takes a list of images: put the one into brackets")
    return images


def _texts(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):
        raise TypeError("this takes a list of texts: put the one into brackets")
    return list(texts)


def _raised(image: Native | ClipError) -> Native:
    if isinstance(image, ClipError):
        raise image
    return image


@functools.lru_cache(maxsize=1)
def _default(model: str | None) -> tuple[Clip, _native.Fetcher]:
    """One for all calls with the same ``EMBEDDINGS_MODEL``."""
    clip = Clip.load(towers="image")
    return clip, _native.Fetcher(True, True, clip._engine.limits[0])


def get_image_embedding(image: str | os.PathLike[str] | bytes) -> list[float]:
    """The vector of the image at an address (http, https, file, or a path) or of a file's content,
    by the model that ``EMBEDDINGS_MODEL`` names; as projected, not of unit length.

    The model is loaded with the first call. Whatever is named is fetched, private networks included:
    for addresses that others have written, use :class:`Fetcher`.

    :raises ClipError: the image or the model cannot be had; a vector of zeros is never given.
    """
    clip, fetcher = _default(os.environ.get("EMBEDDINGS_MODEL"))
    if not isinstance(image, bytes):
        [fetched] = fetcher.fetch([os.fspath(image)])
        if isinstance(fetched, ClipError):
            raise fetched
        image = fetched
    vector: list[float] = clip.embed_images([image], normalize=False)[0].tolist()
    return vector
