# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes UDIF images (.dmg): udif.py RAW OUT [KEY=VALUE...], or build(disk, **options).

codec    zlib (default), bzip2, lzma, adc, lzfse, lzvn, raw, mixed: how chunks that hold data are packed
chunk    sectors in a chunk (512)
tables   sectors at which a new table begins, separated by commas
fork     yes: the tables stand in a resource fork, without a property list
front    yes: the trailer stands at the beginning
base     bytes before the data fork (0)
zero     0 or 2: how chunks of zeros are written; without it they take turns
"""
import bz2
import lzma
import os
import plistlib
import struct
import sys
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
KINDS = {"raw": 1, "adc": 0x80000004, "zlib": 0x80000005, "bzip2": 0x80000006,
         "lzfse": 0x80000007, "lzvn": 0x80000007, "lzma": 0x80000008}


def pack(codec, data):
    if codec == "raw":
        return data
    if codec == "zlib":
        return zlib.compress(data)
    if codec == "bzip2":
        return bz2.compress(data)
    if codec == "lzma":
        return lzma.compress(data)
    import applecodecs
    return getattr(applecodecs, codec)(data)


def checksum(value):
    return struct.pack(">III", 2, 32, value) + bytes(124)


def entry(kind, start, sectors, offset, length):
    return struct.pack(">IIQQQQ", kind, 0, start, sectors, offset, length)


def table(start, sectors, entries, crc, data_offset=0):
    return (b"mish" + struct.pack(">IQQQII", 1, start, sectors, data_offset, 2056, 0) + bytes(24)
            + checksum(crc) + struct.pack(">I", len(entries)) + b"".join(entries))


def plist(tables):
    blkx = [{"Attributes": "0x0050", "CFName": f"part {i}", "Data": t, "ID": str(i - 1),
             "Name": f"part {i}"} for i, t in enumerate(tables)]
    return plistlib.dumps({"resource-fork": {"blkx": blkx, "plst": [
        {"Attributes": "0x0050", "Data": bytes(16), "ID": "0", "Name": ""}]}})


def fork(tables):
    data, references = b"", b""
    for i, t in enumerate(tables):
        references += struct.pack(">hHI", i - 1, 0xffff, 0x50 << 24 | len(data)) + bytes(4)
        data += struct.pack(">I", len(t)) + t
    plst = struct.pack(">hHI", 0, 0xffff, len(data)) + bytes(4)
    data += struct.pack(">I", 4) + bytes(4)
    types = struct.pack(">H", 1) + b"plst" + struct.pack(">HH", 0, 18)
    types += b"blkx" + struct.pack(">HH", len(tables) - 1, 30) + plst + references
    header = struct.pack(">IIII", 256, 256 + len(data), len(data), 28 + len(types))
    return (header + bytes(240) + data + header + bytes(8)
            + struct.pack(">HH", 28, 28 + len(types)) + types)


def trailer(sectors, data, tables=(0, 0), rsrc=(0, 0), data_crc=0, master=0, segments=(1, 1),
            version=4):
    return (b"koly" + struct.pack(">IIIQQQQQII", version, 512, 1, 0, *data, *rsrc, *segments)
            + bytes(16) + checksum(data_crc) + struct.pack(">QQ", *tables) + bytes(120)
            + checksum(master) + struct.pack(">IQ", 1, sectors) + bytes(12))


def build(disk, codec="zlib", chunk=512, tables="", fork_tables=False, front=False, base=0,
          zero=None, sectors=None, edit=None):
    """edit: called with the list of tables, may change it."""
    total = len(disk) // 512
    bounds = [0, *(int(t) for t in tables.split(",") if t), total]
    codecs = list(KINDS) if codec == "mixed" else [codec]
    data, made, turn, zeros = b"", [], 0, 0
    for start, end in zip(bounds, bounds[1:]):
        entries, crc, origin = [entry(0x7ffffffe, 0, 0, 0, 0)], 0, len(data)
        for at in range(start, end, chunk):
            n = min(chunk, end - at)
            plain = disk[at * 512:(at + n) * 512]
            if not any(plain):
                zeros += 1
                kind = zeros % 2 * 2 if zero is None else zero
                entries.append(entry(kind, at - start, n, len(data) - origin, 0))
                crc = zlib.crc32(plain, crc) if kind == 0 else crc
                continue
            turn += 1
            name = codecs[turn % len(codecs)]
            packed = pack(name, plain)
            entries.append(entry(KINDS[name], at - start, n, len(data) - origin, len(packed)))
            crc = zlib.crc32(plain, crc)
            data += packed
        entries.append(entry(0xffffffff, end - start, 0, len(data) - origin, 0))
        made.append(table(start, end - start, entries, crc, origin))
    if edit:
        edit(made)
    master = zlib.crc32(b"".join(t[72:76] for t in made))
    text = fork(made) if fork_tables else plist(made)
    before = 512 if front else base
    where = (before + len(data), len(text))
    koly = trailer(total if sectors is None else sectors, (before, len(data)),
                   data_crc=zlib.crc32(data), master=master,
                   **{"rsrc" if fork_tables else "tables": where})
    return (koly + data + text) if front else (bytes(base) + data + text + koly)


if __name__ == "__main__":
    options = dict(o.split("=", 1) for o in sys.argv[3:])
    for key, name in ("fork", "fork_tables"), ("front", "front"):
        if key in options:
            options[name] = options.pop(key) == "yes"
    for key in "chunk", "base", "zero", "sectors":
        if key in options:
            options[key] = int(options[key])
    with open(sys.argv[1], "rb") as f, open(sys.argv[2], "wb") as out:
        out.write(build(f.read(), **options))
