#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A disk is written back onto a block device after a question that names what is on it: the disk's
# bytes, zeros too, and nothing behind them. A device in use, one that is too small and one that is
# the source are refused, and cut off in between nothing on it looks whole.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires_loop
requires sfdisk mkfs.ext4 strace
requires_strace

M=1048576
fill disk.img $((20 * M)) 5
truncate -s $((20 * M + 513)) disk.img
poke disk.img 0 begin
head -c $((24 * M)) /dev/urandom >backing
cp backing before
loop=$(losetup --show -f backing) || skip "needs a loop device"

# restored: the device holds the disk, and behind it what was there
restored() {
	sync -f backing
	cmp -n $((20 * M + 513)) disk.img "$loop" || fail "not what was to be written"
	cmp -i $((20 * M + 513)) before "$loop" || fail "what is behind it changed"
}

# Without --yes it is refused where nobody can answer.
expect 1 "$PLATTER" convert disk.img "$loop"
grep -q "^platter: convert: this overwrites $loop (0.0 GiB, nothing on it that is recognised) with disk.img: --yes" err ||
	fail "the question"
cmp before "$loop" || fail "it was written to"
expect 0 "$PLATTER" convert --yes disk.img "$loop"
grep -q "^platter: $loop: the last 4193791 bytes of the device are left as they are" err || fail "the rest is not spoken of"
restored

# On a terminal the question has an answer.
if command -v script >/dev/null; then
	cp before backing
	blockdev --flushbufs "$loop" 2>/dev/null
	echo n | script -qec "$PLATTER convert disk.img $loop" /dev/null >said
	grep -q 'Go on?' said || fail "no question: $(cat said)"
	cmp before "$loop" || fail "it was written to"
fi

# What is there is named.
mkfs.ext4 -q -F -L precious "$loop" 2>/dev/null || fail mkfs.ext4
expect 1 "$PLATTER" convert disk.img "$loop"
grep -q ', ext4 precious)' err || fail "the filesystem is not named"
printf '2048,8192,83\n' | sfdisk -q "$loop" >/dev/null 2>&1
wipefs -qa -t ext4 "$loop" 2>/dev/null
mkdir m
expect 0 mount -t tmpfs none m # something that is no device
expect 1 "$PLATTER" convert --format=qcow2 disk.img "$loop"
grep -q 'what is written to a block device is raw' err || fail "the format"
expect 0 umount m

# In use.
mkfs.ext4 -q -F -L precious "$loop" 2>/dev/null
if mount "$loop" m 2>/dev/null; then
	expect 32 "$PLATTER" convert --yes disk.img "$loop"
	grep -q "^platter: $loop: is mounted or otherwise in use" err || fail "in use"
	expect 0 umount m
fi

# Too small, and itself.
truncate -s $((24 * M + 1)) large.img
sum=$(sha256 "$loop")
expect 2 "$PLATTER" convert --yes large.img "$loop"
grep -q "^platter: $loop: a device of 25165824 bytes, the disk has 25165825" err || fail "too small"
expect 32 "$PLATTER" convert --yes "$loop" "$loop"
grep -q "^platter: $loop: is the same disk as $loop" err || fail "the same"
same "the device" "$(sha256 "$loop")" "$sum"

# Nor what is under the source: an overlay's image, its own file, its backing file.
attach "$loop" m --overlay=changes
poke m/disk 5000000 changed
detach m
expect 32 "$PLATTER" convert --yes --base "$loop" changes "$loop"
grep -q "^platter: $loop: is the same disk as $loop" err || fail "the image under an overlay"
same "the device" "$(sha256 "$loop")" "$sum"
expect 32 "$PLATTER" convert --yes backing "$loop"
grep -q "^platter: $loop: is the same disk as " err || fail "the file under the loop device"
if command -v qemu-img >/dev/null; then
	expect 0 qemu-img create -q -f qcow2 -b backing -F raw over.qcow2
	expect 32 "$PLATTER" convert --yes over.qcow2 "$loop"
	grep -q "^platter: $loop: is the same disk as " err || fail "a backing file"
fi
same "the device" "$(sha256 "$loop")" "$sum"

# The image changes while it is copied, after the first MiB was taken away: it stays so.
(strace -o calls -e trace=fsync -e inject=fsync:delay_enter=2000000:when=1 \
	"$PLATTER" convert --yes disk.img "$loop"; echo $? >status) >out 2>err &
sleep 1
printf new | poke disk.img 3000000
wait
same "status, changed meanwhile" "$(cat status)" 32
grep -q 'changed while it was copied' err || fail "the change is not seen"
cmp -n $M /dev/zero "$loop" >/dev/null || fail "changed meanwhile, something is in the first MiB"

# And the other way.
expect 0 "$PLATTER" convert --format=raw "$loop" copy
cmp "$loop" copy || fail "read from a device"

# Killed between any two writes: the first MiB is zeros, until all the rest is there.
on_one_core
expect 0 strace -o calls -e trace=openat,pwrite64 "$PLATTER" convert --yes disk.img "$loop"
cmp -n $((20 * M + 513)) disk.img "$loop" || fail "not what was to be written"
n=$(grep -c 'pwrite64(' calls)
first=$(awk '/O_RDWR.*O_EXCL/ { print n + 1; exit } /pwrite64/ { n++ }' calls)
for at in "$first" $((first + 1)) $(((first + n) / 2)) $((n - 1)) "$n"; do
	cat before >"$loop"
	(strace -o calls -e trace=pwrite64 -e inject=pwrite64:signal=KILL:when="$at" \
		"$PLATTER" convert --yes disk.img "$loop"; echo $? >status) >out 2>&1
	same "status, killed at $at of $n" "$(cat status)" 137
	[ "$at" = "$n" ] || cmp -n 4096 /dev/zero "$loop" >/dev/null ||
		fail "killed at write $at of $n, something is in the first MiB"
done
