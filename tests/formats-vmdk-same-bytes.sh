#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every kind of VMDK that qemu-img makes, of sizes that fit the grains and that do not, split ones of
# more than 2 GB and sparse ones of 8 TiB: the same bytes as qemu-img reads.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
. "$srcdir/tests/lib-vmdk.sh"
requires_fuse
requires qemu-img qemu-io python3

# check SUBFORMAT [HOW]: as qemu-img makes it of raw.
check() {
	rm -f disk*
	qemu-img convert -O vmdk -o subformat="$1" raw disk.vmdk || fail "qemu-img"
	qemu-img convert -O raw disk.vmdk want || fail "qemu-img"
	${2:-holds} disk.vmdk want
}
fill raw $((7 << 20))
check monolithicSparse
check streamOptimized
fill raw $(((3 << 20) + 512))
for subformat in monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat \
	monolithicSparse,zeroed_grain=on; do
	check $subformat
done
check monolithicSparse same_disk
check streamOptimized same_disk

# write SIZE OFFSET,LENGTH...: data in disk.vmdk and the same in want.
write() {
	local size=$1 commands=() i=1 at

	shift
	for at; do
		commands+=(-c "write -P $i ${at%,*} ${at#*,}")
		i=$((i + 1))
	done
	qemu-io -f vmdk "${commands[@]}" disk.vmdk >log || fail "qemu-io: $(cat log)"
	rm -f want
	truncate -s "$size" want
	qemu-io -f raw "${commands[@]}" want >log || fail "qemu-io: $(cat log)"
}

# More than one extent: data at and across the borders.
for subformat in twoGbMaxExtentSparse twoGbMaxExtentFlat; do
	rm -f disk*
	qemu-img create -q -f vmdk -o subformat=$subformat disk.vmdk 5G || fail "qemu-img"
	[ "$(grep -c '^RW' disk.vmdk)" = 3 ] || fail "$subformat: expected 3 extents"
	write 5G 0,100000 2147000000,1000000 4294000000,2000000 5368700000,9120
	same_disk disk.vmdk want
done

# Nothing is read from where a disk this large is empty.
rm -f disk*
qemu-img create -q -f vmdk disk.vmdk 8T || fail "qemu-img"
write 8T 0,1000 4398046511104,3145728 8796093021184,1024
same_disk disk.vmdk want
