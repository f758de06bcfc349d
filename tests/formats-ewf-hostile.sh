#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# EWF images of both versions that are cut at any length, or damaged anywhere, hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-forensic.sh" || exit 99
requires ewfacquire python3

fill disk.raw 102400
ewfacquire -u -q -f encase6 -c deflate:fast -d sha1 -b 16 -t e disk.raw >log 2>&1 || fail "$(cat log)"
ewfacquire -u -q -f smart -c deflate:fast -b 16 -t s disk.raw >log 2>&1 || fail "$(cat log)"
make_ex01 x.Ex01 disk.raw 16 zlib
for image in e.E01 s.s01 x.Ex01; do
	hostile ewf "$image" 2000
done
expect 0 "$builddir/tests/hostile-format" replay ewf "$srcdir"/tests/corpus/ewf/*

# Ex01: a text of a quarter MiB that stands there over and over, and one in each of many segments.
python3 - <<'PY'
import struct, zlib
text = zlib.compress(("1\nmain\n" + "a\t" * 65000 + "\n0\n").encode("utf-16"), 9)

def segment(name, number, sections):
    b, previous = bytearray(b"EVF2\r\n\x81\0" + struct.pack("<BBHI16x", 2, 1, 1, number)), 0
    for kind, data in sections:
        b += data
        d = struct.pack("<IIQQI", kind, 0, previous, len(data), 64).ljust(60, b"\0")
        previous = len(b)
        b += d + struct.pack("<I", zlib.adler32(d))
    open(name, "wb").write(b)

segment("often.Ex01", 1, [(1, text)] * 3000 + [(15, b"")])
said = zlib.compress("1\nmain\nts\tbp\tsb\n1\t512\t1\n".encode("utf-16"))
segment("many.Ex01", 1, [(1, said), (2, said), (13, b"")])
for n in range(2, 140):
    suffix = "%02d" % n if n < 100 else chr(65 + (n - 100) // 26) + chr(65 + (n - 100) % 26)
    segment("many.Ex" + suffix, n, [(1, text), (2, text), (13, b"")])
PY
refuses often.Ex01 "sectors of 0 bytes"
refuses many.Ex01 "more than 67108864 bytes of texts"
