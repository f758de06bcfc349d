#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# However large its tables are, a qcow2 image is opened with few reads: a disk of 8 TiB whose L1 table
# has 32 MiB, one whose L2 tables have 32 MiB, one with thousands of snapshots; and its holes are
# found without a look at every cluster.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires qemu-img
requires_strace

# quick IMAGE BYTES CALLS: opened with no more than that.
quick() {
	local calls bytes

	expect 0 strace -f -qq -o calls -e trace=pread64 "$PLATTER" info "$1"
	calls=$(grep -c pread64 calls)
	bytes=$(awk '{ n += $NF } END { print n + 0 }' calls)
	[ "$bytes" -le "$2" ] || fail "$1: $bytes bytes read"
	[ "$calls" -le "$3" ] || fail "$1: $calls reads"
}

qemu-img create -q -f qcow2 l0.qcow2 8T || fail "create"
qemu-img create -q -f qcow2 -o cluster_size=4k l1.qcow2 8T || fail "create"
qemu-img create -q -f qcow2 -o cluster_size=2M,preallocation=metadata l2.qcow2 8T || fail "create"
M=1048576
quick l0.qcow2 $M 200
quick l1.qcow2 $((2 * M)) 500
quick l2.qcow2 $((5 * M)) 1000 # the disk's first and last MiB, where filesystems say their names, too

# The snapshot table is read in pieces, not by its entries.
python3 - <<'PY' || fail "writing snapshots"
import struct
data = bytearray(open("l0.qcow2", "rb").read())
at = (len(data) + 65535) // 65536 * 65536
l1 = int.from_bytes(data[40:48], "big")
table = bytearray()
for i in range(20000):
    name = b"snapshot %d" % i
    e = struct.pack(">QIHHIIQIIQQ", l1, 16384, len(str(i)), len(name), i, 0, 0, 0, 16, 0, 8 << 40)
    e += str(i).encode() + name
    table += e + bytes(-len(e) % 8)
data[60:72] = struct.pack(">IQ", 20000, at)
open("snapshots.qcow2", "wb").write(data + bytes(at - len(data)) + table)
PY
quick snapshots.qcow2 $((4 * M)) 300
expect 0 "$PLATTER" info --json --snapshot "snapshot 19999" snapshots.qcow2
same "the last" "$(json out '(len(j["image"]["snapshots"]), j["image"]["snapshots"][-1]["shown"])')" \
	"(20000, True)"

# 8 TiB without data; in the last one every cluster has its place in the file.
requires_fuse
mkdir mnt
for image in l0 l1 l2; do
	attach $image.qcow2 mnt
	expect 0 timeout 5 python3 -c 'import os
fd = os.open("mnt/disk", os.O_RDONLY)
try:
    print(os.lseek(fd, 0, os.SEEK_DATA))
except OSError as e:
    print(e.strerror)'
	same "no data" "$(cat out)" "No such device or address"
	detach mnt
done
