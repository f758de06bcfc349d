#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# convert --used leaves out exactly the free clusters of FAT12, FAT16 and FAT32, as the table says by
# the specification; fsck.fat finds no fault with the copy, and the files are the same. A filesystem
# that was not unmounted cleanly, or whose tables differ, is copied whole.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-convert.sh" || exit 99
requires mkfs.fat fsck.fat mcopy mdel

seq 30000 >numbers
head -c 100001 /dev/urandom >random
for i in {0..9}; do echo "$i" >small$i; done

# make SIZE ARGUMENT...: fs, full of junk where nothing was written, with holes where files were
make() {
	rm -f fs
	junk fs "$1"
	expect 0 mkfs.fat "${@:2}" fs
	expect 0 mcopy -i fs numbers ::one
	expect 0 mcopy -i fs random ::two
	expect 0 mcopy -i fs numbers ::three
	# Files of a cluster, and holes that begin and end at odd and even ones.
	expect 0 mcopy -i fs small? ::
	expect 0 mdel -i fs ::one ::small2 ::small3 ::small4 ::small7
	expect 0 fsck.fat -n fs
}

free_ranges() { # BITS
	python3 -c 'import struct, sys
d = open("fs", "rb").read()
bits = int(sys.argv[1])
sector, per, reserved, tables, root, total = struct.unpack_from("<HBHBHH", d, 11)
size, = struct.unpack_from("<H", d, 22)
total = total or struct.unpack_from("<I", d, 32)[0]
size = size or struct.unpack_from("<I", d, 36)[0]
data = reserved + tables * size + root * 32 // sector
fat = d[reserved * sector:]
for n in range((total - data) // per):
    at = (n + 2) * bits // 8
    e = int.from_bytes(fat[at:at + 4], "little") >> (4 if bits == 12 and n % 2 else 0)
    if not e & ((1 << min(bits, 28)) - 1):
        at = (data + n * per) * sector
        print(at, at + per * sector - 1)
' "$1"
}

exact() { # BITS SIZE ARGUMENT...
	make "${@:2}"
	rm -f copy two three
	expect 0 "$PLATTER" convert --used fs copy
	same "stderr" "$(cat err)" ""
	free_ranges "$1" >ranges
	only_free fs copy 0 <ranges
	expect 0 fsck.fat -n copy
	expect 0 mcopy -i copy ::two ::three .
	same_bytes two random
	same_bytes three numbers
}
M=1048576
exact 12 $((1440 * 1024)) -F 12
exact 12 $((8 * M)) -F 12
exact 16 $((20 * M)) -F 16 -s 2
exact 16 $((20 * M)) -F 16 -S 2048 -s 1
exact 32 $((40 * M)) -F 32 -s 1
exact 32 $((40 * M)) -F 32 -s 1 -f 1

# whole TEXT: all of it is copied, and that is said.
whole() {
	rm -f copy
	expect 0 "$PLATTER" convert --used fs copy
	grep -q "$1.*; all of it is copied" err || fail "does not say '$1'"
	same_bytes fs copy
}
make $((20 * M)) -F 16 -s 2
printf '\x01' | poke fs 37
whole 'it was not unmounted cleanly'
make $((40 * M)) -F 32 -s 1
printf '\x01' | poke fs 65
whole 'it was not unmounted cleanly'
make $((40 * M)) -F 32 -s 1 -f 1
reserved=$(($(od -An -tu2 -j14 -N2 fs)))
printf '\xf8\xff\xff\x07' | poke fs $((reserved * 512 + 4))
whole 'it was not unmounted cleanly'
make $((40 * M)) -F 32 -s 1
printf '\x07' | poke fs $((reserved * 512 + 4000))
whole 'the copies of its table differ'
# Far behind what is looked at first.
make $((40 * M)) -F 32 -s 1
printf '\x07' | poke fs $((reserved * 512 + 300000))
whole 'the copies of its table differ'
