#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cat writes a file inside an image, by any path that mount would show, links followed; with -p and
# no path the bytes of a partition, or of the disk.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires sfdisk mkfs.ext4 xorriso

make_iso disc.iso
src=iso-source
ln -s /dir/deeper $src/to-dir
ln -s ../../hello.txt $src/dir/deeper/up
ln -s /hello.txt $src/dir/deeper/absolute
ln -s ../../../../run $src/dir/deeper/above-the-root
ln -s loop $src/loop
ln -s nowhere $src/dangling
make_iso disc.iso
is() { # FILE PATH
	expect 0 "$PLATTER" cat disc.iso "$2"
	same_bytes "$1" out
	same "stderr" "$(cat err)" ""
}
is $src/hello.txt hello.txt
is $src/hello.txt /hello.txt
is $src/hello.txt //./dir/../hello.txt
is $src/hello.txt ../../hello.txt
is $src/dir/deeper/data.bin dir/deeper/data.bin
is $src/dir/deeper/data.bin link
is $src/dir/deeper/data.bin to-dir/data.bin
is $src/hello.txt to-dir/up
is $src/hello.txt dir/deeper/absolute
is $src/run dir/deeper/above-the-root
refused() { # PATH TEXT
	expect 32 "$PLATTER" cat disc.iso "$1"
	grep -q "^platter: $1: $2" err || fail "$1: the message does not say '$2'"
	same "stdout" "$(cat out)" ""
}
refused dangling 'No such file'
refused loop 'Too many levels'
refused dir 'Is a directory'
refused hello.txt/x 'Not a directory'
refused HELLO.TXT 'No such file'
refused '' '.*'

make_ext4_disk disk.img
head -c 3M /dev/urandom | poke disk.img 50M
part() { # START LENGTH OPTION...
	peek disk.img "$1" "$2" >want
	shift 2
	expect 0 "$PLATTER" cat disk.img "$@"
	same_bytes want out
}
part 1048576 41943040 -p 1
part 42991616 24117248 -p 2
part 0 67108864 -p 0
part 1048576 1000000 -p 0 -o start=1M,length=1000000
expect 1 "$PLATTER" cat disk.img
grep -q -e '-p N' err || fail "the message does not say how"
# Nothing is mounted on the way, and a reader that leaves early ends it.
"$PLATTER" cat -p 0 disk.img | head -c 10 >out
same "a reader that leaves" "${PIPESTATUS[0]} $(wc -c <out)" "141 10"
