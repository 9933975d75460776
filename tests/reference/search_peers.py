"""Peers of `cargo xtask bench search --native`: exact searches of the same vectors.

Usage: search_peers.py PEER FOLDER ROUNDS

PEER is numpy (a float32 matrix product), faiss (IndexFlatIP) or sqlite-vec (a vec0 table in memory).
FOLDER holds `queries.f32` and the exact file of a scan, whose rows begin at byte 128. Prints JSON:
milliseconds, best and median, and the rows found.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

DIM, TOP, HEADER = 512, 12, 128


def numpy_peer(vectors):
    warm = np.array(vectors)  # in memory

    def search(query):
        scores = warm @ query
        best = np.argpartition(scores, -TOP)[-TOP:]
        return best[np.argsort(-scores[best], kind="stable")]

    return search


def faiss_peer(vectors):
    import faiss

    index = faiss.IndexFlatIP(DIM)
    for start in range(0, len(vectors), 100_000):
        index.add(np.ascontiguousarray(vectors[start : start + 100_000]))
    return lambda query: index.search(query[None, :], TOP)[1][0]


def sqlite_vec_peer(vectors):
    import apsw  # not every Python's sqlite3 loads extensions
    import sqlite_vec

    db = apsw.Connection(":memory:")
    db.enable_load_extension(True)
    db.load_extension(sqlite_vec.loadable_path())
    db.execute(f"CREATE VIRTUAL TABLE v USING vec0(e float[{DIM}] distance_metric=cosine)")
    with db:
        rows = ((i, row.tobytes()) for i, row in enumerate(vectors))
        db.executemany("INSERT INTO v (rowid, e) VALUES (?, ?)", rows)
    sql = f"SELECT rowid FROM v WHERE e MATCH ? AND k = {TOP}"
    return lambda query: [row for (row,) in db.execute(sql, [query.tobytes()])]


PEERS = {"numpy": numpy_peer, "faiss": faiss_peer, "sqlite-vec": sqlite_vec_peer}


def main():
    peer, folder, rounds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    (exact,) = folder.glob("**/*.scan/exact-*.safetensors")
    vectors = np.memmap(exact, dtype="<f4", mode="r", offset=HEADER).reshape(-1, DIM)
    queries = np.fromfile(folder / "queries.f32", dtype="<f4").reshape(-1, DIM)
    search = PEERS[peer](vectors)
    times = []
    for turn in range(rounds + 1):
        query = queries[turn % len(queries)]
        start = time.perf_counter()
        search(query)
        times.append(1e3 * (time.perf_counter() - start))
    times = sorted(times[1:])  # the first warms up
    hits = [[int(row) for row in search(query)] for query in queries]
    print(json.dumps({"ms": [times[0], times[len(times) // 2]], "hits": hits}))


main()
