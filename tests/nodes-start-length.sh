#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# -o start= and length= (offset= and sizelimit=) choose a part of the image as the disk; what does
# not lie in the image is refused with the numbers. Writes land where they belong in the whole.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sfdisk mkfs.ext4

make_ext4_disk disk.img
for options in start=1048576,length=41943040 start=1M,length=40M offset=1048576,sizelimit=40960K \
	start=0x100000,length=0x2800000; do
	attach disk.img mnt -o $options
	same "size with $options" "$(stat -c %s mnt/disk)" 41943040
	expect 0 cmp -i 1048576:0 -n 41943040 disk.img mnt/disk
	same "filesystem with $options" "$(json mnt/.platter/info.json \
		'(j["fs"]["type"], j["table"]["scheme"], j["image"]["virtual_size"])')" \
		"('ext4', 'none', 41943040)"
	detach mnt
done
attach disk.img mnt -o start=60M
same "size from 60M on" "$(stat -c %s mnt/disk)" 4194304
detach mnt
attach disk.img mnt -o length=1M
same "the first MiB's partitions" "$(json mnt/.platter/info.json \
	'[bool(p["problem"]) for p in j["partitions"]]')" "[True, True]"
same "nodes past the end" "$(stat -c %s mnt/parts/1)" 0
detach mnt

# The last byte, and one more.
attach disk.img mnt -o start=67108863,length=1
detach mnt
while read -r options values; do
	expect 32 "$PLATTER" attach disk.img mnt -o "$options"
	for value in $values 67108864; do
		grep -q "$value" err || fail "$options: $value is not in the message"
	done
done <<END
start=67108864 67108864
start=68M 71303168
start=63M,length=2M 66060288 2097152
length=67108865 67108865
start=1,length=9223372036854775807 9223372036854775807
start=18446744073709551615,length=2 18446744073709551615
END
for options in length=0 start= start=x start=-1 length=1X start=1MB start=18446744073709551616 \
	start=16777216T; do
	expect 1 "$PLATTER" attach disk.img mnt -o $options
done

# Through an overlay.
attach disk.img mnt -o start=1M,length=40M --overlay=changes
poke mnt/disk 5000 here || fail "writing"
detach mnt
attach disk.img mnt --overlay=changes
same "through disk" "$(peek mnt/disk $((1048576 + 5000)) 4)" here
same "through the partition" "$(peek mnt/parts/1 5000 4)" here
detach mnt
