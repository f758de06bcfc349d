#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel mounts ext4 read-write through a loop device on a writable node, fills, syncs and
# unmounts it: e2fsck finds it clean on the node, the original is untouched, and the files are there
# at the next attach.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_loop
requires_filesystem ext4
requires sfdisk mkfs.ext4 e2fsck

make_ext4_disk disk.img
before=$(sha256 disk.img)
mkdir ext4 src
for n in $(seq 60); do
	mkdir -p src/d$((n % 7))
	head -c $((n * n * 97)) /dev/urandom >"src/d$((n % 7))/file$n"
done
ln -s d1/file1 src/link

attach disk.img mnt --overlay=changes
loop=$(losetup -f --show mnt/parts/1) || fail losetup
expect 0 mount -t ext4 "$loop" ext4
expect 0 cp -a src ext4/
sync -f ext4
expect 0 rm -r ext4/src/d3
rm -r src/d3
expect 0 cp -a src ext4/again
expect 0 umount ext4
expect 0 losetup -d "$loop"
expect 0 e2fsck -fn mnt/parts/1
detach mnt
same "the image" "$(sha256 disk.img)" "$before"

# Again, now the partition alone and read-only in the kernel.
attach disk.img mnt --overlay=changes -p 1
expect 0 e2fsck -fn mnt/parts/1
loop=$(losetup -r -f --show mnt/parts/1) || fail losetup
expect 0 mount -t ext4 -o ro "$loop" ext4
expect 0 diff -r --no-dereference src ext4/src
expect 0 diff -r --no-dereference src ext4/again
expect 0 umount ext4
expect 0 losetup -d "$loop"
detach mnt
same "the image" "$(sha256 disk.img)" "$before"
