#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmg images cut at every length and damaged in many places hurt nobody, nor do those whose tables stand
# in one another.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires python3

fill disk 200192 3
for options in "codec=mixed tables=1,34 chunk=32" "codec=mixed fork=yes front=yes chunk=100" \
	"codec=lzfse chunk=200" "codec=zlib sectors=0 base=700"; do
	# shellcheck disable=SC2086
	python3 "$srcdir/tests/udif.py" disk hostile.dmg $options || fail "udif.py"
	hostile dmg hostile.dmg 1000
done

# Tables that take the same bytes: the same resource, and one that stands inside another.
cat >make.py <<'END'
import os, struct, sys
sys.path.insert(0, os.environ["srcdir"] + "/tests")
from udif import *

def write(name, data, offsets):
    references = b"".join(struct.pack(">hHI4x", i, 0xffff, at) for i, at in enumerate(offsets))
    types = struct.pack(">H4sHH", 0, b"blkx", len(offsets) - 1, 10) + references
    header = struct.pack(">IIII", 16, 16 + len(data), len(data), 28 + len(types))
    fork = header + data + header + bytes(8) + struct.pack(">HH", 28, 28 + len(types)) + types
    with open(name, "wb") as f:
        f.write(fork + trailer(1 << 22, (0, 0), rsrc=(0, len(fork))))

zeros = table(0, 1 << 22, [entry(0, i * 2 + 1, 1, 0, 0) for i in range(100000)], 0)
write("same.dmg", struct.pack(">I", len(zeros)) + zeros, [0] * 1000)

# Each word says that the chunk is a comment, whatever it is to a table.
data = bytearray(struct.pack(">I", 0x7ffffffe) * 5243200)
offsets = 0, 412
for at in offsets:
    struct.pack_into(">I4sIQQ", data, at, len(data) - at - 4, b"mish", 1, 0, 0)
    struct.pack_into(">I", data, at + 204, 524289)
write("inside.dmg", bytes(data), offsets)
END
srcdir=$srcdir python3 make.py || fail "make.py"
refuses same.dmg "resource fork: two references to the table at 16"
refuses inside.dmg "more than 1048576 chunks in all tables"
