#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# info shows what a container says beside its bytes: internal snapshots, what it stands on, and what
# people should know about it; as JSON and as text, on which bytes of the image do no harm.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires qemu-img

truncate -s 2M base.img
qemu-img create -q -f qcow2 -b base.img -F raw middle.qcow2 || fail "create"
qemu-img create -q -f qcow2 -b middle.qcow2 -F qcow2 top.qcow2 || fail "create"
before=$(date +%s)
qemu-img snapshot -c 'before the "update"' top.qcow2 || fail "snapshot"
qemu-img resize -q top.qcow2 3M || fail "resize"
qemu-img snapshot -c $'nach \e[31mrot\xff' top.qcow2 || fail "snapshot"
poke top.qcow2 79 $'\3' # the dirty and the corrupt bit

expect 0 "$PLATTER" info --json top.qcow2
same "parents" "$(json out 'j["image"]["parents"]')" \
	"[{'name': 'middle.qcow2', 'format': 'qcow2'}, {'name': 'base.img', 'format': 'raw'}]"
same "snapshots" "$(json out '[(s["id"], s["size"], s["shown"]) for s in j["image"]["snapshots"]]')" \
	"[('1', 2097152, False), ('2', 3145728, False)]"
same "name" "$(json out 'j["image"]["snapshots"][0]["name"]')" 'before the "update"'
same "date" "$(json out "0 <= j['image']['snapshots'][0]['created'] - $before < 600")" True
same "notes" "$(json out '[n.split(":")[0] for n in j["image"]["notes"]]')" \
	"['dirty', 'marked as corrupt']"
same "size" "$(json out 'j["image"]["virtual_size"]')" 3145728

expect 0 "$PLATTER" info --json --snapshot 1 top.qcow2
same "the first" "$(json out '[s["shown"] for s in j["image"]["snapshots"]]')" "[True, False]"
same "its size" "$(json out 'j["image"]["virtual_size"]')" 2097152

expect 0 "$PLATTER" info top.qcow2
grep -q '^snapshot 1 "before the "update"", [0-9-]* [0-9:]*, 2.0 MiB$' out || fail "$(cat out)"
grep -q '^snapshot 2 "nach ?\[31mrot?", .* 3.0 MiB$' out || fail "$(cat out)"
grep -q '^  on middle.qcow2 (qcow2)$' out || fail "$(cat out)"
grep -q '^  on base.img (raw)$' out || fail "$(cat out)"
grep -q '^  ! dirty: ' out || fail "$(cat out)"
grep -q '^  ! marked as corrupt: ' out || fail "$(cat out)"

# What stands below or around the image has notes as well, and those of other files say of which.
poke middle.qcow2 79 $'\1'
expect 0 "$PLATTER" info --json top.qcow2
same "the parent's" "$(json out '[n.split(":")[0:2] for n in j["image"]["notes"]][2]')" \
	"['middle.qcow2', ' dirty']"
qemu-img create -q -f qcow2 -u -b top.qcow2 -F qcow2 last.qcow2 3M || fail "create"
expect 0 "$PLATTER" info --json last.qcow2
same "all the parents'" "$(json out '[n.split(":")[0:2] for n in j["image"]["notes"]]')" \
	"[['top.qcow2', ' dirty'], ['top.qcow2', ' marked as corrupt'], ['middle.qcow2', ' dirty']]"
expect 0 "$PLATTER" info last.qcow2
grep -q '^  ! middle.qcow2: dirty: ' out || fail "$(cat out)"

head -c 300000 /dev/zero >cut.001
head -c 200000 /dev/zero >cut.002
head -c 300000 /dev/zero >cut.003
expect 0 "$PLATTER" info cut.001
grep -q '^  ! segment "cut.002" has 200000 bytes, the first one has 300000$' out || fail "$(cat out)"
if command -v xz >/dev/null; then
	head -c 70M /dev/zero | xz -T1 -0 >slow.xz
	if "$PLATTER" info slow.xz >out 2>err; then
		grep -q '^  ! 70 MiB in it can only be unpacked in one go' out || fail "$(cat out)"
	else
		grep -q 'needs liblzma' err || fail "slow.xz"
	fi
fi

# Where there is nothing to tell, the lists are there and empty.
expect 0 "$PLATTER" info --json base.img
same "of raw" "$(json out '[j["image"][k] for k in ("snapshots", "notes", "parents")]')" "[[], [], []]"
