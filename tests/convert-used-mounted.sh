#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A filesystem that the kernel has filled, emptied in part and unmounted has the same files in a
# convert --used of it, and what was in the files that are gone is not in there. One that is copied
# while it is mounted is copied whole.
. "${srcdir:-.}/tests/lib.sh" || exit 99

requires_loop
requires_filesystem ext4
requires mkfs.ext4 e2fsck qemu-img

truncate -s 100M fs
mkfs.ext4 -q -F fs || fail mkfs.ext4
mkdir m n
expect 0 mount -o loop fs m
for i in {1..40}; do
	mkdir m/$i
	head -c 400000 /dev/urandom >m/$i/random
	yes "FREE JUNK $i" | head -c 1000000 >m/$i/junk
	seq $((i * 1000)) >m/$i/numbers
done
sync -f m
rm m/*/junk m/{1..40..3}/random
touch m/last
# Not unmounted yet.
sync -f m
expect 0 "$PLATTER" convert --used fs busy.img
grep -q 'journal has to be replayed; all of it is copied' err || fail "a mounted one is relied on"
expect 0 umount m
expect 0 "$PLATTER" convert --used fs copy.img
same "stderr" "$(cat err)" ""
expect 0 e2fsck -fn copy.img
expect 0 mount -o loop,ro copy.img n
expect 0 mount -o loop,ro fs m
expect 0 diff -r m n
expect 0 umount m n
[ "$(grep -c 'FREE JUNK' fs)" -gt 1000 ] || fail "no junk in the original"
! grep -q 'FREE JUNK' copy.img || fail "free junk is in the copy"
expect 0 "$PLATTER" convert fs all.qcow2 --compress zlib
expect 0 "$PLATTER" convert --used fs used.qcow2 --compress zlib
expect 0 qemu-img compare -f raw -F qcow2 copy.img used.qcow2
[ "$(stat -c %s used.qcow2)" -lt "$(stat -c %s all.qcow2)" ] || fail "it is no smaller"
