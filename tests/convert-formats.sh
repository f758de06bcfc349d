#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every format that convert writes is faultless to QEMU and reads as the disk did, whatever its size
# is a multiple of: nothing but data, and data between holes. (create.sh has nothing but zeros.)
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-convert.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires qemu-img

M=1048576
! lacks_zstd || forms=${forms/qcow2:zstd/}

# size_of FILE FORM BYTES
size_of() {
	expect 0 qemu-img info -f "$(qemu_name "${2%%:*}")" --output=json "$1"
	[ "$2" = raw: ] || same "size of $2" "$(json out 'j["virtual-size"]')" "$3"
}

# all RAW: in every form
all() {
	cp --sparse=always "$1" whole
	truncate -s %512 whole
	for form in $forms; do
		rm -f copy
		convert_to "$form" "$1" copy
		same "stdout" "$(cat out)" ""
		[ "$form" != raw: ] || same_bytes copy "$1"
		[ "$form" = raw: ] || sound "$form" copy whole
		[ "$1" != one ] || size_of copy "$form" "$(stat -c %s whole)"
	done
}

echo >one
truncate -s 1 one
all one
head -c $((3 * M + 70001)) /dev/urandom >data
all data
fill mixed $((67 * M + 513)) 7
all mixed
# More than one table of every format, and data on both sides of each border.
truncate -s 2100M wide
for at in 0 $((2 * M - 100)) $((32 * M - 100)) $((512 * M - 100)) $((1024 * M - 100)) $((2100 * M - 200)); do
	head -c 200 /dev/urandom | poke wide $at
done
forms=${forms/vhdx:/} # which QEMU knows no holes of: convert-large-sparse.sh looks at borders there
all wide

# What does not fit a format's sectors is said; -q does not.
expect 0 "$PLATTER" convert one said.vdi
grep -q '^platter: said.vdi: 511 zeros follow the 1 bytes of the disk' err || fail "the tail is not spoken of"
expect 0 "$PLATTER" convert -q one quiet.vdi
same "stderr" "$(cat err)" ""
