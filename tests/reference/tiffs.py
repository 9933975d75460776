"""TIFF files of every kind that Pillow reads: written by libtiff through Pillow, and, where that cannot, by
the writer here (byte orders, tiles, planes, bit depths, BigTIFF)."""

import io
import struct
import zlib

SHORT, LONG, LONG8 = 3, 4, 16


def packbits(data):
    """Runs and literals, as short as they come."""
    out, at = bytearray(), 0
    while at < len(data):
        run = 1
        while run < 128 and at + run < len(data) and data[at + run] == data[at]:
            run += 1
        if run > 1:
            out += bytes([257 - run, data[at]])
        else:
            end = at + 1
            while end < len(data) and end - at < 128 and (end + 1 >= len(data) or data[end] != data[end + 1]):
                end += 1
            out += bytes([end - at - 1]) + data[at:end]
            run = end - at
        at += run
    return bytes(out)


COMPRESSIONS = {1: bytes, 8: zlib.compress, 32946: zlib.compress, 32773: packbits}


def pack(samples, bits):
    """Rows of samples (a list of arrays with shape [width * samples]) as bytes, each row from a byte of its own."""
    import numpy as np
    rows = []
    for row in samples:
        if bits >= 8:
            rows.append(row.tobytes())
        else:
            flat = ((row[:, None] >> np.arange(bits - 1, -1, -1)) & 1).astype(np.uint8).ravel()
            rows.append(np.packbits(flat).tobytes())
    return rows


def write(pixels, photometric, *, big="<", bits=8, compression=1, rows=None, tile=None, planar=False,
          predictor=False, bigtiff=False, reverse=False, extra=(), sample_format=None, color_map=None,
          orientation=None, drop=()):
    """A file from pixels[height][width][samples]; `drop` leaves out tags."""
    import numpy as np
    order = {"<": "II", ">": "MM"}[big]
    height, width, samples = pixels.shape
    kind = {8: "u1", 16: "u2", 32: "u4"}.get(bits, "u1")
    if sample_format == 2:
        kind = kind.replace("u", "i")
    if sample_format == 3:
        kind = "f4"
    pixels = pixels.astype(big + kind)
    planes = [pixels[..., i:i + 1] for i in range(samples)] if planar else [pixels]
    chunks = []
    for plane in planes:
        step_y, step_x = tile or (rows or height, width)
        for top in range(0, height, step_y):
            for left in range(0, width, step_x):
                part = plane[top:top + step_y, left:left + step_x]
                if tile:
                    pad = ((0, step_y - part.shape[0]), (0, step_x - part.shape[1]), (0, 0))
                    part = np.pad(part, pad, mode="edge")
                if predictor:
                    wide = part.astype(np.int64)
                    wide[:, 1:] -= wide[:, :-1].copy()
                    part = (wide % (1 << bits)).astype(big + kind)
                lines = pack([row.reshape(-1) for row in part], bits)
                if compression == 32773:
                    data = b"".join(packbits(line) for line in lines)
                else:
                    data = COMPRESSIONS[compression](b"".join(lines))
                if reverse:
                    data = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)
                chunks.append(data)
    size = LONG8 if bigtiff else LONG
    tags = {256: (LONG, [width]), 257: (LONG, [height]), 258: (SHORT, [bits] * samples),
            259: (SHORT, [compression]), 262: (SHORT, [photometric]), 277: (SHORT, [samples]),
            284: (SHORT, [2 if planar else 1])}
    if tile:
        tags |= {322: (LONG, [tile[1]]), 323: (LONG, [tile[0]]), 324: (size, None), 325: (size, [len(c) for c in chunks])}
    else:
        tags |= {273: (size, None), 278: (LONG, [rows or height]), 279: (size, [len(c) for c in chunks])}
    if predictor:
        tags[317] = (SHORT, [2])
    if reverse:
        tags[266] = (SHORT, [2])
    if extra:
        tags[338] = (SHORT, list(extra))
    if sample_format:
        tags[339] = (SHORT, [sample_format] * samples)
    if color_map is not None:
        tags[320] = (SHORT, list(color_map))
    if orientation:
        tags[274] = (SHORT, [orientation])
    for tag in drop:
        tags.pop(tag, None)
    formats = {SHORT: "H", LONG: "I", LONG8: "Q"}
    wide = 8 if bigtiff else 4
    head = struct.pack(big + ("2sHHHQ" if bigtiff else "2sHI"),
                       *((order.encode(), 43, 8, 0, 16) if bigtiff else (order.encode(), 42, 8)))
    length = (8 + 20 * len(tags) + 8) if bigtiff else (2 + 12 * len(tags) + 4)
    place, entries, behind = len(head) + length, b"", b""
    start = {}

    def stored(data):
        nonlocal behind
        at = place + len(behind)
        behind += data + b"\0" * (len(data) % 2)
        return at

    offsets = [stored(chunk) for chunk in chunks]
    for tag in sorted(tags):
        form, values = tags[tag]
        values = offsets if values is None else values
        data = struct.pack(big + str(len(values)) + formats[form], *values)
        field = data.ljust(wide, b"\0") if len(data) <= wide else struct.pack(big + ("Q" if bigtiff else "I"), stored(data))
        entries += struct.pack(big + ("HHQ" if bigtiff else "HHI"), tag, form, len(values)) + field
        start[tag] = field
    count = struct.pack(big + ("Q" if bigtiff else "H"), len(tags))
    return head + count + entries + b"\0" * wide + behind


def tiffs(add, photo, drawn, alpha_ramp):
    import numpy as np
    from PIL import Image
    color = photo(37, 29, 3)
    grey = color[..., :1]
    wide = color.astype(np.uint16) * 257 - (color.astype(np.uint16) % 7)
    alpha = alpha_ramp(37, 29)[..., None]
    flat, index, palette = drawn(37, 29, 2)
    colors = np.zeros((256, 3), int)
    colors[:len(palette)] = palette
    maps = lambda bits: (colors[:1 << bits] * 257).T.ravel().tolist()

    def put(name, *args, **options):
        add(f"tiff/{name}.tif", write(*args, **options))

    for name, big in (("little", "<"), ("big", ">")):
        put(f"rgb8-{name}", color, 2, big=big)
        put(f"rgb16-{name}", wide, 2, big=big, bits=16, rows=10)
        put(f"grey16-{name}", wide[..., :1] // 200, 1, big=big, bits=16)
        put(f"grey16-signed-{name}", wide[..., :1].astype(np.int32) // 200 - 60, 1, big=big, bits=16, sample_format=2)
        put(f"grey32-signed-{name}", wide[..., :1].astype(np.int64) // 150 - 90, 1, big=big, bits=32, sample_format=2)
        put(f"float32-{name}", grey.astype(np.float32) * 1.3 - 20.5, 1, big=big, bits=32, sample_format=3)
        put(f"cmyk8-{name}", np.concatenate([255 - color, alpha], 2), 5, big=big)
        put(f"cmyk16-{name}", np.concatenate([65535 - wide, alpha.astype(np.uint16) * 257], 2), 5, big=big, bits=16)
        put(f"rgba16-{name}", np.concatenate([wide, alpha.astype(np.uint16) * 257], 2), 2, big=big, bits=16, extra=(2,))
        put(f"rgba16-associated-{name}", np.concatenate([wide // 2, alpha.astype(np.uint16) * 257], 2), 2, big=big, bits=16, extra=(1,))
        put(f"palette8-{name}", index[..., None], 3, big=big, color_map=maps(8))
        put(f"palette4-{name}", index[..., None], 3, big=big, bits=4, color_map=maps(4))
        put(f"predictor16-{name}", wide, 2, big=big, bits=16, compression=8, predictor=True, rows=16)
        put(f"planar8-{name}", color, 2, big=big, planar=True, rows=16)
    put("bigtiff", color, 2, bigtiff=True, rows=9)
    put("grey32-unsigned", wide[..., :1].astype(np.int64) // 150, 1, bits=32)
    put("grey16-white-first", wide[..., :1] // 200, 0, bits=16)
    put("float32-white-first", grey.astype(np.float32), 0, bits=32, sample_format=3)
    put("rgba8", np.concatenate([color, alpha], 2), 2, extra=(2,))
    put("rgba8-unsaid", np.concatenate([color, alpha], 2), 2)
    put("rgba8-corel", np.concatenate([color, alpha], 2), 2, extra=(999,))
    put("rgba8-associated", np.concatenate([color // 2, alpha], 2), 2, extra=(1,))
    put("rgba8-associated-over", np.concatenate([color, alpha], 2), 2, extra=(1,))
    put("rgbx8", np.concatenate([color, alpha], 2), 2, extra=(0,))
    put("rgbx16", np.concatenate([wide, alpha.astype(np.uint16) * 257], 2), 2, bits=16, extra=(0,))
    put("rgbxx8", np.concatenate([color, alpha, alpha], 2), 2, extra=(0, 0))
    put("rgbax8", np.concatenate([color, alpha, grey], 2), 2, extra=(2, 0))
    put("rgbaxx8-associated", np.concatenate([color // 2, alpha, grey, grey], 2), 2, extra=(1, 0, 0))
    put("grey-alpha", np.concatenate([grey, alpha], 2), 1, extra=(2,))
    put("palette-x", np.concatenate([index[..., None], alpha], 2), 3, extra=(0,), color_map=maps(8))
    put("cmykx8", np.concatenate([255 - color, alpha, grey], 2), 5, extra=(0,))
    put("grey-signed8", grey.astype(int) - 128, 1, sample_format=2)
    for bits in (1, 2, 4, 8):
        levels = grey >> (8 - bits)
        put(f"grey{bits}", levels, 1, bits=bits)
        put(f"grey{bits}-white-first", levels, 0, bits=bits, big=">")
        put(f"grey{bits}-reversed", levels, 1, bits=bits, reverse=True, rows=7)
        if bits < 8:
            put(f"palette{bits}", index[..., None] % (1 << bits), 3, bits=bits, color_map=maps(bits))
    put("palette8-reversed", index[..., None], 3, reverse=True, color_map=maps(8))
    put("rgb8-reversed-deflate", color, 2, reverse=True, compression=8)
    put("deflate-strips", color, 2, compression=8, rows=5)
    put("deflate-old", color, 2, compression=32946, rows=29)
    put("packbits-flat", flat, 2, compression=32773, rows=13)
    put("tiles", color, 2, tile=(16, 32))
    put("tiles-deflate-predictor", color, 2, tile=(32, 16), compression=8, predictor=True)
    put("tiles-planar", color, 2, tile=(16, 16), planar=True)
    put("tiles-grey1", grey >> 7, 1, bits=1, tile=(16, 32))
    put("planar-deflate-predictor", color, 2, planar=True, compression=8, predictor=True, rows=20)
    put("planar-rgba", np.concatenate([color, alpha], 2), 2, planar=True, extra=(2,), compression=8)
    put("no-rows-per-strip", color, 2, drop=(278,))
    for turn in range(2, 9):
        put(f"orientation-{turn}", color, 2, orientation=turn)
    put("orientation-6-rgba", np.concatenate([color, alpha], 2), 2, orientation=6, extra=(2,))
    put("orientation-8-grey", grey, 1, orientation=8)

    def pillow(name, image, **options):
        out = io.BytesIO()
        image.save(out, "TIFF", **options)
        add(f"tiff/{name}.tif", out.getvalue())

    whole = Image.fromarray(photo(90, 61, 5))
    indexed = Image.fromarray(index.astype(np.uint8), "P")
    indexed.putpalette(sum(palette, ()))
    pillow("lzw", whole, compression="tiff_lzw")
    pillow("lzw-predictor", whole, compression="tiff_lzw", tiffinfo={317: 2})
    pillow("lzw-palette", indexed, compression="tiff_lzw")
    pillow("lzw-cmyk", whole.convert("CMYK"), compression="tiff_lzw")
    pillow("lzw-alpha", Image.fromarray(np.concatenate([color, alpha], 2), "RGBA"), compression="tiff_lzw")
    pillow("packbits", whole, compression="packbits")
    pillow("adobe-deflate", whole, compression="tiff_adobe_deflate")
    pillow("group4", whole.convert("1"), compression="group4")
    for quality in (60, 90):
        pillow(f"jpeg-{quality}", whole, compression="jpeg", quality=quality)
    pillow("jpeg-strips", whole, compression="jpeg", quality=85, tiffinfo={278: 16})
    pillow("jpeg-grey", whole.convert("L"), compression="jpeg", quality=80)
    pages = [Image.fromarray(photo(50, 40, n)) for n in (7, 8)]
    pillow("pages", pages[0], save_all=True, append_images=pages[1:])
