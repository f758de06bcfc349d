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

# Where there is nothing to tell, the lists are there and empty.
expect 0 "$PLATTER" info --json base.img
same "of raw" "$(json out '[j["image"][k] for k in ("snapshots", "notes", "parents")]')" "[[], [], []]"
