#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SEEK_DATA and SEEK_HOLE on a node tell exactly where the image (and the overlay) has data, and
# st_blocks is a bound: never less than what the node holds.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sfdisk fallocate

# extents FILE:START:LENGTH...: a line for each, the stretches of data in that window, relative to
# its start.
extents() {
	python3 - "$@" <<'END'
import errno, os, sys
for arg in sys.argv[1:]:
    name, start, size = arg.split(":")
    f, start, size = os.open(name, os.O_RDONLY), int(start), int(size)
    at, end, found = start, start + size, []
    while at < end:
        try:
            data = os.lseek(f, at, os.SEEK_DATA)
        except OSError as e:
            assert e.errno == errno.ENXIO
            break
        if data >= end:
            break
        at = min(os.lseek(f, data, os.SEEK_HOLE), end)
        found.append("%d+%d" % (data - start, at - data))
    os.close(f)
    print(" ".join(found))
END
}

M=1048576
truncate -s 64M disk.img
printf '2048,32768,83\n65536,32768,83\n' | sfdisk -q disk.img >/dev/null || fail sfdisk
for at in 1M 3M 17825788 31M 40M; do
	head -c 8192 /dev/urandom | poke disk.img $at
done
head -c 2M /dev/urandom | poke disk.img 33M
sync disk.img # what it takes is settled only then
[ "$(extents disk.img:$((4 * M)):$M)" = "" ] || skip "needs a filesystem with holes in $tmp"

# Partition 1 is the disk's bytes from 1 to 17 MiB, partition 2 from 32 to 48 MiB.
like_the_image() {
	extents mnt/disk:0:$((64 * M)) mnt/parts/1:0:$((16 * M)) mnt/parts/2:0:$((16 * M)) \
		mnt/gaps/0-$M:0:$M mnt/gaps/$((48 * M))-$((64 * M)):0:$((16 * M)) >nodes
	extents disk.img:0:$((64 * M)) disk.img:$M:$((16 * M)) disk.img:$((32 * M)):$((16 * M)) \
		disk.img:0:$M disk.img:$((48 * M)):$((16 * M)) >image
	diff image nodes || fail "data and holes, image (<) and nodes (>)"
}
attach disk.img mnt
like_the_image
# The data at its end goes on in the gap behind it.
same "partition 1" "$(sed -n 2p nodes)" "0+8192 2097152+8192 $((16 * M - 4096))+4096"
python3 - mnt/parts/1 <<'END' || fail "seeking past the end"
import os, sys
f = os.open(sys.argv[1], os.O_RDONLY)
size = os.fstat(f).st_size
assert os.lseek(f, size - 1, os.SEEK_DATA) == size - 1
assert os.lseek(f, size - 1, os.SEEK_HOLE) == size
for whence in os.SEEK_DATA, os.SEEK_HOLE:
    for at in size, size + 1:
        try:
            os.lseek(f, at, whence)
        except OSError as e:
            assert e.errno == 6, e  # ENXIO
        else:
            raise AssertionError(at)
END

# blocks_bound NODE BYTES: at least these, and no more than its size.
blocks_bound() {
	local got size
	got=$(($(stat -c '%b * %B' "mnt/$1"))) size=$(stat -c %s "mnt/$1")
	[ $got -ge "$2" ] || fail "$1: st_blocks says $got bytes, it holds $2"
	[ $got -le $((size + 4096)) ] || fail "$1: st_blocks says $got bytes of $size"
}
data=$(($(stat -c '%b * %B' disk.img)))
blocks_bound disk $data
blocks_bound parts/1 $((2 * 8192 + 4096))
blocks_bound parts/2 $((2 * M + 8192))
same "room of disk" $(($(stat -c '%b * %B' mnt/disk))) $data
detach mnt

# The overlay adds data and takes it away.
attach disk.img mnt --overlay=changes
like_the_image
head -c 4096 /dev/urandom | poke mnt/parts/1 $((5 * M)) || fail "writing"
head -c 10 /dev/urandom | poke mnt/disk $((50 * M + 4090)) || fail "writing"
fallocate -p -o $((M + 65536)) -l $((M / 2)) mnt/parts/2 || fail "punching"
changed() {
	extents mnt/parts/1:$((4 * M)):$((2 * M)) mnt/disk:$((50 * M)):$M mnt/parts/2:$M:$M >nodes
	diff - nodes <<-END || fail "data and holes $1, expected (<) and found (>)"
		$M+4096
		0+8192
		0+65536 $((65536 + M / 2))+$((M / 2 - 65536))
	END
	blocks_bound disk $data
	blocks_bound parts/1 $((3 * 8192))
}
changed "at once"
detach mnt
attach disk.img mnt --overlay=changes
changed "the next time"
detach mnt
