#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An image that QEMU has open for writing gets no overlay, and nothing is left of the attempt; one
# that has an overlay attached is not opened for writing by QEMU. Readers, and other overlays, are
# let be on both sides.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires qemu-io

truncate -s 8M disk.img

# qemu_io OPTION...: have it open the image, until qemu_io_ends.
qemu_io() {
	coproc qemu-io -f raw "$@" disk.img 2>&1
	writer=$COPROC_PID
	echo "read 0 512" >&"${COPROC[1]}"
	# Its prompt has no end of line.
	read -r -t 10 -d ')' _ <&"${COPROC[0]}" || fail "qemu-io does not answer"
}

qemu_io_ends() {
	echo quit >&"${COPROC[1]}"
	wait "$writer"
}

for overlay in new old; do
	qemu_io
	expect 32 "$PLATTER" attach disk.img mnt --overlay=changes
	grep -q '^platter: disk.img: .*open for writing' err || fail "the message does not say why"
	same "lines on stderr" "$(wc -l <err)" 1
	same "what is left" "$(ls -d mnt changes* 2>/dev/null)" "$([ $overlay = new ] || echo changes)"
	kill -9 "$writer"
	wait "$writer" 2>/dev/null
	qemu_io -r
	attach disk.img mnt --overlay=changes
	poke mnt/disk 5M kept || fail "writing beside a reader"
	attach disk.img other --overlay=another
	expect 1 qemu-io -f raw -c 'write 0 512' disk.img
	grep -qi 'lock' err || fail "qemu-io does not say that it is the lock"
	expect 0 qemu-io -r -f raw -c 'read 0 512' disk.img
	detach other
	expect 1 qemu-io -f raw -c 'write 0 512' disk.img
	detach mnt
	qemu_io_ends
	same "what was written" "$(peek changes $((5 << 20)) 8M | grep -ac kept)" 1
done
cmp -n 8388608 disk.img /dev/zero || fail "the image was changed"
expect 0 qemu-io -f raw -c 'write 0 512' disk.img
