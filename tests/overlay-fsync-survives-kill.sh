#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# When daemon and supervisor are killed at once, every byte that an fsync covered is there at the
# next attach: first writes and rewrites, writes to parts of blocks, zeroes, on all nodes.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sfdisk fallocate

head -c 40M /dev/urandom >disk.img
printf '2048,65536,83\n' | sfdisk -q disk.img >/dev/null || fail sfdisk
cp disk.img want
for round in 1 2 3; do
	attach disk.img mnt --overlay=changes
	daemon=$(daemon_of mnt) supervisor=$(supervisor_of mnt)
	# Descriptors stay open: closing the last one would flush, and so would time.
	python3 - mnt want $round "$supervisor" "$daemon" <<'END' || fail "round $round"
import os, random, signal, sys
mnt, want, seed, supervisor, daemon = sys.argv[1:]
random.seed(int(seed))
M, size = 1 << 20, 40 << 20
disk = bytearray(open(want, "rb").read())
nodes = [(os.open(mnt + "/disk", os.O_RDWR), 0, size),
         (os.open(mnt + "/parts/1", os.O_RDWR), M, 32 * M)]
for n in range(200):
    fd, start, room = random.choice(nodes)
    length = random.choice((1, 100, 4096, 5000, 130000))
    at = random.randrange(M, room - length)
    data = random.randbytes(length)
    assert os.pwrite(fd, data, at) == length
    disk[start + at:start + at + length] = data
os.fsync(nodes[0][0])
# Not covered by an fsync, and elsewhere: may be there or not.
os.pwrite(nodes[1][0], b"x" * 4096, 0)
os.kill(int(supervisor), signal.SIGKILL)
os.kill(int(daemon), signal.SIGKILL)
open(want, "wb").write(disk)
END
	wait_for 5 ended "$daemon" "$supervisor" || fail "the processes live on"
	expect 0 "$PLATTER" status --json changes
	same "state" "$(json out 'j["clean"], j["in_use"]')" "(False, False)"
	expect 0 umount mnt
	attach disk.img mnt --overlay=changes
	expect 0 cmp -n 1048576 want mnt/disk
	expect 0 cmp -i $((2 << 20)) want mnt/disk
	# The first block of the partition: old or new.
	peek mnt/parts/1 0 4096 >block
	[ "$(tr -d x <block | wc -c)" = 0 ] || expect 0 cmp -i 0:1048576 -n 4096 block want
	poke mnt/parts/1 0 <block || fail "writing"
	poke want 1048576 <block
	detach mnt
	expect 0 "$PLATTER" status --json changes
	same "state after a clean end" "$(json out 'j["clean"]')" True
done
