# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Images in forensic formats that no program of Debian makes, written from their specifications.

# make_ex01 OUT RAW SECTORS zlib|bzip2|none [TABLES]: EWF version 2 (libewf, "Expert Witness
# Compression Format 2"), with chunks of so many sectors, 16 chunks to a table and so many tables to a
# segment (all in one without).
make_ex01() {
	python3 - "$@" <<'PY'
import bz2, hashlib, os, struct, sys, zlib
out, raw, per, method = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
tables = int(sys.argv[5]) if len(sys.argv) > 5 else 1 << 30
disk = open(raw, "rb").read()
pack = {"zlib": zlib.compress, "none": zlib.compress, "bzip2": bz2.compress}[method]
number = {"zlib": 1, "none": 0, "bzip2": 2}[method]
guid = os.urandom(16)
chunk = per * 512
chunks = [disk[i:i + chunk] for i in range(0, len(disk), chunk)]

def summed(b):
    return b + struct.pack("<I", zlib.adler32(b))

class Segment:
    def __init__(self, n):
        self.f = bytearray(b"EVF2\r\n\x81\0" + struct.pack("<BBHI", 2, 1, number, n) + guid)
        self.previous = 0
    def section(self, kind, data=b""):
        pad = -(len(self.f) + len(data)) % 16
        self.f += data + bytes(pad)
        self.descriptor(kind, len(data) + pad, pad)
    def descriptor(self, kind, size, pad=0):
        d = struct.pack("<IIQQII", kind, 0, self.previous, size, 64, pad).ljust(60, b"\0")
        self.previous = len(self.f)
        self.f += summed(d)
    def text(self, kind, values):
        s = "1\nmain\n%s\n%s\n\n" % ("\t".join(values), "\t".join(map(str, values.values())))
        self.section(kind, pack(("\ufeff" + s).encode("utf-16-le")))

def chunk_entry(f, data):
    if method != "none" and len(data) % 8 == 0 and data == data[:8] * (len(data) // 8):
        return data[:8] + struct.pack("<II", 0, 5)
    packed = pack(data) if method != "none" else data
    at = len(f)
    if len(packed) >= len(data):
        f += summed(data)
        entry = struct.pack("<QII", at, len(data) + 4, 2)
    else:
        f += packed
        entry = struct.pack("<QII", at, len(packed), 1)
    f += bytes(-len(f) % 16)
    return entry

n, done = 0, 0
while done < len(chunks):
    n += 1
    s = Segment(n)
    s.text(1, {"sn": "", "md": "test", "lb": "", "ts": len(disk) // 512, "hs": "", "dc": "", "dt": "f",
               "pid": "", "rs": "", "ls": "", "bp": 512, "ph": 1})
    s.text(2, {"nm": "a name", "cn": "", "tb": len(chunks), "cp": number or "", "sb": per, "gr": 1, "wb": ""})
    for _ in range(tables):
        if done == len(chunks):
            break
        some = chunks[done:done + 16]
        start = len(s.f)
        entries = b"".join(chunk_entry(s.f, c) for c in some)
        s.descriptor(3, len(s.f) - start)
        head = summed(struct.pack("<QII", done, len(some), 0)).ljust(32, b"\0")
        s.section(4, head + summed(entries).ljust(len(entries) + 16, b"\0"))
        done += len(some)
    if done == len(chunks):
        s.section(8, summed(hashlib.md5(disk).digest()))
        s.section(9, summed(hashlib.sha1(disk).digest()))
    s.section(15 if done == len(chunks) else 13)
    open(out if n == 1 else out[:-2] + "%02d" % n, "wb").write(s.f)
PY
}

# make_aff4 OUT RAW METHOD [OPTION...]: AFF4 v1.0, its streams packed by snappy, lz4, zlib, deflate or
# none. Ranges of zeros, of 0xff and of the text that stands for what cannot be read are not stored.
# Options: stream (no map), stripes=N (several volumes, OUT with _1 before its suffix), zip64 (64-bit
# records), deflate (small members packed), chunk=BYTES, per=CHUNKS, gaps (zeros are not in the map),
# reversed (the map is out of order), shuffled (what are neighbours on the disk are none in the stream),
# unpadded (the last chunk is), piece=BYTES (of the map's entries).
make_aff4() {
	python3 - "$@" <<'PY'
import hashlib, struct, sys, uuid, zlib
out, raw, method, *rest = sys.argv[1:]
opt = dict((o.split("=") + ["1"])[:2] for o in rest)
chunk, per, stripes = int(opt.get("chunk", 32768)), int(opt.get("per", 16)), int(opt.get("stripes", 1))
disk = open(raw, "rb").read()

def matches(d):
    """Literals, then matches of at least 8 bytes as (offset, length)."""
    seen, lit, i, res = {}, 0, 0, []
    while i + 8 <= len(d) - 16:
        j = seen.get(d[i:i + 8])
        seen[d[i:i + 8]] = i
        if j is None or i - j > 65535:
            i += 1
            continue
        n = 8
        while i + n < len(d) - 16 and d[j + n] == d[i + n]:
            n += 1
        res.append((d[lit:i], i - j, n))
        i += n
        lit = i
    return res, d[lit:]

def snappy(d):
    n, r = len(d), bytearray()
    while n > 127:
        r.append(n & 127 | 128)
        n >>= 7
    r.append(n)
    def literal(b):
        if b:
            r.extend(struct.pack("<BH", 61 << 2, len(b) - 1) + b if len(b) <= 65536 else
                     struct.pack("<BI", 63 << 2, len(b) - 1) + b)
    seqs, tail = matches(d)
    for lit, off, n in seqs:
        literal(lit)
        while n:
            k = min(n, 64)
            r.extend(struct.pack("<BH", (k - 1) << 2 | 2, off))
            n -= k
    literal(tail)
    return bytes(r)

def lz4(d):
    r = bytearray()
    def count(n):
        n -= 15
        while n >= 255:
            r.append(255)
            n -= 255
        r.append(n)
    def seq(lit, off, n):
        m = n - 4 if n else 0
        r.append(min(len(lit), 15) << 4 | min(m, 15))
        if len(lit) >= 15:
            count(len(lit))
        r.extend(lit)
        if n:
            r.extend(struct.pack("<H", off))
            if m >= 15:
                count(m)
    seqs, tail = matches(d)
    for s in seqs:
        seq(*s)
    seq(tail, 0, 0)
    return bytes(r)

def deflate(d):
    c = zlib.compressobj(6, zlib.DEFLATED, -15)
    return c.compress(d) + c.flush()

pack = {"snappy": snappy, "lz4": lz4, "zlib": zlib.compress, "deflate": deflate, "none": None}[method]
uri = {"snappy": "http://code.google.com/p/snappy/", "lz4": "https://code.google.com/p/lz4/",
       "zlib": "https://www.ietf.org/rfc/rfc1950.txt", "deflate": "https://tools.ietf.org/html/rfc1951"}

class Zip:
    def __init__(self, comment):
        self.f, self.central, self.n, self.comment = bytearray(), bytearray(), 0, comment
    def add(self, name, data, small=True):
        name, crc, size = name.encode(), zlib.crc32(data), len(data)
        small = small and "deflate" in opt
        data = deflate(data) if small else data
        at, how = len(self.f), 8 if small else 0
        self.f += struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 45, 0, how, 0, 0, crc, len(data), size, len(name), 0)
        self.f += name + data
        if "zip64" in opt:
            extra = struct.pack("<HHIHHQQQ", 0x7777, 4, 0, 1, 24, size, len(data), at)
            sizes = 0xffffffff, 0xffffffff
            where = 0xffffffff
        else:
            extra, sizes, where = b"", (len(data), size), at
        self.central += struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 45, 45, 0, how, 0, 0, crc, *sizes,
                                    len(name), len(extra), 0, 0, 0, 0, where) + name + extra
        self.n += 1
    def end(self):
        at, size, n = len(self.f), len(self.central), self.n
        self.f += self.central
        if "zip64" in opt:
            rec = len(self.f)
            self.f += struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, n, n, size, at)
            self.f += struct.pack("<4sIQI", b"PK\6\7", 0, rec, 1)
            at = size = 0xffffffff
            n = 0xffff
        self.f += struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, n, n, size, at, len(self.comment)) + self.comment
        return bytes(self.f)

def kind(b):
    text = (b"UNREADABLEDATA" * (len(b) // 14 + 1))[:len(b)]
    if not any(b):
        return "Zero"
    return "SymbolicStreamFF" if b == b"\xff" * len(b) else "UnreadableData" if b == text else None

image, themap = "aff4://" + str(uuid.uuid4()), "aff4://" + str(uuid.uuid4())
volumes = ["aff4://" + str(uuid.uuid4()) for _ in range(stripes)]
streams = ["aff4://" + str(uuid.uuid4()) for _ in range(stripes)]
data, entries = [bytearray() for _ in range(stripes)], []
ids = streams[:1] + ["http://aff4.org/Schema#" + k for k in ("Zero", "SymbolicStreamFF", "UnreadableData")] + streams[1:]
piece = int(opt.get("piece", 65536))
places = list(enumerate(range(0, len(disk), piece)))
if "shuffled" in opt:
    places.reverse()
for n, off in places:
    b = disk[off:off + piece]
    k = kind(b) if "stream" not in opt else None
    if k == "Zero" and "gaps" in opt:
        continue
    if k:
        # The text begins again at each MiB.
        entries.append((off, len(b), 0 if k == "UnreadableData" else off, ids.index("http://aff4.org/Schema#" + k)))
        continue
    s = n % stripes
    entries.append((off, len(b), len(data[s]), ids.index(streams[s])))
    data[s] += b
entries.sort(reverse="reversed" in opt)

def member(urn):
    return urn.replace("://", "%3A%2F%2F")

for v in range(stripes):
    z, d, ttl = Zip(volumes[v].encode()), data[v], []
    z.add("container.description", volumes[v].encode())
    z.add("version.txt", b"major=1\nminor=0\ntool=lib-forensic.sh\n")
    chunks = [bytes(d[i:i + chunk]) for i in range(0, len(d), chunk)]
    for b in range(0, len(chunks), per):
        bevy, index = bytearray(), bytearray()
        for c in chunks[b:b + per]:
            if "unpadded" not in opt:
                c = c.ljust(chunk, b"\0")
            p = pack(c) if pack else c
            p = p if len(p) < chunk - 16 else c
            index += struct.pack("<QI", len(bevy), len(p))
            bevy += p
        z.add(member(streams[v]) + "/%08d" % (b // per), bytes(bevy), False)
        z.add(member(streams[v]) + "/%08d.index" % (b // per), bytes(index))
    if "stream" not in opt:
        z.add(member(themap) + "/map", b"".join(struct.pack("<QQQI", *e) for e in entries))
        z.add(member(themap) + "/idx", ("\n".join(ids) + "\n").encode())
    ttl.append("""@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix xsd:   <http://www.w3.org/2001/XMLSchema#> .
@prefix : <%s> .
# a comment; with "punctuation" . in it
@prefix aff4:  <http://aff4.org/Schema#>.

:       a                  aff4:ZipVolume ;
        aff4:stored        "a.aff4", 'b\\'c', \"\"\"long "text"
of lines\"\"\"@en ;; .
<%s> a aff4:ContiguousImage , aff4:DiskImage,aff4:Image ;
        aff4:dataStream    <%s> ;
        aff4:hash "%s"^^aff4:SHA1, "%s"^^aff4:MD5 ,"00"^^aff4:blockMapHashSHA512 ;
        aff4:size          "%d"^^xsd:long ;
        aff4:stored        : .
""" % (volumes[v], image, streams[0] if "stream" in opt else themap, hashlib.sha1(disk).hexdigest(),
       hashlib.md5(disk).hexdigest(), len(disk)))
    if "stream" not in opt:
        ttl.append("<%s> a aff4:Map ; aff4:mapGapDefaultStream aff4:Zero ; aff4:size %d .\n" % (themap, len(disk)))
    for i, s in enumerate(streams):
        ttl.append("<%s> a aff4:ImageStream ; aff4:stored <%s> " % (s, volumes[i]))
        if i == v:
            ttl.append("; aff4:chunkSize \"%d\"^^xsd:int ; aff4:chunksInSegment %d ; aff4:size \"%d\"^^xsd:long " %
                       (chunk, per, len(d)))
            if pack:
                ttl.append("; aff4:compressionMethod <%s> " % uri[method])
        ttl.append(".\n")
    z.add("information.turtle", "".join(ttl).encode())
    name = out if stripes == 1 else out.replace(".aff4", "_%d.aff4" % (v + 1))
    open(name, "wb").write(z.end())
PY
}
