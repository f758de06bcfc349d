#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# On a terminal a bar shows how far convert is, how fast and how long it will take, and goes at the
# end; elsewhere, and with -q, there is none.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires script

head -c 40M /dev/urandom >disk.img
script -qec "$PLATTER convert --compress zlib disk.img a.qcow2" /dev/null >said </dev/null || fail "$(cat said)"
grep -qP '\r\[#* *\] +[0-9]+%  [0-9]+ MiB/s  [0-9]+:[0-9]{2} left' said || fail "no bar: $(head -c 500 said)"
tail -c 10 said | grep -qP '\r\x1b\[K$' || fail "it stays"
script -qec "$PLATTER convert -q --compress zlib disk.img b.qcow2" /dev/null >said </dev/null || fail "$(cat said)"
same "with -q" "$(cat said)" ""
expect 0 "$PLATTER" convert --compress zlib disk.img c.qcow2
same "without a terminal" "$(cat out err)" ""
