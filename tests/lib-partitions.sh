# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the partitions-*.sh tests share: one disk to make and break, and questions about what
# `platter info` says of it. Sourced after lib.sh.

set -eo pipefail
img=$tmp/disk.img

# new_disk SIZE: a blank disk.
new_disk() { rm -f "$img"; truncate -s "$1" "$img"; }

# info: ask platter; the answer is in $tmp/out for the questions below.
info() { expect 0 "$PLATTER" info --json "$img" || exit 1; }

# entries: (number, start, size) of what platter lists.
entries() { json "$tmp/out" '[(p["number"], p["start"], p["size"]) for p in j["partitions"]]'; }

# is EXPR VALUE: a part of platter's answer, as text.
is()
{
	got=$(json "$tmp/out" "$1")
	[ "$got" = "$2" ] || fail "$1 is $got, expected $2"
}

# lists VALUE: what entries must print.
lists()
{
	got=$(entries)
	[ "$got" = "$1" ] || fail "lists $got, expected $1"
}

# has_problem TEXT: one of the table's problems holds it.
has_problem()
{
	[ "$(json "$tmp/out" "any('$1' in x for x in j['table']['problems'])")" = True ] ||
		fail "no problem says '$1': $(json "$tmp/out" 'j["table"]["problems"]')"
}

# entry_problem NUMBER TEXT: the problem of that entry holds it.
entry_problem()
{
	[ "$(json "$tmp/out" "any('$2' in (p['problem'] or '') for p in j['partitions'] \
		if p['number'] == $1)")" = True ] ||
		fail "entry $1 has no problem '$2': $(json "$tmp/out" 'j["partitions"]')"
}

no_problems()
{
	is 'j["table"]["problems"]' '[]'
	is '[p["problem"] for p in j["partitions"] if p["problem"]]' '[]'
}

# is_no_table: the disk itself is the one entry.
is_no_table()
{
	is 'j["table"]["scheme"]' none
	lists "[(0, 0, $(stat -c %s "$img"))]"
}

# sfdisk_entries: the same as entries, from sfdisk, which puts its remarks before the JSON.
sfdisk_entries()
{
	sfdisk -J "$img" 2>/dev/null | sed -n '/^{/,$p' >"$tmp/sfdisk.json"
	json "$tmp/sfdisk.json" '[(int(p["node"].rsplit("disk.img", 1)[1]), p["start"] * 512,
		p["size"] * 512) for p in j["partitiontable"]["partitions"]]'
}

# edit CODE: python with rd(offset, length), wr(offset, bytes), size, struct; for GPTs seal(header
# offset, sector) after a change sets both CRCs right, seal(.., array=False) only the header's.
edit()
{
	python3 - "$img" "$1" <<'EOF'
import struct, sys, zlib

f = open(sys.argv[1], "r+b")
size = f.seek(0, 2)

def rd(off, n):
    f.seek(off)
    return f.read(n)

def wr(off, b):
    f.seek(off)
    f.write(b)

def seal(at, sector=512, array=True):
    length, = struct.unpack("<I", rd(at + 12, 4))
    if array:
        lba, count, entry = struct.unpack("<QII", rd(at + 72, 16))
        wr(at + 88, struct.pack("<I", zlib.crc32(rd(lba * sector, count * entry))))
    wr(at + 16, bytes(4))
    wr(at + 16, struct.pack("<I", zlib.crc32(rd(at, min(length, sector)))))

exec(sys.argv[2])
EOF
}
