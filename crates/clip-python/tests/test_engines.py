"""Ray and Spark on this machine: their files are the scraper's export, whatever happens to workers."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from conftest import Scraper, draw, encoded

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
IMAGES, BAD, SIZE = 240, 3, 6
# How the processes are called that compute.
WORKERS = {"ray": "ray::", "spark": "pyspark.daemon"}
pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop") / "photos"
    for seed in range(IMAGES):
        kind = ("JPEG", "PNG", "WEBP")[seed % 3]
        path = folder / f"{seed % 4}" / f"{seed:03d}.{kind.lower()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(draw(seed, 200, 160), kind))
    (folder / "0/cut.jpg").write_bytes(encoded(draw(1), "JPEG")[:700])
    (folder / "empty.png").write_bytes(b"")
    (folder / "page.jpg").write_bytes(b"<html>")
    return folder


@pytest.fixture(scope="module")
def exported(photos: Path, scraper: Scraper) -> dict[bool, Path]:
    """By whether the vectors are raw."""
    store = photos.parent / "own.db"
    scraper("run", photos, "--store", store, "--max-failures", BAD)
    files = {}
    for raw in [False, True]:
        files[raw] = out = photos.parent / f"own-{raw}.parquet"
        scraper("export", "--store", store, "--format", "parquet", "--output", out, *["--raw"] * raw)
    return files


def start(engine: str, source: Path, out: Path, *flags: str, mark: str = "") -> subprocess.Popen[str]:
    if importlib.util.find_spec({"spark": "pyspark"}.get(engine, engine)) is None:
        pytest.fail(f"{engine} is not installed: `cargo xtask python --test` installs it")
    command = [sys.executable, str(EXAMPLES / f"{engine}_embed.py"), str(source), str(out), *flags]
    environment = os.environ | {
        "EMBEDDINGS_MODEL": "tiny",
        "CLIP_TEST": mark,
        "RAY_USAGE_STATS_ENABLED": "0",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
    }
    command += ["--size", str(SIZE)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def ended(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 0, out
    return out


def same(folder: Path, export: Path) -> None:
    """All columns of the export, to the bit, and its metadata."""
    ours, theirs = pq.read_table(folder), pq.read_table(export)
    good = ours.filter(pc.is_null(ours.column("error_kind"))).drop_columns(["error_kind", "error"])
    good = good.sort_by([("id", "ascending")])
    theirs = theirs.sort_by([("id", "ascending")])
    for part in folder.glob("*.parquet"):
        found, expected = (pq.ParquetFile(path).metadata.metadata for path in (part, export))
        assert all(found[key] == expected[key] for key in (b"provenance", b"normalized"))
    assert good.column_names == theirs.column_names
    assert good.replace_schema_metadata(None).cast(theirs.schema).equals(theirs)
    bad = ours.filter(pc.is_valid(ours.column("error_kind")))
    assert {row["id"]: row["error_kind"] for row in bad.to_pylist()} == {
        "0/cut.jpg": "image.truncated",
        "empty.png": "image.empty",
        "page.jpg": "image.not_an_image",
    }
    assert bad.column("embedding").null_count == BAD


def killed(engine: str, process: subprocess.Popen[str], out: Path, mark: str) -> None:
    """Kills a worker once some partitions are there, and before all are."""
    all_parts = -(-(IMAGES + BAD) // SIZE)
    while process.poll() is None:
        there = len(list(out.glob("part-*.parquet")))
        if there >= 3:
            for worker in computing(engine, mark):
                os.kill(worker, signal.SIGKILL)
                assert there < all_parts, "it was over before a worker could be killed"
                return
        time.sleep(0.002)
    pytest.fail(f"there was no worker to kill:\n{process.communicate()[0]}")


def computing(engine: str, mark: str) -> list[int]:
    """Busiest first. Only processes that this test has started have its mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"CLIP_TEST={mark}".encode() not in (folder / "environ").read_bytes().split(b"\0"):
                continue
            name = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            ticks = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[11])
        except OSError:
            continue
        is_worker = name.startswith("ray::") and "Embed" in name
        if engine == "spark":
            # The daemon's children; the daemon itself leads their session.
            is_worker = "pyspark.daemon" in name and os.getpgid(int(folder.name)) != int(folder.name)
        if is_worker:
            found.append((ticks, int(folder.name)))
    return [pid for _, pid in sorted(found, reverse=True)]


@pytest.mark.parametrize("engine", ["ray", "spark"])
def test_a_killed_worker_costs_nothing(
    engine: str,
    photos: Path,
    exported: dict[bool, Path],
    tmp_path: Path,
    scraper: Scraper,
) -> None:
    out, mark = tmp_path / "raw", uuid.uuid4().hex
    workers = "--workers" if engine == "ray" else "--tasks"
    process = start(engine, photos, out, "--raw", workers, "3", mark=mark)
    killed(engine, process, out, mark)
    said = ended(process)
    assert f"errors {BAD}" in said, said
    same(out, exported[True])

    # One worker, other vectors, and a part of the work done: the same.
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("part-*")}
    for name in ("part-00000000.parquet", "part-00000007.parquet"):
        (out / name).unlink()
    said = ended(start(engine, photos, out, "--raw", workers, "1"))
    assert f"rows {2 * SIZE}\n" in said, said
    after = {path.name: path.stat().st_mtime_ns for path in out.glob("part-*")}
    assert sum(before[name] != after[name] for name in before) == 2
    same(out, exported[True])

    # As a store: the same hits, and a run on it embeds nothing.
    store = tmp_path / "merged.db"
    scraper("merge", out, "--store", store)
    hits = [
        json.loads(scraper("search", "red", "--store", path, "--no-floor", "--format", "json"))
        for path in (store, photos.parent / "own.db")
    ]
    assert hits[0] == hits[1] and len(hits[0]) > 3
    failed = scraper("retry", "--list", "--store", store)
    assert "page.jpg" in failed and "empty.png" in failed
    summary = tmp_path / "summary.json"
    scraper("run", photos, "--store", store, "--max-failures", BAD, "--summary-json", summary)
    assert json.loads(summary.read_text())["embedded"] == 0


@pytest.fixture(scope="module")
def table(photos: Path, exported: dict[bool, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unit vectors, by the library alone."""
    from clip_everywhere import Clip, bulk

    clip, out = Clip.load("tiny"), tmp_path_factory.mktemp("unit")
    for partition in bulk.begin(clip, photos, str(out), 100):
        bulk.embed_partition(clip, partition, str(out))
    same(out, exported[False])
    return out


def test_duckdb_reads_them(table: Path) -> None:
    import duckdb

    near = duckdb.sql(
        f"""
        WITH v AS (SELECT id, embedding::FLOAT[512] AS e FROM '{table}/*.parquet' WHERE error IS NULL)
        SELECT id, array_cosine_similarity(e, (SELECT e FROM v WHERE id = '1/001.png')) AS score
        FROM v ORDER BY score DESC LIMIT 2
        """
    ).fetchall()
    assert near[0][0] == "1/001.png" and abs(near[0][1] - 1) < 1e-6 and near[1][1] < 1
    [(bad,)] = duckdb.sql(f"SELECT count(*) FROM '{table}/*.parquet' WHERE error IS NOT NULL").fetchall()
    assert bad == BAD


def test_lancedb_reads_them(table: Path, tmp_path: Path) -> None:
    import lancedb

    content = pq.read_table(table)
    good = content.filter(pc.is_null(content.column("error")))
    made = lancedb.connect(tmp_path / "lance").create_table("vectors", good)
    query = good.column("embedding")[7].as_py()
    [first, second] = made.search(query).limit(2).to_list()
    assert first["id"] == good.column("id")[7].as_py() and first["_distance"] < 1e-6
    assert second["_distance"] > 0
