#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# DIR/disk holds the bytes of the image, DIR/parts/N and DIR/gaps/A-B those of their stretch of it,
# whatever the size of the disk and however they are read.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires qemu-img sfdisk mkfs.ext4

make_ext4_disk disk.img
head -c 3M /dev/urandom | poke disk.img 43M
poke disk.img $((64 * 1048576 - 5)) 'tail!'
attach disk.img mnt
expect 0 qemu-img compare -f raw -F raw disk.img mnt/disk
same "size of disk" "$(stat -c %s mnt/disk)" "$(stat -c %s disk.img)"

same "partitions" "$(json mnt/.platter/info.json 'len(j["partitions"])')" 2
while read -r node start size; do
	same "size of $node" "$(stat -c %s "mnt/$node")" "$size"
	expect 0 cmp -i "$start:0" -n "$size" disk.img "mnt/$node"
done <<<"$(json mnt/.platter/info.json '"\n".join(
	["parts/%d %d %d" % (p["number"], p["start"], p["size"]) for p in j["partitions"]] +
	["gaps/%d-%d %d %d" % (g["start"], g["start"] + g["size"], g["start"], g["size"])
	 for g in j["gaps"]])')"

# Reads of any size at any place; none goes past the end of its node.
python3 - disk.img mnt <<'END' || fail "a read through a node"
import os, random, sys
image, mnt = sys.argv[1:]
random.seed(7)
size = 40 * 1048576
image, part = os.open(image, os.O_RDONLY), os.open(mnt + "/parts/1", os.O_RDONLY)
assert os.fstat(part).st_size == size
for n in range(300):
    length = random.choice((1, 511, 513, 4095, 4097, 70001, 1048577))
    off = random.choice((random.randrange(size), size - random.randrange(1, length + 1)))
    want = os.pread(image, min(length, size - off), 1048576 + off)
    got = os.pread(part, length, off)
    assert got == want, (off, length, len(got))
assert os.pread(part, 100, size) == b"" and os.pread(part, 100, size + 5000) == b""
END
detach mnt

# A disk whose size is no multiple of anything.
head -c 1000003 /dev/urandom >odd.img
attach odd.img mnt
same_bytes odd.img mnt/disk
detach mnt
