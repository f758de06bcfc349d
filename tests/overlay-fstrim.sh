#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a filesystem on the node gives back with fstrim the overlay gives back to its host, and what
# is discarded, punched or zeroed on a loop device or the node.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_loop
requires_filesystem ext4
requires sfdisk mkfs.ext4 e2fsck fstrim blkdiscard fallocate

make_ext4_disk disk.img
mkdir ext4
room() { echo $(($(stat -c '%b * %B' changes))); }
attach disk.img mnt --overlay=changes
loop=$(losetup -f --show mnt/parts/1) || fail losetup
expect 0 mount -t ext4 "$loop" ext4
head -c 20M /dev/urandom >ext4/big
echo keep >ext4/small
sync -f ext4
full=$(room)
[ "$full" -gt $((20 << 20)) ] || fail "20 MiB were written, the overlay takes $full bytes"
rm ext4/big
sync -f ext4
expect 0 fstrim -v ext4
sync -f ext4
left=$(room)
[ "$left" -lt $((6 << 20)) ] || fail "after fstrim the overlay still takes $left bytes of $full"

expect 0 umount ext4
expect 0 losetup -d "$loop"

# Without a filesystem: discarding and zeroing of a loop device, and of the node itself.
gives_back() { # FILE COMMAND...
	local before
	head -c 8M /dev/urandom | poke "$1" 1M || fail "writing to $1"
	sync -d "$1"
	before=$(room)
	expect 0 "${@:2}"
	[ "$(room)" -lt $((before - (7 << 20))) ] || fail "$* left $(room) bytes of $before"
	peek "$1" 1M 8M | cmp -n $((8 << 20)) - /dev/zero || fail "$* left something to read"
}
loop=$(losetup -f --show mnt/parts/2) || fail losetup
gives_back "$loop" blkdiscard -o 1M -l 8M "$loop"
gives_back "$loop" blkdiscard -z -o 1M -l 8M "$loop"
expect 0 losetup -d "$loop"
gives_back mnt/parts/2 fallocate -p -o 1M -l 8M mnt/parts/2
gives_back mnt/parts/2 fallocate -z -o 1M -l 8M mnt/parts/2
detach mnt

attach disk.img mnt --overlay=changes -p 1
expect 0 e2fsck -fn mnt/parts/1
loop=$(losetup -r -f --show mnt/parts/1) || fail losetup
expect 0 mount -t ext4 -o ro "$loop" ext4
same "the file that was kept" "$(cat ext4/*small)" keep
expect 0 umount ext4
expect 0 losetup -d "$loop"
detach mnt
[ "$(room)" -lt $((6 << 20)) ] || fail "the overlay grew to $(room) bytes"
