"""What may be said of a picture, and which sayings are true of which pictures.

A caption claims a noun and perhaps a colour, a pattern, a sleeve and a length. `Claims.truth` says for
every picture and caption of a batch: true, false, or not known (a photograph of class "pants" may or may
not show jeans). True pairs attract, false pairs repel, unknown pairs do neither.
"""

import numpy as np

TRUE, FALSE, UNKNOWN = 1, 0, -1

COLORS = {
    "black": ["black"], "white": ["white"], "grey": ["grey", "gray"], "navy": ["navy", "navy blue", "dark blue"],
    "blue": ["blue"], "light blue": ["light blue", "sky blue", "pale blue"], "teal": ["teal"], "green": ["green"],
    "olive": ["olive", "olive green", "khaki"], "yellow": ["yellow"], "orange": ["orange"], "red": ["red"],
    "burgundy": ["burgundy", "wine red", "dark red"], "pink": ["pink"], "purple": ["purple", "violet"],
    "brown": ["brown"], "beige": ["beige", "sand"],
}
PATTERNS = {
    "plain": ["plain", "solid"], "striped": ["striped", "stripy"], "polka dot": ["polka dot", "dotted", "spotted"],
    "checked": ["checked", "plaid", "tartan"], "floral": ["floral", "flowery"],
    "ombre": ["ombre", "gradient"], "denim": ["denim"],
}
PRINTS = {"striped": "stripes", "polka dot": "dots", "checked": "checks", "floral": "flowers"}
SLEEVES = {
    "sleeveless": ["sleeveless", "without sleeves"], "short-sleeved": ["short-sleeved", "with short sleeves"],
    "long-sleeved": ["long-sleeved", "with long sleeves"],
}
LENGTHS = {"mini": ["mini", "short"], "midi": ["midi"], "maxi": ["maxi", "long"]}

# Kinds of picture: a drawn garment, with its cut where a noun depends on it, or a class of photographs.
# noun: (kinds it is true of, kinds it may be true of). Of all others it is false.
NOUNS = {
    "t-shirt": ("t-shirt photo:t-shirt", ""),
    "tee": ("t-shirt photo:t-shirt", ""),
    "tank top": ("t-shirt/sleeveless", "photo:t-shirt"),
    "longsleeve": ("t-shirt/long-sleeved photo:longsleeve", "sweater hoodie"),
    "long sleeve top": ("t-shirt/long-sleeved photo:longsleeve", "sweater hoodie shirt photo:shirt"),
    "shirt": ("shirt photo:shirt", ""),
    "button-up shirt": ("shirt photo:shirt", ""),
    "blouse": ("", "shirt photo:shirt"),
    "dress": ("dress photo:dress", ""),
    "skirt": ("skirt photo:skirt", ""),
    "pleated skirt": ("skirt/pleated", "photo:skirt"),
    "pencil skirt": ("skirt/pencil", "photo:skirt"),
    "jeans": ("jeans", "photo:pants"),
    "denim jeans": ("jeans", "photo:pants"),
    "trousers": ("trousers", "photo:pants"),
    "pants": ("jeans trousers photo:pants", ""),
    "shorts": ("shorts photo:shorts", ""),
    "jacket": ("jacket", "photo:outwear"),
    "bomber jacket": ("jacket/bomber", "photo:outwear"),
    "denim jacket": ("jacket/trucker", "photo:outwear"),
    "blazer": ("jacket/blazer", "photo:outwear"),
    "coat": ("coat", "photo:outwear"),
    "outwear": ("jacket coat photo:outwear", "hoodie"),
    "outerwear": ("jacket coat photo:outwear", "hoodie"),
    "sweater": ("sweater", "photo:longsleeve"),
    "jumper": ("sweater", "photo:longsleeve"),
    "pullover": ("sweater", "photo:longsleeve"),
    "hoodie": ("hoodie", "photo:longsleeve photo:outwear"),
    "hooded sweatshirt": ("hoodie", "photo:longsleeve photo:outwear"),
    "beanie": ("beanie", "photo:hat"),
    "bobble beanie": ("beanie/bobble", "photo:hat"),
    "bobble hat": ("beanie/bobble", "photo:hat"),
    "hat": ("hat photo:hat", "beanie"),
    "sun hat": ("hat/sun", "photo:hat"),
    "cap": ("hat/baseball", "photo:hat"),
    "baseball cap": ("hat/baseball", "photo:hat"),
    "sneakers": ("sneakers", "photo:shoes"),
    "trainers": ("sneakers", "photo:shoes"),
    "high-top sneakers": ("sneakers/high-top", "photo:shoes"),
    "shoes": ("sneakers photo:shoes", ""),
    "bag": ("bag", ""),
    "handbag": ("bag/hand", "bag/tote"),
    "tote bag": ("bag/tote", ""),
    "backpack": ("bag/back", ""),
    "scarf": ("scarf", ""),
}
PAIRS = {"jeans", "denim jeans", "trousers", "pants", "shorts", "sneakers", "trainers", "high-top sneakers", "shoes"}
MASS = {"outwear", "outerwear"}
TYPES = ["t-shirt", "shirt", "dress", "skirt", "jeans", "trousers", "shorts", "jacket", "coat", "sweater",
         "hoodie", "beanie", "hat", "sneakers", "bag", "scarf"]

_C, _P, _S, _L, _N = list(COLORS), list(PATTERNS), list(SLEEVES), list(LENGTHS), list(NOUNS)


def kinds(record):
    """Names under which NOUNS may list a picture."""
    if record["source"] == "photo":
        return {"photo:" + record["garment"]}
    return {record["garment"]} | {f"{record['garment']}/{record[key]}" for key in ("cut", "sleeve") if record[key]}


def facts(records):
    """int8 [pictures, nouns + colours + patterns + sleeves + lengths]: TRUE, FALSE or UNKNOWN."""
    table = np.zeros((len(records), len(_N) + len(_C) + len(_P) + len(_S) + len(_L)), np.int8)
    for row, record in zip(table, records):
        mine = kinds(record)
        parts = np.split(row, np.cumsum([len(_N), len(_C), len(_P), len(_S)]))
        for i, (true, maybe) in enumerate(NOUNS.values()):
            parts[0][i] = TRUE if mine & set(true.split()) else UNKNOWN if mine & set(maybe.split()) else FALSE
        if record["source"] == "photo":
            parts[1][:] = record.get("colors", UNKNOWN)
            for part in parts[2:]:
                part[:] = UNKNOWN
            if record["garment"] in ("t-shirt", "longsleeve"):
                long = record["garment"] == "longsleeve"
                parts[3][_S.index("long-sleeved")] = TRUE if long else FALSE
            continue
        parts[1][_C.index(record["color"])] = TRUE
        if record["pattern"] not in ("plain", "denim"):
            # The second colour of a print is in the picture too.
            parts[1][_C.index(record["accent"])] = UNKNOWN
        parts[2][_P.index(record["pattern"])] = TRUE
        if record["pattern"] == "denim":
            parts[2][_P.index("plain")] = UNKNOWN
        for part, names, key in ((parts[3], _S, "sleeve"), (parts[4], _L, "length")):
            if record[key]:
                part[names.index(record[key])] = TRUE
            elif key == "sleeve":
                part[:] = UNKNOWN
    return table


class Claims:
    """Captions of a batch: columns of `facts` that each claims, at most five, padded with -1."""

    def __init__(self):
        self.texts, self.columns = [], []

    def add(self, text, columns):
        self.texts.append(text)
        self.columns.append((columns + [-1] * 5)[:5])

    def truth(self, table):
        """int8 [pictures, captions] of the rows of `table`."""
        columns = np.array(self.columns)
        known = np.concatenate([table, np.ones((len(table), 1), np.int8)], 1)[:, columns]
        return np.where((known == FALSE).any(2), FALSE, np.where((known == UNKNOWN).any(2), UNKNOWN, TRUE))


_START = np.cumsum([0, len(_N), len(_C), len(_P), len(_S)])
# Words that shoppers add and that say nothing about the picture.
FILLERS = ["women's", "men's", "new", "classic", "casual", "nice", "elegant", "summer", "winter", "cotton"]
FRAMES = ["{}", "{}", "{}", "a photo of {}", "a photo of {}", "a picture of {}", "product photo of {}",
          "a drawing of {}", "shop {}", "{} for women", "{} for men", "{} on sale"]


def article(phrase, noun):
    if noun in MASS:
        return phrase
    if noun in PAIRS:
        return f"a pair of {phrase}"
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def phrase(rng, noun, color=None, pattern=None, sleeve=None, length=None):
    """One way to say it: "a photo of a red striped dress with long sleeves"."""
    def pick(options):
        return options[rng.integers(len(options))]

    before, after = [], []
    if color is not None:
        word = pick(COLORS[color]) if rng.random() < 0.3 else color
        after.append(f"in {word}") if rng.random() < 0.2 else before.append(word)
    if pattern is not None and not (pattern == "denim" and "denim" in noun):
        if pattern in PRINTS and rng.random() < 0.2:
            after.append(f"with {PRINTS[pattern]}")
        else:
            before.append(pick(PATTERNS[pattern]) if rng.random() < 0.4 else pattern)
    if sleeve is not None:
        word = pick(SLEEVES[sleeve])
        after.append(word) if word.startswith("with") else before.insert(rng.integers(len(before) + 1), word)
    if length is not None:
        before.insert(rng.integers(len(before) + 1), pick(LENGTHS[length]))
    if rng.random() < 0.1:
        before.insert(0, pick(FILLERS))
    text = " ".join([*before, noun])
    if rng.random() < 0.45:
        text = article(text, noun)
    return pick(FRAMES).format(" ".join([text, *after]))


def captions(rng, table, records):
    """One caption for each picture, saying a random part of what is true of it."""
    claims = Claims()
    for row, record in zip(table, records):
        parts = np.split(row, _START[1:])
        nouns = np.flatnonzero(parts[0] == TRUE)
        # The picture's own word half of the time.
        own = _N.index(record["garment"])
        noun = own if rng.random() < 0.5 else int(rng.choice(nouns))
        columns, words = [noun], {}
        for i, (key, names, chance) in enumerate((("color", _C, 0.75), ("pattern", _P, 0.4), ("sleeve", _S, 0.3),
                                                  ("length", _L, 0.3)), 1):
            if key == "pattern" and record.get("pattern") == "plain" and rng.random() < 0.7:
                continue
            true = np.flatnonzero(parts[i] == TRUE)
            if len(true) and rng.random() < chance:
                chosen = int(rng.choice(true))
                columns.append(int(_START[i]) + chosen)
                words[key] = names[chosen]
        claims.add(phrase(rng, _N[noun], **words), columns)
    return claims


# What the class of a photograph would be; drawn garments that fit none are left out.
AS_PHOTO = {"t-shirt": "t-shirt", "t-shirt/long-sleeved": "longsleeve", "shirt": "shirt", "dress": "dress",
            "skirt": "skirt", "jeans": "pants", "trousers": "pants", "shorts": "shorts", "jacket": "outwear",
            "coat": "outwear", "sweater": "longsleeve", "beanie": "hat", "hat": "hat", "sneakers": "shoes"}


def as_photo(record, classes):
    """Index of the class of photographs, or -1."""
    if record["source"] == "photo":
        return classes.index(record["garment"])
    name = AS_PHOTO.get(f"{record['garment']}/{record['sleeve']}") or AS_PHOTO.get(record["garment"])
    return classes.index(name) if name else -1


def prompt(noun):
    """The caption by which pictures are classified."""
    return "a photo of " + article(noun, noun)


def varied(rng, noun):
    """`prompt` two times of three, else another way to say it."""
    return prompt(noun) if rng.random() < 0.67 else phrase(rng, noun)


# --- colours of photographs --------------------------------------------------------------------

# sRGB of the words, as `drawn-shop` paints them.
PAINTS = dict(zip(_C, (0x1E1E20, 0xF3F2EE, 0x8D9096, 0x202C54, 0x2C5FBE, 0x9CC6EA, 0x1D8385, 0x2C8447, 0x6D6C38,
                       0xF0C93A, 0xE67C26, 0xC8252D, 0x6E1A2F, 0xEE9DBA, 0x6E459C, 0x704A2F, 0xDBC7A4)))


def lab(rgb):
    """sRGB bytes [..., 3] as CIELAB (D65)."""
    c = np.asarray(rgb, np.float64) / 255
    c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    xyz = c @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    xyz /= [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def measured(tile):
    """Which colour words hold for the middle of a photograph (uint8 [3, 160, 160]): facts per colour.

    Every pixel votes for the nearest word. A word with 55 % of the votes is true, one below 5 % false.
    """
    middle = lab(tile[:, 56:104, 56:104].reshape(3, -1).T)
    paints = lab([[v >> 16, v >> 8 & 255, v & 255] for v in PAINTS.values()])
    # Photographs differ in light more than in hue.
    distance = (((middle[:, None] - paints[None]) * [0.45, 1.5, 1.5]) ** 2).sum(2)
    share = np.bincount(distance.argmin(1), minlength=len(_C)) / len(middle)
    return np.where(share >= 0.55, TRUE, np.where(share < 0.05, FALSE, UNKNOWN)).astype(np.int8)
