#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A snapshot freezes what an overlay holds under a name, and what is written from then on goes into
# a new layer: the view stays whole through sixteen of them. Names that cannot be are refused, and
# so is whatever would change a frozen layer.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-life.sh" || exit 99
requires_fuse

truncate -s 3000064 disk.img
head -c 2M /dev/urandom | poke disk.img 500000
image=$(sha256 disk.img)
change changes disk.img 'put(0, b"one" * 5000); put(2999000, random(1064))'
look changes disk.img one
expect 0 "$PLATTER" snapshot changes first
same "what snapshot prints" "$(cat out err)" ""
shows "after the snapshot" changes disk.img one
change changes disk.img 'put(4096, b"two" * 10); zero(600000, 100000)'
look changes disk.img two
cmp -s one two && fail "the second layer took nothing"
shows "the frozen layer" changes.first disk.img one
expect 0 "$PLATTER" snapshot changes second
change changes disk.img 'put(600000, b"three")'
look changes disk.img three
python3 - <<'PY' || fail "the view through three layers"
one, two, three, disk = (open(n, "rb").read() for n in ("one", "two", "three", "disk.img"))
want = bytearray(disk)
want[:15000] = b"one" * 5000
want[2999000:] = one[2999000:]
assert one == want
want[4096:4126] = b"two" * 10
want[600000:700000] = bytes(100000)
assert two == want
want[600000:600005] = b"three"
assert three == want
PY
shows "an older layer" changes.first disk.img one

expect 0 "$PLATTER" status --json changes
same "layers" "$(json out '[(l["name"], l["blocks"]) for l in j["layers"]], j["blocks"], j["frozen"]')" \
	"([('second', 26), ('first', 5)], 1, False)"
expect 0 "$PLATTER" status changes
grep -q 'second: 26 blocks' out || fail "status does not show the layers: $(cat out)"
expect 0 "$PLATTER" status --json changes.first
same "the layer itself" "$(json out 'j["frozen"], j["layers"], j["fits"]')" "(True, [], True)"

# Names.
ls >before
long=$(printf '%250s' '' | tr ' ' n)
for name in '' / a/b ../up $'a\nb' $'a\033[1mb' $'\177'; do
	refused "cannot be the name" snapshot changes "$name"
done
refused "more than 255 bytes" snapshot changes "$long"
refused "there is a .*changes.first already" snapshot changes first
echo "somebody's" >changes.taken
refused "there is a .*changes.taken already" snapshot changes taken
rm changes.taken
ls | cmp -s before - || fail "a refused snapshot left something: $(ls)"
shows "after what was refused" changes disk.img three
expect 0 "$PLATTER" snapshot changes "${long#nnn}"

# While it is attached, and through a layer.
attach -q disk.img mnt --overlay=changes
refused "changes.*attached.*umount" snapshot changes third
refused "mnt.*attached.*umount" snapshot mnt third
refused "changes.*attached" rollback --yes changes first
refused "changes.*attached" flatten changes
refused "changes.*attached" commit --yes changes
detach mnt
[ ! -e changes.third ] || fail "a snapshot of what is attached"
for layer in changes.first changes.second; do
	sum=$(sha256 $layer)
	refused "frozen layer" attach disk.img mnt --overlay=$layer
	refused "frozen layer" snapshot $layer more
	refused "frozen layer" rollback --yes $layer first
	refused "frozen layer" flatten $layer
	refused "frozen layer" commit --yes $layer
	refused "stands on it" discard --yes $layer
	same "$layer" "$(sha256 $layer)" "$sum"
done

# Sixteen of them, and no more.
for i in $(seq 4 16); do
	change changes disk.img "put($i * 5000, b'$i')"
	expect 0 "$PLATTER" snapshot changes "s$i"
done
change changes disk.img 'put(0, b"top")'
look changes disk.img deep
python3 - <<'PY' || fail "the view through sixteen layers"
want = bytearray(open("three", "rb").read())
for i in range(4, 17):
    want[i * 5000:i * 5000 + len(str(i))] = b"%d" % i
want[:3] = b"top"
assert open("deep", "rb").read() == want
PY
refused "at most 16.*platter flatten" snapshot changes s17
[ ! -e changes.s17 ] || fail "refused, but there it is"
shows "after the refusal" changes disk.img deep
expect 0 "$PLATTER" flatten changes
expect 0 "$PLATTER" snapshot changes s17
shows "after flatten and snapshot" changes disk.img deep
same "the image" "$(sha256 disk.img)" "$image"
