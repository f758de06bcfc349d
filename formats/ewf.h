/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to the EWF driver: what its files share. */
#ifndef PLATTER_FORMATS_EWF_H
#define PLATTER_FORMATS_EWF_H

#include "drivers.h"
#include "ondisk.h"

/* Sections in all segments, whatever they hold: an image of 32 TiB has about as many. */
#define EWF_SECTIONS_MAX ((uint32_t)1 << 20)

/* Tables are looked at when they are opened as far as this goes, in bytes of all together; what is
 * behind that is checked when it is read. */
#define EWF_CHECK_MAX ((size_t)1 << 20)

/* Tables up to that size are held, and checked, as a whole. Writers make them of 16375 entries. */
#define EWF_WHOLE_MAX ((uint64_t)1 << 20)

/* Larger ones are read in blocks of that size. */
#define EWF_BLOCK 65536u

/* The largest chunk, 32768 sectors of 512 bytes. */
#define EWF_CHUNK_MAX ((uint32_t)16 << 20)

/* A table of chunks. Those of all segments in a row number all chunks from 0. */
struct ewf_table {
	struct dev *dev;  /* the segment */
	uint64_t entries; /* where its entries begin */
	uint64_t copy;    /* the same of its copy, 0: there is none */
	uint64_t base;    /* version 1: what offsets are relative to */
	uint64_t end;     /* version 1: of the last chunk */
	uint64_t first;   /* the number of its first chunk */
	uint32_t count;
	bool summed; /* an Adler-32 of the entries stands behind them */
};

struct ewf {
	struct image *image; /* during open */
	struct cache *cache;
	unsigned version;
	enum codec codec;
	struct ewf_table *tables;
	size_t ntables;
	uint64_t chunks; /* in all tables so far */
	uint64_t size;   /* of the disk, 0: not said yet */
	uint32_t chunk;  /* bytes */

	/* During open. */
	uint32_t number;   /* of the segment, from 1 */
	uint32_t sections; /* so far */
	uint64_t texts;    /* version 2: bytes unpacked so far */
	bool last;         /* this segment is the last one */
	uint8_t set[16];   /* what all segments have in common, zeros: not said */
	struct {
		uint8_t md5[16], sha1[20];
		bool has_md5, has_sha1;
	} sums;
};

/* One entry of a table, of either version. */
struct ewf_chunk {
	uint64_t offset;
	uint64_t stored; /* bytes, at most */
	bool packed;
	bool filled; /* with the eight bytes of offset; nothing is stored */
};

/* ewf.c, for the versions: */

/* What the image says of the disk, by sectors. */
int ewf_set_geometry(struct ewf *e, uint64_t sectors, uint64_t sector, uint64_t per_chunk,
                     struct platter_error *err);
/* The identifier that the segments have in common; zeros say nothing. */
int ewf_set_id(struct ewf *e, const uint8_t id[16], struct platter_error *err);
/* Add the next table: t->first is filled in. */
int ewf_add_table(struct ewf *e, const struct ewf_table *t, struct platter_error *err);
size_t ewf_entry_size(const struct ewf *e);
/* The sums of the whole disk; zeros say nothing, and the first of a kind counts. */
void ewf_set_md5(struct ewf *e, const uint8_t sum[16]);
void ewf_set_sha1(struct ewf *e, const uint8_t sum[20]);
/* Whether the Adler-32 of len bytes is the one that stands behind them. */
bool ewf_summed(const void *bytes, size_t len);

/* ewf1.c and ewf2.c: read the sections of one segment, and an entry of a table. */
int ewf1_read_segment(struct ewf *e, struct dev *dev, struct platter_error *err);
int ewf2_read_segment(struct ewf *e, struct dev *dev, struct platter_error *err);
/* The first entry that is an offset of 32 bits, or t->count; version 2 has none. */
uint32_t ewf1_first_wide(const struct ewf_table *t, const void *entries);
int ewf1_get_chunk(const struct ewf *e, const struct ewf_table *t, uint32_t i,
                   struct ewf_chunk *chunk);
int ewf2_get_chunk(const struct ewf *e, const struct ewf_table *t, uint32_t i,
                   struct ewf_chunk *chunk);

/* ewf-table.c: */

/* Look at the tables within EWF_CHECK_MAX, and choose between each and its copy. */
int ewf_check_tables(struct ewf *e, struct platter_error *err);
/* Copy entry i of t. *wide: it is one of those that ewf1_first_wide tells of. */
int ewf_get_entry(const struct ewf *e, const struct ewf_table *t, uint32_t i, void *entry,
                  bool *wide);

/* ewf-map.c: the driver's map; self is a struct ewf. */
int ewf_map_run(void *self, uint64_t node, uint64_t off, struct run *run);

/* ewf-segments.c: the name of segment n, made from that of the first (for n = 1 of any); false when
 * a name of that form has none. */
bool ewf_segment_name(const char *name, unsigned version, uint32_t n, char *out, size_t size);

#endif
