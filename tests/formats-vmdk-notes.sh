#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is odd about a VMDK but no reason to refuse it is said: that it was not closed, that its
# second directory is used, that there is no descriptor to tell of a parent.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
. "$srcdir/tests/lib-vmdk.sh"
requires python3

fill raw 300032
# notes IMAGE LINE...
notes() {
	local image=$1

	shift
	expect 0 "$PLATTER" info "$image"
	same "$image" "$(sed -n 's/^  ! //p' out)" "$(printf '%s\n' "$@")"
}
make_vmdk hosted good.vmdk raw
notes good.vmdk ''
make_vmdk hosted odd.vmdk raw unclean=1 redundant=1
notes odd.vmdk 'was not closed cleanly'
hex odd.vmdk 56 ffffff0000000000
notes odd.vmdk 'was not closed cleanly' \
	'its grain directory is damaged, the redundant one is used'
descriptor disk.vmdk 'RW 586 SPARSE "odd.vmdk"'
notes disk.vmdk 'odd.vmdk was not closed cleanly' \
	'odd.vmdk: its grain directory is damaged, the redundant one is used'
make_vmdk cowd cowd.vmdk raw
notes cowd.vmdk 'an extent without its descriptor: what it does not hold is shown as zeros'
make_vmdk hosted bare.vmdk raw bare=1
notes bare.vmdk 'an extent without its descriptor: what it does not hold is shown as zeros'
