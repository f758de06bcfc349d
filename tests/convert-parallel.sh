#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How many cores there are changes nothing in what is written.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-convert.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires taskset
[ "$(nproc)" -gt 1 ] || skip "needs two cores"
! lacks_zstd || forms=${forms/qcow2:zstd/}

fill disk 20000001 3
seq 1000000 | poke disk 10000000
for form in raw: qcow2: qcow2:zlib qcow2:zstd vmdk:zlib; do
	[[ " $forms " == *" $form "* ]] || continue
	rm -rf one many
	mkdir one many # of a vmdk the name is in the file
	convert_to "$form" disk many/copy
	(
		on_one_core
		convert_to "$form" disk one/copy
	) || exit 1
	# A vmdk has an identity, at random.
	sed -i 's/^CID=......../CID=12345678/' one/copy many/copy
	same_bytes one/copy many/copy
done
