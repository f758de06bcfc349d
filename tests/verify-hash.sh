#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `platter verify --hash` computes what md5sum and the like do, of the disk, of a partition and of a part
# of it, over holes of any length; SHA-256 where nothing is asked for and nothing stored.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
requires python3 sfdisk

fill d.img 3000001
crc=$(python3 -c 'import zlib; print("%08x" % zlib.crc32(open("d.img", "rb").read()))')
expect 0 "$PLATTER" verify --hash crc32 d.img
same "crc32" "$(cat out)" "$crc  d.img"
expect 1 "$PLATTER" verify --hash sha3 d.img
grep -q 'sha3: not a value of this option' err || fail "no reason"
expect 1 "$PLATTER" info --hash md5 d.img
if ! grep -q 'HAVE_LIBCRYPTO 1' "$builddir/config.h"; then
	expect 32 "$PLATTER" verify d.img
	grep -q 'sha256: needs libcrypto, which this build lacks' err || fail "no reason"
	exit 0
fi

expect 0 "$PLATTER" verify d.img
same "nothing asked for" "$(cat out)" "$(sha256sum d.img)"
expect 0 "$PLATTER" verify --hash md5,sha1 --hash SHA512 --hash md5 d.img
same "several" "$(cat out)" "$(md5sum d.img; sha1sum d.img; sha512sum d.img)"

# Holes: between data, larger than any buffer, at the end.
truncate -s 300M s.img
printf data | poke s.img 70000001
printf data | poke s.img 200000000
expect 0 "$PLATTER" verify --hash sha1 s.img
same "holes" "$(cat out)" "$(sha1sum s.img)"

# The same bytes whichever pieces they come in.
truncate -s 8M p.img
printf '2048,4096,83\n6144,,83\n' | sfdisk -q p.img >log 2>&1 || fail "$(cat log)"
head -c 2097152 d.img | poke p.img 1048576
expect 0 "$PLATTER" verify --hash sha256 -p 1 p.img
same "partition" "$(cut -d' ' -f1 out)" "$(head -c 2097152 d.img | sha256sum | cut -d' ' -f1)"
expect 0 "$PLATTER" verify -p 0 p.img
same "partition 0" "$(cat out)" "$(sha256sum p.img)"
expect 0 "$PLATTER" verify -o start=1048577,length=99999 p.img
same "part of it" "$(cut -d' ' -f1 out)" \
	"$(tail -c +2 d.img | head -c 99999 | sha256sum | cut -d' ' -f1)"
expect 32 "$PLATTER" verify -p 7 p.img
grep -q 'no partition 7' err || fail "no reason"
