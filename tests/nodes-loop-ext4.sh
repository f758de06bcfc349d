#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A loop device on a read-only node: the kernel mounts the ext4 in it and finds its files, on the
# partition's node and in its place on the disk's.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_loop
requires_filesystem ext4
requires sfdisk mkfs.ext4 debugfs e2fsck blkid

make_ext4_disk disk.img
seq 500000 >numbers
debugfs -w -R "write numbers numbers" "disk.img?offset=1048576" >log 2>&1 || fail "debugfs: $(cat log)"
before=$(sha256 disk.img)
mkdir ext4
attach disk.img mnt

# look NODE LOSETUP-OPTION...: the filesystem in what losetup makes of the node.
look() {
	local node=$1 loop
	shift
	loop=$(losetup -r -f --show "$@" "mnt/$node") || fail "losetup $node"
	same "label" "$(blkid -p -o value -s LABEL "$loop")" platter-root
	expect 0 mount -t ext4 -o ro,noload "$loop" ext4
	same_bytes numbers ext4/numbers
	expect 0 umount ext4
	expect 0 losetup -d "$loop"
}
look parts/1
look disk -o 1048576 --sizelimit 41943040
expect 0 e2fsck -fn mnt/parts/1
no_loops() { ! losetup -nO BACK-FILE | grep -q "^$tmp/mnt/"; }
wait_for 5 no_loops || fail "a loop device is left: $(losetup -l)"
detach mnt
same "the image" "$(sha256 disk.img)" "$before"
