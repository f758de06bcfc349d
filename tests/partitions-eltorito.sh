#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Boot images of an optical disc, for BIOS and UEFI, as xorriso made them.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires xorriso

mkdir "$tmp/d"
head -c 20480 /dev/zero | tr '\0' b >"$tmp/d/bios.img"
head -c 40960 /dev/zero | tr '\0' e >"$tmp/d/efi.img"
head -c 1474560 /dev/zero | tr '\0' f >"$tmp/d/floppy.img"
xorriso -as mkisofs -quiet -o "$img" -b bios.img -no-emul-boot -boot-load-size 4 \
	-eltorito-alt-boot -e efi.img -no-emul-boot \
	-eltorito-alt-boot -b floppy.img "$tmp/d" 2>/dev/null || fail xorriso
info
is '[(b["number"], b["platform"]) for b in j["boot"]]' \
	"[(1, 'x86 BIOS'), (2, 'UEFI'), (3, 'x86 BIOS')]"
is '[b["size"] for b in j["boot"]]' '[2048, 40960, 1474560]'
is '[b["start"] // 2048 for b in j["boot"]]' \
	"[$(xorriso -indev "$img" -report_el_torito plain 2>/dev/null |
	awk '/^El Torito boot img/ {printf "%s%s", n++ ? ", " : "", $NF}')]"
for i in 0 1 2; do
	at=$(json "$tmp/out" "j['boot'][$i]['start']")
	size=$(json "$tmp/out" "j['boot'][$i]['size']")
	name=$(echo bios efi floppy | cut -d' ' -f$((i + 1)))
	cmp -n "$size" -i "$at:0" "$img" "$tmp/d/$name.img" ||
		fail "boot image $i is not $name.img"
done
