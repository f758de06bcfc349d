#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A thin export is a qcow2 file over the image: it names it as its backing file with its format, holds
# the clusters that the overlay made different and no others, and reads as the raw export does.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires fallocate qemu-img

M=1048576
head -c 10M /dev/urandom >disk.img
truncate -s $((60 * M + 100)) disk.img
attach disk.img mnt --overlay=changes
change() { # OFFSET LENGTH [FILE]
	head -c "$2" "${3:-/dev/urandom}" | poke mnt/disk "$1" || fail "changing $1"
}
change $((M + 5)) 10                                # in 1 cluster
change $((2 * M - 1)) 2                             # in 2
change $((30 * M)) 131072                          # 2 where the image has a hole
peek disk.img $((5 * M)) $M | poke mnt/disk $((5 * M)) # written, but the same as it was
change $((40 * M)) 200000 /dev/zero                # zeros to zeros
expect 0 fallocate -p -o $((7 * M)) -l 131072 mnt/disk # 2 clusters of data to zeros
change $((8 * M)) 65536 /dev/zero                   # 1 more
expect 0 fallocate -p -o $((9 * M)) -l 4096 mnt/disk # a part
change $((60 * M + 99)) 1                          # the tail
detach mnt
before=$(sha256 disk.img)
expect 0 "$PLATTER" export changes raw

# good FILE BACKING: FILE is right, and its backing file has that name
good() {
	expect 0 qemu-img check -f qcow2 "$1"
	grep -q '^No errors were found' out || fail "check: $(cat out)"
	expect 0 qemu-img compare -f raw -F qcow2 raw "$1"
	expect 0 qemu-img info -f qcow2 --output=json "$1"
	same "backing file" "$(json out 'j["backing-filename"]')" "$2"
	same "backing format" "$(json out 'j["backing-filename-format"]')" raw
}

expect 0 "$PLATTER" export --thin changes thin
same "stdout" "$(cat out)" ""
good thin disk.img
# What it holds by itself: data in 1 + 2 + 2 + 1 + 1 clusters and zeros in 3.
expect 0 qemu-img map -f qcow2 --output=json thin
cp out map
same "data" "$(json map 'sum(e["length"] for e in j if e["depth"] == 0 and e["data"])')" \
	$((6 * 65536 + 512))
same "zeros" "$(json map 'sum(e["length"] for e in j if e["depth"] == 0 and not e["data"])')" $((3 * 65536))
# Inside a cluster zeros are holes of the file.
same "where" "$(json map 'sorted({e["start"] // 65536 for e in j if e["depth"] == 0})')" \
	"[16, 31, 112, 128, 144, 480, 960]"

# --format qcow2 is what it is anyway. Elsewhere the image has to be named in full.
mkdir other
ln -s . here
expect 0 "$PLATTER" export --format qcow2 --thin changes other/thin
good other/thin "$tmp/disk.img"
expect 0 "$PLATTER" export --thin changes here/through-link
good through-link disk.img
expect 0 "$PLATTER" export --thin changes "$tmp/absolute"
good absolute disk.img

# A name that QEMU would take for a protocol.
mkdir moved
mv disk.img moved/nbd:disk.img
expect 0 "$PLATTER" export --thin --base moved/nbd:disk.img changes moved/thin
good moved/thin ./nbd:disk.img
expect 0 "$PLATTER" export --thin --base moved/nbd:disk.img changes far
good far "$tmp/moved/nbd:disk.img"
# Both together, elsewhere.
mv moved again
good again/thin ./nbd:disk.img
same "image" "$(sha256 again/nbd:disk.img)" "$before"

# A name that is longer than qcow2 can hold; beside it the plain one will do.
deep=again
for name in {1..5}; do deep+=/$(printf "%0210d" "$name"); done
mkdir -p "$deep"
mv again/nbd:disk.img "$deep/disk.img"
expect 32 "$PLATTER" export --thin --base "$deep/disk.img" changes toolong
grep -q '^platter: toolong: the image.s name has [0-9]* bytes, in qcow2 at most 1023' err ||
	fail "the message on a long name"
[ ! -e toolong ] || fail "a file was left"
expect 0 "$PLATTER" export --thin --base "$deep/disk.img" changes "$deep/thin"
ln -s "$deep" short
good short/thin disk.img

# No difference at all.
head -c 1M /dev/urandom >same.img
attach same.img mnt --overlay=same
peek same.img 0 $M | poke mnt/disk 0
detach mnt
expect 0 "$PLATTER" export --thin same nothing
expect 0 "$PLATTER" export same same.raw
expect 0 qemu-img check -f qcow2 nothing
expect 0 qemu-img compare -f raw -F qcow2 same.raw nothing
expect 0 qemu-img map -f qcow2 --output=json nothing
same "what is held" "$(json out 'sum(e["length"] for e in j if e["depth"] == 0)')" 0
[ "$(stat -c %s nothing)" -le $((4 * 65536)) ] || fail "$(stat -c %s nothing) bytes"
