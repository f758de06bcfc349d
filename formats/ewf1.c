/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * EWF version 1: E01 and S01. A segment is a list of sections, each behind a descriptor that says
 * what it is and where the next one begins; the last is "next" or, in the last segment, "done".
 * "volume" or "disk" says how large the disk is, in one of two sizes (SMART's has fewer fields);
 * "sectors" are chunks, "table" their places and "table2" a copy of that. SMART and EnCase 1 put
 * the chunks into the table's section, behind the entries.
 *
 * An entry is an offset whose highest bit says that the chunk is packed. Its end is where the next
 * chunk begins, or where the section of the chunks ends. EnCase 6.7.1 makes that section larger
 * than 31 bits reach, and its offsets go on with the highest bit too; where they do none is packed,
 * as far as libewf knows. That is seen in tables up to EWF_WHOLE_MAX.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ewf.h"

#define FILE_HEADER 13u
#define PACKED      0x80000000u

struct section {
	char type[16];       /* +0x00 */
	le64 next_offset;    /* +0x10 */
	le64 size;           /* +0x18; some writers leave 0 */
	uint8_t padding[40]; /* +0x20 */
	le32 checksum;       /* +0x48 */
};
_Static_assert(sizeof(struct section) == 76, "EWF, Section descriptor");

/* What both forms of the volume section begin with. */
struct volume {
	le32 media_type;        /* +0x00 */
	le32 chunks;            /* +0x04 */
	le32 sectors_per_chunk; /* +0x08 */
	le32 bytes_per_sector;  /* +0x0c */
	le32 sectors;           /* +0x10; in the long form 64 bits */
	le32 sectors_high;      /* +0x14 */
};

#define VOLUME_SHORT 94u
#define VOLUME_LONG  1052u
#define VOLUME_SET   64u /* in the long form: the identifier of the set */

struct table_header {
	le32 entries;       /* +0x00 */
	uint8_t padding[4]; /* +0x04 */
	le64 base_offset;   /* +0x08, since EnCase 6 */
	uint8_t padding2[4];
	le32 checksum; /* +0x14 */
};
_Static_assert(sizeof(struct table_header) == 24, "EWF, Table header");

struct hash {
	uint8_t md5[16];
	uint8_t unknown[16];
	le32 checksum;
};
_Static_assert(sizeof(struct hash) == 36, "EWF, Hash section");

struct digest {
	uint8_t md5[16], sha1[20];
	uint8_t padding[40];
	le32 checksum;
};
_Static_assert(sizeof(struct digest) == 80, "EWF, Digest section");

/* Of the error2 section: the header, and the first entry. */
struct error2 {
	le32 entries;          /* +0x000 */
	uint8_t unknown[512];  /* +0x004 */
	le32 checksum;         /* +0x204 */
	le32 sector, nsectors; /* +0x208 */
};
_Static_assert(sizeof(struct error2) == 528, "EWF, Error2 section");

/* The walk over one segment. */
struct walk {
	struct ewf *e;
	struct dev *dev;
	uint64_t off, data, end; /* of the section at hand, of what follows its descriptor */
	uint64_t sectors_end;    /* of the last "sectors", 0: there was none */
	size_t table; /* 1 + the table that was added last, when the section before this was it */
	struct platter_error bad; /* a "table" that only its copy can replace; code 0: none */

	/* Small sections stand close to each other. */
	uint64_t window;
	size_t held;
	uint8_t buf[4096];
};

static int look(struct walk *w, uint64_t off, void *out, size_t len, struct platter_error *err)
{
	if (!range_ok(off, len, w->dev->size))
		return err_set(err, EIO,
		               "ends at %" PRIu64 " in a section at %" PRIu64
		               ": it was cut short or not finished",
		               w->dev->size, w->off);
	if (off < w->window || !range_ok(off - w->window, len, w->held)) {
		w->held = (size_t)min64(sizeof w->buf, w->dev->size - off);
		w->window = off;
		if (dev_pread(w->dev, w->buf, w->held, off)) {
			w->held = 0;
			return err_set(err, EIO, "%zu bytes at %" PRIu64 " cannot be read", len,
			               off);
		}
	}
	memcpy(out, w->buf + (off - w->window), len);
	return 0;
}

static int bad_section(const struct walk *w, const char *type, const char *why,
                       struct platter_error *err)
{
	return err_set(err, EIO, "the section \"%s\" at %" PRIu64 " %s", type, w->off, why);
}

/* ---- sections ---- */

static int take_volume(struct walk *w, const char *type, struct platter_error *err)
{
	uint64_t len = w->end - w->data;
	bool full = len >= VOLUME_LONG;
	uint8_t buf[VOLUME_LONG];
	struct volume v;
	uint64_t sectors;
	int r;

	if (len < VOLUME_SHORT)
		return bad_section(w, type, "is too short", err);
	r = look(w, w->data, buf, full ? VOLUME_LONG : VOLUME_SHORT, err);
	if (r)
		return r;
	if (!ewf_summed(buf, (full ? VOLUME_LONG : VOLUME_SHORT) - 4))
		return bad_section(w, type, "is damaged", err);
	memcpy(&v, buf, sizeof v);
	sectors = le32_get(v.sectors);
	if (full)
		sectors |= (uint64_t)le32_get(v.sectors_high) << 32;
	r = ewf_set_geometry(w->e, sectors, le32_get(v.bytes_per_sector),
	                     le32_get(v.sectors_per_chunk), err);
	return r || !full ? r : ewf_set_id(w->e, buf + VOLUME_SET, err);
}

/*
 * "data" is the volume section again, in every segment: that this one is of the same image. Its sum
 * is not looked at: some writers change the section and leave the old one.
 */
static int take_data(struct walk *w, struct platter_error *err)
{
	uint8_t buf[VOLUME_LONG];
	uint64_t sectors, sector;
	struct volume v;
	int r;

	if (w->end - w->data < VOLUME_LONG)
		return 0;
	r = look(w, w->data, buf, sizeof buf, err);
	if (r)
		return r;
	memcpy(&v, buf, sizeof v);
	sectors = le32_get(v.sectors) | (uint64_t)le32_get(v.sectors_high) << 32;
	sector = le32_get(v.bytes_per_sector);
	if (sectors && sector && w->e->size &&
	    (w->e->size % sector || sectors != w->e->size / sector))
		return err_set(err, EINVAL,
		               "is of a disk of %" PRIu64 " sectors of %" PRIu64
		               " bytes, and the first segment of one of %" PRIu64 " bytes",
		               sectors, sector, w->e->size);
	return ewf_set_id(w->e, buf + VOLUME_SET, err);
}

static int read_table(struct walk *w, const char *type, struct ewf_table *t,
                      struct platter_error *err)
{
	struct table_header h;
	int r;

	if (w->end - w->data < sizeof h)
		return bad_section(w, type, "is too short", err);
	r = look(w, w->data, &h, sizeof h, err);
	if (r)
		return r;
	if (!ewf_summed(&h, sizeof h - 4))
		return bad_section(w, type, "has a damaged header", err);
	*t = (struct ewf_table){
		.dev = w->dev,
		.entries = w->data + sizeof h,
		.base = le64_get(h.base_offset),
		.end = w->sectors_end ? w->sectors_end : w->end,
		.count = le32_get(h.entries),
		.summed = w->sectors_end != 0,
	};
	if (w->end - t->entries < (uint64_t)t->count * 4 + (t->summed ? 4 : 0))
		return err_set(err, EIO,
		               "the section \"%s\" at %" PRIu64 " has %" PRIu32
		               " entries, and room for %" PRIu64,
		               type, w->off, t->count, (w->end - t->entries) / 4);
	return 0;
}

static int take_table(struct walk *w, struct platter_error *err)
{
	struct ewf_table t;
	int r = read_table(w, "table", &t, &w->bad);

	if (r) /* for "table2" to mend */
		return 0;
	w->bad.code = 0;
	if (t.count == 0)
		return 0;
	r = ewf_add_table(w->e, &t, err);
	w->table = w->e->ntables;
	return r;
}

static int take_table2(struct walk *w, size_t table, struct platter_error *err)
{
	struct ewf_table t, *first;
	struct platter_error unused;
	int r = read_table(w, "table2", &t, table ? &unused : err);

	if (table) {
		first = &w->e->tables[table - 1];
		if (!r && t.count == first->count && t.base == first->base)
			first->copy = t.entries;
		return 0;
	}
	if (r || t.count == 0)
		return r;
	if (w->bad.code)
		image_note(w->e->image, "%s; its copy is used", w->bad.text);
	w->bad.code = 0;
	return ewf_add_table(w->e, &t, err);
}

static int take_hash(struct walk *w, struct platter_error *err)
{
	struct hash h;
	int r = w->end - w->data < sizeof h ? 0 : look(w, w->data, &h, sizeof h, err);

	if (r || w->end - w->data < sizeof h)
		return r;
	if (ewf_summed(&h, sizeof h - 4))
		ewf_set_md5(w->e, h.md5);
	else
		image_note(w->e->image, "the stored MD5 is damaged");
	return 0;
}

static int take_digest(struct walk *w, struct platter_error *err)
{
	struct digest d;
	int r = w->end - w->data < sizeof d ? 0 : look(w, w->data, &d, sizeof d, err);

	if (r || w->end - w->data < sizeof d)
		return r;
	if (ewf_summed(&d, sizeof d - 4)) {
		ewf_set_md5(w->e, d.md5);
		ewf_set_sha1(w->e, d.sha1);
	} else {
		image_note(w->e->image, "the stored MD5 and SHA-1 are damaged");
	}
	return 0;
}

static int take_error2(struct walk *w, struct platter_error *err)
{
	struct error2 h;
	int r = w->end - w->data < sizeof h ? 0 : look(w, w->data, &h, sizeof h, err);

	if (r || w->end - w->data < sizeof h || le32_get(h.entries) == 0)
		return r;
	image_note(w->e->image,
	           "%" PRIu32 " ranges of the original could not be read when the image was made, "
	           "the first of %" PRIu32 " sectors at sector %" PRIu32,
	           le32_get(h.entries), le32_get(h.nsectors), le32_get(h.sector));
	return 0;
}

static int take(struct walk *w, const char *type, struct platter_error *err)
{
	size_t table = w->table;

	w->table = 0;
	if (w->bad.code && strcmp(type, "table2") != 0)
		return err_set(err, EIO, "%s", w->bad.text);
	if (strcmp(type, "volume") == 0 || strcmp(type, "disk") == 0)
		return take_volume(w, type, err);
	if (strcmp(type, "data") == 0)
		return take_data(w, err);
	if (strcmp(type, "sectors") == 0)
		w->sectors_end = w->end;
	if (strcmp(type, "table") == 0)
		return take_table(w, err);
	if (strcmp(type, "table2") == 0)
		return take_table2(w, table, err);
	if (strcmp(type, "hash") == 0)
		return take_hash(w, err);
	if (strcmp(type, "digest") == 0)
		return take_digest(w, err);
	if (strcmp(type, "error2") == 0)
		return take_error2(w, err);
	return 0;
}

/* ---- the walk ---- */

/* The descriptor at w->off. *more: there is a section, whose end is known. */
static int read_descriptor(struct walk *w, char type[17], bool *more, struct platter_error *err)
{
	struct section s;
	uint64_t next, size;
	int r = look(w, w->off, &s, sizeof s, err);

	if (r)
		return r;
	if (!ewf_summed(&s, sizeof s - 4))
		return err_set(err, EIO, "the section at %" PRIu64 " has a damaged descriptor",
		               w->off);
	memcpy(type, s.type, sizeof s.type);
	type[16] = '\0';
	*more = false;
	w->e->last = strcmp(type, "done") == 0;
	if (w->e->last || strcmp(type, "next") == 0)
		return 0;
	*more = true;
	next = le64_get(s.next_offset);
	size = le64_get(s.size);
	if (next < w->off + sizeof s || next > w->dev->size)
		return err_set(err, EIO,
		               "the section at %" PRIu64 " ends at %" PRIu64 ", expected %" PRIu64
		               " to %" PRIu64,
		               w->off, next, w->off + sizeof s, w->dev->size);
	/* Two ways to read it would be two images in one. */
	if (size && size != next - w->off)
		return err_set(err, EIO,
		               "the section at %" PRIu64 " has %" PRIu64
		               " bytes, but the next one is %" PRIu64 " further on",
		               w->off, size, next - w->off);
	w->data = w->off + sizeof s;
	w->end = next;
	return 0;
}

int ewf1_read_segment(struct ewf *e, struct dev *dev, struct platter_error *err)
{
	struct walk w = {.e = e, .dev = dev, .off = FILE_HEADER};
	char type[17];
	bool more;
	int r;

	for (;;) {
		if (e->sections++ == EWF_SECTIONS_MAX)
			return err_set(err, E2BIG, "more than %u sections", EWF_SECTIONS_MAX);
		r = read_descriptor(&w, type, &more, err);
		if (!r && !more && w.bad.code)
			r = err_set(err, EIO, "%s", w.bad.text);
		if (!r && more)
			r = take(&w, type, err);
		if (r || !more)
			return r;
		w.off = w.end;
	}
}

/* ---- reading ---- */

uint32_t ewf1_first_wide(const struct ewf_table *t, const void *entries)
{
	uint32_t before = 0;

	if (t->end < t->base || t->end - t->base <= PACKED)
		return t->count;
	for (uint32_t i = 0; i < t->count; i++) {
		uint32_t entry = le32_at((const char *)entries + (size_t)i * 4);

		/* 31 bits of it would be back at the beginning, all of it is the next place. */
		if ((entry & PACKED) && (entry & ~PACKED) < before &&
		    entry - before <= 2 * EWF_CHUNK_MAX)
			return i;
		before = entry & ~PACKED;
	}
	return t->count;
}

static int get_offset(const struct ewf *e, const struct ewf_table *t, uint32_t i, uint64_t *off,
                      bool *packed)
{
	le32 entry;
	bool wide;
	int r = ewf_get_entry(e, t, i, &entry, &wide);

	if (r)
		return r;
	*packed = !wide && (le32_get(entry) & PACKED);
	return ckd_add64(off, t->base, le32_get(entry) & (wide ? UINT32_MAX : ~PACKED)) ? 0 : -EIO;
}

int ewf1_get_chunk(const struct ewf *e, const struct ewf_table *t, uint32_t i,
                   struct ewf_chunk *chunk)
{
	uint64_t next = t->end;
	bool unused;
	int r = get_offset(e, t, i, &chunk->offset, &chunk->packed);

	if (!r && i + 1 < t->count)
		r = get_offset(e, t, i + 1, &next, &unused);
	if (r)
		return r;
	/* The last chunk, or one that is not followed by the next. */
	if (next <= chunk->offset)
		next = t->end;
	chunk->filled = false;
	if (next <= chunk->offset || next > t->dev->size)
		return -EIO;
	chunk->stored = next - chunk->offset;
	return 0;
}
