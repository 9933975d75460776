"""AVIF files: what Pillow's encoder writes, and the same AV1 data in boxes of our own.

AV1 data is expensive to write and its bits are normative; what decoders do differently lies around it.
So most files here are a few encoded pictures under other headers. 10 and 12 bits come from `imagecodecs`,
because Pillow's encoder has 8.
"""

import io
import struct

ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"


def box(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def full(kind, version, flags, *parts):
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def boxes(data, start=0, end=None):
    """(kind, start of the body, end) of each."""
    end = len(data) if end is None else end
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        yield kind, start + 8, start + size
        start += size


def find(data, *path):
    """The span of the body of a box; `meta` and the like are full boxes."""
    start, end = 0, len(data)
    for kind in path:
        found = [(a, b) for k, a, b in boxes(data, start, end) if k == kind]
        start, end = found[0]
        if kind == b"meta":
            start += 4
    return start, end


def nclx(primaries, matrix, full_range, transfer=13):
    return True, box(b"colr", b"nclx", struct.pack(">HHHB", primaries, transfer, matrix, full_range << 7))


def rotation(quarters):
    return True, box(b"irot", bytes([quarters]))


def mirror(axis):
    return True, box(b"imir", bytes([axis]))


def pixi(depth, channels=3):
    return False, full(b"pixi", 0, 0, bytes([channels] + [depth] * channels))


class Coded:
    """AV1 data of one picture, taken out of a file that libavif wrote."""

    def __init__(self, file, size):
        start, end = find(file, b"meta", b"iprp", b"ipco")
        properties = [(k, file[a - 8:b]) for k, a, b in boxes(file, start, end)]
        self.configs = [(True, whole) for kind, whole in properties if kind == b"av1C"]
        self.size = size
        at, _ = find(file, b"meta", b"iloc")
        assert file[at] == 0 and file[at + 4:at + 6] == b"\x44\0", "iloc as libavif writes it"
        self.items = []
        for i in range(struct.unpack_from(">H", file, at + 6)[0]):
            _, _, pieces, offset, length = struct.unpack_from(">HHHII", file, at + 8 + 14 * i)
            assert pieces == 1
            self.items.append(file[offset:offset + length])

    def picture(self, *properties, ispe=True, **more):
        size = [(False, full(b"ispe", 0, 0, struct.pack(">II", *self.size)))] if ispe else []
        return dict(kind=b"av01", data=self.items[0], properties=size + [self.configs[0], *properties], **more)

    def alpha(self, *properties, of=1, **more):
        kind = False, full(b"auxC", 0, 0, ALPHA)
        size = False, full(b"ispe", 0, 0, struct.pack(">II", *self.size))
        return dict(kind=b"av01", data=self.items[1], refers=[(b"auxl", [of])],
                    properties=[size, self.configs[-1], kind, *properties], **more)


def grid(size, columns, rows, first, *properties, **more):
    """An item of tiles, whose numbers begin with `first`."""
    data = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *size)
    tiles = [(b"dimg", list(range(first, first + rows * columns)))]
    ispe = False, full(b"ispe", 0, 0, struct.pack(">II", *size))
    return dict(kind=b"grid", data=data, properties=[ispe, *properties], refers=tiles + more.pop("refers", []), **more)


def still(*items, brand=b"avif", brands=b"avifmif1miaf", idat=False, pieces=1, version=0):
    """A file of items, numbered from 1; the first one is the picture."""
    properties, associations, infos, references = [], b"", b"", b""
    for number, item in enumerate(items, 1):
        indices = []
        for essential, whole in item["properties"]:
            if whole not in properties:
                properties.append(whole)
            indices.append(properties.index(whole) + 1 | (0x80 if essential else 0))
        associations += struct.pack(">HB", number, len(indices)) + bytes(indices)
        name = b"\0" + (b"application/rdf+xml\0" if item["kind"] == b"mime" else b"")
        infos += full(b"infe", 2, 0, struct.pack(">HH4s", number, 0, item["kind"]), name)
        for kind, to in item.get("refers", []):
            references += box(kind, struct.pack(f">HH{len(to)}H", number, len(to), *to))
    data = b"".join(item["data"] for item in items)
    version = 1 if idat else version

    def meta(start):
        locations, at = b"", start
        for number, item in enumerate(items, 1):
            length = len(item["data"])
            step = -(-length // pieces)
            spans = [(at + o, min(step, length - o)) for o in range(0, length, step)]
            method = struct.pack(">H", int(idat)) if version else b""
            locations += struct.pack(">H", number) + method + struct.pack(">HH", 0, len(spans))
            locations += b"".join(struct.pack(">II", *span) for span in spans)
            at += length
        return full(b"meta", 0, 0, full(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13)),
                    full(b"pitm", 0, 0, struct.pack(">H", 1)),
                    full(b"iloc", version, 0, b"\x44\0", struct.pack(">H", len(items)), locations),
                    full(b"iinf", 0, 0, struct.pack(">H", len(items)), infos),
                    *([full(b"iref", 0, 0, references)] if references else []),
                    box(b"iprp", box(b"ipco", *properties), full(b"ipma", 0, 0, struct.pack(">I", len(items)), associations)),
                    *([box(b"idat", data)] if idat else []))

    head = box(b"ftyp", brand, bytes(4), brands)
    if idat:
        return head + meta(0)
    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", data)


def avifs(add, photo, drawn, alpha_ramp, tiff_orientation, xmp_orientation):
    import imagecodecs
    import numpy as np
    from PIL import Image, ImageCms

    def encode(image, **options):
        out = io.BytesIO()
        image = image if isinstance(image, Image.Image) else Image.fromarray(image)
        image.save(out, "AVIF", **{"speed": 8, "max_threads": 1, **options})
        return out.getvalue()

    def put(name, data):
        add(f"avif/{name}.avif", data)
        return data

    LAYOUTS = {"444": "4:4:4", "422": "4:2:2", "420": "4:2:0", "400": "4:0:0"}
    size = (71, 53)
    color = photo(*size, 90)
    with_alpha = lambda width, height, seed: np.concatenate([photo(width, height, seed), alpha_ramp(width, height)[..., None]], 2)
    rgba = with_alpha(*size, 91)

    # As Pillow writes them.
    for name, layout in LAYOUTS.items():
        for quality in (15, 70, 100):
            put(f"photo-{name}-q{quality}", encode(color, subsampling=layout, quality=quality))
        put(f"limited-{name}", encode(color, subsampling=layout, range="limited", quality=80))
        put(f"alpha-{name}", encode(rgba, subsampling=layout, quality=70))
    for name in ("444", "420"):
        put(f"premultiplied-{name}", encode(rgba, subsampling=LAYOUTS[name], quality=60, alpha_premultiplied=True))
        put(f"premultiplied-limited-{name}", encode(rgba, subsampling=LAYOUTS[name], range="limited", alpha_premultiplied=True))
    for width, height in ((1, 1), (2, 3), (5, 2), (17, 33), (66, 1), (1, 66)):
        for name in ("422", "420"):
            put(f"tiny-{name}-{width}x{height}", encode(photo(width, height, width), subsampling=LAYOUTS[name], quality=90))
    put("tiny-alpha-3x5", encode(with_alpha(3, 5, 7), quality=90))
    put("logo", encode(drawn(90, 80, 92)[0], subsampling="4:4:4", quality=50))
    put("grey", encode(Image.fromarray(photo(60, 50, 93)).convert("L"), quality=75))
    put("grey-alpha", encode(Image.fromarray(rgba).convert("LA"), subsampling="4:0:0", quality=75))
    put("tiles", encode(photo(300, 140, 94), quality=40, tile_rows=1, tile_cols=1, autotiling=False))
    put("autotiling", encode(photo(310, 150, 95), quality=30, autotiling=True))
    put("exact", encode(photo(224, 224, 96), quality=40))
    put("icc", encode(color, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()))
    put("xmp-orientation", encode(color, xmp=xmp_orientation(6)))
    for turn in range(1, 9):
        put(f"exif-{turn}", encode(photo(60, 40, 100 + turn), quality=50, exif=tiff_orientation(turn, turn % 2 == 0)))
    pages = [Image.fromarray(photo(50, 40, n)) for n in (97, 98)]
    put("sequence", encode(pages[0], save_all=True, append_images=pages[1:], duration=100))
    pages = [Image.fromarray(with_alpha(50, 40, n)) for n in (99, 89)]
    put("sequence-alpha", encode(pages[0], save_all=True, append_images=pages[1:], duration=100))

    # The same data under other headers.
    coded = {name: Coded(encode(color, subsampling=layout, quality=75), size) for name, layout in LAYOUTS.items()}
    pair = {name: Coded(encode(rgba, subsampling=layout, quality=75), size) for name, layout in LAYOUTS.items()}
    for matrix in (1, 2, 4, 6, 7, 9, 15):
        for full_range in (0, 1):
            for name in ("444", "420"):
                if name == "444" or matrix in (1, 4, 9):
                    kind = "full" if full_range else "limited"
                    put(f"matrix{matrix}-{kind}-{name}", still(coded[name].picture(nclx(1, matrix, full_range))))
    for name in LAYOUTS:
        put(f"ycgco-{name}", still(coded[name].picture(nclx(1, 8, 1))))
    put("identity-limited", still(coded["444"].picture(nclx(1, 0, 0))))
    put("identity-grey", still(coded["400"].picture(nclx(1, 0, 1))))
    for primaries in (1, 4, 5, 8, 9, 11, 12, 22):
        put(f"derived-{primaries}", still(coded["420"].picture(nclx(primaries, 12, 0))))
    put("no-colour", still(coded["420"].picture()))
    put("no-pixi-mif1", still(coded["422"].picture(), brand=b"mif1", brands=b"mif1avif"))
    put("pixi", still(coded["420"].picture(pixi(8))))
    put("data-in-idat", still(coded["420"].picture(), idat=True))
    put("pieces", still(coded["444"].picture(), pieces=3, version=1))
    for name in ("444", "422", "420", "400"):
        both = pair[name]
        for matrix, full_range in ((1, 0), (4, 1), (8, 1)):
            put(f"alpha-matrix{matrix}-{name}", still(both.picture(nclx(1, matrix, full_range)), both.alpha()))
            first = both.picture(nclx(1, matrix, full_range), refers=[(b"prem", [2])])
            put(f"prem-matrix{matrix}-{name}", still(first, both.alpha()))
    put("alpha-identity-limited", still(pair["444"].picture(nclx(1, 0, 0), refers=[(b"prem", [2])]), pair["444"].alpha()))
    put("alpha-turned", still(pair["420"].picture(rotation(1)), pair["420"].alpha(rotation(1))))
    for quarters, axis in ((1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 1), (0, 1)):
        put(f"irot{quarters}-imir{axis}", still(coded["420"].picture(rotation(quarters), mirror(axis))))
    clap = struct.pack(">8i", 40, 1, 30, 1, -4, 1, 6, 1)
    put("clap", still(coded["420"].picture((True, box(b"clap", clap)))))
    exif = lambda turn: dict(kind=b"Exif", data=bytes(4) + tiff_orientation(turn), properties=[], refers=[(b"cdsc", [1])])
    xmp = dict(kind=b"mime", data=xmp_orientation(5), properties=[], refers=[(b"cdsc", [1])])
    put("exif-without-irot", still(coded["420"].picture(), exif(6)))
    put("exif-and-irot", still(coded["420"].picture(rotation(1)), exif(6)))
    put("exif-upright-and-xmp", still(coded["420"].picture(), exif(1), xmp))
    put("xmp-and-imir", still(coded["420"].picture(mirror(1)), xmp))

    # Grids.
    tiles = [Coded(encode(with_alpha(64, 72, 110 + n), quality=60), (64, 72)) for n in range(4)]
    whole = dict(first=2)
    put("grid", still(grid((128, 144), 2, 2, **whole), *[t.picture() for t in tiles]))
    put("grid-cut", still(grid((110, 100), 2, 2, **whole), *[t.picture() for t in tiles]))
    put("grid-turned", still(grid((128, 72), 2, 1, 2, rotation(3)), *[t.picture() for t in tiles[:2]]))
    alpha = grid((128, 144), 2, 2, 7, (False, full(b"auxC", 0, 0, ALPHA)), refers=[(b"auxl", [1])])
    bare = [dict(kind=b"av01", data=t.items[1], properties=t.alpha()["properties"][:2]) for t in tiles]
    put("grid-alpha", still(grid((128, 144), 2, 2, **whole), *[t.picture() for t in tiles], alpha, *bare))
    own = [t.alpha(of=2 + n) for n, t in enumerate(tiles)]
    put("grid-alpha-of-tiles", still(grid((128, 144), 2, 2, **whole), *[t.picture() for t in tiles], *own))

    # More bits.
    rng = np.random.default_rng(120)

    def deep(image, bits):
        return image.astype(np.uint16) << (bits - 8) | rng.integers(0, 1 << (bits - 8), image.shape).astype(np.uint16)

    for bits in (10, 12):
        for name in LAYOUTS:
            plain = dict(bitspersample=bits, pixelformat=f"yuv{name}", speed=8, numthreads=1, level=80)
            image = color[..., :1] if name == "400" else color
            put(f"deep{bits}-{name}", imagecodecs.avif_encode(deep(image, bits), **plain))
            both = np.concatenate([image, rgba[..., 3:]], 2)
            data = imagecodecs.avif_encode(deep(both, bits), **plain)
            put(f"deep{bits}-alpha-{name}", data)
            parts = Coded(data, size)
            put(f"deep{bits}-limited-{name}", still(parts.picture(nclx(1, 1, 0))))
            put(f"deep{bits}-float-{name}", still(parts.picture(nclx(1, 4, 0)), parts.alpha()))
            put(f"deep{bits}-prem-{name}", still(parts.picture(nclx(1, 6, 1), refers=[(b"prem", [2])]), parts.alpha()))


def broken(add, photo):
    """Files that must be refused, each with the kind of the error."""
    from PIL import Image
    out = io.BytesIO()
    Image.fromarray(photo(60, 50, 130)).save(out, "AVIF", speed=8, max_threads=1)
    good = out.getvalue()
    coded = Coded(good, (60, 50))
    add("header-only.avif", good[:28], "image.truncated")
    add("half.avif", good[:len(good) // 2], "image.truncated")
    cut = coded.picture()
    add("half-data.avif", still({**cut, "data": cut["data"][:len(cut["data"]) // 2]}), "image.corrupt")
    add("bomb.avif", good.replace(struct.pack(">II", 60, 50), struct.pack(">II", 30000, 30000)), "image.too_large")
    tiles = [coded.picture() for _ in range(4)]
    add("small-tiles.avif", still(grid((120, 100), 2, 2, 2), *tiles), "image.corrupt")
    add("missing-tile.avif", still(grid((120, 100), 2, 2, 2), *tiles[:3]), "image.corrupt")
    add("no-configuration.avif", still({**coded.picture(), "properties": coded.picture()["properties"][:1]}), "image.corrupt")
    bare = {**coded.picture(), "refers": [(b"auxl", [1])], "properties": [coded.configs[0], (False, full(b"auxC", 0, 0, ALPHA))]}
    add("alpha-without-size.avif", still(coded.picture(), bare), "image.corrupt")
    add("unknown-matrix.avif", still(coded.picture(nclx(1, 10, 1))), "image.unsupported")
    add("unknown-essential.avif", still(coded.picture((True, box(b"what", b"ever")))), "image.corrupt")
