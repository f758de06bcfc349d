#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# -o ro looks through an overlay without changing it: the nodes cannot be written, the file stays as
# it is to the byte, several may look at once, and one that is not there is not made.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

truncate -s 8M disk.img
attach disk.img mnt --overlay=changes
poke mnt/disk 3M mine || fail "writing"
detach mnt
chmod 444 changes
before=$(sha256 changes) times=$(stat -c '%y %z' changes)
attach -o ro disk.img mnt --overlay=changes
attach disk.img second --overlay=changes -o ro
for dir in mnt second; do
	same "through $dir" "$(peek $dir/disk 3M 4)" mine
	same "mode in $dir" "$(stat -c %a $dir/disk)" 444
	: 2>/dev/null >>$dir/disk && fail "$dir/disk can be opened for writing"
done
for fd in "/proc/$(daemon_of mnt)/fd/"*; do
	[ "$(readlink "$fd")" != "$tmp/changes" ] || grep -q '^flags:.*0$' "${fd/\/fd\///fdinfo/}" ||
		fail "the overlay is open for writing"
done
expect 0 "$PLATTER" cat -p 0 --overlay=changes disk.img
same "through cat" "$(peek out 3M 4)" mine
same "the file" "$(sha256 changes) $(stat -c '%y %z' changes)" "$before $times"
detach mnt
detach second
same "the file" "$(sha256 changes) $(stat -c '%y %z' changes)" "$before $times"

for command in 'attach -o ro --overlay=none disk.img mnt' 'info --overlay=none disk.img' \
	'cat -p 0 --overlay=none disk.img'; do
	# shellcheck disable=SC2086
	expect 32 "$PLATTER" $command
	[ ! -e none ] || fail "$command made an overlay"
done
