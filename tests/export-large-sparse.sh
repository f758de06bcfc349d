#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A sparse disk of 2 TiB with a few changes is exported in a moment and takes little room, in every
# form.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires qemu-img

T=1099511627776
truncate -s 2T disk.img 2>/dev/null || skip "needs a filesystem with files of 2 TiB"
poke disk.img $((T / 2)) old
attach disk.img mnt --overlay=changes
for at in 0 $((T / 2 + 1)) $((T + 123)) $((2 * T - 7)); do
	poke mnt/disk $at changed || fail "changing $at"
done
detach mnt

# export_fast WHAT ARGUMENT...
export_fast() {
	local begun=$SECONDS

	expect 0 "$PLATTER" export "${@:2}" changes "$1"
	[ $((SECONDS - begun)) -le 10 ] || fail "$1 took $((SECONDS - begun)) seconds"
	[ $(($(stat -c '%b * %B' "$1"))) -lt 2000000 ] || fail "$1 takes $(stat -c %b "$1") blocks"
}
export_fast raw
same "size" "$(stat -c %s raw)" $((2 * T))
for at in 0 $((T + 123)) $((2 * T - 7)); do
	same "at $at" "$(peek raw $at 7)" changed
done
same "in what was there" "$(peek raw $((T / 2)) 8)" ochanged

for thin in '' --thin; do
	# shellcheck disable=SC2086
	export_fast qcow2$thin --format qcow2 $thin
	[ "$(stat -c %s qcow2$thin)" -lt 2000000 ] || fail "$(stat -c %s qcow2$thin) bytes"
	expect 0 timeout 60 qemu-img check -f qcow2 qcow2$thin
	grep -q '^No errors were found' out || fail "check: $(cat out)"
	expect 0 timeout 60 qemu-img compare -f raw -F qcow2 raw qcow2$thin
done
