#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# VDIs that are broken, or of a kind that is not supported, are refused with what is wrong.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
. "$srcdir/tests/lib-vdi.sh"
requires python3

fill raw 300000
make_vdi good.vdi raw block=4096
expect 0 "$PLATTER" info good.vdi
blocks=74

# broken OFFSET HEX TEXT
broken() {
	cp good.vdi bad.vdi
	vdi_field bad.vdi $(($1)) "$2"
	refuses bad.vdi "$3"
}
broken 0x44 00000100 'VDI version 1.0, expected 1.1'
broken 0x44 01000200 'VDI version 2.1, expected 1.1'
broken 0x48 7f010000 'its header has 383 bytes, expected at least 384'
broken 0x4c 03000000 'VDI undo images are not supported'
broken 0x4c 05000000 'image type 5, expected'
broken 0x178 00000000 'blocks of 0 bytes, expected a power of two from 512'
broken 0x178 01100000 'blocks of 4097 bytes, expected a power of two from 512'
broken 0x178 00000080 'blocks of 2147483648 bytes, expected a power of two from 512'
broken 0x17c 01100000 '4097 extra bytes in a block, at most 4096'
broken 0x170 0000000000000000 'a virtual disk of 0 bytes'
broken 0x170 01a0040000000000 "a disk of 303105 bytes needs 75 blocks, its map has $blocks"
broken 0x170 ffffffffffffffff 'a disk of 18446744073709551615 bytes needs 4503599627370496 blocks'
broken 0x180 ffffffff 'its map of 4294967295 blocks at byte 512 passes the end of the file at'
broken 0x154 00f0ffff 'its map of 74 blocks at byte 4294963200 passes the end of the file at'
broken 0x184 4b000000 "75 blocks are stored, but the disk has $blocks"
broken 0x158 00f0ffff 'cut off: '
broken 0x200 f0000000 'block 0 is stored as number 240 at byte 984064, past the end of the file at'
size=$(stat -c %s good.vdi)
cp good.vdi bad.vdi
truncate -s $((size - 1)) bad.vdi
refuses bad.vdi "past the end of the file at $((size - 1))"
truncate -s $((size - 4096)) bad.vdi
refuses bad.vdi "cut off: "
# Cut so short that there is no header left, it is no VDI: asked for as one, that is said.
truncate -s 400 bad.vdi
refuses bad.vdi 'is not in vdi format' --format vdi
