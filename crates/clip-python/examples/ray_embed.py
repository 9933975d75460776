"""Embeds images with Ray Data: a pool of actors, each with a model of its own.

    python ray_embed.py SOURCE OUT [--workers 4] [--model ID] [--raw] [--fetch]

SOURCE is a Parquet file or a folder of them, a folder of images, or a .txt file with addresses; OUT a
folder or an address that all machines reach. Start it again after whatever has happened: partitions
whose file is there are not computed again. The vectors do not depend on the number of workers.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import ray
from clip_everywhere import Clip, Fetcher, bulk


class Embed:
    """One actor. A partition that it loses with its process is given to another."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.clip = bulk.worker(arguments.model, arguments.threads)
        self.fetcher = Fetcher() if arguments.fetch else None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        done = [
            bulk.embed_partition(
                self.clip,
                bulk.Partition.from_json(text),
                self.arguments.out,
                normalize=not self.arguments.raw,
                fetcher=self.fetcher,
            )
            for text in batch["partition"]
        ]
        fields = ("number", "rows", "vectors", "errors")
        return {name: np.array([getattr(each, name) for each in done]) for name in fields}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--model", help="default: EMBEDDINGS_MODEL")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of each worker")
    parser.add_argument("--size", type=int, default=512, help="images in a partition")
    parser.add_argument("--raw", action="store_true", help="vectors as projected, as a store keeps them")
    parser.add_argument("--fetch", action="store_true", help="fetch addresses (http, https)")
    parser.add_argument("--address", help="of a cluster; default: this machine")
    arguments = parser.parse_args()

    clip = Clip.load(arguments.model, towers="image", threads=1)
    todo = bulk.begin(clip, arguments.source, arguments.out, arguments.size, not arguments.raw)
    if not todo:
        print("all is done")
        return
    ray.init(
        address=arguments.address,
        include_dashboard=False if arguments.address is None else None,
        num_cpus=arguments.workers * arguments.threads + 1 if arguments.address is None else None,
    )
    items = [{"partition": each.to_json()} for each in todo]
    # A block is what is lost with a worker.
    partitions = ray.data.from_items(items, override_num_blocks=min(len(todo), 10_000))
    done = partitions.map_batches(
        Embed,
        fn_constructor_args=(arguments,),
        batch_size=1,
        num_cpus=arguments.threads,
        compute=ray.data.ActorPoolStrategy(size=arguments.workers),
    )
    rows = done.take_all()
    for name in ("rows", "vectors", "errors"):
        print(name, sum(row[name] for row in rows))


if __name__ == "__main__":
    main()
