# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# VMDK files that qemu-img cannot make. Sourced after lib.sh.

# make_vmdk KIND FILE RAW [NAME=VALUE...]: a sparse file of the contents of RAW. Grains of zeros are
# not stored. KIND is
#	hosted    with the descriptor inside; grain=SECTORS; zeros=1: they are marked as zeros;
#	          redundant=1: two directories; bare=1: no descriptor; unclean=1
#	stream    compressed, with the directory at the end; grain=SECTORS
#	cowd      grain=SECTORS
#	sesparse  zeros=1: marked as zeros, zeros=2: as unmapped
# below=RAW: what is the same in RAW is not stored, zeros where it is not are marked so.
make_vmdk() {
	python3 - "$@" <<'PY'
import os, random, struct, sys, zlib
kind, out, raw = sys.argv[1:4]
opt = dict(a.split("=", 1) for a in sys.argv[4:])
grain = int(opt.get("grain", {"cowd": 1, "sesparse": 8}.get(kind, 128)))
zeros, size = int(opt.get("zeros", 0)), os.path.getsize(raw)
sectors = size // 512
disk = open(raw, "rb")
below = open(opt["below"], "rb") if "below" in opt else None
NONE, ZERO = object(), object()
grains = []
while len(grains) * grain < sectors:
    data = disk.read(grain * 512)
    old = below.read(grain * 512) if below else bytes(len(data))
    same = data == old
    if any(data) and not same:
        grains.append(data.ljust(grain * 512, b"\0"))
    else:
        grains.append(ZERO if not any(data) and (zeros or not same) else NONE)
f = open(out, "wb")
rng = random.Random(3)
text = f"""# Disk DescriptorFile
version=1
CID=12345678
parentCID=ffffffff
createType="{'streamOptimized' if kind == 'stream' else 'monolithicSparse'}"
RW {sectors} SPARSE "{os.path.basename(out)}"
""".encode()

def sector():
    f.seek(0, 2)
    f.write(bytes(-f.tell() % 512))
    return f.tell() // 512

def put(data):
    at = sector()
    f.write(data + bytes(-len(data) % 512))
    return at

# Grains in a jumbled order, with now and then a few in a row.
def store(pack=lambda i, data: data):
    order = list(range(0, len(grains), 5))
    rng.shuffle(order)
    place = {}
    for start in order:
        for i in range(start, min(start + 5, len(grains))):
            if isinstance(grains[i], bytes):
                place[i] = put(pack(i, grains[i]))
    return place

def tables(place, per, zero=None):
    for start in range(0, len(grains), per):
        part = grains[start:start + per]
        if all(g is NONE for g in part):
            yield None
        else:
            yield [place.get(start + k, zero if g is ZERO else 0)
                   for k, g in enumerate(part)] + [0] * (per - len(part))

def header(version, flags, gd, rgd=0):
    return struct.pack("<4sIIQQQQIQQQ5BH", b"KDMV", version, flags, sectors, grain,
                       0 if "bare" in opt else 1, 0 if "bare" in opt else 20, 512, rgd, gd, 128,
                       int("unclean" in opt), 10, 32, 13, 10, int(kind == "stream")).ljust(512, b"\0")

if kind == "hosted":
    f.write(bytes(512) + text.ljust(20 * 512, b"\0"))
    place, gds = store(), []
    for copy in range(2 if "redundant" in opt else 1):
        gd = [0 if t is None else put(struct.pack("<512I", *t)) for t in tables(place, 512, 1)]
        gds.append(put(struct.pack(f"<{len(gd)}I", *gd)))
    flags = 1 | (2 if len(gds) > 1 else 0) | (4 if ZERO in grains else 0)
    f.seek(0)
    f.write(header(2 if flags & 4 else 1, flags, *gds))
elif kind == "stream":
    flags, marker = 0x30001, lambda n, t: put(struct.pack("<QII", n, 0, t).ljust(512, b"\0"))
    f.write(header(3, flags, 2**64 - 1) + text.ljust(20 * 512, b"\0"))
    f.write(bytes(107 * 512))
    def pack(i, data):
        packed = zlib.compress(data)
        return struct.pack("<QI", i * grain, len(packed)) + packed
    place, gd = store(pack), []
    for t in tables(place, 512):
        if t:
            marker(4, 1)
        gd.append(put(struct.pack("<512I", *t)) if t else 0)
    marker(-(-len(gd) * 4 // 512), 2)
    gd = put(struct.pack(f"<{len(gd)}I", *gd))
    marker(1, 3)
    put(header(3, flags, gd))
    marker(0, 0)
elif kind == "cowd":
    count = -(-len(grains) // 4096)
    f.write(bytes(2048 + (count * 4 + 511) // 512 * 512))
    place = store()
    gd = [0 if t is None else put(struct.pack("<4096I", *t)) for t in tables(place, 4096)]
    end = sector()
    f.seek(0)
    f.write(struct.pack("<4s7I", b"COWD", 1, 3, sectors, grain, 4, count, end).ljust(2048, b"\0"))
    f.write(struct.pack(f"<{count}I", *gd))
elif kind == "sesparse":
    count = -(-len(grains) // 4096)
    gd_at, gt_at = 16, 16 + (count * 8 + 511) // 512
    grains_at = gt_at + 64 * count + 8
    f.truncate((grains_at + 5000 * 8) * 512) # so that numbers have more than 12 bits
    place = store()
    # Tables in the reverse order: the directory says which is which.
    gd, tab = [], []
    for t in tables(place, 4096, ZERO):
        if t is None:
            gd.append(0)
            continue
        gd.append(1 << 60 | len(tab))
        row = []
        for v in t:
            n = (v - grains_at) // 8 if v not in (0, ZERO) else 0
            row.append(0 if v == 0 else (1 if zeros == 2 else 2) << 60 if v is ZERO
                       else 3 << 60 | (n & 0xfff) << 48 | n >> 12)
        tab.append(struct.pack("<4096Q", *row))
    used = (os.fstat(f.fileno()).st_size - grains_at * 512) // 512
    f.seek(0)
    f.write(struct.pack("<26Q", 0xcafebabe, 0x200000001, sectors, 8, 64, 0, 0, 0, 0, 0, 1, 1, 2, 1,
                        3, 1, gd_at, gt_at - gd_at, gt_at, 64 * count, 0, 0, 0, 0, grains_at,
                        used).ljust(512, b"\0"))
    f.write(struct.pack("<4Q", 0xcafecafe, 0, 1, 0).ljust(512, b"\0"))
    f.seek(gd_at * 512)
    f.write(struct.pack(f"<{count}Q", *gd))
    f.seek(gt_at * 512)
    f.write(b"".join(tab))
PY
}

# descriptor FILE EXTENT... : a descriptor of these lines, with the lines of $more,
# and the createType $type, which qemu-img goes by.
descriptor() {
	local file=$1

	shift
	{
		printf '# Disk DescriptorFile\nversion=1\nCID=fffffffe\n'
		printf 'createType="%s"\n%s\n' "${type-custom}" "${more-parentCID=ffffffff}"
		printf '%s\n' "$@" "ddb.adapterType = \"ide\""
	} >"$file"
}

# hex FILE OFFSET HEX: overwrite bytes.
hex() {
	printf '%b' "$(printf %s "$3" | sed 's/../\\x&/g')" | poke "$1" "$2"
}

# holds IMAGE RAW: the same as same_disk, in less time: read from the front only, without a mount.
holds() {
	expect 0 "$PLATTER" cat -p 0 "$1"
	same_bytes out "$2"
}
