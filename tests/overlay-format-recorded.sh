#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The container format is found once and recorded in the overlay: whatever a guest writes where
# containers have their magic, the image stays raw, of the same size, and no file that such a header
# names is opened.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

truncate -s 8M disk.img
echo "root:secret" >secret
end=$((8 * 1048576 - 512))

# magic NAME OFFSET BYTES [OFFSET BYTES]...
magic() {
	local name=$1
	shift
	attach disk.img mnt --overlay=changes
	dd if=/dev/zero of=mnt/disk bs=1M conv=notrunc status=none 2>/dev/null
	while [ $# -gt 0 ]; do
		printf '%b' "$2" | poke mnt/disk "$1" || fail "writing $name"
		shift 2
	done
	detach mnt
	expect 0 "$PLATTER" info --json --overlay=changes disk.img
	same "$name" "$(grep -o '"format":"[a-z0-9]*","virtual_size":[0-9]*' out)" \
		'"format":"raw","virtual_size":8388608'
}
magic qcow2 0 'QFI\xfb\0\0\0\x03\0\0\0\0\0\0\x01\0\0\0\0\x06' 256 secret
magic qcow1 0 'QFI\xfb\0\0\0\x01'
magic qed 0 'QED\0\0\0\x01\0'
magic vmdk-sparse 0 'KDMV\x01\0\0\0'
magic vmdk-text 0 '# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n
createType="monolithicFlat"\n\nRW 16384 FLAT "secret" 0\n'
magic vmdk-esx 0 'COWD\x01\0\0\0'
magic vdi 0 '<<< Oracle VM VirtualBox Disk Image >>>\n' 64 '\x7f\x10\xda\xbe\x01\0\x01\0'
magic vhd-dynamic 0 'conectix\0\0\0\x02\0\x01\0\0' $end 'conectix\0\0\0\x02\0\x01\0\0'
magic vhdx 0 'v\0h\0d\0x\0f\0i\0l\0e\0'
magic vhdx-text 0 'vhdxfile'
magic dmg $end 'koly\0\0\0\x04\0\0\x02\0'
magic ewf 0 'EVF\x09\x0d\x0a\xff\0\x01\x01\0\0\0'
magic parallels 0 'WithouFreSpacExt\x02\0\0\0'
magic bochs 0 'Bochs Virtual HD Image\0'
magic cloop 0 '#!/bin/sh\n#V2.0 Format\nmodprobe cloop && mount -r -t iso9660 /dev/cloop\n'
magic luks 0 'LUKS\xba\xbe\0\x02'
magic aff 0 'AFF10\r\n\0'

if command -v qemu-img >/dev/null && command -v strace >/dev/null && strace -qq -o log true 2>/dev/null
then
	truncate -s 8M base.raw
	expect 0 qemu-img create -q -f qcow2 -b base.raw -F raw guest.qcow2
	attach disk.img mnt --overlay=changes
	poke mnt/disk 0 <guest.qcow2 || fail "writing"
	detach mnt
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 \
		expect 0 strace -f -o calls -e trace=open,openat,openat2 "$PLATTER" info --overlay=changes disk.img
	grep -q 'disk.img' calls || fail "strace shows nothing"
	! grep -e secret -e base.raw calls || fail "a file that the guest named is opened"
fi
