"""ICO, CUR, TGA, PNM and QOI files of every kind that Pillow reads: written by Pillow, and, where that
cannot, by the writers here."""

import io
import struct


def others(add, photo, drawn, alpha_ramp):
    icons(add, photo, drawn, alpha_ramp)
    targas(add, photo, drawn, alpha_ramp)
    anymaps(add, photo, drawn)
    quite_ok(add, photo, drawn, alpha_ramp)


def saved(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


# ------------------------------------------------------------------ icons, cursors


def directory(kind, pictures):
    """A file from (width, height, colours, bits, data) of each picture; bits are a cursor's hot spot."""
    place, entries = 6 + 16 * len(pictures), b""
    for width, height, colors, bits, data in pictures:
        entries += struct.pack("<BBBBHHII", width % 256, height % 256, colors, 0, 1, bits, len(data), place)
        place += len(data)
    return struct.pack("<HHH", 0, kind, len(pictures)) + entries + b"".join(p[4] for p in pictures)


def bitmap(rows, size, bits, palette=b"", mask=None, compression=0, masks=b"", top_down=False):
    """A bitmap as icons hold it: the height of both pictures, rows from the bottom, the mask behind."""
    width, height = size
    tall = (1 << 32) - 2 * height if top_down else 2 * height
    head = struct.pack("<IIIHHIIIIII", 40, width, tall, 1, bits, compression, 0, 0, 0, len(palette) // 4, 0)
    return head + masks + palette + rows + (mask or b"")


def mask_rows(hidden):
    """1 where `hidden`, rows from the bottom, padded to 32 bits."""
    import numpy as np
    rows = []
    for row in hidden[::-1]:
        packed = np.packbits(row.astype(np.uint8)).tobytes()
        rows.append(packed.ljust((hidden.shape[1] + 31) // 32 * 4, b"\0"))
    return b"".join(rows)


def icons(add, photo, drawn, alpha_ramp):
    import numpy as np
    import encoders as e
    from PIL import Image
    size = width, height = (37, 29)
    rgb, alpha = photo(width, height, 95).astype(np.uint64), alpha_ramp(width, height)
    _, index, palette = drawn(width, height, 96, 16)
    hidden = alpha < 100
    r, g, b = (rgb[..., c] for c in range(3))
    true = lambda bits, values: e.bmp_rows(values, bits)
    quads = lambda colors: b"".join(bytes([blue, green, red, 0]) for red, green, blue in colors)
    ico = lambda name, *pictures: add(f"ico/{name}.ico", directory(1, pictures))
    cur = lambda name, *pictures: add(f"ico/{name}.cur", directory(2, pictures))
    for bits in (1, 4, 8):
        some = palette[:1 << bits]
        table = quads(some + [(7, 8, 9)] * ((1 << bits) - len(some)))
        data = bitmap(e.bmp_rows(index % len(some), bits), size, bits, table, mask_rows(hidden))
        ico(f"palette{bits}", (width, height, 1 << bits & 255, bits, data))
        cur(f"palette{bits}", (width, height, 1 << bits & 255, 3, data))
    black_white = bitmap(e.bmp_rows(index % 2, 1), size, 1, quads([(0, 0, 0), (255,) * 3]), mask_rows(hidden))
    ico("black-white", (width, height, 2, 1, black_white))
    cur("black-white", (width, height, 2, 0, black_white))
    fifteen = bitmap(true(16, r >> 3 << 10 | g >> 3 << 5 | b >> 3), size, 16, mask=mask_rows(hidden))
    colors = bitmap(true(24, r << 16 | g << 8 | b), size, 24, mask=mask_rows(hidden))
    full = bitmap(true(32, alpha.astype(np.uint64) << 24 | r << 16 | g << 8 | b), size, 32, mask=mask_rows(hidden))
    for name, bits, data in (("rgb15", 16, fifteen), ("rgb24", 24, colors), ("rgba32", 32, full)):
        ico(name, (width, height, 0, bits, data))
        cur(name, (width, height, 0, 0, data))
    ico("rgba32-called-24", (width, height, 0, 24, full))
    ico("no-bits", (width, height, 0, 0, colors))
    wide = bitmap(true(32, alpha.astype(np.uint64) << 24 | r << 16 | g << 8 | b), size, 32, compression=3,
                  masks=struct.pack("<III", 0xFF0000, 0xFF00, 0xFF), mask=mask_rows(hidden))
    ico("masks", (width, height, 0, 32, wide))
    top = bitmap(e.bmp_rows(r << 16 | g << 8 | b, 24, False), size, 24, mask=mask_rows(hidden), top_down=True)
    ico("topdown", (width, height, 0, 24, top))
    small = photo(16, 16, 97).astype(np.uint64)
    little = bitmap(true(24, small[..., 0] << 16 | small[..., 1] << 8 | small[..., 2]), (16, 16), 24,
                    mask=mask_rows(np.zeros((16, 16), bool)))
    ico("largest", (16, 16, 0, 24, little), (width, height, 16, 4, bitmap(e.bmp_rows(index, 4), size, 4, quads(palette), mask_rows(hidden))),
        (width, height, 0, 32, full))
    cur("largest", (16, 16, 0, 0, little), (width, height, 0, 0, full))
    cur("narrow", (width, 8, 0, 0, colors), (16, 16, 0, 0, little))
    image = Image.fromarray(photo(70, 60, 98))
    ramp = Image.fromarray(np.dstack([photo(70, 60, 98), alpha_ramp(70, 60)]))
    add("ico/pillow.ico", saved(image, "ICO"))
    add("ico/pillow-rgba.ico", saved(ramp, "ICO", sizes=[(48, 48)]))
    add("ico/pillow-bmp.ico", saved(ramp, "ICO", sizes=[(32, 32)], bitmap_format="bmp"))
    png = lambda picture, **options: saved(picture, "PNG", **options)
    indexed = image.quantize(32)
    ico("png-rgb", (70, 60, 0, 32, png(image)))
    ico("png-grey", (70, 60, 0, 32, png(image.convert("L"))))
    ico("png-la", (70, 60, 0, 32, png(ramp.convert("LA"))))
    ico("png-palette-transparent", (70, 60, 0, 32, png(indexed, transparency=3)))
    ico("png-other-size", (16, 16, 0, 32, png(ramp)))
    ico("png-256", (256, 256, 0, 32, png(Image.fromarray(drawn(256, 256, 99)[0]))), (48, 48, 0, 32, png(image.resize((48, 48)))))


# ------------------------------------------------------------------ TGA


def packets(rows, size):
    """Run-length packets; those of `rows` may end behind a row, as few writers make them."""
    out, at = bytearray(), 0
    pixels = [rows[i:i + size] for i in range(0, len(rows), size)]
    while at < len(pixels):
        run = 1
        while run < 128 and at + run < len(pixels) and pixels[at + run] == pixels[at]:
            run += 1
        if run > 1:
            out += bytes([127 + run]) + pixels[at]
        else:
            end = at + 1
            while end < len(pixels) and end - at < 128 and pixels[end] != pixels[end - 1]:
                end += 1
            run = end - at
            out += bytes([run - 1]) + b"".join(pixels[at:end])
        at += run
    return bytes(out)


def tga(data, size, kind, bits, *, palette=b"", first=0, map_bits=0, descriptor=0, rle=False, note=b"", tail=b""):
    """A file from the bytes of its pixels."""
    count = len(palette) // (map_bits // 8) if map_bits else 0
    head = struct.pack("<BBBHHBHHHHBB", len(note), bool(map_bits), kind | 8 * rle, first, count, map_bits, 0, 0,
                       *size, bits, descriptor)
    return head + note + palette + (packets(data, bits // 8) if rle else data) + tail


def targas(add, photo, drawn, alpha_ramp):
    import numpy as np
    from PIL import Image
    size = width, height = (61, 47)
    rgb, alpha = photo(width, height, 100), alpha_ramp(width, height)
    flat, index, palette = drawn(width, height, 101, 16)
    grey = rgb[..., 1]
    put = lambda name, *args, **options: add(f"tga/{name}.tga", tga(*args, **options))
    bgr = lambda pixels: pixels[..., ::-1].tobytes()
    bgra = lambda pixels: np.dstack([pixels[..., ::-1], alpha]).tobytes()
    packed = lambda pixels, top: ((pixels.astype(np.uint16) >> 3) @ np.array([1 << 10, 1 << 5, 1], np.uint16)
                                  | (top.astype(np.uint16) << 15)).astype("<u2").tobytes()
    kinds = {"rgb24": (bgr(flat), 2, 24), "rgba32": (bgra(flat), 2, 32), "rgb15": (packed(flat, alpha < 80), 2, 16),
             "grey8": (grey.tobytes(), 3, 8), "la16": (np.dstack([grey, alpha]).tobytes(), 3, 16)}
    for name, (data, kind, bits) in kinds.items():
        for rle in (False, True):
            put(name + "-rle" * rle, data, size, kind, bits, rle=rle, descriptor=0x20)
        for turn, descriptor in (("bottom", 0), ("bottom-right", 0x10), ("top-right", 0x30)):
            put(f"{name}-{turn}", data, size, kind, bits, descriptor=descriptor)
    # Pillow refuses runs over the end of a row, though not literals.
    over = b"\x81\1\2\3" * (width * height // 2) + b"\x80\1\2\3"
    head = tga(b"", size, 2, 24, descriptor=0x20)[:2] + b"\x0a" + tga(b"", size, 2, 24)[3:]
    add("run-over-row.tga", head + over, "image.corrupt")
    # How many bits of alpha a header counts does not matter.
    put("rgba32-counted", bgra(rgb), size, 2, 32, descriptor=0x28)
    put("rgb15-counted", packed(rgb, alpha < 80), size, 2, 16, descriptor=0x21)
    put("rgb24-photo-rle", bgr(rgb), size, 2, 24, rle=True)
    put("note", bgr(rgb), size, 2, 24, note=b"a note", descriptor=0x20)
    bits = np.packbits(index % 2 == 1, axis=1).tobytes()
    put("grey1", bits, size, 3, 1, descriptor=0x20)
    put("grey1-bottom-right", bits, size, 3, 1, descriptor=0x10)
    indices = index.astype(np.uint8).tobytes()
    tables = {24: b"".join(bytes([b, g, r]) for r, g, b in palette),
              32: b"".join(bytes([b, g, r, 255 - 15 * i]) for i, (r, g, b) in enumerate(palette)),
              16: b"".join((r >> 3 << 10 | g >> 3 << 5 | b >> 3 | i % 3 // 2 << 15).to_bytes(2, "little")
                           for i, (r, g, b) in enumerate(palette))}
    for map_bits, table in tables.items():
        put(f"palette-{map_bits}", indices, size, 1, 8, palette=table, map_bits=map_bits)
        put(f"palette-{map_bits}-rle", indices, size, 1, 8, palette=table, map_bits=map_bits, rle=True, descriptor=0x20)
    shifted = (index + 9).astype(np.uint8).tobytes()
    for map_bits in (16, 24):
        put(f"palette-{map_bits}-from-9", shifted, size, 1, 8, palette=tables[map_bits], map_bits=map_bits, first=9)
    add("palette-unused.tga", tga(bgr(rgb), size, 2, 24, palette=tables[24], map_bits=24), "image.unsupported")
    put("palette-short", indices, size, 1, 8, palette=tables[24][:15], map_bits=24)
    # TGA 2.0: an extension area that says what alpha is.
    body = len(tga(bgra(rgb), size, 2, 32))
    for name, kind in (("none", 0), ("straight", 3)):
        area = struct.pack("<H", 495) + bytes(492) + bytes([kind])
        put(f"alpha-{name}", bgra(rgb), size, 2, 32, tail=area + struct.pack("<II", body, 0) + b"TRUEVISION-XFILE.\0")
    for rle in (False, True):
        for mode in ("L", "LA", "P", "RGB", "RGBA") + ("1",) * (not rle):
            made = np.dstack([photo(50, 40, 102), alpha_ramp(50, 40)])
            # Pillow 12 does not read palettes with alpha.
            image = Image.fromarray(made[..., :3] if mode == "P" else made).convert(mode)
            add(f"tga/pillow-{mode.lower()}{'-rle' * rle}.tga", saved(image, "TGA", rle=rle))
    put("1x1", b"\1\2\3\4", (1, 1), 2, 32)


# ------------------------------------------------------------------ PNM


def anymaps(add, photo, drawn):
    import numpy as np
    from PIL import Image
    width, height = (45, 33)
    rgb = photo(width, height, 105)
    grey = rgb[..., 1]
    bits = drawn(width, height, 106)[1] % 2
    head = lambda kind, *more: b"\n".join([kind, b"%d %d" % (width, height), *map(str.encode, map(str, more))]) + b"\n"
    text = lambda values, per_line=15: b"\n".join(b" ".join(b"%d" % v for v in values[i:i + per_line]) for i in range(0, len(values), per_line)) + b"\n"
    put = lambda name, data: add(f"pnm/{name}", data)
    scaled = lambda values, most: (values.astype(np.uint64) * most // 255).ravel()
    put("bits.pbm", head(b"P4") + np.packbits(bits, axis=1).tobytes())
    put("bits-text.pbm", head(b"P1") + text(bits.ravel().tolist()))
    put("bits-dense.pbm", head(b"P1") + b"\n".join(bytes(48 + int(v) for v in row) for row in bits))
    for most in (255, 1, 6, 15, 100, 254):
        put(f"grey-{most}.pgm", head(b"P5", most) + scaled(grey, most).astype(np.uint8).tobytes())
        put(f"grey-{most}-text.pgm", head(b"P2", most) + text(scaled(grey, most).tolist()))
        put(f"rgb-{most}.ppm", head(b"P6", most) + scaled(rgb, most).astype(np.uint8).tobytes())
        put(f"rgb-{most}-text.ppm", head(b"P3", most) + text(scaled(rgb, most).tolist()))
    for most in (256, 1000, 4095, 65535):
        put(f"grey-{most}.pgm", head(b"P5", most) + scaled(grey, most).astype(">u2").tobytes())
        put(f"grey-{most}-text.pgm", head(b"P2", most) + text(scaled(grey, most).tolist()))
        put(f"rgb-{most}.ppm", head(b"P6", most) + scaled(rgb, most).astype(">u2").tobytes())
        put(f"rgb-{most}-text.ppm", head(b"P3", most) + text(scaled(rgb, most).tolist()))
    # Values below 256 of 16 bits are what is left of grey.
    put("grey-65535-low.pgm", head(b"P5", 65535) + grey.astype(">u2").tobytes())
    put("grey-over.pgm", head(b"P5", 100) + grey.tobytes())
    put("rgb-over.ppm", head(b"P6", 200) + rgb.tobytes())
    put("comments.ppm", b"P6 # a comment\n# one more\n%d#\n %d\t255\n" % (width, height) + rgb.tobytes())
    noted = text(grey.ravel().tolist(), 9).replace(b"\n", b" # a comment\n ")
    put("comments-text.pgm", head(b"P2", 255) + noted)
    joined = text(grey.ravel().tolist(), 9).replace(b"\n", b" # a comment that joins nothing\n", 1)
    put("comment-once.pgm", head(b"P2", 255) + joined)
    put("comments-text.pbm", head(b"P1") + b"# first\n" + text(bits.ravel().tolist()))
    put("trailing.ppm", head(b"P6", 255) + rgb.tobytes() + b"P6 and more")
    put("spaces.ppm", b"P6\r\n%d\v%d\f255 " % (width, height) + rgb.tobytes())
    floats = rgb[..., 0].astype("<f4") * 1.7 - 60.3
    put("floats.pfm", head(b"Pf", -1.0) + floats[::-1].astype("<f4").tobytes())
    put("floats-big.pfm", head(b"Pf", 2.5) + floats[::-1].astype(">f4").tobytes())
    image = Image.fromarray(photo(70, 50, 107))
    for mode in ("1", "L", "I;16", "RGB", "F"):
        made = image.convert("L").convert("I;16") if mode == "I;16" else image.convert(mode)
        put(f"pillow-{mode.lower().replace(';', '')}.pnm", saved(made, "PPM"))


# ------------------------------------------------------------------ QOI


def quite_ok(add, photo, drawn, alpha_ramp):
    import numpy as np
    from PIL import Image
    picture = photo(83, 71, 110)
    faded = np.dstack([picture, alpha_ramp(83, 71)])
    flat = drawn(83, 71, 111)[0]
    for name, pixels in (("rgb", picture), ("rgba", faded), ("flat", flat),
                         ("flat-rgba", np.dstack([flat, alpha_ramp(83, 71)])), ("1x1", picture[:1, :1]),
                         ("black", np.zeros((40, 300, 3), np.uint8)), ("clear", np.zeros((40, 30, 4), np.uint8))):
        for space in ((0, 1) if name == "rgb" else (1,)):
            data = saved(Image.fromarray(pixels), "QOI", colorspace="sRGB" if space == 0 else "linear")
            add(f"qoi/{name}{'-srgb' * (space == 0)}.qoi", data)
    add("qoi/trailing.qoi", saved(Image.fromarray(picture), "QOI") + b"more")
