#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Android sparse images that are broken are refused with the reason.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99

sparse() { # FILE MAJOR FILE_HDR CHUNK_HDR BLOCK BLOCKS CHUNKS [TYPE BLOCKS BYTES]...: a header, and chunks
	python3 - "$@" <<'PY'
import struct, sys
name, *n = sys.argv[1], *(int(a, 0) for a in sys.argv[2:])
major, fh, ch, block, blocks, chunks = n[:6]
out = struct.pack("<IHHHHIIII", 0xed26ff3a, major, 0, fh, ch, block, blocks, chunks, 0)
for i in range(6, len(n), 3):
    out += struct.pack("<HHII", n[i], 0, n[i + 1], n[i + 2] + 12) + b"x" * n[i + 2]
open(name, "wb").write(out)
PY
}
sparse ok 1 28 12 512 3 2 0xcac1 1 512 0xcac3 2 0
expect 0 "$PLATTER" info ok
sparse a 2 28 12 512 3 1 0xcac3 3 0
refuses a "version 2.0, expected 1.x"
sparse a 1 20 12 512 3 1 0xcac3 3 0
refuses a "headers of 20 and 12 bytes"
sparse a 1 28 12 510 3 1 0xcac3 3 0
refuses a "blocks of 510 bytes, expected a multiple of 4"
sparse a 1 28 12 512 3 9999999 0xcac3 3 0
refuses a "9999999 chunks, at most"
sparse a 1 28 12 512 3 1 0xcac5 3 0
refuses a "of type 0xcac5, which is not known"
sparse a 1 28 12 512 3 1 0xcac1 3 512
refuses a "512 bytes of type 0xcac1, expected 1536"
sparse a 1 28 12 512 3 1 0xcac3 2 0
refuses a "chunks of 1024 bytes, but the disk has 1536"
sparse a 1 28 12 512 3 2 0xcac3 2 0 0xcac3 2 0
refuses a "chunks of 2048 bytes or more, but the disk has 1536"
sparse a 1 28 12 512 3 3 0xcac3 3 0
refuses a "chunk 1 of 3, at 40: passes the end of the file"
head -c 500 ok >cut.simg
refuses cut.simg "chunk at 40: passes the end of the file"
head -c 20 ok >cut.simg
refuses cut.simg "20 bytes, expected a header of 28"
sparse a 1 28 12 0xfffffffc 0xffffffff 2 0xcac3 0xffffffff 0 0xcac3 0xffffffff 0
refuses a "chunk at 52: ends past byte 2^64 of the disk"
