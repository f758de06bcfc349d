#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# VMDKs cut at any length and damaged in any place hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
. "$srcdir/tests/lib-vmdk.sh"
requires python3

fill raw 200192
make_vmdk hosted hosted.vmdk raw zeros=1 redundant=1 grain=8
make_vmdk stream stream.vmdk raw grain=16
make_vmdk cowd cowd.vmdk raw
for kind in hosted stream cowd; do
	hostile vmdk $kind.vmdk 2000
done
descriptor text 'RW 1000 ZERO' 'RW 77 SPARSE "x"' 'RW 1 FLAT "y" 3'
"$builddir/tests/hostile-format" mutate vmdk text 1 2000 >out 2>err || fail "text, damaged"

# A seSparse extent is opened by its descriptor only, so that the program itself is what is tried.
make_vmdk sesparse good raw zeros=1
descriptor se.vmdk 'RW 391 SESPARSE "se.bin"'
python3 - "$PLATTER" <<'PY' || fail "seSparse, damaged"
import random, struct, subprocess, sys
good, rng = open("good", "rb").read(), random.Random(1)
for n in range(60):
    bad = bytearray(good)
    at = rng.choice((range(0, 208, 8), range(512, 544, 8), (8192,), range(8704, 9120, 8)))
    at = rng.choice(at)
    old = struct.unpack_from("<Q", bad, at)[0]
    new = rng.choice((0, 1, old + 1, old ^ 1 << rng.randrange(64), 2**63, 2**64 - 1, 2**32 - 1))
    struct.pack_into("<Q", bad, at, new & 2**64 - 1)
    open("se.bin", "wb").write(bad)
    r = subprocess.run([sys.argv[1], "cat", "-p", "0", "se.vmdk"], capture_output=True, timeout=20)
    if r.returncode not in (0, 32) or (r.returncode != 0) != bool(r.stderr):
        sys.exit(f"{at}: {old:x} to {new:x}: exit {r.returncode}, {r.stderr}")
PY
