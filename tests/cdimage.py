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


NRG_MODES = {("mode1", 2048): 0, ("mode2", 2048): 2, ("mode2", 2336): 3, ("mode1", 2352): 5, ("mode2", 2352): 6,
             ("audio", 2352): 7, ("mode1", 2448): 15, ("audio", 2448): 16, ("mode2", 2448): 17}


def nrg(path, sessions, old=False, tao=False, end=b"END!\0\0\0\0"):
    """sessions: lists of (kind, sector size, address, pregap bytes, data bytes)."""
    data, chain, number = b"", b"", 1
    word = ">I" if old else ">Q"

    def cue(track, index, sector):
        where = bytes([0, *map(bcd, msf(sector + 150))]) if old else struct.pack(">i", sector)
        return struct.pack("BBBB", 0x41, track, index, 0) + where

    def chunk(name, body):
        return name + struct.pack(">I", len(body)) + body

    for tracks in sessions:
        cues, dao, etn, first = cue(0, 0, tracks[0][2] - 150), b"", b"", number
        for kind, size, address, pregap, body in tracks:
            mode = NRG_MODES[kind, size]
            at = [len(data), len(data) + len(pregap), len(data) + len(pregap) + len(body)]
            dao += bytes(12) + struct.pack(">HBBH", size, mode, 0, 1) + b"".join(struct.pack(word, o) for o in at)
            etn += struct.pack(word, at[1]) + struct.pack(word, len(body)) + struct.pack(">II", mode, address)
            etn += bytes(4 if old else 8)
            cues += cue(bcd(number), 0, address - len(pregap) // size) + cue(bcd(number), 1, address)
            data += pregap + body
            number += 1
        cues += cue(0xaa, 1, address + len(body) // size)
        head = struct.pack("<I", 22 + len(dao)) + bytes(14) + struct.pack(">HBB", 1, first, number - 1)
        if tao:
            chain += chunk(b"ETNF" if old else b"ETN2", etn)
        else:
            chain += chunk(b"CUES" if old else b"CUEX", cues) + chunk(b"DAOI" if old else b"DAOX", head + dao)
        chain += chunk(b"SINF", struct.pack(">I", len(tracks)))
    chain += chunk(b"MTYP", struct.pack(">I", 1)) + end
    footer = (b"NERO" if old else b"NER5") + struct.pack(word, len(data))
    write(path, data, chain, footer)


MDS_MODES = {"audio": 0xA9, "mode1": 0xAA, "mode2": 0xAB, "form1": 0xAC, "form2": 0xAD, "dvd": 0x02}


def mds(path, sessions, medium=0, name="*.mdf", wide=False, version=b"\1\3", files=None):
    """sessions: lists of (kind, sector size, address, offset in the .mdf, sectors). files: names of a DVD's."""
    blocks, extras, number = [], [], 1
    nblocks = sum(len(t) + 3 for t in sessions)
    sessions_at, blocks_at = 88, 88 + 24 * len(sessions)
    extras_at = blocks_at + 80 * nblocks
    footers_at = extras_at + 8 * nblocks
    files = files or [name]
    names_at = footers_at + 16 * len(files)
    heads, names, footers = b"", b"", b""
    for f in files:
        footers += struct.pack("<IIII", names_at + len(names), wide, 0, 0)
        names += (f + "\0").encode("utf-16-le" if wide else "ascii")
    for i, tracks in enumerate(sessions):
        heads += struct.pack("<iiHBBHHII", 0, 0, i + 1, len(tracks) + 3, 3, number, number + len(tracks) - 1, 0,
                             blocks_at + 80 * len(blocks))
        for point in (0xa0, 0xa1, 0xa2):
            blocks.append(struct.pack("<BBBBB", 0, 0, 0x14, 0, point).ljust(80, b"\0"))
            extras.append(bytes(8))
        for kind, size, address, off, count in tracks:
            extra = count if medium >= 0x10 else extras_at + 8 * len(blocks)
            b = struct.pack("<BBBBB7xIH18xIQII24x", MDS_MODES[kind], 8 if size == 2448 else 0, 0x14, 0, number, extra,
                            size, address, off, len(files), footers_at)
            blocks.append(b)
            extras.append(struct.pack("<II", 0, count))
            number += 1
    head = b"MEDIA DESCRIPTOR" + version + struct.pack("<HH", medium, len(sessions))
    head = head.ljust(80, b"\0") + struct.pack("<II", sessions_at, 0)
    write(path, head, heads, *blocks, *extras, footers, names)


def ccd(path, sessions, end="\r\n"):
    """sessions: (lead-out, lists of (kind, address, index 0 or None, index 1))."""
    entries, tracks, number = [], [], 1
    for s, (out, listed) in enumerate(sessions, 1):
        for point, plba in ((0xa0, 4350), (0xa1, 4350), (0xa2, out)):
            entries.append((s, point, 4, plba))
        for kind, address, index0, index1 in listed:
            entries.append((s, number, 0 if kind == "audio" else 4, address))
            tracks += [f"[TRACK {number}]", f"MODE={ {'audio': 0, 'mode1': 1, 'mode2': 2}[kind] }"]
            tracks += [f"INDEX 0={index0}"] if index0 is not None else []
            tracks += [f"INDEX 1={index1}"]
            number += 1
    lines = ["[CloneCD]", "Version=3", "[Disc]", f"TocEntries={len(entries)}", f"Sessions={len(sessions)}",
             "DataTracksScrambled=0", "CDTextLength=0", "[Session 1]", "PreGapMode=1"]
    for i, (s, point, control, plba) in enumerate(entries):
        lines += [f"[Entry {i}]", f"Session={s}", f"Point=0x{point:02x}", "ADR=0x01", f"Control=0x{control:02x}",
                  "TrackNo=0", "ALBA=-150", "Zero=0", "PMin=0", "PSec=2", "PFrame=0", f"PLBA={plba}"]
    write(path, (end.join(lines + tracks) + end).encode())


def lz4(data):
    """An LZ4 block (lz4_Block_format.md), packed with little effort: the nearest match counts."""
    def length(n):
        return b"" if n < 15 else b"\xff" * ((n - 15) // 255) + bytes([(n - 15) % 255])

    out, seen, start, i = b"", {}, 0, 0
    while i < len(data) - 12:
        at = seen.get(data[i:i + 4])
        seen[data[i:i + 4]] = i
        if at is None or i - at > 65535:
            i += 1
            continue
        n = 4
        while i + n < len(data) - 5 and data[at + n] == data[i + n]:
            n += 1
        out += bytes([min(i - start, 15) << 4 | min(n - 4, 15)]) + length(i - start) + data[start:i]
        out += struct.pack("<H", i - at) + length(n - 4)
        i += n
        start = i
    return out + bytes([min(len(data) - start, 15) << 4]) + length(len(data) - start) + data[start:]


def deflate(data):
    import zlib
    c = zlib.compressobj(9, zlib.DEFLATED, -15)
    return c.compress(data) + c.flush()


def cso(path, data, block=2048, version=1, magic=b"CISO", shift=0, fill=False, header=24):
    """Each block packed where that is shorter; in version 2 by whichever is shortest. fill: the last
    block is filled up with zeros."""
    index, out = [], b""
    n = (len(data) + block - 1) // block
    first = -(-(24 + 4 * (n + 1)) >> shift) << shift
    for i in range(0, len(data), block):
        b = data[i:i + block]
        if fill:
            b = b.ljust(block, b"\0")
        tries = [(len(b), 0 if version == 2 else 1, b)]
        if magic == b"CISO":
            tries.append((len(deflate(b)), 0, deflate(b)))
        if magic == b"ZISO" or version == 2:
            tries.append((len(lz4(b)), version == 2, lz4(b)))
        _, bit, stored = min(tries)
        index.append((first + len(out)) >> shift | bit << 31)
        out += stored
        out += b"P" * (-(first + len(out)) % (1 << shift))
    index.append((first + len(out)) >> shift)
    head = magic + struct.pack("<IQIBBH", header, len(data), block, version, shift, 0)
    write(path, (head + struct.pack("<%dI" % len(index), *index)).ljust(first, b"p"), out)


def ecm_record(kind, count, end=False):
    n = 0xffffffff if end else count - 1
    out = [kind | (n & 31) << 2]
    n >>= 5
    while n:
        out[-1] |= 128
        out.append(n & 127)
        n >>= 7
    return bytes(out)


def ecm(path, raw_sectors, tail=b"", end=True, check=True):
    """ECM of raw sectors (those that begin with a sync are taken for sound) or strings of bytes."""
    records = []  # [type, count, bytes]
    total = 0

    def put(kind, count, data):
        if records and records[-1][0] == kind:
            records[-1][1] += count
            records[-1][2].append(data)
        else:
            records.append([kind, count, [data]])

    for s in raw_sectors:
        if len(s) == 2352 and s[:12] == SYNC and s[15] == 1:
            put(1, 1, s[12:15] + s[16:2064])
        elif len(s) == 2352 and s[:12] == SYNC and s[15] == 2 and s[18] & 0x20:
            put(0, 16, s[:16])
            put(3, 1, s[20:2348])
        elif len(s) == 2352 and s[:12] == SYNC and s[15] == 2:
            put(0, 16, s[:16])
            put(2, 1, s[20:2072])
        elif len(s) == 2336:
            put(3 if s[2] & 0x20 else 2, 1, s[4:2332] if s[2] & 0x20 else s[4:2056])
        elif s:
            put(0, len(s), s)
    out = [b"ECM\0"]
    for kind, count, data in records:
        out += [ecm_record(kind, count), *data]
    if end:
        out.append(ecm_record(0, 0, True))
    write(path, *out, edc(b"".join(raw_sectors)) if check else bytes(4), tail)
