# SPDX-License-Identifier: GPL-2.0-or-later
#
# Writes VHDs as no tool on Debian does: differencing ones, and those with a fault. From the Virtual
# Hard Disk Image Format Specification 1.0.
import struct

BLOCK = 1 << 21

def seal(part, at):
    part[at:at + 4] = bytes(4)
    part[at:at + 4] = struct.pack(">I", ~sum(part) & 0xffffffff)
    return bytes(part)

def footer(size, kind, uid, creator=b"win ", geometry=(0, 0, 0), data=512, **other):
    f = bytearray(512)
    struct.pack_into(">8sIIQI4sI4sQQHBBI", f, 0, b"conectix", 2, other.get("version", 0x10000),
                     data if kind != 2 else 2 ** 64 - 1, 0, creator, 0x10000, b"Wi2k", size, size,
                     *geometry, kind)
    f[68:84] = uid
    f[84] = other.get("saved", 0)
    return seal(f, 64)

def header(entries, block=BLOCK, table=1536, parent=bytes(16), name="", locators=(), **other):
    h = bytearray(1024)
    struct.pack_into(">8sQQIII", h, 0, other.get("cookie", b"cxsparse"), 2 ** 64 - 1, table,
                     other.get("version", 0x10000), entries, block)
    h[40:56] = parent
    h[64:64 + 2 * len(name)] = name.encode("utf-16-be")
    for i, (code, length, offset) in enumerate(locators):
        struct.pack_into(">4sIIIQ", h, 576 + 24 * i, code, 512, length, 0, offset)
    return seal(h, 36)

def fixed(data, uid, **other):
    return data + footer(len(data), 2, uid, **other)

# blocks: number -> {sector: 512 bytes}; names: (code, text) of parent locators.
def sparse(size, kind, uid, blocks, parent=bytes(16), name="", names=(), block=BLOCK, **other):
    count = -(-size // block)
    table = 1536
    out = bytearray(-(-(table + 4 * count) // 512) * 512)
    locators = []
    for code, text in names:
        text = text.encode("utf-16-le")
        locators.append((code, len(text), len(out)))
        out += text.ljust(-(-len(text) // 512) * 512, b"\0")
    bitmap = -(-block // 512 // 8 // 512) * 512 or 512
    entries = [0xffffffff] * count
    for n, sectors in blocks.items():
        entries[n] = len(out) // 512
        bits, data = bytearray(bitmap), bytearray(block)
        for s, bytes512 in sectors.items():
            bits[s // 8] |= 0x80 >> s % 8
            data[512 * s:512 * s + 512] = bytes512
        out += bits + data
    out[table:table + 4 * count] = struct.pack(f">{count}I", *entries)
    end = footer(size, kind, uid, **other)
    out[:512] = end
    out[512:1536] = header(count, block, table, parent, name, locators, **other)
    return bytes(out) + end
