#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ntfsclone's images, cut at every length and damaged in many places.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99

python3 - <<'PY'
import struct
out = b"\0ntfsclone-image" + struct.pack("<BBIQQQI", 10, 1, 512, 512 * 300 + 100, 300, 40, 56) + bytes(6)
n = 0
for i in range(20):
    out += b"\0" + struct.pack("<Q", 13) + (b"\1" + bytes([i]) * 512) * 2
    n += 15
out += b"\1" + b"e" * 100
open("image", "wb").write(out)
PY
"$PLATTER" info image >/dev/null || fail "the image to begin with"
hostile ntfsclone image
