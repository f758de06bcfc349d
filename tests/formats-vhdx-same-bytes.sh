#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# VHDXs as qemu-img writes them, dynamic and fixed, of any block and log size, of a disk that fits no
# block, and one of 8 TiB: the same bytes as qemu-img reads.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires qemu-img qemu-io
requires_fuse

fill "$tmp/raw" 70000128
for options in block_size=1M block_size=8M,log_size=3M block_size=256M \
	subformat=fixed,block_size=2M subformat=dynamic,block_state_zero=off; do
	qemu-img convert -f raw -O vhdx -o "$options" "$tmp/raw" "$tmp/disk.vhdx" ||
		fail "qemu-img: $options"
	qemu-img convert -f vhdx -O raw "$tmp/disk.vhdx" "$tmp/want"
	same_disk "$tmp/disk.vhdx" "$tmp/want"
	rm "$tmp/disk.vhdx"
done
qemu-img create -q -f vhdx "$tmp/large.vhdx" 8T
rm "$tmp/want"; truncate -s 8T "$tmp/want"
for at in 0 5T 8796093018112; do
	qemu-io -f vhdx -c "write -P 0x5a $at 4k" "$tmp/large.vhdx" >/dev/null || fail "qemu-io"
	qemu-io -f raw -c "write -P 0x5a $at 4k" "$tmp/want" >/dev/null || fail "qemu-io"
done
same_disk "$tmp/large.vhdx" "$tmp/want"
expect 0 "$PLATTER" info --json "$tmp/large.vhdx"
same "format" "$(json "$tmp/out" 'j["image"]["format"]')" vhdx
same "sector" "$(json "$tmp/out" 'j["image"]["sector_size"]')" 512
