#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Killed at any moment, ended by a signal, or where the image cannot be read, convert leaves no file
# in any format: there never is one that looks whole and is not.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-convert.sh" || exit 99
requires_strace
requires taskset qemu-img

head -c 6M /dev/urandom >disk.img
mkdir to

# Killed: the file has no name until it is whole.
# The shell would say of each that it was killed.
for form in raw: qcow2:zlib vdi: vmdk: vmdk:zlib vhd: vhdx:; do
	args=(--format="${form%%:*}" disk.img to/new)
	[ -z "${form#*:}" ] || args+=(--compress="${form#*:}")
	for _ in 1 2 3; do
		(timeout -s KILL 0.0$((RANDOM % 90 + 10)) "$PLATTER" convert "${args[@]}"; :) >out 2>&1
		if [ -e to/new ]; then
			expect 0 qemu-img compare -f raw -F "$(qemu_name "${form%%:*}")" disk.img to/new
			rm to/new
		fi
		same "files" "$(ls -A to)" ""
	done
done

# Some writes are made before there is a new file; slow ones are those to it.
expect 0 strace -o calls -e trace=openat,pwrite64 "$PLATTER" convert disk.img to/new
rm to/new
early=$(awk '/O_TMPFILE/ { print n + 0; exit } /pwrite64/ { n++ }' calls)
slow() { # ARGUMENT...: in the background, as $job
	: >calls
	strace -f -o calls -e trace=openat,pwrite64 -e inject=pwrite64:delay_exit=300000:when=$((early + 1))+ \
		env --default-signal=INT "$PLATTER" convert "$@" >out 2>err &
	job=$!
	wait_for 20 written || fail "nothing was written"
}
written() {
	awk '/O_TMPFILE/ { made = 1 } made && /pwrite64/ { found = 1 } END { exit !found }' calls
}

# Ended by a signal while it writes.
for signal in INT TERM; do
	slow --format=vhdx disk.img to/new
	kill -$signal "$(awk 'NR == 1 { print $1 }' calls)"
	wait $job
	same "status after $signal" $? 8
	grep -q '^platter: to/new: interrupted' err || fail "it does not say so"
	same "files" "$(ls -A to)" ""
done

# What cannot be read is named, and so is what cannot be written.
on_one_core
nth=$(strace -o calls -e trace=openat,pread64 "$PLATTER" convert disk.img to/new &&
	awk '/O_TMPFILE/ { print n + 3; exit } /pread64\(/ { n++ }' calls)
rm to/new
for form in raw: qcow2:zlib vmdk: vhdx:; do
	args=(--format="${form%%:*}" disk.img to/new)
	[ -z "${form#*:}" ] || args+=(--compress="${form#*:}")
	expect 32 strace -o calls -e trace=pread64 -e inject=pread64:error=EIO:when="$nth" \
		"$PLATTER" convert "${args[@]}"
	same "stderr" "$(cat err)" "platter: to/new: 1048576 bytes at 2097152 of $tmp/disk.img cannot be read: Input/output error"
	expect 32 strace -o calls -e trace=fsync -e inject=fsync:error=EIO:when=1 "$PLATTER" convert "${args[@]}"
	same "stderr" "$(cat err)" "platter: to/new: cannot be written: Input/output error"
	same "files" "$(ls -A to)" ""
done

# So is an image that changes meanwhile.
slow disk.img to/new
poke disk.img 100 different
wait $job
same "status" $? 32
grep -q '^platter: to/new: .*disk.img changed while it was copied' err || fail "the change is not seen"
same "files" "$(ls -A to)" ""
