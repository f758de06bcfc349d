#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Where the filesystem knows neither nameless files nor links (FAT), a new file still appears whole or
# not at all, and never in the place of another.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_strace

head -c 1M /dev/urandom >disk.img
attach disk.img mnt --overlay=changes
poke mnt/disk 5000 changed
detach mnt
attach -o ro disk.img mnt --overlay=changes
cp mnt/disk want
detach mnt
mkdir to

# The open that asks for a nameless file is the nth.
strace -o calls -e trace=openat "$PLATTER" export changes to/new || fail "export"
nth=$(awk '/openat\(/ { n++ } /O_TMPFILE/ { print n; exit }' calls)
[ -n "$nth" ] || fail "no nameless file was asked for"
rm to/new
on_fat() {
	strace -o calls -e trace=openat,link,linkat,renameat2 -e inject=openat:error=EOPNOTSUPP:when="$nth" \
		-e inject=link,linkat:error=EPERM "$PLATTER" export changes to/new
}
expect 0 on_fat
grep -q 'link.*EPERM.*INJECTED' calls || fail "it was not met: $(cat calls)"
same_bytes want to/new
same "files" "$(ls -A to)" new
echo mine >to/new
expect 2 on_fat
same "what stood there" "$(cat to/new)" mine
same "files" "$(ls -A to)" new
