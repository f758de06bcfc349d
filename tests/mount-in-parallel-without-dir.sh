#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Images of one name that are mounted at the same time, without a directory being named, each get
# one of their own.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

for i in 1 2 3 4 5 6; do
	mkdir "$i"
	truncate -s "${i}M" "$i/${tmp##*/}.img"
done
for i in 1 2 3 4 5 6; do
	"$PLATTER" attach "$i/${tmp##*/}.img" >"$i/dir" 2>"$i/err" &
done
wait
for i in 1 2 3 4 5 6; do
	[ -s "$i/dir" ] || fail "image $i: $(cat "$i/err")"
	same "image $i" "$(stat -c %s "$(cat "$i/dir")/disk")" $((i * 1048576))
done
same "directories" "$(sort -u ./*/dir | wc -l)" 6
for i in 1 2 3 4 5 6; do
	detach "$(cat "$i/dir")"
	[ ! -e "$(cat "$i/dir")" ] || fail "$(cat "$i/dir") is left"
done
