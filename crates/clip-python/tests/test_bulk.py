"""Partitions, and what a table of others may name."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clip_everywhere import Clip, Fetcher, bulk
from conftest import Scraper, bits, draw, encoded


def job(clip: Clip, source: Path, out: Path, size: int = 3, raw: bool = False) -> pa.Table:
    for partition in bulk.begin(clip, source, str(out), size, not raw):
        again = bulk.Partition.from_json(partition.to_json())
        assert again == partition
        bulk.embed_partition(clip, again, str(out), normalize=not raw)
    return pq.read_table(out)


def test_a_job_goes_on_and_mixes_nothing(clip: Clip, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert [p.file for p in bulk.begin(clip, folder, str(out), 3)] == [
        f"part-{n:08d}.parquet" for n in range(3)
    ]
    first = job(clip, folder, out)
    assert first.num_rows == 8 and bulk.begin(clip, folder, str(out), 3) == []
    (out / "part-00000001.parquet").unlink()
    assert [p.number for p in bulk.begin(clip, folder, str(out), 3)] == [1]
    assert job(clip, folder, out).equals(first)
    assert not [path for path in out.iterdir() if path.suffix == ".tmp"]
    with pytest.raises(ValueError, match="partitions differ"):
        bulk.begin(clip, folder, str(out), 2)
    with pytest.raises(ValueError, match="normalized"):
        bulk.begin(clip, folder, str(out), 3, normalize=False)
    other = Clip.load("tiny", profile="transformers5")
    with pytest.raises(ValueError, match="provenance"):
        bulk.begin(other, folder, str(out), 3)
    [partition] = list(bulk.partitions(folder, 100))
    with pytest.raises(ValueError, match="provenance"):
        bulk.embed_partition(other, partition, str(out))


def test_a_table_names_files_beside_it_and_nothing_else(clip: Clip, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "photos").mkdir(parents=True)
    picture = encoded(draw(1), "PNG")
    (source / "photos/a.png").write_bytes(picture)
    (tmp_path / "secret.png").write_bytes(picture)
    (source / "link.png").symlink_to(tmp_path / "secret.png")
    names = ["photos/a.png", "../secret.png", str(tmp_path / "secret.png"), "link.png", "no.png",
             "http://127.0.0.1:1/a.png", "photos/a.png\0", "held"]  # fmt: skip
    table = pa.table(
        {
            "id": list(range(len(names))),
            "image": names,
            "title": ["A title", *[None] * 7],
            "price": [19.95, *[None] * 7],
            "bytes": pa.array([*[None] * 7, picture], pa.binary()),
        }
    )
    pq.write_table(table, source / "products.parquet")
    rows = job(clip, source, tmp_path / "out").to_pylist()
    outside = "fetch.address"
    assert [row["error_kind"] for row in rows] == [
        None, outside, outside, outside, "file.missing", outside, "file.read", None
    ]  # fmt: skip
    assert rows[0]["title"] == "A title" and rows[0]["price"] == 19.95 and rows[0]["id"] == "0"
    assert (bits(rows[0]["embedding"]) == bits(rows[7]["embedding"])).all()
    assert all(row["embedding"] is None for row in rows if row["error"])
    [partition] = list(bulk.partitions(source))
    bulk.begin(clip, source, str(tmp_path / "fetched"))
    bulk.embed_partition(clip, partition, str(tmp_path / "fetched"), fetcher=Fetcher())
    guarded = pq.read_table(tmp_path / "fetched").column("error_kind").to_pylist()
    assert guarded[5] == "fetch.private"


def test_merge_takes_no_half_job_and_no_unit_vectors(
    clip: Clip, folder: Path, tmp_path: Path, scraper: Scraper
) -> None:
    job(clip, folder, tmp_path / "unit")
    said = scraper("merge", tmp_path / "unit", "--store", tmp_path / "s.db", code=1)
    assert "unit length" in said
    raw = tmp_path / "raw"
    job(clip, folder, raw, raw=True)
    (raw / "part-00000002.parquet").rename(tmp_path / "kept.parquet")
    said = scraper("merge", raw, "--store", tmp_path / "s.db", code=1)
    assert "2 of 3 files" in said and not (tmp_path / "s.db").exists()
    (tmp_path / "kept.parquet").rename(raw / "part-00000002.parquet")
    twice = raw / "part-00000002.parquet"
    said = scraper("merge", twice, twice, "--store", tmp_path / "s.db", code=1)
    assert "in another of the stores" in said
    scraper("merge", raw, "--store", tmp_path / "s.db")
