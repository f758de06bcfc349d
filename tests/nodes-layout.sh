#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What attach shows: disk, parts/N with links by label, UUID, partition label and partition UUID as
# udev spells them (the lowest number wins), gaps/START-END, boot/N, and info --json as a file.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sgdisk sfdisk mkfs.ext4 xorriso

names() { (cd mnt && find . -mindepth 1 -printf '%P %y %l\n' | LC_ALL=C sort | sed 's/ $//'); }

# ---- GPT, with names to escape and names that two partitions have

id=0FC63DAF-8483-4772-8E79-3D69D8477DE4
truncate -s 32M gpt.img
sgdisk -U 11111111-2222-3333-4444-555555555555 \
	-n 1:2048:+4M -c 1:'a/b c\ü' -u 1:AAAAAAAA-0000-0000-0000-000000000001 \
	-n 2:16384:+4M -c 2:twice -u 2:AAAAAAAA-0000-0000-0000-000000000002 \
	-n 7:32768:+4M -c 7:twice -u 7:AAAAAAAA-0000-0000-0000-000000000007 \
	-t 1:$id -t 2:$id -t 7:$id gpt.img >log || fail "sgdisk: $(cat log)"
fs() {
	mkfs.ext4 -q -F -O ^has_journal -L "$2" -U "$3" -E offset="$1" gpt.img 4M >log 2>&1 ||
		fail "mkfs.ext4: $(cat log)"
}
fs 1048576 'one "&" two' 01234567-89ab-cdef-0123-000000000001
fs 8388608 both 01234567-89ab-cdef-0123-000000000002
fs 16777216 both 01234567-89ab-cdef-0123-000000000002

attach gpt.img mnt
last=$((32 * 1048576))
diff - <(names) <<END || fail "the nodes of a GPT disk"
.platter d
.platter/info.json f
boot d
disk f
gaps d
gaps/0-1048576 f
gaps/12582912-16777216 f
gaps/20971520-$last f
gaps/5242880-8388608 f
parts d
parts/1 f
parts/2 f
parts/7 f
parts/by-label d
parts/by-label/both l ../2
parts/by-label/one\\x20\\x22\\x26\\x22\\x20two l ../1
parts/by-partlabel d
parts/by-partlabel/a\\x2fb\\x20c\\x5cü l ../1
parts/by-partlabel/twice l ../2
parts/by-partuuid d
parts/by-partuuid/aaaaaaaa-0000-0000-0000-000000000001 l ../1
parts/by-partuuid/aaaaaaaa-0000-0000-0000-000000000002 l ../2
parts/by-partuuid/aaaaaaaa-0000-0000-0000-000000000007 l ../7
parts/by-uuid d
parts/by-uuid/01234567-89ab-cdef-0123-000000000001 l ../1
parts/by-uuid/01234567-89ab-cdef-0123-000000000002 l ../2
END
[ mnt/parts/by-label/both -ef mnt/parts/2 ] || fail "by-label/both does not lead to partition 2"

expect 0 "$PLATTER" info --json gpt.img
same_bytes out mnt/.platter/info.json
same "size of info.json" "$(stat -c %s mnt/.platter/info.json)" "$(stat -c %s out)"
detach mnt

# ---- MBR with an extended partition: logical ones from 5, the container's own room is a gap

truncate -s 32M mbr.img
sfdisk -q mbr.img >/dev/null <<END || fail sfdisk
label: dos
label-id: 0xcafe0001
start=2048, size=8192, type=83
start=10240, size=55296, type=5
start=12288, size=8192, type=83
start=22528, size=8192, type=83
END
attach mbr.img mnt
diff - <(names) <<END || fail "the nodes of an MBR disk"
.platter d
.platter/info.json f
boot d
disk f
gaps d
gaps/0-1048576 f
gaps/10485760-11534336 f
gaps/15728640-33554432 f
gaps/5242880-6291456 f
parts d
parts/1 f
parts/2 f
parts/5 f
parts/6 f
parts/by-label d
parts/by-partlabel d
parts/by-partuuid d
parts/by-partuuid/cafe0001-01 l ../1
parts/by-partuuid/cafe0001-02 l ../2
parts/by-partuuid/cafe0001-05 l ../5
parts/by-partuuid/cafe0001-06 l ../6
parts/by-uuid d
END
detach mnt

# ---- an optical disc's boot image

mkdir src && head -c 6000 /dev/urandom >src/boot.bin
xorriso -as mkisofs -quiet -R -b boot.bin -no-emul-boot -boot-load-size 4 -o boot.iso src \
	>log 2>&1 || fail "xorriso: $(cat log)"
attach boot.iso mnt
same "boot images" "$(ls mnt/boot)" 1
expect 0 cmp -n "$(stat -c %s mnt/boot/1)" mnt/boot/1 src/boot.bin
[ "$(stat -c %s mnt/boot/1)" -ge 2048 ] || fail "a boot image of $(stat -c %s mnt/boot/1) bytes"
detach mnt
