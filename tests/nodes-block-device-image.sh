#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A block device is an image like a file: its size, its sectors (512 or 4096 bytes), its partitions
# and bytes are the same through either, and an overlay takes the writes.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_loop
requires sfdisk mkfs.ext4 blockdev

# ---- sectors of 512 bytes

make_ext4_disk disk.img
loop=$(losetup -r -f --show disk.img) || fail losetup
expect 0 "$PLATTER" info --json disk.img
cp out file.json
expect 0 "$PLATTER" info --json "$loop"
same "path" "$(json out 'j["image"]["path"]')" "$loop"
same "what info says" "$(sed "s|\"$loop\"|FILE|" out)" "$(sed "s|\"$tmp/disk.img\"|FILE|" file.json)"
attach "$loop" mnt
same_bytes disk.img mnt/disk
expect 0 cmp -i 1048576:0 -n 41943040 disk.img mnt/parts/1
same "source in /proc/mounts" "$(awk -v d="$tmp/mnt" '$2 == d { print $1, $3 }' /proc/mounts)" \
	"$loop fuse.platter"
detach mnt

before=$(sha256 disk.img)
for content in "first" "second"; do
	attach "$loop" mnt --overlay=changes
	[ $content = first ] || same "kept" "$(peek mnt/parts/2 12345 5)" first
	poke mnt/parts/2 12345 $content || fail "writing"
	detach mnt
done
same "the device" "$(sha256 disk.img)" "$before"
expect 0 losetup -d "$loop"

# ---- sectors of 4096 bytes: the table is in other places, and the unit of its numbers is another

truncate -s 64M disk4k.img
loop=$(losetup -b 4096 -f --show disk4k.img) || skip "needs losetup -b"
same "sector size" "$(blockdev --getss "$loop")" 4096
sfdisk -q --no-reread --no-tell-kernel "$loop" >log 2>&1 <<END || fail "sfdisk: $(cat log)"
label: gpt
start=256, size=4096, name="one"
start=8192, size=2048, name="two"
END
head -c 300000 /dev/urandom | poke "$loop" $((8192 * 4096))
sync
check() {
	expect 0 "$PLATTER" info --json "$1"
	same "sector size of $1" "$(json out 'j["image"]["sector_size"]')" 4096
	same "partitions of $1" \
		"$(json out '[(p["number"], p["start"], p["size"], p["name"]) for p in j["partitions"]]')" \
		"[(1, 1048576, 16777216, 'one'), (2, 33554432, 8388608, 'two')]"
	attach "$1" mnt
	expect 0 cmp -i $((8192 * 4096)):0 -n 8388608 disk4k.img mnt/parts/2
	detach mnt
}
check "$loop"
expect 0 losetup -d "$loop"
check disk4k.img
