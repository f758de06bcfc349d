#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmg images read as the disk that they were made of: every kind of chunk, in one table and several,
# with the tables in a property list and in a resource fork, the trailer at the end and in front, the
# data fork elsewhere than at 0. qemu-img and 7z, where they are there and can, agree that the images
# are what they should be.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires python3

fill disk 500224 2

# agrees COMMAND...: its output, if it makes any, is the disk.
agrees() {
	"$@" >"$tmp/theirs" 2>/dev/null || return 0
	cmp -s "$tmp/theirs" disk || fail "$image: $1 says something else"
	agreed=$((agreed + 1))
}

qemu() {
	qemu-img convert -f dmg -O raw "$image" "$tmp/qemu" && cat "$tmp/qemu"
}

check() {
	local image=$tmp/$1.dmg agreed=0

	python3 "$srcdir/tests/udif.py" disk "$image" "${@:3}" || fail "udif.py"
	if ! "$PLATTER" info "$image" >"$tmp/out" 2>"$tmp/err"; then
		grep -q 'which this build lacks' "$tmp/err" || fail "$image"
		return 0
	fi
	! command -v 7z >/dev/null || agrees 7z x -so "$image"
	! command -v qemu-img >/dev/null || [ "$2" = no ] || agrees qemu
	grep -q ': dmg, ' "$tmp/out" || fail "$image: $(cat "$tmp/out")"
	same_disk "$image" disk
	echo "$1: $agreed others"
}

check zlib qemu codec=zlib chunk=128
check raw qemu codec=raw tables=1,2,500 chunk=64
check bzip2 no codec=bzip2 chunk=100
check lzma no codec=lzma chunk=2048
check adc no codec=adc chunk=200
check lzfse no codec=lzfse chunk=1024 tables=34
check lzvn no codec=lzvn
check fork no codec=zlib fork=yes tables=34,700 chunk=300
check front no codec=mixed front=yes chunk=64 tables=1,34,40
check base no codec=zlib base=1234 zero=2
check mixed-fork no codec=mixed fork=yes front=yes chunk=63 tables=1,35
# Where the trailer does not say how large the disk is, the tables do.
python3 "$srcdir/tests/udif.py" disk unsaid.dmg sectors=0 chunk=100
same_disk unsaid.dmg disk
