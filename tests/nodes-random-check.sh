#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Several threads write, punch, zero, seek and flush at random and unaligned places through all
# nodes at once: each reads what the model of the disk says, through any other node, at once, at the
# end, and at the next attach. CHECK_SECONDS=N, SEED=N.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sfdisk

head -c 20M /dev/urandom >disk.img
truncate -s $((40 * 1048576 + 1536)) disk.img
sfdisk -q disk.img >/dev/null <<'TABLE' || fail sfdisk
label: dos
start=2048, size=20481, type=83
start=24577, size=50000, type=83
TABLE
sum=$(sha256 disk.img)
cp --sparse=always disk.img model
nodes=(mnt/disk 0 mnt/parts/1 1048576 mnt/parts/2 $((24577 * 512)))
for round in 0 1; do # with nothing in the overlay, and with much
	attach disk.img mnt --overlay=changes
	"$builddir/tests/nodecheck" model $((${CHECK_SECONDS:-12} / 2)) $((${SEED:-1} * 2 + round)) \
		"${nodes[@]}" 2>err || fail "round $round"
	detach mnt
	attach disk.img mnt --overlay=changes
	same_bytes model mnt/disk
	cmp -i $((24577 * 512)):0 -n $((50000 * 512)) model mnt/parts/2 || fail "parts/2 differs"
	detach mnt
done
same "the image" "$(sha256 disk.img)" "$sum"
