"""Embeds images with Spark: mapInArrow, one model per Python worker.

    spark-submit spark_embed.py SOURCE OUT [--tasks 4] [--model ID] [--raw] [--fetch]

SOURCE is a Parquet file or a folder of them, a folder of images, or a .txt file with addresses; OUT a
folder or an address that all machines reach. Start it again after whatever has happened: partitions
whose file is there are not computed again. The vectors do not depend on the number of tasks.

The files are written by the workers: Spark's own writer knows no list of a fixed size.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator

import pyarrow as pa
from clip_everywhere import Clip, Fetcher, bulk
from pyspark.sql import SparkSession

FIELDS = ("number", "rows", "vectors", "errors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--model", help="default: EMBEDDINGS_MODEL")
    parser.add_argument("--tasks", type=int, default=2, help="at a time, on one machine")
    parser.add_argument("--threads", type=int, default=1, help="of each task")
    parser.add_argument("--size", type=int, default=512, help="images in a partition")
    parser.add_argument("--raw", action="store_true", help="vectors as projected, as a store keeps them")
    parser.add_argument("--fetch", action="store_true", help="fetch addresses (http, https)")
    parser.add_argument("--master", help="of a cluster; default: this machine")
    arguments = parser.parse_args()

    clip = Clip.load(arguments.model, towers="image", threads=1)
    todo = bulk.begin(clip, arguments.source, arguments.out, arguments.size, not arguments.raw)
    if not todo:
        print("all is done")
        return
    model, threads, out = arguments.model, arguments.threads, arguments.out
    normalize, fetch = not arguments.raw, arguments.fetch

    def embed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        clip = bulk.worker(model, threads)
        fetcher = Fetcher() if fetch else None
        for batch in batches:
            for text in batch.column("partition").to_pylist():
                partition = bulk.Partition.from_json(text)
                done = bulk.embed_partition(
                    clip, partition, out, normalize=normalize, fetcher=fetcher
                )
                yield pa.RecordBatch.from_pydict({name: [getattr(done, name)] for name in FIELDS})

    # On one machine, too, a task that loses its process is tried again: four times.
    master = arguments.master or f"local[{arguments.tasks},4]"
    spark = (
        SparkSession.builder.master(master)
        .appName("clip-everywhere")
        .config("spark.ui.enabled", "false")
        .config("spark.task.cpus", threads if arguments.master else 1)
        .getOrCreate()
    )
    frame = spark.createDataFrame([(each.to_json(),) for each in todo], "partition string")
    done = frame.repartition(min(len(todo), 10_000)).mapInArrow(
        embed, ", ".join(f"{name} long" for name in FIELDS)
    )
    rows = done.collect()
    for name in ("rows", "vectors", "errors"):
        print(name, sum(row[name] for row in rows))
    spark.stop()


if __name__ == "__main__":
    main()
