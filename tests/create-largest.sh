#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The largest disk of each format that create makes is one that platter and QEMU open, with its last
# byte where it should be.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires qemu-img qemu-io

largest() { # FORMAT BYTES QEMU-FORMAT
	rm -f new
	expect 0 "$PLATTER" create --format "$1" new "$2"
	expect 0 "$PLATTER" info --json new
	same "size of $1" "$(json out 'j["image"]["virtual_size"]')" "$2"
	expect 0 qemu-io -f "$3" -c "write -P 7 $(($2 - 512)) 512" new
	! grep -q 'rror' out err || fail "$1: $(cat out err)"
	expect 0 "$PLATTER" info --json new
	expect 0 qemu-img info -f "$3" --output=json new
	same "size of $1, by QEMU" "$(json out 'j["virtual-size"]')" "$2"
}
T=$((1 << 40))
largest vdi 562949819203584 vdi
largest vmdk $((128 * T)) vmdk
largest vhd $((2040 << 30)) vpc
largest vhdx $((64 * T)) vhdx
largest qcow2 $((2048 * T)) qcow2
