#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ram:SIZE is a disk in memory: zeros at first, written to like any other, with partitions once there is
# a table, listed and unmounted by its name, and gone then. It is made a file by convert, not by keep.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires mke2fs e2fsck debugfs

attach ram:40M mnt
same "size" "$(stat -c %s mnt/disk)" $((40 * 1048576))
cmp -n 41943040 mnt/disk /dev/zero || fail "it is not zeros"
expect 0 mke2fs -q -F -t ext4 mnt/disk
head -c 3000000 /dev/urandom >data
expect 0 debugfs -w -R 'write data data' mnt/disk
expect 0 e2fsck -fn mnt/disk
expect 0 "$PLATTER" list
grep -q "^ram:40M.*$tmp/mnt" out || fail "list: $(cat out)"
expect 2 "$PLATTER" keep mnt kept
grep -q 'mnt: is a disk in memory' err || fail "keep"
[ ! -e kept ] || fail "keep left a file"
expect 0 "$PLATTER" convert mnt/disk copy.img
expect 0 e2fsck -fn copy.img
expect 0 debugfs -R 'dump data got' copy.img
same_bytes data got
expect 0 "$PLATTER" umount ram:40M
grep -q 'the changes were in memory and are gone' out || fail "umount: $(cat out)"
! mounted "$tmp/mnt" || fail "still mounted"

# Again it is empty; a limit of memory is for what is written.
attach ram:0x100000 mnt
same "size" "$(stat -c %s mnt/disk)" 1048576
cmp -n 1048576 mnt/disk /dev/zero || fail "something is left"
detach mnt
attach ram:4T mnt
poke mnt/disk 4398046511000 end
same "end" "$(tail -c 104 mnt/disk | head -c 3)" end
detach mnt

expect 0 "$PLATTER" info --json ram:1M
same "info" "$(json out '(j["image"]["path"], j["image"]["virtual_size"], j["fs"])')" "('ram:1M', 1048576, None)"
same "stderr" "$(cat err)" ""
for bad in ram: ram:0 ram:x ram:1Q; do
	expect 32 "$PLATTER" attach $bad mnt
	grep -q "^platter: $bad: not a size" err || fail "$bad"
done
expect 32 "$PLATTER" attach ram:1M mnt --overlay=file
grep -q "^platter: ram:1M: is in memory, and takes no --overlay" err || fail "an overlay"
[ ! -e file ] || fail "an overlay was made"
expect 32 "$PLATTER" mount ram:1M mnt
# A file of such a name.
head -c 1000 /dev/urandom >ram:5
expect 0 "$PLATTER" info --json ./ram:5
same "file" "$(json out 'j["image"]["virtual_size"]')" 1000
