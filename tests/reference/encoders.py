"""Small encoders for what Pillow cannot write: odd JPEG samplings, Adam7, every PNG type, GIF
with frames anywhere, every BMP. Only for fixtures; clarity over speed."""

import struct
import zlib

import numpy as np

# ---------------------------------------------------------------- JPEG (ITU T.81)

ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i // 8 if (i // 8 + i % 8) % 2 else i % 8)))
QUANT = np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99])
DC_BITS, DC_VALUES = bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]), bytes(range(12))
# A flat AC code: 8 bits for the commonest 128 symbols, 9 to 10 for the rest. Legal and simple.
AC_VALUES = bytes([0x00, 0xF0] + [r << 4 | s for s in range(1, 11) for r in range(16)])
AC_BITS = bytes([0] * 7 + [128, 34] + [0] * 7)


def _codes(bits, values):
    table, code, at = {}, 0, 0
    for length, count in enumerate(bits, 1):
        for _ in range(count):
            table[values[at]] = (code, length)
            code, at = code + 1, at + 1
        code <<= 1
    return table


class _Bits:
    def __init__(self):
        self.text = []

    def put(self, code, length):
        if length:
            self.text.append(format(code, f"0{length}b"))

    def flush(self):
        text = "".join(self.text)
        text += "1" * (-len(text) % 8)
        self.text = []
        return bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8)).replace(b"\xff", b"\xff\0")


def _segment(marker, data):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg(planes, factors, quality=60, restart=0, interleaved=True, segments=b"", ids=None, scans=None):
    """planes: full-size uint8 arrays in the file's own colour space; factors: (h, v) of each; scans:
    the components of each, where it is neither one scan nor one for each component."""
    height, width = planes[0].shape
    hmax, vmax = max(h for h, _ in factors), max(v for _, v in factors)
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    quant = np.clip((QUANT * scale + 50) // 100, 1, 255).astype(int)
    u = np.arange(8)
    dct = np.cos((2 * u[None] + 1) * u[:, None] * np.pi / 16) * np.where(u[:, None], 0.5, 8 ** -0.5)
    mcus = -(-width // (8 * hmax)), -(-height // (8 * vmax))
    blocks = []
    for plane, (h, v) in zip(planes, factors):
        big = np.pad(plane.astype(float), ((0, mcus[1] * 8 * vmax - height), (0, mcus[0] * 8 * hmax - width)), "edge")
        fy, fx = vmax // v, hmax // h
        small = big.reshape(big.shape[0] // fy, fy, big.shape[1] // fx, fx).mean((1, 3)) - 128
        grid = small.reshape(small.shape[0] // 8, 8, small.shape[1] // 8, 8).swapaxes(1, 2)
        coefficients = np.rint(dct @ grid @ dct.T / quant.reshape(8, 8)).astype(int)
        blocks.append(np.clip(coefficients.reshape(*coefficients.shape[:2], 64)[..., ZIGZAG], -1023, 1023))
    ids = ids or range(1, len(planes) + 1)
    out = b"\xff\xd8" + segments + _segment(0xDB, b"\0" + bytes(quant[ZIGZAG].tolist()))
    out += _segment(0xC0, struct.pack(">BHHB", 8, height, width, len(planes)) + b"".join(
        bytes([i, h << 4 | v, 0]) for i, (h, v) in zip(ids, factors)))
    out += _segment(0xC4, b"\0" + DC_BITS + DC_VALUES) + _segment(0xC4, b"\x10" + AC_BITS + AC_VALUES)
    if restart:
        out += _segment(0xDD, struct.pack(">H", restart))
    dc, ac = _codes(DC_BITS, DC_VALUES), _codes(AC_BITS, AC_VALUES)

    def scan(parts):
        nonlocal out
        out += _segment(0xDA, bytes([len(parts)]) + b"".join(bytes([ids[p], 0]) for p in parts) + b"\0\x3f\0")
        if len(parts) > 1:
            units = [[(p, y * factors[p][1] + j, x * factors[p][0] + i) for p in parts
                      for j in range(factors[p][1]) for i in range(factors[p][0])]
                     for y in range(mcus[1]) for x in range(mcus[0])]
        else:
            (p,), (h, v) = parts, factors[parts[0]]
            wide, high = -(-(-(-width * h // hmax)) // 8), -(-(-(-height * v // vmax)) // 8)
            units = [[(p, y, x)] for y in range(high) for x in range(wide)]
        bits, previous = _Bits(), [0] * len(planes)
        for n, unit in enumerate(units):
            if restart and n and n % restart == 0:
                out += bits.flush() + bytes([0xFF, 0xD0 + (n // restart - 1) % 8])
                previous = [0] * len(planes)
            for p, y, x in unit:
                block = blocks[p][y, x].tolist()
                _put(bits, dc, 0, block[0] - previous[p])
                previous[p] = block[0]
                run = 0
                last = max((k for k in range(1, 64) if block[k]), default=0)
                for value in block[1:last + 1]:
                    if value == 0:
                        run += 1
                        continue
                    while run > 15:
                        bits.put(*ac[0xF0])
                        run -= 16
                    _put(bits, ac, run << 4, value)
                    run = 0
                if last < 63:
                    bits.put(*ac[0])
        out += bits.flush()

    together = [list(range(len(planes)))]
    for parts in scans or (together if interleaved else [[p] for p in range(len(planes))]):
        scan(parts)
    return out + b"\xff\xd9"


def _put(bits, table, high, value):
    size = abs(value).bit_length()
    bits.put(*table[high | size])
    bits.put(value if value >= 0 else value + (1 << size) - 1, size)


# ---------------------------------------------------------------- PNG (W3C)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(samples, depth, color, before=(), after=(), interlace=False):
    """samples: (height, width, channels) unsigned; before/after: (type, data) around IDAT."""
    height, width, channels = samples.shape
    if interlace:  # Adam7: (x, y, dx, dy)
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        parts = [samples[y::dy, x::dx] for x, y, dx, dy in passes]
    else:
        parts = [samples]
    raw = b""
    for part in parts:
        if 0 in part.shape:
            continue
        rows = part.reshape(part.shape[0], -1)
        if depth == 16:
            lines = [r.astype(">u2").tobytes() for r in rows]
        elif depth == 8:
            lines = [r.astype(np.uint8).tobytes() for r in rows]
        else:
            bits = np.unpackbits(rows.astype(np.uint8)[..., None], axis=2)[..., 8 - depth:].reshape(rows.shape[0], -1)
            lines = [b.tobytes() for b in np.packbits(bits, axis=1)]
        step = max(1, depth * channels // 8)
        previous = bytes(len(lines[0]))
        for y, line in enumerate(lines):
            raw += bytes([y % 5]) + _filter(y % 5, line, previous, step)
            previous = line
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlace))
    chunks = [(b"IHDR", header), *before, (b"IDAT", zlib.compress(raw, 9)), *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(k, d) for k, d in chunks)


def _filter(kind, line, previous, step):
    out = bytearray()
    for i, value in enumerate(line):
        a = line[i - step] if i >= step else 0
        b, c = previous[i], previous[i - step] if i >= step else 0
        p = a + b - c
        paeth = min((a, b, c), key=lambda v: abs(p - v))
        out.append((value - (0, a, b, (a + b) // 2, paeth)[kind]) & 255)
    return bytes(out)


# ---------------------------------------------------------------- GIF (GIF89a)


def gif_frame(indices, left=0, top=0, palette=None, interlace=False, transparent=None, dispose=0):
    height, width = indices.shape
    order = [y for s, d in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(s, height, d)] if interlace else range(height)
    flags, table = 0x40 if interlace else 0, b""
    if palette is not None:
        size = max(1, (len(palette) - 1).bit_length())
        flags |= 0x80 | size - 1
        table = b"".join(bytes(c) for c in palette).ljust(3 << size, b"\0")
    # "Uncompressed" LZW: 9-bit codes, cleared before the decoder would grow them.
    bits, count = "", 0
    for value in (int(v) for y in order for v in indices[y]):
        if count % 250 == 0:
            bits = format(256, "09b") + bits
        bits = format(value, "09b") + bits
        count += 1
    bits = format(257, "09b") + bits
    bits = "0" * (-len(bits) % 8) + bits
    data = int(bits, 2).to_bytes(len(bits) // 8, "little")
    blocks = b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255))
    control = b"!\xf9\x04" + struct.pack("<BHB", dispose << 2 | (transparent is not None), 10, transparent or 0) + b"\0"
    return control + b"," + struct.pack("<HHHHB", left, top, width, height, flags) + table + b"\x08" + blocks + b"\0"


def gif(size, frames, palette=None, background=0):
    flags, table = 0, b""
    if palette is not None:
        bits = max(1, (len(palette) - 1).bit_length())
        flags, table = 0x80 | bits - 1, b"".join(bytes(c) for c in palette).ljust(3 << bits, b"\0")
    return b"GIF89a" + struct.pack("<HHBBB", *size, flags, background, 0) + table + b"".join(frames) + b";"


# ---------------------------------------------------------------- BMP


def bmp(rows, size, bits, compression=0, palette=b"", masks=b"", header=40, top_down=False, colors=0):
    """rows: the pixel data, already packed."""
    width, height = size
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, -height if top_down else height, 1, bits,
                           compression, len(rows), 2835, 2835, colors, 0)
        info += (masks if header > 40 else b"").ljust(header - 40, b"\0")
    extra = (masks if header == 40 else b"") + palette
    offset = 14 + len(info) + len(extra)
    return struct.pack("<2sIHHI", b"BM", offset + len(rows), 0, 0, offset) + info + extra + rows


def bmp_rows(pixels, bits, bottom_up=True):
    """pixels: (height, width) indices or packed integers."""
    pixels = pixels[::-1] if bottom_up else pixels
    out = b""
    for row in pixels.astype(np.uint64):
        text = b"".join(int(v).to_bytes(bits // 8, "little") for v in row) if bits >= 8 else \
            int("".join(format(int(v), f"0{bits}b") for v in row).ljust(-(-len(row) * bits // 8) * 8, "0"), 2).to_bytes(-(-len(row) * bits // 8), "big")
        out += text.ljust(-(-len(text) // 4) * 4, b"\0")
    return out


# ---------------------------------------------------------------- WebP container


def webp_chunks(data):
    at, out = 12, []
    while at + 8 <= len(data):
        kind, size = data[at:at + 4], struct.unpack("<I", data[at + 4:at + 8])[0]
        out.append((kind, data[at + 8:at + 8 + size]))
        at += 8 + size + size % 2
    return out


def riff(chunks):
    body = b"WEBP" + b"".join(k + struct.pack("<I", len(d)) + d + b"\0" * (len(d) % 2) for k, d in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_animation(canvas, frames, alpha=True, background=b"\xff\xff\xff\xff"):
    """frames: (x, y, width, height, flags, simple webp file)."""
    def u24(v):
        return struct.pack("<I", v)[:3]
    chunks = [(b"VP8X", bytes([2 | (16 if alpha else 0), 0, 0, 0]) + u24(canvas[0] - 1) + u24(canvas[1] - 1)),
              (b"ANIM", background + b"\0\0")]
    for x, y, w, h, flags, data in frames:
        inner = b"".join(k + struct.pack("<I", len(d)) + d + b"\0" * (len(d) % 2)
                         for k, d in webp_chunks(data) if k in (b"ALPH", b"VP8 ", b"VP8L"))
        chunks.append((b"ANMF", u24(x // 2) + u24(y // 2) + u24(w - 1) + u24(h - 1) + u24(100) + bytes([flags]) + inner))
    return riff(chunks)


# ---------------------------------------------------------------- VP8L


class _LowBits:
    """The lowest bit of each byte first."""

    def __init__(self):
        self.bits = []

    def put(self, value, count):
        self.bits += [value >> i & 1 for i in range(count)]

    def code(self, value, count):
        """A prefix code, whose first bit is its highest."""
        self.bits += [value >> i & 1 for i in range(count - 1, -1, -1)]

    def bytes(self):
        bits = self.bits + [0] * (-len(self.bits) % 8)
        return bytes(sum(bit << i for i, bit in enumerate(bits[at:at + 8])) for at in range(0, len(bits), 8))


def cache_place(argb, bits):
    return (argb * 0x1E35A7BD & 0xFFFFFFFF) >> (32 - bits)


def vp8l_cache(size, twice=False):
    """A lossless picture of three colours that takes pixels from places of the colour cache where none was
    put: they are transparent black, and are put into the place of that. `twice`: the codes of red and blue
    name their symbol two times, which is a code without bits."""
    cache_bits, (width, height) = 4, size
    # A colour that shares its place with transparent black, and one that does not.
    red, blue = 200, 120
    greens = [g for g in range(256) if cache_place(255 << 24 | red << 16 | g << 8 | blue, cache_bits) == 0][:2]
    greens += [g for g in range(256) if cache_place(255 << 24 | red << 16 | g << 8 | blue, cache_bits) == 7][:2]
    taken = {cache_place(255 << 24 | red << 16 | g << 8 | blue, cache_bits) for g in greens}
    empty = [place for place in range(1, 16) if place not in taken][:2]
    symbols = sorted(greens) + [280, 280 + empty[0], 280 + empty[1], 280 + 7]
    symbols.sort()
    out = _LowBits()
    out.put(0x2F, 8)
    out.put(width - 1, 14)
    out.put(height - 1, 14)
    out.put(0, 1 + 3)  # no alpha, version
    out.put(0, 1)  # no transform
    out.put(1 | cache_bits << 1, 5)
    out.put(0, 1)  # one group
    # Green: eight codes of 3 bits. Lengths are 0 or 3, one bit each.
    out.put(0, 1)
    out.put(6 - 4, 4)
    for length in (0, 0, 1, 0, 0, 1):  # of 17, 18, 0, 1, 2, 3
        out.put(length, 3)
    out.put(0, 1)
    for symbol in range(256 + 24 + (1 << cache_bits)):
        out.put(symbol in symbols, 1)
    for only in (red, blue, 255):
        out.put(0b111 if twice else 0b101, 3)
        out.put(only, 8)
        if twice:
            out.put(only, 8)
    out.put(0b001, 3)  # distances: symbol 0
    out.put(0, 1)
    order = [greens[0], 280 + empty[0], 280, greens[2], 280 + 7, greens[1], 280, 280 + empty[1], 280, greens[3], 280]
    for at in range(width * height):
        out.code(symbols.index(order[(at + at // width) % len(order)]), 3)
    return out.bytes() + b"\0"
