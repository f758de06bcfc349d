#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Compressed streams under eight readers at once, each in its own order: decoders are shared and few,
# and every read gives the right bytes.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires_fuse
requires gzip bzip2 xz zstd

fill raw 7000000
{ head -c 2500000 /dev/urandom; tail -c +2500001 raw; } >disk
gzip -1 -c disk >disk.gz
gzip -1 -c disk | xz -0 --block-size=1MiB >disk.gz.xz
xz -0 --block-size=700000 -c disk >disk.xz
zstd -q -1 -c disk >disk.zst
bzip2 -1 -c disk >disk.bz2
mkdir mnt
for image in disk.*; do
	if ! "$PLATTER" info "$image" >info 2>err && grep -q "which this build lacks" err; then
		continue
	fi
	attach "$image" mnt
	python3 - mnt/disk disk "$image" <<'PY' || fail "$image: wrong bytes"
import os, random, sys, threading
got, want = (os.open(p, os.O_RDONLY) for p in sys.argv[1:3])
size, wrong = os.fstat(want).st_size, []
def reader(seed):
    rng = random.Random(seed)
    for _ in range(3 if sys.argv[3] == "disk.bz2" else 12):
        off, n = rng.randrange(size), rng.choice((1, 4096, 70000, 300000))
        for at in (off, off + n): # and on from there
            if os.pread(got, n, at) != os.pread(want, n, at):
                wrong.append(at)
threads = [threading.Thread(target=reader, args=(i,)) for i in range(8)]
for t in threads: t.start()
for t in threads: t.join()
sys.exit(f"at {wrong[:5]}" if wrong or os.fstat(got).st_size != size else 0)
PY
	detach mnt
done
expect 0 "$PLATTER" info --json disk.gz
same format "$(json out 'j["image"]["format"]')" gzip
if "$PLATTER" info --json disk.gz.xz >out 2>err; then
	same format "$(json out 'j["image"]["format"]')" "gzip in xz"
fi
