#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# gzip files of many members, each of a single block, as bgzip and what compresses in pieces make
# them: unpacking can begin at members, also where they end just as far in as a chunk does.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires_fuse
requires gzip strace
requires_strace

head -c 12000000 /dev/urandom >random
tr '\200-\377' '\0-\177' <random >raw # so that it compresses a little
python3 - <<'PY'
import struct, zlib
raw = open("raw", "rb").read()
def pack(d, level):
    if level == 0: # in one block, which zlib does not
        return struct.pack("<BHH", 1, len(d), len(d) ^ 0xffff) + d
    c = zlib.compressobj(level, zlib.DEFLATED, -15, 9)
    return c.compress(d) + c.flush()
def member(d, level, extra=b""):
    head = b"\x1f\x8b\x08" + (b"\4" if extra else b"\0") + bytes(4) + b"\0\3"
    if extra:
        head += struct.pack("<H", len(extra)) + extra
    return head + pack(d, level) + struct.pack("<II", zlib.crc32(d), len(d))
def write(name, size, level, extra=b"", behind=b""):
    with open(name, "wb") as f:
        for i in range(0, len(raw), size):
            f.write(member(raw[i:i + size], level, extra))
        f.write(behind)
write("bgzip.gz", 65280, 6, b"BC\2\0\0\0", member(b"", 6, b"BC\2\0\0\0"))
write("chunks.gz", 32768, 6)            # eight are a chunk
write("stored.gz", 32768, 0)
write("padded.gz", 50000, 1, b"", bytes(5000))
PY
for image in bgzip.gz chunks.gz stored.gz padded.gz; do
	zcat $image 2>/dev/null | cmp - raw || fail "$image: not what was packed"
	expect 0 "$PLATTER" info $image
	# The index is there: what it takes to look at the end.
	strace -f -e trace=pread64 -o calls -P "$PWD/$image" "$PLATTER" info $image >info 2>err || fail "info"
	reads=$(awk '{ n += $NF } END { print n }' calls)
	[ "$reads" -le 4000000 ] || fail "$image: $reads bytes read"
	same_backwards $image raw
	expect 0 "$PLATTER" cat -p 0 $image
	same_bytes out raw
done
