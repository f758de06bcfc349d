#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A GPT with sectors of 4096 bytes in a plain file, its backup included.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99

# Build one by hand: no tool here makes it without such a disk.
make()
{
	new_disk 64M
	edit '
s = '"$1"'
last = size // s - 1
array = bytearray(128 * 128)
for i, (first, end) in enumerate([(256, 1279), (1280, 2047)]):
    array[i * 128:i * 128 + 128] = bytes.fromhex("af3dc60f838472478e793d69d8477de4") + \
        bytes([i + 1] * 16) + struct.pack("<QQQ", first, end, 0) + "p".encode("utf-16le").ljust(72, b"\0")
n = len(array) // s
wr(446, struct.pack("<8BII", 0, 0, 2, 0, 0xee, 255, 255, 255, 1, last) + bytes(48) + b"\x55\xaa")
for lba, other, at in [(1, last, 2), (last, 1, last - n)]:
    wr(at * s, array)
    wr(lba * s, struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, lba, other,
       2 + n, last - n - 1, bytes(range(16)), at, 128, 128, 0))
    seal(lba * s, s)
'
}

for sector in 512 1024 2048 4096; do
	make $sector
	truth="[(1, $((256 * sector)), $((1024 * sector))), (2, $((1280 * sector)), $((768 * sector)))]"
	info
	lists "$truth"
	is 'j["image"]["sector_size"]' $sector
	is 'j["table"]["source"]' primary
	no_problems

	edit "wr($sector, bytes(64))"
	info
	lists "$truth"
	is 'j["image"]["sector_size"]' $sector
	is 'j["table"]["source"]' backup
done

# Over a former table with 512-byte sectors, of which a damaged header and the backup are left.
make 512
cp "$img" "$tmp/old.img"
make 4096
dd if="$tmp/old.img" of="$img" bs=512 skip=1 seek=1 count=1 conv=notrunc status=none
dd if="$tmp/old.img" of="$img" bs=512 skip=131071 seek=131071 count=1 conv=notrunc status=none
info
is 'j["image"]["sector_size"]' 4096
is 'j["table"]["source"]' primary
