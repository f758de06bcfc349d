#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What convert reads: an image, one partition of it, a stretch, an overlay over an image, an image
# through an overlay; and by what name the new file's format goes.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires qemu-img sfdisk mkfs.ext4

make_ext4_disk disk.img
head -c 300000 /dev/urandom | poke disk.img 1000000
attach disk.img mnt --overlay=changes
head -c 5000 /dev/urandom | poke mnt/disk 1050000 # on both sides of the partition's beginning
detach mnt
attach disk.img mnt --overlay=changes -o ro
cp --sparse=always mnt/disk changed
cp --sparse=always mnt/parts/1 part1
detach mnt
original=$(sha256 disk.img)

expect 0 "$PLATTER" convert disk.img plain.raw
same_bytes plain.raw disk.img
expect 0 "$PLATTER" convert changes over
same_bytes over changed
expect 0 "$PLATTER" convert disk.img through.img --overlay=changes
same_bytes through.img changed
expect 0 "$PLATTER" convert -p 1 changes part.dd
same_bytes part.dd part1
expect 0 "$PLATTER" convert -p 1 --overlay=changes --format=qcow2 disk.img part.raw
expect 0 qemu-img compare -f raw -F qcow2 part1 part.raw
expect 0 "$PLATTER" convert -o start=1048000,length=10001 changes stretch
peek changed 1048000 10001 | cmp - stretch || fail "the stretch is another one"
expect 0 "$PLATTER" convert -p 0 disk.img whole
same_bytes whole disk.img
same "the image" "$(sha256 disk.img)" "$original"

# The overlay goes elsewhere; --base says where the image is.
mkdir away
mv changes away/changes
expect 32 "$PLATTER" convert away/changes lost
expect 0 "$PLATTER" convert --base disk.img away/changes found
same_bytes found changed

for name in a.qcow2:qcow2 a.QCOW2:qcow2 a.vdi:vdi a.vmdk:vmdk a.vhd:vpc a.vhdx:vhdx a.img:raw a.iso:raw a:raw .qcow2:raw; do
	expect 0 "$PLATTER" convert disk.img "${name%:*}"
	expect 0 qemu-img info --output=json "${name%:*}"
	same "format of ${name%:*}" "$(json out 'j["format"]')" "${name#*:}"
	rm "${name%:*}"
done
