#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# partclone's images, cut at every length and damaged in many places, the checksum of the header made
# right again included.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires partclone.ext4 mkfs.ext4

truncate -s 200K ext
mkfs.ext4 -q -F -b 1024 -N 16 ext || fail "mkfs.ext4"
partclone.ext4 -c -s ext -o image -L log >clone.log 2>&1 || fail "partclone.ext4: $(tail -3 clone.log)"
hostile partclone image
# Version 0001 has no checksum in the way.
python3 - <<'PY'
import struct
used = bytes(i % 3 == 0 for i in range(100))
head = b"partclone-image" + b"EXTFS".ljust(15, b"\0") + b"0001" + b"\0\0" + struct.pack("<IQQQ", 512, 51200, 100, sum(used)) + bytes(4096)
open("v1", "wb").write(head + used + b"BiTmAgIc" + (b"data" * 128 + b"sum!") * sum(used))
PY
hostile partclone v1
# Each read that fails is named as one.
unreadable partclone image v1
# What a fuzzer found.
expect 0 "$builddir/tests/hostile-format" replay partclone "$srcdir"/tests/corpus/partclone/*
