#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Where the image cannot be read, export ends with an error that says where: there are never zeros in
# the place of what could not be read. The same for writes and fsyncs of the new file that fail.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_strace
requires taskset
on_one_core # strace counts the calls of each thread by itself

head -c 8M /dev/urandom >disk.img
attach disk.img mnt --overlay=changes
poke mnt/disk 5000000 changed || fail "writing"
detach mnt
mkdir to

# failing TEXT HOW CALL: the first such call that is made once there is a new file fails.
failing() {
	local nth

	expect 0 strace -f -o calls -e trace="openat,$3" "$PLATTER" export "$2" changes to/new
	rm to/new
	nth=$(awk -v call="$3(" '/O_TMPFILE/ { print n + 1; exit } index($0, call) { n++ }' calls)
	expect 32 strace -f -o calls -e trace="$3" -e "inject=$3:error=EIO:when=$nth" \
		"$PLATTER" export "$2" changes to/new
	grep -q INJECTED calls || fail "nothing was injected: $(cat calls)"
	same "lines on stderr" "$(wc -l <err)" 1
	grep -q "^platter: to/new: $1" err || fail "does not say '$1'"
	same "files" "$(ls -A to)" ""
}
for how in --format=raw --format=qcow2; do
	failing '1048576 bytes at 0 of .*disk.img .*cannot be read: Input/output error' $how pread64
	failing 'cannot be written: Input/output error' $how pwrite64
	failing 'cannot be written: Input/output error' $how fsync
done
failing '.* bytes at 4980736 of .*cannot be read: Input/output error' --thin pread64
