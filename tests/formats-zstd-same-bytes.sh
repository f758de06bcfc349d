#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# zstd: what is served is what was packed: one frame with and without its size, several, with
# skippable frames between them, with a seek table, and small windows or windows that differ.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires_fuse
requires zstd
zstd -q -c <"$srcdir/COPYING" >library && requires_library library

fill raw 4000001
zstd -q -c raw >one.zst
zstd -q -c <raw >unsized.zst
zstd -q --no-check -T2 -B524288 -c raw >threads.zst
zstd -q --zstd=wlog=12 -c raw >window.zst
python3 - <<'PY'
import struct, subprocess
raw = open("raw", "rb").read()
def pack(d, *how):
    return subprocess.run(["zstd", "-q", "-c", *how], input=d, stdout=-1, check=True).stdout
def sized(d):
    open("piece", "wb").write(d)
    return subprocess.run(["zstd", "-q", "-c", "piece"], stdout=-1, check=True).stdout
pieces = [raw[i:i + 300000] for i in range(0, len(raw), 300000)]
frames = [sized(p) for p in pieces]
skip = lambda d: struct.pack("<II", 0x184d2a50, len(d)) + d
open("frames.zst", "wb").write(skip(b"abcd") + b"".join(f + skip(b"x" * 17) for f in frames))
open("mixed.zst", "wb").write(b"".join(f if i % 3 else pack(p) for i, (f, p) in enumerate(zip(frames, pieces))))
def seekable(name, checksums, frames=frames, pieces=pieces):
    table = b"".join(struct.pack("<II", len(f), len(p)) + (b"sums" if checksums else b"") for f, p in zip(frames, pieces))
    foot = struct.pack("<IBI", len(frames), 0x80 if checksums else 0, 0x8f92eab1)
    open(name, "wb").write(b"".join(frames) + struct.pack("<II", 0x184d2a5e, len(table) + 9) + table + foot)
seekable("seek.zst", False)
seekable("sums.zst", True)
# Skippable frames, listed and not; the first of a kilobyte, so of a smaller window than the others;
# and more than are looked at one by one.
seekable("listed.zst", False, [skip(b"abcd"), *frames, skip(b"")], [b"", *pieces, b""])
seekable("unlisted.zst", False, [skip(b"abcd") + frames[0], *frames[1:]])
cuts = [0, 1024, 1500000, len(raw)]
grown = [raw[a:b] for a, b in zip(cuts, cuts[1:])]
seekable("grown.zst", False, [sized(grown[0]), pack(grown[1]), sized(grown[2])], grown)
seekable("many.zst", False, [sized(grown[0]), *[skip(b"")] * 20000, sized(raw[1024:])], [grown[0], *[b""] * 20000, raw[1024:]])
PY
for image in one.zst unsized.zst threads.zst window.zst frames.zst mixed.zst seek.zst sums.zst \
	listed.zst unlisted.zst grown.zst many.zst; do
	zstd -q -d -c "$image" | cmp - raw || fail "$image: not what was packed"
	same_disk "$image" raw
	same_backwards "$image" raw
done
