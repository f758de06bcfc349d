# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# VDI images that qemu-img cannot make. Sourced after lib.sh.

# make_vdi FILE RAW [NAME=VALUE...]: an image of that disk. block=BYTES, extra=BYTES in front of
# each block; parent=VDI,RAW makes it the difference to that one, whose contents are RAW. Blocks are
# stored in a jumbled order; those of zeros are free, or, with zero=1 or where a parent has other
# bytes, marked as zeros.
make_vdi() {
	python3 - "$@" <<'PY'
import os, random, struct, sys
out, raw = sys.argv[1:3]
opt = dict(a.split("=", 1) for a in sys.argv[3:])
block, extra = int(opt.get("block", 1 << 20)), int(opt.get("extra", 0))
size = os.path.getsize(raw)
count = -(-size // block)
disk, below, link, changed = open(raw, "rb"), None, bytes(16), bytes(16)
if "parent" in opt:
    vdi, base = opt["parent"].split(",")
    with open(vdi, "rb") as f:
        f.seek(0x188)
        link, changed = f.read(16), f.read(16)
    below = open(base, "rb")
free, zero = 0xffffffff, 0xfffffffe
rng = random.Random(7)
table, stored = [], []
for i in range(count):
    data = disk.read(block)
    old = below.read(block) if below else bytes(len(data))
    if data == old:
        table.append(zero if opt.get("zero") and not any(data) else free)
    elif not any(data):
        table.append(zero)
    else:
        table.append(len(stored))
        stored.append(data)
order = list(range(len(stored)))
rng.shuffle(order)
table = [order[b] if b < zero else b for b in table]
off_data = 512 + (4 * count + 511) // 512 * 512
head = b"<<< a disk image >>>\n".ljust(64, b"\0")
head += struct.pack("<IIIII", 0xbeda107f, 0x10001, 400, 4 if below else 1, 0)
head += bytes(256) + struct.pack("<7I", 512, off_data, 0, 0, 0, 512, 0)
head += struct.pack("<Q4I", size, block, extra, count, len(stored))
head += os.urandom(32) + link + changed
with open(out, "wb") as f:
    f.write(head.ljust(512, b"\0"))
    f.write(struct.pack(f"<{count}I", *table))
    for at, data in zip(order, stored):
        f.seek(off_data + at * (block + extra))
        f.write(b"\xee" * extra + data)
    f.truncate(off_data + len(stored) * (block + extra))
PY
}

# vdi_field FILE OFFSET HEX: overwrite bytes of the header.
vdi_field() {
	printf '%b' "$(printf %s "$3" | sed 's/../\\x&/g')" | poke "$1" "$2"
}
