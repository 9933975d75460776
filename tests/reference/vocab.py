"""CLIP's vocabulary: packs it for the Rust crate and writes it in Hugging Face's formats.

    pip install -r tests/reference/requirements-tokens.txt
    python tests/reference/vocab.py

writes crates/clip-core/src/text/merges.bin and crates/clip-core/src/text/tables.rs.

The source is OpenAI's bpe_simple_vocab_16e6.txt.gz (MIT), as shipped in the package open_clip_torch.
"""

import gzip
import hashlib
import importlib.util
import json
from pathlib import Path

TEXT = Path(__file__).resolve().parents[2] / "crates/clip-core/src/text"
MERGES = 49152 - 256 - 2
BOS, EOT = "<|startoftext|>", "<|endoftext|>"
# SHA-256 of the files of openai/clip-vit-base-patch32 on the Hugging Face hub.
HUB_SHA256 = {
    "vocab.json": "5047b556ce86ccaf6aa22b3ffccfc52d391ea4accdab9c2f2407da5b742d4363",
    "merges.txt": "f526393189112391ce6f9795d4695f704121ce452c3aad1f5335cc41337eba85",
    "tokenizer.json": "b556ac8c99757ffb677208af34bc8c6721572114111a6e0aaf5fa69ff0b8d842",
}
PATTERN = (r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")


def byte_characters():
    """The character that stands for each byte, in the order of the vocabulary (as in GPT-2)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + i) for i in range(len(hidden))]


def merges():
    """The merges, "left right" per line."""
    package = importlib.util.find_spec("open_clip").submodule_search_locations[0]
    text = gzip.open(Path(package) / "bpe_simple_vocab_16e6.txt.gz").read().decode()
    return text.split("\n")[1:MERGES + 1]


def vocabulary(lines):
    """token -> id."""
    base = byte_characters()
    tokens = base + [token + "</w>" for token in base] + [line.replace(" ", "") for line in lines] + [BOS, EOT]
    return {token: i for i, token in enumerate(tokens)}


def hub_files(lines):
    """The tokenizer files of the checkpoint, byte for byte (see HUB_SHA256)."""
    vocab = vocabulary(lines)

    def added(content, normalized):
        return {"id": vocab[content], "special": True, "content": content, "single_word": False, "lstrip": False,
                "rstrip": False, "normalized": normalized}

    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        # Note the difference: the start literal is looked for after normalisation, so in any case.
        "added_tokens": [added(BOS, True), added(EOT, False)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}, {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Removed", "invert": True},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}]},
        "post_processor": {"type": "RobertaProcessing", "sep": [EOT, vocab[EOT]], "cls": [BOS, vocab[BOS]],
                           "trim_offsets": False, "add_prefix_space": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": EOT, "continuing_subword_prefix": "",
                  "end_of_word_suffix": "</w>", "fuse_unk": False, "vocab": vocab, "merges": lines},
    }
    header = "#version: 0.2 - Trained by `huggingface/tokenizers`"
    return {
        "vocab.json": json.dumps(vocab, ensure_ascii=False, separators=(",", ":")).encode(),
        "merges.txt": "\n".join([header, *lines, ""]).encode(),
        "tokenizer.json": json.dumps(tokenizer, ensure_ascii=False, indent=2).encode(),
    }


def write_hub_folder(folder):
    """A folder that `CLIPTokenizer.from_pretrained` loads as it loads the hub's."""
    for name, content in hub_files(merges()).items():
        assert hashlib.sha256(content).hexdigest() == HUB_SHA256[name], name
        (Path(folder) / name).write_bytes(content)
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "__type": "AddedToken"}
    (Path(folder) / "tokenizer_config.json").write_text(json.dumps({
        "bos_token": {"content": BOS, **special}, "eos_token": {"content": EOT, **special},
        "unk_token": {"content": EOT, **special}, "pad_token": EOT, "add_prefix_space": False, "errors": "replace",
        "do_lower_case": True, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}))
    (Path(folder) / "config.json").write_text('{"model_type": "clip"}')


# --- merges.bin --------------------------------------------------------------------------------


def pack(pairs):
    """Left and right id of every merge, 16 bits each from the top, by an adaptive binary range coder.

    The decoder is `text/merges.rs`. Each side has a tree of bit probabilities.
    """
    rate = [65536 * 2 // (2 * n + 3) for n in range(256)]
    trees = [([32768] * 65536, [0] * 65536) for _ in range(2)]
    low, high, out = 0, 0xFFFFFFFF, bytearray()
    for pair in pairs:
        for value, (probability, seen) in zip(pair, trees):
            node = 1
            for shift in range(15, -1, -1):
                bit = value >> shift & 1
                p, n = probability[node], seen[node]
                middle = low + ((high - low) * p >> 16)
                if bit:
                    high = middle
                else:
                    low = middle + 1
                while (low ^ high) >> 24 == 0:
                    out.append(high >> 24)
                    low, high = low << 8 & 0xFFFFFFFF, (high << 8 & 0xFFFFFFFF) | 255
                p += (65535 - p if bit else -p) * rate[n] >> 16
                probability[node], seen[node] = min(max(p, 64), 65472), min(n + 1, LIMIT)
                node = node << 1 | bit
    return bytes(out + high.to_bytes(4, "big"))


LIMIT = 250


# --- tables.rs ---------------------------------------------------------------------------------


def ranges(pattern):
    """Code points that a pattern of the tokenizer's own regex engine (Oniguruma) matches."""
    from tokenizers import Regex, pre_tokenizers

    split = pre_tokenizers.Split(Regex(pattern), "removed")
    found = []
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000 or split.pre_tokenize_str(chr(code)):
            continue
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return found


def table(name, comment, pattern):
    items = [f"({a:#x}, {b:#x})," for a, b in ranges(pattern)]
    lines, line = [], "   "
    for item in items:
        if len(line) + 1 + len(item) > 100:
            lines.append(line)
            line = "   "
        line += " " + item
    body = "\n".join([*lines, line])
    return f"/// {comment}\n#[rustfmt::skip]\npub(super) const {name}: [(u32, u32); {len(items)}] = [\n{body}\n];\n"


if __name__ == "__main__":
    import tokenizers

    lines = merges()
    vocab = vocabulary(lines)
    packed = pack([[vocab[token] for token in line.split(" ")] for line in lines])
    (TEXT / "merges.bin").write_bytes(packed)
    print(len(packed), "bytes of merges")
    (TEXT / "tables.rs").write_text("\n".join([
        "//! Character classes as Hugging Face's `tokenizers` (Oniguruma) sees them: first and last code",
        f"//! point of each range. Made by `tests/reference/vocab.py` with tokenizers {tokenizers.__version__}.\n",
        table("LETTERS", r"`\p{L}`.", r"\p{L}"),
        table("NUMBERS", r"`\p{N}`.", r"\p{N}"),
        table("SPACES", r"`\s`.", r"\s"),
    ]))
