#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A table on a disk that was a FAT once: boot loaders keep the parameter block.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk mkfs.vfat

new_disk 64M
mkfs.vfat -F 32 "$img" >/dev/null 2>&1 || fail "mkfs.vfat"
cp "$img" "$tmp/fat.img"
new_disk 64M
printf 'label: dos\n1M,20M,83\n,,7\n' | sfdisk -q "$img"
# As GRUB does: bytes 3 to 0x5a stay what they were.
dd if="$tmp/fat.img" of="$img" bs=1 skip=3 seek=3 count=87 conv=notrunc status=none
info
is 'j["table"]["scheme"]' mbr
lists "$(sfdisk_entries)"
no_problems
