#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A loop device on a read-only node: the kernel mounts the ext4 in it and finds its files, on the
# partition's node and, with the kernel's own partition scan, on the disk's.
. "${srcdir:-.}/tests/lib.sh"
requires_fuse
requires_loop
requires_filesystem ext4
requires sfdisk mkfs.ext4 debugfs

make_ext4_disk disk.img
seq 500000 >numbers
debugfs -w -R "write numbers numbers" "disk.img?offset=1048576" >log 2>&1 || fail "debugfs: $(cat log)"
before=$(sha256 disk.img)
mkdir ext4
attach disk.img mnt

# look NODE LOSETUP-OPTION...: the filesystem in partition 1 of what is there.
look() {
	local node=$1 loop dev
	shift
	loop=$(losetup -r -f --show "$@" "mnt/$node") || fail "losetup $node"
	dev=$loop
	[ $# = 0 ] || dev=${loop}p1
	wait_for 5 test -b "$dev" || fail "$dev does not appear"
	expect 0 mount -o ro,noload "$dev" ext4
	same "label" "$(blkid -o value -s LABEL "$dev")" platter-root
	same_bytes numbers ext4/numbers
	expect 0 umount ext4
	expect 0 losetup -d "$loop"
}
look parts/1
look disk -P
expect 0 e2fsck -fn mnt/parts/1
wait_for 5 not grep -q "$tmp" /sys/block/loop*/loop/backing_file
detach mnt
same "the image" "$(sha256 disk.img)" "$before"
