#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is wrong with an AFF4 image, or makes it none of a disk, is said; damaged ones, and those that are
# cut at any length, hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-forensic.sh" || exit 99
requires python3

fill disk.raw 262144
make_aff4 a.aff4 disk.raw zlib

# edit OUT MEMBER OLD NEW: put other bytes, at most as many, into a member.
edit() {
	python3 - "$@" <<'PY'
import sys
out, where, old, new = sys.argv[1:]
b = open("a.aff4", "rb").read()
at = b.index(old.encode(), b.index(where.encode()))
new = new.encode().ljust(len(old))
assert len(new) == len(old)
open(out, "wb").write(b[:at] + new + b[at + len(old):])
PY
}

edit x.aff4 version.txt major=1 major=2
refuses x.aff4 'AFF4 version 2'
python3 - <<'PY'
b = open("a.aff4", "rb").read().replace(b"version.txt", b"Version.txt")
open("x.aff4", "wb").write(b)
b = open("a.aff4", "rb").read()
b = b.replace(b"aff4:ContiguousImage , aff4:DiskImage,aff4:Image", b"aff4:FileImage".ljust(48))
open("logical.aff4", "wb").write(b)
b = open("a.aff4", "rb").read()
open("bevy.aff4", "wb").write(b.replace(b"/00000000", b"/00000009"))
PY
refuses x.aff4 'AFF4 from before version 1.0'
refuses logical.aff4 'logical image (AFF4-L), which holds 1 files and no disk'
refuses bevy.aff4 'the index of segment 0 has 0 bytes, expected'
edit x.aff4 information.turtle '"32768"^^xsd:int' '99999999'
refuses x.aff4 'chunks of 99999999 bytes, expected 512 to'
edit x.aff4 information.turtle 'chunksInSegment 16' 'chunksInSegment 0'
refuses x.aff4 '0 chunks in a segment, expected 1 to'
edit x.aff4 information.turtle 'rfc1950' 'rfc9999'
refuses x.aff4 'packed by <https://www.ietf.org/rfc/rfc9999.txt>, which is not known'
edit x.aff4 information.turtle 'aff4:DiskImage,' 'aff4:DiskImage['
refuses x.aff4 'information.turtle is not understood at byte'
edit x.aff4 information.turtle 'aff4:dataStream' 'aff4:dataStreaN'
refuses x.aff4 'describes no disk image'
head -c -1 a.aff4 >x.aff4
refuses x.aff4 'no end record of an archive in the last bytes: it was cut short or not finished'

# The map: beyond the stream, and twice the same.
python3 - <<'PY'
import struct
b = bytearray(open("a.aff4", "rb").read())
at = b.index(b"/map") + 4
def entry(i, values):
    c = b[:]
    c[at + 28 * i:at + 28 * i + 28] = struct.pack("<QQQI", *values)
    return bytes(c)
open("beyond.aff4", "wb").write(entry(0, (0, 65536, 1 << 40, 0)))
open("id.aff4", "wb").write(entry(0, (0, 65536, 0, 77)))
open("twice.aff4", "wb").write(entry(1, (512, 65536, 0, 1)))
open("wrap.aff4", "wb").write(entry(1, (1 << 63, (1 << 63) + 1, 0, 1)))
PY
refuses beyond.aff4 'the map sends 65536 bytes at 0 to byte 1099511627776 of stream 0 of 4'
refuses id.aff4 'of stream 77 of 4'
refuses twice.aff4 'the map says two things of the byte at 512'
refuses wrap.aff4 'the map sends 9223372036854775809 bytes'

# Streams of many segments, which share their bytes: the same stream twice, and too many in two volumes.
python3 - <<'PY'
import struct

def volume(name, number, count, idx):
    body, central, n = bytearray(), bytearray(), 0
    def local(name, data):
        at = len(body)
        body.extend(struct.pack("<4s22xHH", b"PK\3\4", len(name), 0) + name + data)
        return at
    def member(name, at, size):
        central.extend(struct.pack("<4s16xIIHHH8xI", b"PK\1\2", size, size, len(name), 0, 0, at) + name)
        return 1
    def add(name, data):
        return member(name, local(name, data), len(data))
    n += add(b"container.description", b"aff4://v%d" % number)
    n += add(b"version.txt", b"major=1\nminor=0\n")
    n += add(b"information.turtle", b"""@prefix aff4: <http://aff4.org/Schema#> .
<aff4://v1/i> a aff4:Image ; aff4:dataStream <aff4://v1/m> .
<aff4://v1/m> a aff4:Map ; aff4:size 512 .
<aff4://v%d/s> a aff4:ImageStream ; aff4:chunkSize 512 ; aff4:chunksInSegment 1 ; aff4:size %d .
""" % (number, count * 512))
    n += add(b"m/idx", idx)
    n += add(b"m/map", struct.pack("<QQQI", 0, 512, 0, 0))
    at = local(b"", bytes(512))
    for i in range(count):
        n += member(b"s/%d" % i, at, 512) + member(b"s/%d.index" % i, at, 12)
    end = len(body)
    body += central
    body += struct.pack("<4s28xQQQ", b"PK\6\6", n, len(central), end)
    body += struct.pack("<4s4xQ4x", b"PK\6\7", end + len(central))
    body += struct.pack("<4s18x", b"PK\5\6")
    open(name, "wb").write(body)

volume("same.aff4", 1, 10, b"aff4://v1/s\n" * 2)
volume("many_1.aff4", 1, 280000, b"aff4://v1/s\naff4://v2/s\n")
volume("many_2.aff4", 2, 280000, b"")
PY
refuses same.aff4 'a map that names stream aff4://v1/s twice'
refuses many_1.aff4 'stream aff4://v2/s: 280000 segments, at most 524288 in all streams together'
rm many_?.aff4

# A ZIP archive of anything else is none.
python3 -c 'import zipfile; zipfile.ZipFile("z.zip", "w").writestr("name", "text" * 100)'
expect 0 "$PLATTER" info --json z.zip
same "format" "$(json out 'j["image"]["format"]')" raw

make_aff4 h.aff4 disk.raw zlib chunk=4096 per=8 deflate
hostile aff4 h.aff4 2000
make_aff4 h.aff4 disk.raw none stream zip64 chunk=512 per=64
hostile aff4 h.aff4 1000
if [ -d "$srcdir/tests/corpus/aff4" ]; then
	expect 0 "$builddir/tests/hostile-format" replay aff4 "$srcdir"/tests/corpus/aff4/*
fi
