# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Images in forensic formats that no program of Debian makes, written from their specifications.

# make_ex01 OUT RAW SECTORS zlib|bzip2|none [TABLES]: EWF version 2 (libewf, "Expert Witness
# Compression Format 2"), with chunks of so many sectors, 16 chunks to a table and so many tables to a
# segment (all in one without).
make_ex01() {
	python3 - "$@" <<'PY'
import bz2, hashlib, os, struct, sys, zlib
out, raw, per, method = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
tables = int(sys.argv[5]) if len(sys.argv) > 5 else 1 << 30
disk = open(raw, "rb").read()
pack = {"zlib": zlib.compress, "none": zlib.compress, "bzip2": bz2.compress}[method]
number = {"zlib": 1, "none": 0, "bzip2": 2}[method]
guid = os.urandom(16)
chunk = per * 512
chunks = [disk[i:i + chunk] for i in range(0, len(disk), chunk)]

def summed(b):
    return b + struct.pack("<I", zlib.adler32(b))

class Segment:
    def __init__(self, n):
        self.f = bytearray(b"EVF2\r\n\x81\0" + struct.pack("<BBHI", 2, 1, number, n) + guid)
        self.previous = 0
    def section(self, kind, data=b""):
        pad = -(len(self.f) + len(data)) % 16
        self.f += data + bytes(pad)
        self.descriptor(kind, len(data) + pad, pad)
    def descriptor(self, kind, size, pad=0):
        d = struct.pack("<IIQQII", kind, 0, self.previous, size, 64, pad).ljust(60, b"\0")
        self.previous = len(self.f)
        self.f += summed(d)
    def text(self, kind, values):
        s = "1\nmain\n%s\n%s\n\n" % ("\t".join(values), "\t".join(map(str, values.values())))
        self.section(kind, pack(("\ufeff" + s).encode("utf-16-le")))

def chunk_entry(f, data):
    if method != "none" and len(data) % 8 == 0 and data == data[:8] * (len(data) // 8):
        return data[:8] + struct.pack("<II", 0, 5)
    packed = pack(data) if method != "none" else data
    at = len(f)
    if len(packed) >= len(data):
        f += summed(data)
        entry = struct.pack("<QII", at, len(data) + 4, 2)
    else:
        f += packed
        entry = struct.pack("<QII", at, len(packed), 1)
    f += bytes(-len(f) % 16)
    return entry

n, done = 0, 0
while done < len(chunks):
    n += 1
    s = Segment(n)
    s.text(1, {"sn": "", "md": "test", "lb": "", "ts": len(disk) // 512, "hs": "", "dc": "", "dt": "f",
               "pid": "", "rs": "", "ls": "", "bp": 512, "ph": 1})
    s.text(2, {"nm": "a name", "cn": "", "tb": len(chunks), "cp": number or "", "sb": per, "gr": 1, "wb": ""})
    for _ in range(tables):
        if done == len(chunks):
            break
        some = chunks[done:done + 16]
        start = len(s.f)
        entries = b"".join(chunk_entry(s.f, c) for c in some)
        s.descriptor(3, len(s.f) - start)
        head = summed(struct.pack("<QII", done, len(some), 0)).ljust(32, b"\0")
        s.section(4, head + summed(entries).ljust(len(entries) + 16, b"\0"))
        done += len(some)
    if done == len(chunks):
        s.section(8, summed(hashlib.md5(disk).digest()))
        s.section(9, summed(hashlib.sha1(disk).digest()))
    s.section(15 if done == len(chunks) else 13)
    open(out if n == 1 else out[:-2] + "%02d" % n, "wb").write(s.f)
PY
}
