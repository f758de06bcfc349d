#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cp -r keeps names, contents, times, permissions, symbolic links and holes; what a link in the
# destination leads to is not written to, and setuid bits do not come along.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires xorriso

mkdir -p src/locked/below src/empty
seq 70000 >src/locked/below/numbers
{ echo begin; head -c 6M /dev/zero; echo end; } >src/sparse
: >src/nothing
echo suid >src/suid
ln -s ../nowhere/at-all src/dangling
ln -s locked/below/numbers src/locked-link
chmod 4755 src/suid
chmod 640 src/sparse
chmod 500 src/locked
touch -h -d '1999-12-31 23:59:58 UTC' src/dangling src/nothing
touch -d '2012-12-12 12:12:12 UTC' src/sparse src/locked/below src/empty
xorriso -as mkisofs -quiet -R -o disc.iso src >log 2>&1 || fail "xorriso: $(cat log)"
chmod 755 src/suid

facts() { (cd "$1" && find . -mindepth 1 -printf '%P|%y|%m|%Ts|%l\n' | LC_ALL=C sort); }
facts src >want
mkdir to
expect 0 "$PLATTER" cp -r disc.iso / to
same "output" "$(cat out err)" ""
facts to | diff want - || fail "what cp kept"
expect 0 diff -r --no-dereference src to
[ $(($(stat -c '%b * %B' to/sparse))) -lt 100000 ] || fail "the hole takes $(stat -c %b to/sparse) blocks"
same "times of a directory" "$(stat -c %Y to/empty)" "$(stat -c %Y src/empty)"

# Again, over what is there.
chmod 700 to/locked
echo longer than before >to/nothing
rm to/dangling && ln -s elsewhere to/dangling
expect 0 "$PLATTER" cp -r disc.iso / to
facts to | diff want - || fail "what cp kept the second time"
chmod 700 to/locked

# Names: one file to a name, several into a directory, a directory under its own name.
expect 0 "$PLATTER" cp disc.iso sparse renamed
same_bytes src/sparse renamed
mkdir into
expect 0 "$PLATTER" cp disc.iso suid locked/below/numbers into
same_bytes src/suid into/suid
same_bytes src/locked/below/numbers into/numbers
expect 0 "$PLATTER" cp -r disc.iso locked into
same_bytes src/locked/below/numbers into/locked/below/numbers
expect 32 "$PLATTER" cp disc.iso locked new
[ ! -e new ] || fail "a directory was copied without -r"
expect 32 "$PLATTER" cp disc.iso suid sparse new
expect 0 "$PLATTER" cp -r disc.iso locked new
same_bytes src/locked/below/numbers new/below/numbers
# A link that is named is followed, one that is found is kept.
expect 0 "$PLATTER" cp disc.iso locked-link plain
[ ! -L plain ] || fail "a link that was named was copied as one"
same_bytes src/locked/below/numbers plain
chmod -R u+w into new src

# ---- links in the destination

mkdir outside trap
echo precious >outside/file
ln -s ../outside trap/locked
ln -s ../outside/file trap/sparse
ln -s ../outside/new trap/nothing
mkfifo trap/suid
expect 32 timeout 20 "$PLATTER" cp -r disc.iso / trap
for name in locked sparse nothing suid; do
	grep -q "^platter: /$name: " err || fail "no message about $name"
done
same "what the links lead to" "$(find outside -printf '%P:%y ')$(cat outside/file)" ":d file:f precious"
# The others were copied all the same.
[ -L trap/dangling ] || fail "the rest was not copied"
[ -d trap/empty ] || fail "the rest was not copied"
expect 32 "$PLATTER" cp disc.iso suid trap/sparse
same "what the link leads to" "$(cat outside/file)" precious
