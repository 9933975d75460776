"""Exceptions, one class per kind of failure.

Every exception has ``kind``, the short stable name that the scraper's stores, exports and summaries
use for the same failure, and a message that says what to do.

>>> from clip_everywhere import Clip, ImageError
>>> try:
...     Clip.load("tiny").embed_images([b"<html>"])
... except ImageError as error:
...     print(type(error).__name__, error.kind)
NotAnImageError image.not_an_image
"""

from __future__ import annotations


class ClipError(Exception):
    """Anything that this package refuses or cannot do.

    :ivar kind: ``"image.truncated"``, ``"fetch.status"``, ``"model.offline"`` …
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message

    def __str__(self) -> str:
        return self.message


class InputError(ClipError, ValueError):
    """An input that does not fit the model, or no input at all."""


class ImageError(ClipError):
    """A file that gives no picture."""


class EmptyImageError(ImageError):
    """Zero bytes."""


class ImageTooLargeError(ImageError):
    """Over a limit of bytes or pixels."""


class TruncatedImageError(ImageError):
    """The file ends before the image is complete."""


class CorruptImageError(ImageError):
    """The file breaks the rules of its format."""


class UnsupportedImageError(ImageError):
    """A kind of image that is not read."""


class NotAnImageError(ImageError):
    """Something else, say a web page."""


class FetchError(ClipError, OSError):
    """Bytes could not be had: from a file, or over the network."""


class ModelError(ClipError):
    """A model could not be found, downloaded or loaded."""


class ModelNotFoundError(ModelError):
    """No such folder, repository or revision."""


class ModelOfflineError(ModelError):
    """Not on this machine, and the hub may not be asked or does not answer."""


class ModelAccessError(ModelError):
    """The hub wants another token, or its terms accepted."""


class ModelDamagedError(ModelError):
    """A file is not what it should be."""


class ModelIncompleteError(ModelError):
    """A file is missing that decides results."""


_EXACT: dict[str, type[ClipError]] = {
    "image.empty": EmptyImageError,
    "image.too_large": ImageTooLargeError,
    "image.truncated": TruncatedImageError,
    "image.corrupt": CorruptImageError,
    "image.unsupported": UnsupportedImageError,
    "image.not_an_image": NotAnImageError,
    "model.spec": ModelNotFoundError,
    "model.no_folder": ModelNotFoundError,
    "model.not_found": ModelNotFoundError,
    "model.offline": ModelOfflineError,
    "model.unreachable": ModelOfflineError,
    "model.access": ModelAccessError,
    "model.damaged": ModelDamagedError,
    "model.incomplete": ModelIncompleteError,
    "tower_not_loaded": InputError,
    "input": InputError,
}
_FAMILY: dict[str, type[ClipError]] = {
    "image": ImageError,
    "fetch": FetchError,
    "file": FetchError,
    "model": ModelError,
    "config": ModelError,
    "weights": ModelError,
    "tokenizer": ModelError,
    "kernel": ModelError,
}


def error_of(kind: str, message: str) -> ClipError:
    """The exception of a kind.

    >>> error_of("image.empty", "the file is empty")
    EmptyImageError('image.empty', 'the file is empty')
    """
    family = _FAMILY.get(kind.partition(".")[0], ClipError)
    return _EXACT.get(kind, family)(kind, message)
