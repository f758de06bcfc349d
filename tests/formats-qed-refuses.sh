#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is wrong with a QED image is said; damaged and cut off ones hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires qemu-img

fill disk.raw 65536 1
qemu-img convert -f raw -O qed -o cluster_size=4k,table_size=2 disk.raw good.qed || fail "convert"

# bad TEXT OFFSET BYTES: with these bytes (as printf has them) there, it is refused so.
bad() {
	cp good.qed bad.qed
	# shellcheck disable=SC2059
	printf "$3" | poke bad.qed "$2"
	refuses bad.qed "$1"
}

bad "not supported: bit 3" 16 '\10'
bad "not supported: bit 63" 16 '\0\0\0\0\0\0\0\200'
bad "clusters of 2048 bytes, expected a power of two from 4096 to 67108864" 4 '\0\10\0\0'
bad "clusters of 4097 bytes" 4 '\1\20\0\0'
bad "clusters of 134217728 bytes" 4 '\0\0\0\10'
bad "tables of 3 clusters, expected a power of two from 1 to 16" 8 '\3'
bad "tables of 32 clusters" 8 '\40'
bad "tables of 0 clusters" 8 '\0'
bad "a disk of 65537 bytes, expected a multiple of 512" 48 '\1'
bad "0 bytes" 48 '\0\0\0\0\0\0\0\0'
bad "its tables can hold 1024 L2 tables" 48 '\0\0\0\0\0\0\1\0'
bad "the L1 table stands at 4097" 40 '\1'
bad "the L1 table stands at 0" 40 '\0\0'
bad "the L1 table of 1024 entries at 268435456 passes the end" 40 '\0\0\0\20'
bad "entry 0 of the L1 table is damaged" 4096 '\1'
bad "the L2 table of 8192 bytes at" 4096 '\0\0\0\20'
# A backing file whose name lies behind the header.
cp good.qed named.qed
printf '\1' | poke named.qed 16
printf '\372\17\0\0\20\0\0\0' | poke named.qed 56
refuses named.qed "name of 16 bytes at 4090 passes 4096"

cp disk.raw base.img
qemu-img create -q -f qed -b base.img -F raw over.qed 65536 || fail "create"
expect 0 "$PLATTER" info over.qed
# Raw is all that it can record of the backing file's format; another one is not guessed.
cp good.qed base.img
expect 0 "$PLATTER" info over.qed
printf '\1' | poke over.qed 16
refuses over.qed 'not record its format, which looks like qed and is not guessed (the image'\''s own format has no room to record it)'
cp disk.raw base.img
expect 0 "$PLATTER" info over.qed

hostile qed good.qed 1500
"$builddir/tests/hostile-format" cut qed good.qed >out
grep -q ": \([0-9]*\) of \1 lengths refused" out || fail "cut: $(cat out)"
