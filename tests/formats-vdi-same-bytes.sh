#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# VDI, dynamic and fixed, of sizes that fit the blocks and that do not, up to 8 TiB: the same bytes
# as qemu-img reads. Other sizes of blocks, blocks with extra data and blocks marked as zeros, which
# qemu-img neither makes nor reads: the bytes that were put in.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
. "$srcdir/tests/lib-vdi.sh"
requires_fuse
requires qemu-img qemu-io python3

for size in $((7 << 20)) $(((5 << 20) + 512)); do
	fill raw "$size" "$size"
	for static in off on; do
		qemu-img convert -O vdi -o static=$static raw disk.vdi || fail "qemu-img"
		qemu-img convert -O raw disk.vdi want || fail "qemu-img"
		same_bytes raw want
		same_disk disk.vdi want
	done
done
make_vdi extra.vdi raw block=65536 extra=512
same_disk extra.vdi raw
make_vdi zero.vdi raw block=16384 zero=1
same_disk zero.vdi raw
fill raw 66048
make_vdi small.vdi raw block=512
same_disk small.vdi raw
make_vdi large.vdi raw block=$((4 << 20))
same_disk large.vdi raw

qemu-img create -q -f vdi -o static=off huge.vdi 8T
qemu-io -f vdi -c 'write -P 1 0 1000' -c 'write -P 2 4T 3M' -c 'write -P 3 8796093021184 1024' \
	huge.vdi >log || fail "qemu-io: $(cat log)"
rm want
truncate -s 8T want
python3 -c 'import os
fd = os.open("want", os.O_WRONLY)
for off, data in (0, b"\1" * 1000), (4 << 40, b"\2" * (3 << 20)), ((8 << 40) - 1024, b"\3" * 1024):
    os.pwrite(fd, data, off)'
same_disk huge.vdi want

# Where neighbours are stored in a row, and where there are none, answers are long.
attach huge.vdi mnt
python3 - mnt/disk <<'PY' || fail "holes"
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
got, off = [], 0
while True:
    try:
        start = os.lseek(fd, off, os.SEEK_DATA)
    except OSError:
        break
    off = os.lseek(fd, start, os.SEEK_HOLE)
    got.append((start >> 20, -(-off >> 20)))
want = [(0, 1), (4 << 20, (4 << 20) + 3), ((8 << 20) - 1, 8 << 20)]
if got != want:
    sys.exit(f"{got}, expected {want}")
PY
detach mnt
