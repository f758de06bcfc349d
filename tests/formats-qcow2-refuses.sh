#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is wrong with a qcow2 image, or is not supported, is said with what was found and what was
# expected; what is no reason to refuse it is none.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires qemu-img

fill disk.raw 300032 1
qemu-img convert -f raw -O qcow2 -o cluster_size=4k disk.raw good.qcow2 || fail "convert"
qemu-img convert -f raw -O qcow2 -o cluster_size=4k,compat=0.10 disk.raw old.qcow2 || fail "convert"

# edit IN OUT OFFSET:BYTES...: a copy with these bytes, in hexadecimal, at these places.
edit() {
	local e out=$2

	cp "$1" "$out"
	shift 2
	for e; do
		# shellcheck disable=SC2059,SC2001
		printf "$(sed 's/../\\x&/g' <<<"${e#*:}")" | poke "$out" $((${e%%:*}))
	done
}

# bad TEXT OFFSET:BYTES...: so changed, it is refused so.
bad() {
	local text=$1

	shift
	edit good.qcow2 bad.qcow2 "$@"
	refuses bad.qcow2 "$text"
}

# word FILE OFFSET: a 64-bit number in it
word() {
	python3 -c 'import sys; f = open(sys.argv[1], "rb"); f.seek(int(sys.argv[2]))
print(int.from_bytes(f.read(8), "big") & ~(1 << 63))' "$1" "$2"
}

hex() {
	printf %016x "$1"
}

bad "qcow version 4, expected 1, 2 or 3" 7:04
bad "cluster_bits is 8, expected 9 to 21" 23:08
bad "cluster_bits is 22, expected 9 to 21" 23:16
bad "0 bytes" 24:0000000000000000
bad "a disk of 9223372036854775807 bytes takes" 24:7fffffffffffffff 36:00400000
bad "encrypted (AES)" 35:01
bad "encrypted (LUKS)" 35:02
bad "encrypted, by the unknown method 3" 35:03
bad "the L1 table has 4194305 entries, at most 4194304" 36:00400001
bad "the L1 table has 0 entries, a disk of 300032 bytes takes 1" 36:00000000
bad "the L1 table stands at 513, expected a multiple of the cluster size, 4096" 40:0000000000000201
bad "the L1 table of 1 entries at 1099511627776 passes the end" 40:0000010000000000
bad "a header of 96 bytes, expected 104 to the cluster's 4096" 100:00000060
bad "a header of 4104 bytes, expected 104 to the cluster's 4096" 100:00001008
bad "compression type 1, but the feature bit that goes with it is not set" 104:01
bad "compression type 0, but the feature bit that goes with it is set" 79:08
bad "compression type 2, expected 0 (deflate) or 1 (zstd)" 79:08 104:02
bad "with extended L2 entries at least 14" 79:10
bad "65537 snapshots, at most 65536" 60:00010001
bad "the snapshot table stands at 513" 60:00000001 64:0000000000000201
bad "the snapshot table at 1099511627776 passes the end" 60:00000001 64:0000010000000000
bad "header extension 0x6803f857 has 65535 bytes, there is room for 3976" 112:6803f8570000ffff
bad "the backing file's name has 1024 bytes, at most 1023" 8:0000000000000800 16:00000400
bad "the backing file's name of 100 bytes at 4090 passes 4096" 8:0000000000000ffa 16:00000064
bad "the backing file's name holds a NUL" 8:0000000000000f00 16:00000004

# Features by the image's own name for them, or by their number.
bad "not supported: bit 63" 72:8000000000000000
bad "not supported: bit 5" 79:20
names=6803f85700000030000574696d65206d616368696e65 # "time machine"
bad "not supported: time machine, bit 5" 79:20 "112:$names"
bad "not supported: ti?e machine, bit 5" 79:20 "112:$names" 124:1b
bad "not supported: bit 6" 79:40 "112:$names"

# The tables.
l1=$(word good.qcow2 40) l2=$(word good.qcow2 "$(word good.qcow2 40)")
bad "entry 0 of the L1 table is damaged" "$l1:$(hex $((l2 + 512)))"
bad "the L2 table of 4096 bytes at 68719476736 passes the end" "$l1:$(hex $((1 << 36)))"
bad "the cluster at 0 of the disk, which stands at 68719476736 of its file, passes the end" \
	"$l2:$(hex $((1 << 36)))"
bad "the entry of the cluster at 0 of the disk is damaged" "$l2:$(hex 512)"
bad "the entry of the cluster at 0 of the disk is damaged" "$l2:7fffffffffffffff"
l2=$(word old.qcow2 "$(word old.qcow2 40)")
edit old.qcow2 bad.qcow2 "$l2:$(hex 1)" # zeros, which version 2 does not know
refuses bad.qcow2 "the entry of the cluster at 0 of the disk is damaged"

# What does not matter: the refcounts, unknown compatible and autoclear features, extensions that
# nobody knows, reserved bits of entries.
cp disk.raw want.raw
edit good.qcow2 fine.qcow2 48:7fffffffffffff00 56:ffffffff 80:ffffffffffffffff 96:00000040 \
	112:1234567800000008 88:fffffffffffffffc "$l1:7f" $((l1 + 7)):ff
same_disk fine.qcow2 want.raw

# Packed data that is longer than a cluster, or never says that it ends, is good as far as a cluster
# goes; what is damaged or too short is EIO when it is read, and so is only that cluster.
pack() {
	python3 - "$1" packed.qcow2 "$2" <<'PY'
import sys, zlib
base, out, how = sys.argv[1:]
data = bytearray(open(base, "rb").read())
l1 = int.from_bytes(data[40:48], "big")
l2 = int.from_bytes(data[l1:l1 + 8], "big") & ~(1 << 63)
text = (b"every cluster has 4096 bytes. " * 300)[:{"long": 5000, "short": 4000}.get(how, 4096)]
z = zlib.compressobj(6, zlib.DEFLATED, -15)
packed = z.compress(text) + z.flush(zlib.Z_SYNC_FLUSH if how == "endless" else zlib.Z_FINISH)
if how == "damaged":
    packed = b"\xff" * 40
at = len(data)
data += packed
sectors = (at % 512 + len(packed) - 1) // 512
data[l2:l2 + 8] = (1 << 62 | sectors << (62 - 4) | at).to_bytes(8, "big")
open(out, "wb").write(data)
open("want.raw", "r+b").write(text[:4096])
PY
}
for how in whole long endless; do
	pack good.qcow2 $how
	same_disk packed.qcow2 want.raw
done
mkdir mnt
for how in short damaged; do
	pack good.qcow2 $how
	attach packed.qcow2 mnt
	expect 1 head -c 4096 mnt/disk
	grep -q 'Input/output error' err || fail "$how: $(cat err)"
	tail -c +4097 disk.raw >rest
	tail -c +4097 mnt/disk | cmp - rest || fail "$how: the rest"
	detach mnt
done
