#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# create makes an empty disk of any size in every format: faultless to QEMU, small, and all zeros.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-convert.sh" || exit 99
requires qemu-img qemu-io

# made SIZE BYTES FORMAT...
made() {
	local format name size=$1 bytes=$2

	shift 2
	for format; do
		rm -f new."$format"
		expect 0 "$PLATTER" create new."$format" "$size"
		same "stdout" "$(cat out)" ""
		name=$(qemu_name "$format")
		expect 0 qemu-img info -f "$name" --output=json new."$format"
		same "size of $format" "$(json out 'j["virtual-size"]')" "$bytes"
		[ "$(du -k new."$format" | cut -f1)" -le 4096 ] || fail "$format: $(du -k new."$format")"
		[ "$format" = vhd ] || [ "$format" = raw ] || expect 0 qemu-img check -f "$name" new."$format"
		expect 0 qemu-io -r -f "$name" -c "read -P 0 $((bytes - 512)) 512" new."$format"
		! grep -q failed out || fail "$format: $(cat out)"
	done
}
made 1 512 raw qcow2 vdi vmdk vhd vhdx
made 10M 10485760 raw qcow2 vdi vmdk vhd vhdx
made 100G 107374182400 raw qcow2 vdi vmdk vhd vhdx
made 2040G $((2040 * 1073741824)) vhd
made 0x200 512 vdi
expect 0 "$PLATTER" create --format qcow2 other.img 1T
expect 0 qemu-img check -f qcow2 other.img
# It is a disk that can be written to.
expect 0 qemu-io -f vhdx -c 'write -P 7 5000000 100000' new.vhdx
expect 0 qemu-io -f vmdk -c 'write -P 7 5000000 100000' new.vmdk
expect 0 qemu-io -f vdi -c 'write -P 7 0 512' new.vdi
expect 0 qemu-io -f vpc -c 'write -P 7 5000000 100000' new.vhd
expect 0 qemu-io -r -f vpc -c 'read -P 7 5000000 100000' new.vhd
! grep -q failed out || fail "$(cat out)"
expect 0 qemu-img check -f vhdx new.vhdx
expect 0 qemu-img check -f vmdk new.vmdk
