#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Punched and zeroed ranges read as zeros through every node, over a base that is not zero as well
# as over what the overlay holds, in blocks and parts of blocks, and at the next attach.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sfdisk fallocate

M=1048576
head -c 33M /dev/urandom >disk.img
printf '2048,65536,83\n' | sfdisk -q disk.img >/dev/null || fail sfdisk
cp disk.img want
attach disk.img mnt --overlay=changes

zeros() { # OPTION OFFSET LENGTH: in partition 1, and the same in the copy
	expect 0 fallocate "$1" -o "$2" -l "$3" mnt/parts/1
	head -c "$3" /dev/zero | poke want $((M + $2))
}
write() { # OFFSET LENGTH
	head -c "$2" /dev/urandom >bytes
	poke mnt/parts/1 "$1" <bytes || fail "writing"
	poke want $((M + $1)) <bytes
}
same_now() {
	same_bytes want mnt/disk
	expect 0 cmp -i $M:0 -n $((32 * M)) want mnt/parts/1
}

zeros -p $M 4096              # a block of the base
zeros -z $((2 * M + 100)) 7   # a part of one
zeros -p $((2 * M + 8191)) 2  # of two
zeros -z $((3 * M + 1)) $((2 * M)) # many granules of 64 blocks, and odd ends
zeros -p $((6 * M)) $((4 * M)) # whole granules
same_now
write $((10 * M)) 100000
zeros -z $((10 * M + 5000)) 50000 # what was written
write $((13 * M)) $((2 * M))  # the same with whole granules
zeros -z $((13 * M + 300000)) $M
write $((12 * M + 5)) 30
zeros -p $((12 * M)) 4096
write $((7 * M + 777)) 3333   # into what was punched
zeros -p 0 1
zeros -z $((32 * M - 1)) 1
same_now
# Keeping the size is all that a node can do: past the end is cut or refused.
expect 0 fallocate -p -o $((32 * M - 4096)) -l 8192 mnt/parts/1
head -c 4096 /dev/zero | poke want $((33 * M - 4096))
expect 1 fallocate -z -o $((32 * M)) -l 1 mnt/parts/1
expect 1 fallocate -o 0 -l 4096 mnt/parts/1
expect 1 fallocate -c -o 0 -l 4096 mnt/parts/1
same "size" "$(stat -c %s mnt/parts/1)" $((32 * M))
same_now
detach mnt

# Zeros take no room: of some 2.2 MiB that were written 1 MiB was zeroed again.
room=$(($(stat -c '%b * %B' changes)))
[ $room -lt $((M * 3 / 2)) ] || fail "the overlay takes $room bytes"
attach disk.img mnt --overlay=changes
same_now
detach mnt

attach disk.img mnt --overlay=ram
cp disk.img want
zeros -p $((5 * M - 1)) 70000
same_now
detach mnt
