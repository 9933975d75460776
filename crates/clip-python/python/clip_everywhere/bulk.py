"""Millions of images on an engine that a team has: partitions in, Parquet files out.

An engine (Ray, Spark, a job queue) hands out :class:`Partition`; a worker calls
:func:`embed_partition`, which writes ``part-NNNNNNNN.parquet`` whole or not at all. What is there is
never computed again, so a job that was killed goes on where it stopped, and a worker that dies costs
one partition. The files have the columns of ``scraper export --format parquet``, and two more:
``error_kind`` and ``error`` of an image without a vector. ``scraper merge`` takes them as a store's
content if they were written with ``normalize=False``.

Needs ``pyarrow``.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from clip_everywhere._clip import Clip, Provenance
from clip_everywhere._fetch import Fetcher
from clip_everywhere._native import public_address
from clip_everywhere.errors import ClipError, error_of

JOB = "_job.json"
TEXTS = (
    "source",
    "id",
    "title",
    "description",
    "url",
    "brand",
    "category",
    "currency",
    "availability",
    "attributes",
)
# Largest image file, as of a scraper's run.
MAX_BYTES = 64 << 20
# Those that the scraper's folders read.
EXTENSIONS = frozenset(
    "jpg jpeg jpe jfif png webp gif bmp dib svg tif tiff avif heic heif jxl tga pbm pgm ppm pnm pfm qoi".split()
)


@dataclass(frozen=True)
class Partition:
    """A share of a job; what it is called is the name of its file."""

    number: int
    kind: Literal["parquet", "folder", "list"]
    #: A Parquet file, a folder, or a text file of addresses.
    place: str
    #: A row group of the Parquet file, or the first of ``names``.
    start: int
    #: Paths in the folder, or addresses.
    names: tuple[str, ...] = ()

    def to_json(self) -> str:
        """For engines whose rows are texts."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Partition:
        """The inverse of :meth:`to_json`."""
        fields = json.loads(text)
        return cls(**fields | {"names": tuple(fields["names"])})

    @property
    def file(self) -> str:
        """``part-00000012.parquet``."""
        return f"part-{self.number:08d}.parquet"


@dataclass(frozen=True)
class Done:
    """What became of a partition."""

    number: int
    rows: int
    vectors: int
    errors: int


def partitions(source: str | os.PathLike[str], size: int = 512) -> Iterator[Partition]:
    """The partitions of a job, in an order that does not change between runs.

    :param source: a Parquet file or a folder of them (a partition is a row group; columns ``image``
        with addresses or paths, or ``bytes`` with contents, and any of the export's); a folder of
        images (ids are paths, as in ``scraper run FOLDER``); or a ``.txt`` file with one address a
        line.
    :param size: images in a partition, where the source has no row groups.
    """
    source = Path(source)
    if source.suffix == ".txt":
        lines = source.read_text(encoding="utf-8").splitlines()
        addresses = [line.strip() for line in lines if line.strip() and line[0] != "#"]
        yield from _chunks("list", source, addresses, size)
        return
    tables = sorted(source.rglob("*.parquet")) if source.is_dir() else [source]
    if not tables:
        yield from _chunks("folder", source, _images(source), size)
        return
    number = 0
    for table in tables:
        for group in range(pq.ParquetFile(table).num_row_groups):
            yield Partition(number, "parquet", str(table), group)
            number += 1


def _chunks(
    kind: Literal["folder", "list"], place: Path, names: list[str], size: int
) -> Iterator[Partition]:
    for number, start in enumerate(range(0, len(names), size)):
        yield Partition(number, kind, str(place), start, tuple(names[start : start + size]))


def _images(root: Path) -> list[str]:
    """In the order of an export. Hidden ones are left out; links to folders are not followed."""
    found: list[str] = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            suffix = os.path.splitext(name)[1][1:].lower()
            if suffix in EXTENSIONS and not name.startswith("."):
                found.append(Path(folder, name).relative_to(root).as_posix())
    return sorted(found, key=os.fsencode)


def begin(
    clip: Clip, source: str | os.PathLike[str], out: str, size: int = 512, normalize: bool = True
) -> list[Partition]:
    """The partitions that are still to be done.

    :param out: a folder, or an address that ``pyarrow.fs`` knows (``s3://bucket/vectors``).
    :raises ValueError: ``out`` holds another job's files: other images, another model.
    """
    todo = list(partitions(source, size))
    files, folder = _open(out)
    digest = hashlib.sha256("\n".join(each.to_json() for each in todo).encode()).hexdigest()
    job = {"count": len(todo), "partitions": digest, **_origin(clip, normalize)}
    files.create_dir(folder, recursive=True)
    there = {entry.base_name for entry in files.get_file_info(pafs.FileSelector(folder))}
    if JOB in there:
        _same(files, folder, job)
    else:
        _write(files, f"{folder}/{JOB}", json.dumps(job, indent=1).encode())
    return [each for each in todo if each.file not in there]


def _origin(clip: Clip, normalize: bool) -> dict[str, Any]:
    """What all files of a job have in common."""
    return {"normalized": normalize, "provenance": label(clip.provenance)}


def label(provenance: Provenance) -> dict[str, Any]:
    """As the scraper writes it."""
    fields = provenance._asdict()
    return {key: fields[key] for key in fields if key != "tokenizer" or fields[key] is not None}


def _same(files: pafs.FileSystem, folder: str, job: dict[str, Any]) -> None:
    with files.open_input_stream(f"{folder}/{JOB}") as stream:
        other = json.loads(stream.read())
    if differing := [key for key in job if job[key] != other.get(key)]:
        raise ValueError(
            f"{folder} belongs to another job ({', '.join(differing)} differ): name another folder"
        )


def embed_partition(
    clip: Clip,
    partition: Partition,
    out: str,
    *,
    normalize: bool = True,
    fetcher: Fetcher | None = None,
    batch_size: int = 32,
) -> Done:
    """Embeds a partition and writes its file, in a folder that :func:`begin` has prepared.

    :param fetcher: for addresses; without one they are errors (``fetch.address``).
    :raises ValueError: this worker's model is not the job's.
    """
    files, folder = _open(out)
    _same(files, folder, _origin(clip, normalize))
    rows, contents = _read(partition, fetcher)
    found = clip.embed_arrow(
        pa.array([None if isinstance(each, ClipError) else each for each in contents], pa.binary()),
        normalize=normalize,
        batch_size=batch_size,
    )
    kinds, errors = found.column("error_kind").to_pylist(), found.column("error").to_pylist()
    for index, content in enumerate(contents):
        if isinstance(content, ClipError):
            kinds[index], errors[index] = content.kind, content.message
    table = _table(clip, rows, found, kinds, errors, normalize)
    sink = pa.BufferOutputStream()
    # No two values of vectors are alike: a dictionary of them takes half as much again.
    repeated = [name for name in table.column_names if name != "embedding"]
    pq.write_table(table, sink, compression="snappy", use_dictionary=repeated)
    _write(files, f"{folder}/{partition.file}", sink.getvalue())
    failed = sum(kind is not None for kind in kinds)
    return Done(partition.number, len(rows), len(rows) - failed, failed)


def schema(clip: Clip, normalize: bool) -> pa.Schema:
    """The columns of an export, and the two of errors."""
    origin = ("model", "revision", "weights", "preprocessing")
    optional = {"revision", "sha256", "image"} | set(TEXTS) - {"source", "id"}
    text = [pa.field(name, pa.string(), name in optional) for name in TEXTS]
    item = pa.field("item", pa.float32(), False)
    return pa.schema(
        [
            *text,
            pa.field("price", pa.float64()),
            pa.field("image", pa.string(), False),
            pa.field("position", pa.int32(), False),
            pa.field("sha256", pa.string()),
            # Whether the pixels are what Pillow makes of a damaged file; null where there are none.
            pa.field("damaged", pa.bool_()),
            *(pa.field(name, pa.string(), name in optional) for name in origin),
            pa.field("numerics", pa.int32(), False),
            pa.field("device", pa.string(), False),
            pa.field("embedding", pa.list_(item, clip.dim)),
            pa.field("error_kind", pa.string()),
            pa.field("error", pa.string()),
        ],
        metadata={
            "provenance": json.dumps(
                label(clip.provenance), separators=(",", ":"), ensure_ascii=False
            ),
            "normalized": "true" if normalize else "false",
        },
    )


def _table(
    clip: Clip,
    rows: list[dict[str, Any]],
    found: pa.RecordBatch,
    kinds: list[str | None],
    errors: list[str | None],
    normalize: bool,
) -> pa.Table:
    for row in rows:
        for name in ("image", "url"):
            if row.get(name):
                row[name] = public_address(row[name])
    columns: dict[str, Any] = {
        name: [row.get(name) for row in rows] for name in (*TEXTS, "price", "image", "position")
    }
    origin = clip.provenance._asdict()
    columns.update({name: [value] * len(rows) for name, value in origin.items()})
    columns.update(
        sha256=found.column("sha256"),
        damaged=found.column("damaged"),
        embedding=found.column("embedding"),
        error_kind=kinds,
        error=errors,
    )
    wanted = schema(clip, normalize)
    arrays = [
        column if isinstance(column := columns[field.name], pa.Array) else pa.array(column, field.type)
        for field in wanted
    ]
    return pa.Table.from_arrays(arrays, schema=wanted)


def _read(
    partition: Partition, fetcher: Fetcher | None
) -> tuple[list[dict[str, Any]], list[bytes | ClipError]]:
    """Columns and contents of the images."""
    base: dict[str, Any] = {"source": "", "attributes": "{}", "position": 0}
    if partition.kind == "parquet":
        group = pq.ParquetFile(partition.place).read_row_group(partition.start)
        wanted = {*TEXTS, "price", "image", "position", "bytes"}
        given = group.select([name for name in group.column_names if name in wanted]).to_pylist()
        rows = [base | {k: v for k, v in row.items() if v is not None} for row in given]
        for index, row in enumerate(rows):
            unnamed = public_address(row.get("image", f"{partition.file}#{index}"))
            row["id"] = str(row.get("id", unnamed))
            row.setdefault("image", row["id"])
        contents = [row.pop("bytes", None) for row in rows]
        missing = [index for index, content in enumerate(contents) if content is None]
        read = _contents(Path(partition.place).parent, [rows[i]["image"] for i in missing], fetcher)
        for index, content in zip(missing, read):
            contents[index] = content
        return rows, contents
    rows = [base | {"id": public_address(name), "image": name} for name in partition.names]
    if partition.kind == "folder":
        rows = [row | {"title": Path(row["id"]).stem} for row in rows]
        return rows, _contents(Path(partition.place), partition.names, fetcher)
    return rows, _contents(None, partition.names, fetcher)


def _contents(
    folder: Path | None, names: Iterable[str], fetcher: Fetcher | None
) -> list[bytes | ClipError]:
    """Of files below ``folder``, and of addresses. Who wrote the table may name nothing else."""
    found: list[bytes | ClipError] = []
    addresses: dict[int, str] = {}
    for index, name in enumerate(names):
        content: bytes | ClipError
        if name.startswith(("http://", "https://")):
            addresses[index] = name
            said = f"{public_address(name)}: no address is fetched without a Fetcher"
            content = error_of("fetch.address", said)
        else:
            content = _file(folder, name)
        found.append(content)
    if fetcher is not None:
        fetched = fetcher.fetch(addresses.values(), on_error="return")
        for index, each in zip(addresses, fetched):
            found[index] = each
    return found


def _file(folder: Path | None, name: str) -> bytes | ClipError:
    try:
        if folder is None or not (folder / name).resolve().is_relative_to(folder.resolve()):
            return error_of("fetch.address", f"{name}: it names a file outside the source")
        # A pipe would be waited for.
        if not (found := folder / name).is_file():
            kind = "file.read" if found.exists() else "file.missing"
            return error_of(kind, f"cannot read {name}: there is no such regular file")
        if found.stat().st_size > MAX_BYTES:
            return error_of("fetch.too_large", f"{name} is over the limit of {MAX_BYTES} bytes")
        return found.read_bytes()
    except (OSError, ValueError) as e:
        return error_of("file.read", f"cannot read {name}: {e}")


def _open(out: str) -> tuple[pafs.FileSystem, str]:
    if "://" in out:
        found: tuple[pafs.FileSystem, str] = pafs.FileSystem.from_uri(out)
        return found
    return pafs.LocalFileSystem(), os.path.abspath(out)


def _write(files: pafs.FileSystem, path: str, content: Any) -> None:
    """Whole or absent: a worker may die at any moment, or another may do the same work."""
    making = f"{path}.{uuid.uuid4().hex}.tmp"
    with files.open_output_stream(making) as stream:
        stream.write(content)
    files.move(making, path)


@functools.lru_cache(maxsize=1)
def worker(model: str | None, threads: int | None) -> Clip:
    """The image tower, loaded once in a process that an engine uses for many tasks."""
    return Clip.load(model, towers="image", threads=threads)
