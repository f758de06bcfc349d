#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A boot image that holds a FAT has the length of that, not of what firmware loads.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires xorriso mkfs.vfat

mkdir "$tmp/d"
truncate -s 2880K "$tmp/d/efi.img"
mkfs.vfat "$tmp/d/efi.img" >/dev/null 2>&1 || fail mkfs.vfat
xorriso -as mkisofs -quiet -o "$img" -e efi.img -no-emul-boot -boot-load-size 1 "$tmp/d" \
	2>/dev/null || fail xorriso
info
is '[(b["platform"], b["size"]) for b in j["boot"]]' "[('UEFI', 2949120)]"
