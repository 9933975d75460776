"""Columns of Arrow in and out."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from clip_everywhere import Clip
from conftest import ROOT, bits


@pytest.mark.parametrize("type", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_images(clip: Clip, files: dict[str, bytes], type: pa.DataType) -> None:
    content = [*files.values(), b"", None]
    # A slice: what lies before it in the buffers is not looked at.
    column = pa.array([b"before", *content], type).slice(1)
    batch = clip.embed_arrow(column)
    assert batch.schema.field("embedding").type == pa.list_(
        pa.field("item", pa.float32(), False), clip.dim
    )
    vectors = batch.column("embedding")
    good = vectors.slice(0, len(files)).flatten().to_numpy(zero_copy_only=True)
    expected = clip.embed_images(files.values())
    assert (bits(good.reshape(-1, clip.dim)) == bits(expected)).all()
    assert vectors.null_count == 2 and vectors[-1].as_py() is None
    assert batch.column("error_kind").to_pylist()[-2:] == ["image.empty", "input"]
    digests = [None if each is None else hashlib.sha256(each).hexdigest() for each in content]
    assert batch.column("sha256").to_pylist() == digests


def test_damaged_files_say_so(clip: Clip, files: dict[str, bytes]) -> None:
    damaged = (ROOT / "tests/corpus/damaged/420-bits-1.jpg").read_bytes()
    batch = clip.embed_arrow(pa.array([damaged, files["plain.jpg"], b""], pa.binary()))
    assert batch.column("damaged").to_pylist() == [True, False, None]


def test_nothing_is_copied_on_the_way_out(clip: Clip) -> None:
    batch = clip.embed_arrow(pa.array(["a", "b"]), kind="text")
    flat = batch.column("embedding").flatten()
    # numpy looks at the very buffer that Rust has filled.
    view = flat.to_numpy(zero_copy_only=True)
    assert view.ctypes.data == flat.buffers()[1].address
    assert (bits(view.reshape(2, -1)) == bits(clip.embed_texts(["a", "b"]))).all()


def test_any_library_that_speaks_the_interface(clip: Clip) -> None:
    class Foreign:
        def __init__(self, array: pa.Array) -> None:
            self.array = array

        def __arrow_c_array__(self, requested_schema: object = None) -> object:
            return self.array.__arrow_c_array__(requested_schema)

    for type in (pa.string(), pa.large_string(), pa.string_view()):
        batch = clip.embed_arrow(Foreign(pa.array(["a", None, "b"], type)), kind="text")
        vectors = batch.column("embedding").drop_null().flatten().to_numpy()
        assert (bits(vectors.reshape(2, -1)) == bits(clip.embed_texts(["a", "b"]))).all()
    with pytest.raises(TypeError, match="Int64, not binary"):
        clip.embed_arrow(pa.array([1]))
    with pytest.raises((TypeError, ValueError)):
        clip.embed_arrow(np.zeros(3))
