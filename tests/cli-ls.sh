#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ls lists a directory inside an image in the order of names, or one file; -l adds type, permissions,
# links, owner, group, size and time; -R all that is below.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires xorriso

make_iso disc.iso
mkdir -p iso-source/empty iso-source/dir/B
echo space >"iso-source/a b"
: >iso-source/Zebra
touch -d '2001-02-03 04:05:06 UTC' iso-source/empty iso-source/dir/B iso-source/dir iso-source
xorriso -outdev disc2.iso -map iso-source / -chown_r 12 / -- -chgrp_r 345 / -- -commit >log 2>&1 ||
	fail "xorriso: $(cat log)"
ls_is() { # ARGUMENT...: what is on stdin
	cat >want
	expect 0 "$PLATTER" ls "$@"
	diff want out || fail "ls $*"
	same "stderr" "$(cat err)" ""
}
cat >names <<END
Zebra
a b
dir
empty
hello.txt
link
run
END
ls_is disc2.iso <names
ls_is disc2.iso / <names
ls_is disc2.iso dir/.. <names
printf 'B\ndeeper\n' | ls_is disc2.iso dir
ls_is disc2.iso /empty </dev/null
echo hello.txt | ls_is disc2.iso hello.txt
echo "a b" | ls_is disc2.iso "a b"
echo link | ls_is disc2.iso link
ls_is -R disc2.iso <<END
/:
Zebra
a b
dir
empty
hello.txt
link
run

/dir:
B
deeper

/dir/B:

/dir/deeper:
data.bin

/empty:
END
ls_is -R disc2.iso dir/deeper <<END
dir/deeper:
data.bin
END

expect 0 "$PLATTER" ls -l disc2.iso
long() { # NAME: its line, single spaces
	grep -e " $1\$" -e " $1 ->" out | tr -s ' '
}
same "a file" "$(long hello.txt)" "-rw-r--r-- 1 12 345 13 2001-02-03 04:05 hello.txt"
same "a program" "$(long run)" "-rwxr-xr-x 1 12 345 10 2001-02-03 04:05 run"
same "a link" "$(long link | cut -d' ' -f 1,9-)" "lrwxrwxrwx -> dir/deeper/data.bin"
same "a directory" "$(long dir | cut -d' ' -f 1,3,4,6-)" "drwxr-xr-x 12 345 2001-02-03 04:05 dir"
TZ=EST5 expect 0 "$PLATTER" ls -l disc2.iso run
same "in another time zone" "$(long run)" "-rwxr-xr-x 1 12 345 10 2001-02-02 23:05 run"
expect 0 "$PLATTER" ls -l disc2.iso link
same "a link, named" "$(long link | cut -d' ' -f 1,8-)" "lrwxrwxrwx link -> dir/deeper/data.bin"

for path in nowhere hello.txt/x dir/nowhere/x; do
	expect 32 "$PLATTER" ls disc2.iso $path
	grep -q "^platter: $path: " err || fail "$path: the message"
	same "stdout" "$(cat out)" ""
done

# A name with controls in it does not reach a terminal as it is.
if command -v script >/dev/null; then
	mkdir evil
	: >"evil/$(printf 'x\033[31my')"
	xorriso -as mkisofs -quiet -R -o evil.iso evil >log 2>&1 || fail "xorriso: $(cat log)"
	expect 0 "$PLATTER" ls evil.iso
	same "in a pipe" "$(cat out)" "$(printf 'x\033[31my')"
	script -qec "'$PLATTER' ls evil.iso" /dev/null </dev/null >out
	same "on a terminal" "$(tr -d '\r' <out)" 'x?[31my'
fi
