#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# VHDs as qemu-img writes them, dynamic and fixed, of sizes that fit no block, by geometry or by the
# size that stands beside it: the same bytes as qemu-img reads.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires qemu-img
requires_fuse

for size in 104448 9000448; do
	fill "$tmp/raw" $size
	for options in subformat=dynamic subformat=fixed \
		subformat=dynamic,force_size=on subformat=fixed,force_size=on; do
		qemu-img convert -f raw -O vpc -o "$options" "$tmp/raw" "$tmp/disk.vhd" ||
			fail "qemu-img: $options"
		# It rounds up to a geometry where the size is not forced.
		qemu-img convert -f vpc -O raw "$tmp/disk.vhd" "$tmp/want"
		cmp -n $size "$tmp/raw" "$tmp/want" || fail "qemu-img, $options"
		same_disk "$tmp/disk.vhd" "$tmp/want"
		expect 0 "$PLATTER" info --json "$tmp/disk.vhd"
		same "format, $options" "$(json "$tmp/out" 'j["image"]["format"]')" vhd
	done
done

# The largest that there is. Nothing in it but holes: they are as long as the disk.
qemu-img create -q -f vpc -o subformat=dynamic,force_size=on "$tmp/large.vhd" 2040G
truncate -s 2040G "$tmp/empty"
same_disk "$tmp/large.vhd" "$tmp/empty"
