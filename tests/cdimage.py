# SPDX-License-Identifier: GPL-2.0-or-later
"""Images of optical discs for the tests: sectors with their EDC and ECC (ECMA-130, section 14 and
annex A), and the containers that no tool on Debian writes."""
import struct

SYNC = b"\0" + b"\xff" * 10 + b"\0"

# CRC-32 of ECMA-130: x^32+x^31+x^16+x^15+x^4+x^3+x+1, least significant bit first.
EDC = []
for i in range(256):
    for _ in range(8):
        i = i >> 1 ^ (0xD8018001 if i & 1 else 0)
    EDC.append(i)

# GF(2^8), x^8+x^4+x^3+x^2+1: times x, and divided by x + 1.
TIMES = [i << 1 ^ (0x11D if i & 0x80 else 0) for i in range(256)]
QUOTIENT = [0] * 256
for i in range(256):
    QUOTIENT[i ^ TIMES[i]] = i


def edc(data):
    crc = 0
    for b in data:
        crc = crc >> 8 ^ EDC[(crc ^ b) & 255]
    return struct.pack("<I", crc)


def parity(data, vectors, length, step):
    """Two bytes for each vector: the first of all vectors, then the second."""
    first, second = bytearray(vectors), bytearray(vectors)
    for v in range(vectors):
        at = (v >> 1) * (2 if step == 86 else 86) + (v & 1)
        a = b = 0
        for _ in range(length):
            byte = data[at]
            at = (at + step) % len(data) if step == 88 else at + step
            a = TIMES[a ^ byte]
            b ^= byte
        a = QUOTIENT[TIMES[a] ^ b]
        first[v], second[v] = a, a ^ b
    return bytes(first + second)


def ecc(header, body):
    p = parity(header + body, 86, 24, 86)
    return p + parity(header + body + p, 52, 43, 88)


def bcd(n):
    return n // 10 << 4 | n % 10


def msf(sector):
    return sector // 75 // 60, sector // 75 % 60, sector % 75


def header(sector, mode):
    return bytes(map(bcd, msf(sector + 150))) + bytes([mode])


def mode1(sector, data):
    h = header(sector, 1)
    body = data + edc(SYNC + h + data) + bytes(8)
    return SYNC + h + body + ecc(h, body)


def mode2(sector, data, form=1, sub=None):
    sub = sub or (b"\0\0\x08\0" if form == 1 else b"\0\0\x20\0") * 2
    h = header(sector, 2)
    body = sub + data.ljust(2048 if form == 1 else 2324, b"\0")
    body += edc(body)
    return SYNC + h + body + (ecc(bytes(4), body) if form == 1 else b"")


def sectors(data, size=2048):
    return [data[i:i + size].ljust(size, b"\0") for i in range(0, len(data), size)]


def raw(data, kind="mode1", first=0):
    """Data as raw sectors from that address on. "mixed": mode 2, each third of form 2."""
    out = []
    for i, s in enumerate(sectors(data)):
        if kind == "mode1":
            out.append(mode1(first + i, s))
        else:
            form = 2 if kind == "mixed" and i % 3 == 2 and i > 40 else 1
            out.append(mode2(first + i, s + b"tail" * 69 * (form - 1), form))
    return out


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, *parts):
    with open(path, "wb") as f:
        for p in parts:
            f.write(p)


def noise(size, seed=1):
    import random
    return random.Random(seed).randbytes(size)


def swap(data):
    out = bytearray(data)
    out[0::2], out[1::2] = data[1::2], data[0::2]
    return bytes(out)


def wave(data, channels=2, rate=44100, bits=16, tag=1, size=None):
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"LIST\x03\0\0\0abc\0"
    chunks += b"data" + struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


def aiff(data, bits=16):
    comm = struct.pack(">HIH", 2, len(data) // 4, bits) + b"\x40\x0e\xac\x44" + bytes(6)
    chunks = b"COMM" + struct.pack(">I", len(comm)) + comm
    chunks += b"SSND" + struct.pack(">III", len(data) + 12, 4, 0) + b"skip" + swap(data)
    return b"FORM" + struct.pack(">I", len(chunks) + 4) + b"AIFF" + chunks
