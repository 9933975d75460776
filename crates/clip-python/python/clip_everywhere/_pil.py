"""Pictures of Pillow as pixels, in the way of a preprocessing profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clip_everywhere.errors import ClipError, error_of

if TYPE_CHECKING:
    from PIL.Image import Image


def is_picture(value: object) -> bool:
    """Whether it is a picture of Pillow; whoever has one has imported Pillow."""
    return any(
        cls.__name__ == "Image" and cls.__module__ == "PIL.Image" for cls in type(value).__mro__
    )


def pixels(image: Image, on_white: bool, oriented: bool) -> NDArray[np.uint8] | ClipError:
    """What ``transformers`` sees of it; a file that breaks off while Pillow reads it is an error."""
    from PIL import Image as images
    from PIL import ImageOps

    try:
        if oriented:
            image = ImageOps.exif_transpose(image)
        transparent = "A" in image.getbands() or image.info.get("transparency") is not None
        if transparent and on_white:
            rgba = image.convert("RGBA")
            white = images.new("RGBA", rgba.size, (255, 255, 255))
            image = images.alpha_composite(white, rgba)
        found: Any = np.asarray(image.convert("RGB"))
        return found  # type: ignore[no-any-return]
    except (OSError, SyntaxError, ValueError) as e:
        return error_of("image.corrupt", f"Pillow cannot read it: {e}")
