/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * EWF version 2: Ex01. A section's descriptor stands behind it and says where the descriptor before
 * it is, so a segment is read from its end. What version 1 had in "volume" is text here, "device
 * information" and "case data": packed UTF-16 of four lines, the third of which names the values in
 * the fourth. Entries of the tables have whole offsets, sizes and flags, and a chunk may be nothing
 * but eight bytes over and over. (libewf, "Expert Witness Compression Format 2 (EWF2)".)
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ewf.h"
#include "text.h"

#define FILE_HEADER 32u

/* The texts are short: names and notes of 3000 characters each. */
#define PACKED_TEXT_MAX ((size_t)256 << 10)
#define TEXT_MAX        ((size_t)256 << 10)

/* Of all segments together: 16 KiB for each of as many as there can be. */
#define TEXTS_MAX ((uint64_t)CHAIN_FILES_MAX * 16384)

/* A text has about 20 values. */
#define VALUES_MAX 256u

enum section_type {
	DEVICE_INFORMATION = 1,
	CASE_DATA = 2,
	SECTOR_TABLE = 4,
	ERROR_TABLE = 5,
	MD5_HASH = 8,
	SHA1_HASH = 9,
	ENCRYPTION_KEYS = 11,
	NEXT = 13,
	DONE = 15,
};

#define SECTION_ENCRYPTED 2u

struct section {
	le32 type;                  /* +0x00 */
	le32 data_flags;            /* +0x04 */
	le64 previous_offset;       /* +0x08 */
	le64 data_size;             /* +0x10 */
	le32 descriptor_size;       /* +0x18 */
	le32 padding_size;          /* +0x1c */
	uint8_t integrity_hash[16]; /* +0x20 */
	uint8_t padding[12];        /* +0x30 */
	le32 checksum;              /* +0x3c */
};
_Static_assert(sizeof(struct section) == 64, "EWF2, Section descriptor");

struct table_header {
	le64 first_chunk;   /* +0x00 */
	le32 entries;       /* +0x08 */
	uint8_t padding[4]; /* +0x0c */
	le32 checksum;      /* +0x10 */
	uint8_t align[12];  /* +0x14 */
};
_Static_assert(sizeof(struct table_header) == 32, "EWF2, Sector table header");

struct entry {
	le64 offset; /* +0x0, or what fills the chunk */
	le32 size;   /* +0x8 */
	le32 flags;  /* +0xc */
};
_Static_assert(sizeof(struct entry) == 16, "EWF2, Sector table entry");

#define CHUNK_PACKED 1u
#define CHUNK_FILLED 4u

/* Of the error table: the header, and the first entry. */
struct errors {
	le32 entries;        /* +0x00 */
	uint8_t unknown[12]; /* +0x04 */
	le32 checksum;       /* +0x10 */
	uint8_t align[12];   /* +0x14 */
	le64 sector;         /* +0x20 */
	le32 nsectors;       /* +0x28 */
	uint8_t padding[4];  /* +0x2c */
};
_Static_assert(sizeof(struct errors) == 48, "EWF2, Error table");

/* What is known of a segment before its sections are taken. */
struct walk {
	struct ewf *e;
	struct dev *dev;
	uint64_t *offsets; /* of the descriptors, the last one first */
	size_t count;
	uint64_t data, size; /* of the section at hand */
	/* Of the two texts, until both are there; the first of a kind counts. */
	uint64_t sectors, sector, per_chunk;
	bool has_text[CASE_DATA + 1]; /* by type */
};

static int read_at(const struct walk *w, uint64_t off, void *out, size_t len,
                   struct platter_error *err)
{
	if (dev_pread(w->dev, out, len, off))
		return err_set(err, EIO, "%zu bytes at %" PRIu64 " cannot be read", len, off);
	return 0;
}

/* ---- texts ---- */

/* Go on to the next value of a line; false at its end. */
static bool next_value(const char **line)
{
	*line += strcspn(*line, "\t\n");
	if (**line != '\t')
		return false;
	++*line;
	return true;
}

static size_t value_len(const char *value)
{
	return strcspn(value, "\t\r\n");
}

/* The number of that name, 0 where there is none. */
static uint64_t text_number(const char *names, const char *values, const char *name)
{
	size_t len = strlen(name);

	for (unsigned n = 0; n < VALUES_MAX; n++) {
		if (value_len(names) == len && memcmp(names, name, len) == 0)
			return value_len(values) && values[0] != '-' ? strtoull(values, NULL, 10)
			                                             : 0;
		if (!next_value(&names) || !next_value(&values))
			break;
	}
	return 0;
}

static const char *next_line(const char *text)
{
	text += strcspn(text, "\n");
	return *text ? text + 1 : text;
}

/* Whole: what the sector's texts say. */
static void take_lines(struct walk *w, uint32_t type, const char *text)
{
	const char *names = next_line(next_line(text)), *values = next_line(names);

	if (type == DEVICE_INFORMATION) {
		w->sectors = text_number(names, values, "ts");
		w->sector = text_number(names, values, "bp");
	} else {
		w->per_chunk = text_number(names, values, "sb");
	}
}

static int unpack_text(struct walk *w, const void *packed, uint8_t *wide, size_t *len,
                       struct platter_error *err)
{
	*len = TEXT_MAX;
	if (codec_unpack_upto(w->e->codec, packed, (size_t)w->size, wide, len))
		return err_set(err, EIO, "the text at %" PRIu64 " cannot be unpacked", w->data);
	w->e->texts += *len;
	return w->e->texts <= TEXTS_MAX
	               ? 0
	               : err_set(err, E2BIG, "more than %" PRIu64 " bytes of texts", TEXTS_MAX);
}

static int take_text(struct walk *w, uint32_t type, struct platter_error *err)
{
	uint8_t *wide = NULL;
	void *packed = NULL;
	char *text = NULL;
	size_t len = 0;
	bool big;
	int r;

	if (w->has_text[type])
		return 0;
	w->has_text[type] = true;
	if (w->size > PACKED_TEXT_MAX)
		return err_set(err, EINVAL, "a text of %" PRIu64 " bytes, at most %zu", w->size,
		               PACKED_TEXT_MAX);
	r = dev_read_table(w->dev, w->data, w->size, 1, PACKED_TEXT_MAX, "text", &packed, err);
	if (r || !packed)
		return r;
	wide = malloc(TEXT_MAX);
	text = malloc(TEXT_MAX * 2);
	r = wide && text ? unpack_text(w, packed, wide, &len, err)
	                 : err_set(err, ENOMEM, "no memory");
	if (!r) {
		big = len >= 2 && wide[0] == 0xfe && wide[1] == 0xff;
		if (len >= 2)
			text_from_utf16(wide + 2, (len - 2) / 2, big, text, TEXT_MAX * 2);
		else
			text[0] = '\0';
		take_lines(w, type, text);
	}
	free(packed);
	free(wide);
	free(text);
	return r;
}

/* ---- other sections ---- */

static int take_table(struct walk *w, struct platter_error *err)
{
	struct ewf_table t = {.dev = w->dev, .entries = w->data + sizeof(struct table_header)};
	struct table_header h;
	int r;

	if (w->size < sizeof h + 4)
		return err_set(err, EIO,
		               "the table at %" PRIu64 " has %" PRIu64 " bytes, expected %zu"
		               " or more",
		               w->data, w->size, sizeof h + 4);
	r = read_at(w, w->data, &h, sizeof h, err);
	if (r)
		return r;
	if (!ewf_summed(&h, offsetof(struct table_header, checksum)))
		return err_set(err, EIO, "the table at %" PRIu64 " has a damaged header", w->data);
	t.count = le32_get(h.entries);
	t.summed = true;
	if ((w->size - sizeof h - 4) / sizeof(struct entry) < t.count)
		return err_set(err, EIO,
		               "the table at %" PRIu64 " has %" PRIu32
		               " entries, and room for %" PRIu64,
		               w->data, t.count, (w->size - sizeof h - 4) / sizeof(struct entry));
	if (le64_get(h.first_chunk) != w->e->chunks)
		return err_set(err, EINVAL,
		               "the table at %" PRIu64 " begins with chunk %" PRIu64
		               ", expected %" PRIu64,
		               w->data, le64_get(h.first_chunk), w->e->chunks);
	return t.count ? ewf_add_table(w->e, &t, err) : 0;
}

static int take_hash(struct walk *w, uint32_t type, struct platter_error *err)
{
	size_t len = type == MD5_HASH ? 16 : 20;
	uint8_t sum[24];
	int r = w->size < len + 4 ? 0 : read_at(w, w->data, sum, len + 4, err);

	if (r || w->size < len + 4)
		return r;
	if (!ewf_summed(sum, len))
		image_note(w->e->image, "the stored %s is damaged", len == 16 ? "MD5" : "SHA-1");
	else if (type == MD5_HASH)
		ewf_set_md5(w->e, sum);
	else
		ewf_set_sha1(w->e, sum);
	return 0;
}

static int take_errors(struct walk *w, struct platter_error *err)
{
	struct errors h;
	int r = w->size < sizeof h ? 0 : read_at(w, w->data, &h, sizeof h, err);

	if (r || w->size < sizeof h || le32_get(h.entries) == 0)
		return r;
	image_note(w->e->image,
	           "%" PRIu32 " ranges of the original could not be read when the image was made, "
	           "the first of %" PRIu32 " sectors at sector %" PRIu64,
	           le32_get(h.entries), le32_get(h.nsectors), le64_get(h.sector));
	return 0;
}

static int take(struct walk *w, const struct section *s, struct platter_error *err)
{
	uint32_t type = le32_get(s->type);

	if (type == ENCRYPTION_KEYS || (le32_get(s->data_flags) & SECTION_ENCRYPTED))
		return err_set(err, EOPNOTSUPP,
		               "encrypted, which is not supported: how has never been published");
	switch (type) {
	case DEVICE_INFORMATION:
	case CASE_DATA:
		return take_text(w, type, err);
	case SECTOR_TABLE:
		return take_table(w, err);
	case ERROR_TABLE:
		return take_errors(w, err);
	case MD5_HASH:
	case SHA1_HASH:
		return take_hash(w, type, err);
	case DONE:
		w->e->last = true;
		return 0;
	default:
		return 0;
	}
}

/* ---- the walk ---- */

static int read_descriptor(struct walk *w, uint64_t off, struct section *s,
                           struct platter_error *err)
{
	int r = read_at(w, off, s, sizeof *s, err);

	if (r)
		return r;
	if (!ewf_summed(s, sizeof *s - 4))
		return err_set(err, EIO,
		               "no section descriptor at %" PRIu64
		               ", which is damaged, cut short or not finished",
		               off);
	w->size = le64_get(s->data_size);
	if (off < FILE_HEADER || w->size > off - FILE_HEADER)
		return err_set(err, EIO,
		               "the section before %" PRIu64 " has %" PRIu64
		               " bytes, at most %" PRIu64,
		               off, w->size, off - min64(off, FILE_HEADER));
	w->data = off - w->size;
	return 0;
}

static int add_offset(struct walk *w, uint64_t off, struct platter_error *err)
{
	uint64_t *more = w->offsets;

	if (w->e->sections++ == EWF_SECTIONS_MAX)
		return err_set(err, E2BIG, "more than %u sections", EWF_SECTIONS_MAX);
	if ((w->count & (w->count - 1)) == 0)
		more = reallocarray(more, w->count ? w->count * 2 : 1, sizeof *more);
	if (!more)
		return err_set(err, ENOMEM, "no memory");
	w->offsets = more;
	more[w->count++] = off;
	return 0;
}

/* Find all descriptors, from the end to the first one. */
static int find_sections(struct walk *w, struct platter_error *err)
{
	uint64_t off, previous;
	struct section s;
	uint32_t type;
	int r;

	if (w->dev->size < FILE_HEADER + sizeof s)
		return err_set(err, EIO, "%" PRIu64 " bytes, expected %zu or more", w->dev->size,
		               FILE_HEADER + sizeof s);
	for (off = w->dev->size - sizeof s; off; off = previous) {
		r = read_descriptor(w, off, &s, err);
		if (!r)
			r = add_offset(w, off, err);
		if (r)
			return r;
		type = le32_get(s.type);
		if (w->count == 1 && type != NEXT && type != DONE)
			return err_set(err, EIO,
			               "the last section is of type %" PRIu32
			               ", expected %u (next) or %u (done)",
			               type, NEXT, DONE);
		previous = le64_get(s.previous_offset);
		if (previous && (previous > w->data || w->data - previous < sizeof s))
			return err_set(err, EIO,
			               "the section before %" PRIu64 " begins at %" PRIu64
			               ", and the one before it ends behind %" PRIu64,
			               off, w->data, previous);
	}
	return 0;
}

static int take_sections(struct walk *w, struct platter_error *err)
{
	struct section s;
	int r = 0;

	while (!r && w->count) {
		r = read_descriptor(w, w->offsets[--w->count], &s, err);
		if (!r)
			r = take(w, &s, err);
	}
	if (r || w->e->size)
		return r;
	return ewf_set_geometry(w->e, w->sectors, w->sector, w->per_chunk, err);
}

int ewf2_read_segment(struct ewf *e, struct dev *dev, struct platter_error *err)
{
	struct walk w = {.e = e, .dev = dev};
	int r = find_sections(&w, err);

	if (!r)
		r = take_sections(&w, err);
	free(w.offsets);
	return r;
}

/* ---- reading ---- */

int ewf2_get_chunk(const struct ewf *e, const struct ewf_table *t, uint32_t i,
                   struct ewf_chunk *chunk)
{
	struct entry entry;
	uint32_t flags;
	bool wide;
	int r = ewf_get_entry(e, t, i, &entry, &wide);

	if (r)
		return r;
	flags = le32_get(entry.flags);
	*chunk = (struct ewf_chunk){
		.offset = le64_get(entry.offset),
		.stored = le32_get(entry.size),
		.packed = flags & CHUNK_PACKED,
		.filled = (flags & CHUNK_PACKED) && (flags & CHUNK_FILLED),
	};
	return chunk->filled || range_ok(chunk->offset, chunk->stored, t->dev->size) ? 0 : -EIO;
}
