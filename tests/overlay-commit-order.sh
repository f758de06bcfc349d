#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A commit may lose its power anywhere, so everything that a step relies on is durable before it:
# the undo overlay before the mark in the overlay, the mark before the image is written to, the
# image before the overlay is removed, and that before its layers go.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-life.sh" || exit 99
requires_fuse
requires_strace

truncate -s 4M disk.img
head -c 2M /dev/urandom | poke disk.img 1M
change changes disk.img 'put(0, random(10000)); zero(2 << 20, 65536)'
expect 0 "$PLATTER" snapshot changes s1
change changes disk.img 'put(3 << 20, random(10000))'
look changes disk.img wanted
expect 0 strace -f -y -o calls -s 32 -e trace=pwrite64,fallocate,ftruncate,fsync,fdatasync,linkat,link,unlink,rename,renameat2,write \
	"$PLATTER" commit -q --yes --undo=undo changes
same_bytes disk.img wanted
python3 - "$PWD" calls <<'PY' || fail "the order of a commit's steps: $(cat calls)"
import re, sys
tmp, steps = sys.argv[1], []
for line in open(sys.argv[2]):
    m = re.match(r"\d+ +(\w+)\((.*) = 0|\d+ +(\w+)\((.*)\) += \d+", line)
    if not m:
        continue
    call, args = m[1] or m[3], m[2] or m[4]
    f = re.match(r"\d+<([^>]*)>", args)
    if f:
        steps.append((call, f[1].replace(" (deleted)", "")))
    else:
        steps.append((call, re.findall('"([^"]*)"', args)[-1]))
def where(*want):
    return [i for i, step in enumerate(steps) if step in want]
image, top = tmp + "/disk.img", tmp + "/changes"
writes = where(("pwrite64", image), ("fallocate", image))
assert len(writes) == 3, writes
mark = where(("pwrite64", top))
assert len(mark) == 1, "the overlay is written to once"
# The undo: has no name until it is synced, and the name is synced before the mark.
undo, = where(("linkat", "undo"))
nameless = {s[1] for s in steps[:undo] if s[0] == "pwrite64" and s[1].startswith(tmp + "/#")}
assert len(nameless) == 1, nameless
last = where(("pwrite64", nameless.pop()))[-1]
assert any(last < i < undo for i in range(len(steps)) if steps[i][0] == "fsync"), "undo's fsync"
assert any(undo < i < mark[0] for i in where(("fsync", tmp))), "the undo's name"
# The mark is durable before the image is touched, and that before the overlay is.
assert any(mark[0] < i < writes[0] for i in where(("fdatasync", top), ("fsync", top))), "mark"
gone, = where(("unlink", top))
assert any(writes[-1] < i < gone for i in where(("fsync", image))), "the image's fsync"
layer, = where(("unlink", top + ".s1"))
assert any(gone < i < layer for i in where(("fsync", tmp))), "the removal"
PY
