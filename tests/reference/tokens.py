"""Makes tests/goldens/tokens.json and tokens-unicode.json: ids by transformers' CLIPTokenizer.

    python -m venv venv && venv/bin/pip install -r tests/reference/requirements-tokens.txt
    venv/bin/python tests/reference/tokens.py

Two minutes, no network. The tokenizer is loaded from files that equal the hub's byte for byte
(`vocab.py` checks their SHA-256).
"""

import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import tokenizers
import transformers
from transformers import AutoTokenizer, CLIPTokenizer

import vocab
from synthetic import key, stream
from token_texts import texts

GOLDENS = Path(__file__).resolve().parent.parent / "goldens"
SEED, GROUPS, GROUP, BLOCK = 5, 40, 500, 4096

# Ranges of code points, each equally likely.
POOLS = [
    (0x20, 0x7F), (0x20, 0x7F), (0x61, 0x7B), (0x00, 0x80), (0x80, 0x250), (0x250, 0x370), (0x300, 0x370),
    (0x370, 0x530), (0x530, 0x700), (0x700, 0x900), (0x900, 0xE00), (0xE00, 0x1000), (0x1000, 0x1200),
    (0x1100, 0x1200), (0x1200, 0x1E00), (0x1E00, 0x2000), (0x2000, 0x2070), (0x2070, 0x3000), (0x3000, 0x3400),
    (0x4E00, 0xA000), (0xA000, 0xAC00), (0xAC00, 0xD7B0), (0xF900, 0x10000), (0x10000, 0x12000),
    (0x16000, 0x17000), (0x1D000, 0x1F000), (0x1F000, 0x1FB00), (0x20000, 0x30000), (0x0, 0x110000),
]
SNIPPETS = [
    " ", " ", "  ", "\n", "'s", "'S", "'ll", "'RE", "'", "<|startoftext|>", "<|StartOfText|>", "<|endoftext|>",
    "<|ENDOFTEXT|>", "<|", "|>", "the", "dress", "SHIRT", "jacket", "\u0130", "\u03a3", "\u0338", "\u0301", "\u1100",
    "\u1161", "\u11a8", "\u200d", "\ufe0f",
]


def random_text(index):
    """Text `index`, as `clip_tests::inputs::text` makes it."""
    words = stream(key(SEED, f"tokens.{index}"), 0, 49).tolist()
    out = []
    for word in words[1:1 + words[0] % 48]:
        choice, pick = word & 0xFF, word >> 8
        if choice < 64:
            out.append(SNIPPETS[pick % len(SNIPPETS)])
            continue
        start, end = POOLS[choice % len(POOLS)]
        code = start + pick % (end - start)
        out.append("\ufffd" if 0xD800 <= code < 0xE000 else chr(code))
    return "".join(out)


def code_point_text(c):
    """A text that tells letter, number, white space and the rest apart, and shows composition."""
    return f"a{c}b {c}{c}1{c}!{c}'s{c}"


def digest(encodings):
    """First 16 hex digits of SHA-256 over ids as little-endian u16, 0xFFFF after each text."""
    h = hashlib.sha256()
    for encoding in encodings:
        h.update(np.array(encoding.ids + [0xFFFF], "<u2").tobytes())
    return h.hexdigest()[:16]


def main():
    with tempfile.TemporaryDirectory() as folder:
        vocab.write_hub_folder(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (Path(folder) / name).unlink()
        bare = CLIPTokenizer.from_pretrained(folder)
    versions = {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__}

    strings = list(dict.fromkeys(texts()))
    ids = tokenizer(strings, truncation=True, max_length=77)["input_ids"]
    ids_bare = bare(strings, truncation=True, max_length=77)["input_ids"]
    lines = [json.dumps({"text": s, "ids": i}) for s, i in zip(strings, ids)]
    differ = [json.dumps({"text": s, "ids": b}) for s, i, b in zip(strings, ids, ids_bare) if i != b]
    (GOLDENS / "tokens.json").write_text(
        f'{{"versions": {json.dumps(versions)},\n"max_length": 77,\n"texts": [\n' + ",\n".join(lines) +
        '\n],\n"other_without_tokenizer_json": [\n' + ",\n".join(differ) + "\n]}\n")
    print(len(strings), "texts,", len(differ), "differ without tokenizer.json")

    fast = tokenizer.backend_tokenizer
    fast.no_truncation()
    fast.no_padding()
    random = [digest(fast.encode_batch([random_text(g * GROUP + i) for i in range(GROUP)])) for g in range(GROUPS)]
    blocks = [digest(fast.encode_batch([code_point_text(chr(code)) for code in range(start, start + BLOCK)
                                        if not 0xD800 <= code < 0xE000]))
              for start in range(0, 0x110000, BLOCK)]
    golden = {"versions": versions, "seed": SEED, "group": GROUP, "random": random, "block": BLOCK,
              "code_points": blocks}
    (GOLDENS / "tokens-unicode.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
