"""Token ids of captions: the standard vocabulary, and the rows that training gives to the ids it meets."""

import tempfile

import torch

import vocab
from tiny import data, words


def tokenizer():
    """CLIP's tokenizer, from the vocabulary that `open_clip_torch` ships."""
    from transformers import CLIPTokenizer

    with tempfile.TemporaryDirectory() as folder:
        vocab.write_hub_folder(folder)
        return CLIPTokenizer.from_pretrained(folder)


class Tokens:
    """Callable: captions -> rows [n, t]. Row 0 is the end of text, which also pads."""

    def __init__(self):
        self.tokenizer = tokenizer()
        self.known = {}
        bos, eot = self.encode("")
        spoken = {token for word in everything() for token in self.encode(word)}
        self.ids = [eot, bos, *sorted(spoken - {bos, eot})]
        self.rows = {token: row for row, token in enumerate(self.ids)}

    def encode(self, text):
        return self.tokenizer(text)["input_ids"]

    def __call__(self, texts):
        found = []
        for text in texts:
            if text not in self.known:
                # A token that no training caption has would be a zero row in the model: none comes here.
                self.known[text] = [self.rows[token] for token in self.encode(text)]
            found.append(self.known[text])
        length = max(map(len, found))
        return torch.tensor([row + [0] * (length - len(row)) for row in found])


def everything():
    """Every word a caption may have."""
    said = [*words.NOUNS, *words.FILLERS, *words.TYPES, *data.CLASSES, *words.PRINTS.values(), "a an of pair in with"]
    said += [frame.replace("{}", "") for frame in words.FRAMES]
    for names in (words.COLORS, words.PATTERNS, words.SLEEVES, words.LENGTHS):
        said += [word for options in names.values() for word in options]
    return {word for text in said for word in text.split()}
