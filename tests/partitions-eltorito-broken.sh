#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A boot catalogue that is elsewhere or rubbish gives no images and does no harm.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires xorriso

mkdir "$tmp/d"
head -c 20480 /dev/zero >"$tmp/d/bios.img"
xorriso -as mkisofs -quiet -o "$img" -b bios.img -no-emul-boot -boot-load-size 4 "$tmp/d" \
	2>/dev/null || fail xorriso
cp "$img" "$tmp/good.img"
for code in 'wr(17 * 2048 + 0x47, b"\xff\xff\xff\xff")' \
	'wr(cat, bytes(2048))' \
	'wr(cat, b"\xff" * 2048)' \
	'wr(17 * 2048 + 0x47, struct.pack("<I", 0))'
do
	cp "$tmp/good.img" "$img"
	edit "cat = struct.unpack('<I', rd(17 * 2048 + 0x47, 4))[0] * 2048
$code"
	info
	is 'j["boot"]' '[]'
done

# Sections that claim more entries than there are: bounded by the catalogue itself.
cp "$tmp/good.img" "$img"
edit 'cat = struct.unpack("<I", rd(17 * 2048 + 0x47, 4))[0] * 2048
wr(cat + 64, struct.pack("<BBH28s", 0x90, 0xef, 65535, b"") + struct.pack("<BBHBBHI20s", 0x88, 0, 0, 0, 0, 4,
   2**32 - 1, b"") * 61)'
info
[ "$(json "$tmp/out" 'len(j["boot"])')" -le 1000 ] || fail "too many boot images"
is 'j["boot"][0]["number"]' 1
