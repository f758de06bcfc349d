#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An error is one line on stderr, "platter: WHAT: found, expected", with the value and the limit, and
# nothing on stdout.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires sfdisk mkfs.ext4 xorriso

make_iso disc.iso
make_ext4_disk disk.img
mkdir full
: >full/file
head -c 100000 disc.iso >cut.iso
mkfifo pipe
newline='no
such'

# error TEXT ARGUMENT...
error() {
	local text=$1
	shift
	"$PLATTER" "$@" >out 2>err </dev/null && fail "no error: $*"
	same "stdout of $*" "$(cat out)" ""
	same "lines on stderr of $*" "$(wc -l <err)" 1
	grep -q '^platter: ' err || fail "$*: does not begin with platter:"
	grep -q -e "$text" err || fail "$*: does not say '$text'"
}
error 'no command'
error 'frobnicate: no such command' frobnicate
error '--frobnicate: no such option' info --frobnicate disk.img
error '-p: needs a value' info disk.img -p
error '-p one: ' info -p one disk.img
error '-o frobnicate: ' info -o frobnicate disk.img
error '-o uid=root: ' info -o uid=root disk.img
error '-o sector=600: ' info -o sector=600 disk.img
error 'third.*one operand too many' mount disc.iso mnt third
error 'too few operands' cp disc.iso hello.txt
error 'nowhere.img: No such file' info nowhere.img
error 'full: a directory, expected a regular file or a block device' info full
error '/dev/null: a character device, expected' info /dev/null
error 'pipe: a FIFO, expected' info pipe
error 'start=1099511627776, but the disk has 67108864 bytes' info -o start=1T disk.img
error 'start=1048576 and length=67108864, but the disk has 67108864' info -o start=1M,length=64M disk.img
error 'no partition 9, there are 1, 2' cat -p 9 disk.img
error 'ext4.*partition 1.*cannot be browsed; platter attach shows its bytes' ls disk.img
error 'no container format nonsense' info --format nonsense disk.img
error 'session 9' ls -o session=9 disc.iso
error 'nowhere: No such file' ls disc.iso nowhere
error 'dir: Is a directory' cat disc.iso dir
error 'hello.txt/below: Not a directory' ls disc.iso hello.txt/below
error 'dir/deeper/data.bin: Input/output error' cat cut.iso dir/deeper/data.bin
error 'full: .*not empty' attach disk.img full
error 'disk.img: not a directory' attach disk.img disk.img
error 'nowhere/mnt: No such file' attach disk.img nowhere/mnt
error 'overlay .*disc.iso: is not a platter overlay' attach disk.img mnt --overlay=disc.iso
error 'overlay .*full: is not a regular file' info disk.img --overlay=full
error 'nowhere: no platter mount' umount nowhere
error 'disc.iso: is not a platter overlay' discard disc.iso
error 'disc.iso: is not a platter overlay' status disc.iso
# What comes from names is no second line either.
error 'no.such' info "$newline"
error 'no.such' "$newline"
error 'no.such' ls disc.iso "$newline"
error 'no.such' info -o "$newline" disk.img
[ ! -e mnt ] || fail "a mount point was left"

# A place that cannot be mounted on at all: what libfuse has to say does not make it more.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && [ "$(stat -c %a /dev/fuse 2>/dev/null)" = 600 ]
then
	chmod 755 "$tmp"
	mkdir -m 755 theirs
	chown 65534 theirs
	if setpriv --reuid=65534 --regid=65534 --clear-groups "$PLATTER" -V >/dev/null 2>&1; then
		setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$PLATTER" attach "$tmp/disk.img" "$tmp/theirs" >out 2>err
		same "status without /dev/fuse" $? 32
		same "lines on stderr without /dev/fuse" "$(wc -l <err)" 1
		same "stdout" "$(cat out)" ""
	fi
fi
