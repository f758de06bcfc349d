/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of a UDIF image ("mish"): one for each partition, and for each gap between them, which
 * lists chunks in the order of their sectors. A chunk is zeros, raw or packed; chunks of the type
 * "ignore" are zeros as well, but stay out of the table's checksum, which is over what the others
 * unpack to.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "dmg.h"

/* 16 MiB of memory: 512 GiB of disk at 1 MiB each. */
#define CHUNKS_MAX ((size_t)512 << 10)

/* Chunks of all tables, those of zeros and comments as well: more than fit what tables may take. */
#define LISTED_MAX ((size_t)1 << 20)

#define CHUNK_SECTORS_MAX (RUN_CHUNK_MAX / DMG_SECTOR)

_Static_assert(CHUNK_SECTORS_MAX <= UINT16_MAX, "dmg_chunk.skip");

struct udif_table {
	uint8_t signature[4];          /* +0x00 "mish" */
	be32 version;                  /* +0x04 1 */
	be64 sector_number;            /* +0x08 of the disk */
	be64 sector_count;             /* +0x10 */
	be64 data_offset;              /* +0x18 in the data fork; chunks add theirs */
	be32 buffers_needed;           /* +0x20 in sectors */
	be32 block_descriptors;        /* +0x24 */
	uint8_t reserved[24];          /* +0x28 */
	struct udif_checksum checksum; /* +0x40 */
	be32 number_of_block_chunks;   /* +0xc8 */
};

_Static_assert(sizeof(struct udif_table) == 204, "UDIF table");

struct udif_chunk {
	be32 entry_type;        /* +0x00 */
	be32 comment;           /* +0x04 */
	be64 sector_number;     /* +0x08 from the table's first sector on */
	be64 sector_count;      /* +0x10 */
	be64 compressed_offset; /* +0x18 */
	be64 compressed_length; /* +0x20 */
};

_Static_assert(sizeof(struct udif_chunk) == 40, "UDIF chunk");

enum entry_type {
	ENTRY_ZERO = 0,
	ENTRY_RAW = 1,
	ENTRY_IGNORE = 2,
	ENTRY_COMMENT = 0x7ffffffe,
	ENTRY_ADC = 0x80000004, /* from here on: see packed_by */
	ENTRY_ZLIB = 0x80000005,
	ENTRY_BZIP2 = 0x80000006,
	ENTRY_LZFSE = 0x80000007,
	ENTRY_LZMA = 0x80000008, /* a whole .xz file */
	ENTRY_TERMINATOR = 0xffffffff,
};

/* A table in the making. */
struct making {
	struct dmg *dmg;
	uint64_t start, sectors, data; /* of the table; data: in the file */
	uint64_t next; /* the sector behind the last chunk that its checksum covers */
	bool ordered;  /* chunks so far: each behind the one before */
	struct image_gap *gaps;
	size_t ngaps;
};

static int add_chunk(struct dmg *dmg, const struct dmg_chunk *chunk, struct platter_error *err)
{
	if (dmg->count == CHUNKS_MAX)
		return err_set(err, EFBIG, "more than %zu chunks", CHUNKS_MAX);
	if (dmg->count == dmg->allocated) {
		size_t n = dmg->allocated ? 2 * dmg->allocated : 64;
		struct dmg_chunk *more = reallocarray(dmg->chunks, n, sizeof *more);

		if (!more)
			return err_set(err, ENOMEM, "no memory");
		dmg->chunks = more;
		dmg->allocated = n;
	}
	dmg->chunks[dmg->count++] = *chunk;
	return 0;
}

/* The sectors from m->next to `to` are not in the checksum. */
static void add_gap(struct making *m, uint64_t to)
{
	if (m->next < to)
		m->gaps[m->ngaps++] =
			(struct image_gap){m->next * DMG_SECTOR, (to - m->next) * DMG_SECTOR};
}

/* A chunk that the checksum covers. */
static void cover(struct making *m, uint64_t start, uint64_t sectors)
{
	if (start < m->next) {
		m->ordered = false;
		return;
	}
	add_gap(m, start);
	m->next = start + sectors;
}

static int check_raw(const struct dmg_chunk *c, uint64_t len, const struct dev *file,
                     struct platter_error *err)
{
	if (len != c->sectors * DMG_SECTOR)
		return err_set(err, EINVAL,
		               "a raw chunk of %" PRIu64 " bytes for %" PRIu64 " sectors", len,
		               c->sectors);
	if (!range_ok(c->offset, len, file->size))
		return err_set(err, EINVAL,
		               "a raw chunk of %" PRIu64 " bytes at %" PRIu64
		               " passes the end of the file, %" PRIu64,
		               len, c->offset, file->size);
	return 0;
}

static int check_packed(struct dmg_chunk *c, uint64_t len, const struct dev *file,
                        struct platter_error *err)
{
	if (c->sectors > CHUNK_SECTORS_MAX)
		return err_set(err, EOPNOTSUPP,
		               "a packed chunk of %" PRIu64 " sectors, at most %" PRIu64,
		               c->sectors, (uint64_t)CHUNK_SECTORS_MAX);
	if (len == 0 || len > RUN_CHUNK_MAX)
		return err_set(err, EINVAL, "a packed chunk of %" PRIu64 " bytes, expected 1 to %u",
		               len, RUN_CHUNK_MAX);
	if (!range_ok(c->offset, len, file->size))
		return err_set(err, EINVAL,
		               "a packed chunk of %" PRIu64 " bytes at %" PRIu64
		               " passes the end of the file, %" PRIu64,
		               len, c->offset, file->size);
	c->packed = (uint32_t)len;
	return codec_require(c->codec, err);
}

/* Where in the disk and in the file the chunk is. */
static int place_chunk(const struct making *m, const struct udif_chunk *e, struct dmg_chunk *c,
                       struct platter_error *err)
{
	uint64_t start = be64_get(e->sector_number), count = be64_get(e->sector_count);

	if (!range_ok(start, count, m->sectors))
		return err_set(err, EINVAL,
		               "%" PRIu64 " sectors at %" PRIu64 " pass the table's %" PRIu64,
		               count, start, m->sectors);
	*c = (struct dmg_chunk){.start = m->start + start, .sectors = count};
	if (!ckd_add64(&c->offset, m->data, be64_get(e->compressed_offset)))
		c->offset = UINT64_MAX;
	return 0;
}

/* The codec of packed chunks of that type; false: the type is not known. */
static bool packed_by(uint32_t type, uint8_t *codec)
{
	static const uint8_t codecs[] = {CODEC_ADC, CODEC_ZLIB, CODEC_BZIP2, CODEC_LZFSE, CODEC_XZ};

	if (type < ENTRY_ADC || type > ENTRY_LZMA)
		return false;
	*codec = codecs[type - ENTRY_ADC];
	return true;
}

static int data_chunk(struct making *m, uint32_t type, uint64_t len, struct dmg_chunk *c,
                      struct platter_error *err)
{
	int r;

	if (type == ENTRY_RAW)
		r = check_raw(c, len, m->dmg->file, err);
	else if (packed_by(type, &c->codec))
		r = check_packed(c, len, m->dmg->file, err);
	else
		r = err_set(err, EOPNOTSUPP, "type 0x%08x, which is not known", type);
	if (r)
		return r;
	cover(m, c->start, c->sectors);
	return add_chunk(m->dmg, c, err);
}

/* 1: it was the last one. */
static int take_chunk(struct making *m, const struct udif_chunk *e, struct platter_error *err)
{
	uint32_t type = be32_get(e->entry_type);
	struct dmg_chunk c;
	int r;

	if (type == ENTRY_TERMINATOR)
		return 1;
	if (type == ENTRY_COMMENT)
		return 0;
	r = place_chunk(m, e, &c, err);
	if (r || c.sectors == 0)
		return r;
	if (!ckd_add64(&m->dmg->told, m->dmg->told, c.sectors))
		m->dmg->told = UINT64_MAX;
	if (type == ENTRY_IGNORE)
		return 0;
	if (type == ENTRY_ZERO) {
		cover(m, c.start, c.sectors);
		return 0;
	}
	return data_chunk(m, type, be64_get(e->compressed_length), &c, err);
}

static int take_chunks(struct making *m, const uint8_t *bytes, uint32_t count,
                       struct platter_error *err)
{
	struct udif_chunk e;
	int r = 0;

	for (uint32_t i = 0; i < count && r == 0; i++) {
		memcpy(&e, bytes + (size_t)i * sizeof e, sizeof e);
		r = take_chunk(m, &e, err);
		if (r < 0)
			err_prefix(err, "chunk %u", i);
	}
	return r < 0 ? r : 0;
}

/* The table's checksum, for `verify`. Where chunks are out of order nobody knows how it was made.
 */
static int add_sum(struct image *image, const struct making *m, const struct udif_checksum *sum,
                   const char *what)
{
	struct image_sum s = {
		.digest = "crc32",
		.start = m->start * DMG_SECTOR,
		.length = m->sectors * DMG_SECTOR,
		.gaps = m->gaps,
		.ngaps = m->ngaps,
	};

	if (be32_get(sum->type) != DMG_CHECKSUM_CRC32 || !m->ordered || m->sectors == 0)
		return 0;
	memcpy(s.value, sum->data, 4);
	snprintf(s.what, sizeof s.what, "%s", what);
	return image_add_sum(image, &s);
}

static int check_table(const struct dmg *dmg, const struct udif_table *t, size_t len,
                       struct platter_error *err)
{
	uint64_t start = be64_get(t->sector_number), count = be64_get(t->sector_count);
	uint64_t limit = dmg->sectors == UINT64_MAX ? DEV_SIZE_MAX / DMG_SECTOR : dmg->sectors;
	uint32_t chunks = be32_get(t->number_of_block_chunks);

	if (memcmp(t->signature, "mish", 4) != 0 || be32_get(t->version) != 1)
		return err_set(err, EINVAL, "neither \"mish\" nor version 1");
	if (chunks > (len - sizeof *t) / sizeof(struct udif_chunk))
		return err_set(err, EINVAL, "%u chunks in %zu bytes", chunks, len);
	if (chunks > LISTED_MAX - dmg->listed)
		return err_set(err, EFBIG, "more than %zu chunks in all tables", LISTED_MAX);
	if (!range_ok(start, count, limit))
		return err_set(err, EINVAL,
		               "%" PRIu64 " sectors at %" PRIu64
		               " pass the end of the disk, %" PRIu64,
		               count, start, limit);
	return 0;
}

static int take_table(struct image *image, struct dmg *dmg, const struct udif_table *t,
                      const uint8_t *chunks, const char *what, struct platter_error *err)
{
	struct making m = {
		.dmg = dmg,
		.start = be64_get(t->sector_number),
		.sectors = be64_get(t->sector_count),
		.next = be64_get(t->sector_number),
		.ordered = true,
	};
	uint32_t count = be32_get(t->number_of_block_chunks);
	int r;

	dmg->listed += count;
	if (!ckd_add64(&m.data, dmg->data_fork, be64_get(t->data_offset)))
		m.data = UINT64_MAX;
	/* A gap before each chunk and one behind the last. */
	m.gaps = dmg->gaps[dmg->tables++] = calloc(count + (size_t)1, sizeof *m.gaps);
	if (!m.gaps)
		return err_set(err, ENOMEM, "no memory");
	r = take_chunks(&m, chunks, count, err);
	if (r)
		return r;
	add_gap(&m, m.start + m.sectors);
	dmg->end = max64(dmg->end, m.start + m.sectors);
	dmg->master = (uint32_t)crc32(dmg->master, t->checksum.data, 4);
	return add_sum(image, &m, &t->checksum, what) ? err_set(err, ENOMEM, "no memory") : 0;
}

int dmg_add_table(struct image *image, struct dmg *dmg, const uint8_t *bytes, size_t len,
                  const char *name, struct platter_error *err)
{
	struct udif_table t;
	char what[64];
	int r;

	if (dmg->tables == DMG_TABLES_MAX)
		return err_set(err, EFBIG, "more than %d tables", DMG_TABLES_MAX);
	if (!dmg->gaps)
		dmg->gaps = calloc(DMG_TABLES_MAX, sizeof *dmg->gaps);
	if (!dmg->gaps)
		return err_set(err, ENOMEM, "no memory");
	snprintf(what, sizeof what, "table %zu (%s)", dmg->tables, name);
	if (len < sizeof t)
		return err_set(err, EINVAL, "%s: %zu bytes, expected at least %zu", what, len,
		               sizeof t);
	memcpy(&t, bytes, sizeof t);
	r = check_table(dmg, &t, len, err);
	if (!r)
		r = take_table(image, dmg, &t, bytes + sizeof t, what, err);
	if (r)
		err_prefix(err, "%s", what);
	return r;
}

/* ---- all of them together ---- */

static int by_start(const void *a, const void *b)
{
	const struct dmg_chunk *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static bool is_sorted(const struct dmg *dmg)
{
	for (size_t i = 1; i < dmg->count; i++)
		if (by_start(&dmg->chunks[i - 1], &dmg->chunks[i]) > 0)
			return false;
	return true;
}

/* Leave out the first n sectors. */
static void shorten(struct dmg_chunk *c, uint64_t n)
{
	c->start += n;
	c->sectors -= n;
	if (c->packed)
		c->skip = (uint16_t)(c->skip + n);
	else
		c->offset += n * DMG_SECTOR;
}

static bool continues(const struct dmg_chunk *a, const struct dmg_chunk *b)
{
	return !a->packed && !b->packed && a->start + a->sectors == b->start &&
	       a->offset + a->sectors * DMG_SECTOR == b->offset;
}

/*
 * Of two chunks that tell of one sector the one that begins earlier counts, or, where they begin
 * together, the one whose data stands first in the file. Returns the sectors told of twice.
 */
static uint64_t make_disjoint(struct dmg *dmg)
{
	uint64_t end = 0, twice = 0;
	size_t n = 0;

	for (size_t i = 0; i < dmg->count; i++) {
		struct dmg_chunk c = dmg->chunks[i];
		uint64_t over = end > c.start ? min64(end - c.start, c.sectors) : 0;

		twice += over;
		shorten(&c, over);
		if (c.sectors == 0)
			continue;
		end = c.start + c.sectors;
		if (n && continues(&dmg->chunks[n - 1], &c))
			dmg->chunks[n - 1].sectors += c.sectors;
		else
			dmg->chunks[n++] = c;
	}
	dmg->count = n;
	return twice;
}

int dmg_settle(struct image *image, struct dmg *dmg, struct platter_error *err)
{
	uint64_t twice;

	if (!is_sorted(dmg))
		qsort(dmg->chunks, dmg->count, sizeof *dmg->chunks, by_start);
	twice = make_disjoint(dmg);
	if (dmg->sectors == UINT64_MAX)
		dmg->sectors = dmg->end;
	if (dmg->sectors == 0)
		return err_set(err, EINVAL, "the tables tell of no sectors");
	if (twice)
		image_note(image, "%" PRIu64 " sectors stand in more than one chunk", twice);
	if (dmg->told < dmg->sectors)
		image_note(image, "%" PRIu64 " sectors are in no table, and read as zeros",
		           dmg->sectors - dmg->told);
	return 0;
}

size_t dmg_find(const struct dmg *dmg, uint64_t sector)
{
	size_t low = 0, high = dmg->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (dmg->chunks[mid].start <= sector)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}
