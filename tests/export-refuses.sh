#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What export cannot do it refuses, in one line and with the right status, and then there is neither
# the file nor a part of it: a name that is taken, an overlay that is attached, a form that does not
# exist, another image, a full disk.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

head -c 3M /dev/urandom >disk.img
attach disk.img mnt --overlay=changes
poke mnt/disk 5000 changed || fail "writing"

# refused STATUS TEXT ARGUMENT...
refused() {
	local before
	before=$(ls -AR to)
	expect "$1" "$PLATTER" export "${@:3}"
	same "stdout" "$(cat out)" ""
	same "lines on stderr" "$(wc -l <err)" 1
	grep -q "^platter: $2" err || fail "does not say '$2'"
	same "files" "$(ls -AR to)" "$before"
}
mkdir to
refused 32 'mnt: is attached: umount it first' mnt to/new
refused 32 'changes: is attached: umount it first' --thin changes to/new
detach mnt
attach disk.img mnt --overlay=ram
refused 32 'mnt: its overlay is in memory' mnt to/new
detach mnt
attach disk.img mnt
refused 32 'mnt: has no overlay' mnt to/new
detach mnt

echo precious >to/file
mkdir to/folder
ln -s nowhere to/dangling
for format in raw qcow2; do
	for name in file folder dangling; do
		refused 2 "to/$name: cannot be made: File exists" --format $format changes to/$name
	done
	refused 32 'to/none/new: cannot be made: No such file' --format $format changes to/none/new
done
refused 2 'disk.img: cannot be made: File exists' changes disk.img
refused 2 'changes: cannot be made: File exists' changes changes
same "what was there" "$(cat to/file)" precious

refused 1 '--format dmg: ' --format dmg changes to/new
refused 1 'to/new.dmg: its extension ' changes to/new.dmg
refused 1 '--format : ' --format= changes to/new
refused 1 '--thin with --format raw: ' --format raw --thin changes to/new
refused 1 'export: too few operands' changes
refused 1 'export: .*one operand too many' changes to/new to/other
refused 1 'export: -r: no such option' -r changes to/new

refused 32 'disk.img: is not a platter overlay' disk.img to/new
refused 32 'nowhere: ' nowhere to/new
head -c 3M /dev/urandom >another.img
head -c 2M /dev/urandom >shorter.img
refused 32 'another.img: .*contents' --base another.img changes to/new
refused 32 'shorter.img: .*3145728 bytes.*2097152' --base shorter.img changes to/new
cp disk.img kept
poke disk.img 100 different || fail "changing the image"
for how in --format=raw --format=qcow2 --thin; do
	refused 32 '.*disk.img: .*contents' $how changes to/new
done
cat kept >disk.img

# A file as large as may be.
(
	ulimit -f 1024
	for how in --format=raw --format=qcow2; do
		refused 2 'to/new: cannot be .*: File too large' $how changes to/new
	done
) || exit 1

# A full disk.
[ "$(id -u)" = 0 ] || exit 0
full_disk() {
	for how in --format=raw --format=qcow2; do
		refused 2 'to/new: cannot be written: No space left on device' $how changes to/new
	done
	expect 0 "$PLATTER" export --thin changes to/thin
	# A name that is taken is seen before anything is copied.
	refused 2 'to/thin: cannot be made: File exists' changes to/thin
	expect 0 rm to/thin
	expect 0 umount to
}
expect 0 mount -t tmpfs -o size=1m none to
full_disk

# More than QEMU opens.
mkdir large
expect 0 mount -t tmpfs -o size=1m none large
if truncate -s 2200T large/disk.img 2>/dev/null; then
	attach large/disk.img mnt --overlay=large/changes
	detach mnt
	refused 32 'to/new: a disk of 2418925581107200 bytes, in qcow2 at most 2251799813685248' \
		--format qcow2 large/changes to/new
fi
if losetup -f >/dev/null 2>&1 && grep -qw ext4 /proc/filesystems && command -v mkfs.ext4 >/dev/null
then
	truncate -s 2M host.img
	mkfs.ext4 -q -F -m 0 -O ^has_journal host.img >/dev/null 2>&1 || fail mkfs.ext4
	expect 0 mount -t ext4 -o loop host.img to
	full_disk
fi
