/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to the AFF4 driver: what its files share. */
#ifndef PLATTER_FORMATS_AFF4_H
#define PLATTER_FORMATS_AFF4_H

#include "drivers.h"
#include "ondisk.h"

/* ---- aff4-zip.c: a volume is a ZIP64 archive ---- */

/* A member of an archive. */
struct aff4_member {
	uint64_t header; /* where its local header stands */
	uint64_t packed, size;
	uint16_t method; /* 0 stored, 8 deflated */
};

struct aff4_zip {
	struct dev *dev;
	uint8_t *directory; /* the central directory */
	size_t length;      /* of it, in bytes */
	uint64_t count;     /* of members, as far as is known */
	char comment[256];  /* of the archive */
};

/* Read the central directory; DRIVER_NOT_MINE when it is no archive of this kind. */
int aff4_zip_open(struct dev *dev, struct aff4_zip *zip, struct platter_error *err);
void aff4_zip_close(struct aff4_zip *zip);

/* Go on to the next member from *at, which begins with 0; name is not terminated. 0, -ENOENT at the
 * end, -EIO. */
int aff4_zip_next(const struct aff4_zip *zip, size_t *at, struct aff4_member *member,
                  const char **name, size_t *len);

/* The member of that name; -ENOENT. */
int aff4_zip_find(const struct aff4_zip *zip, const char *name, struct aff4_member *member,
                  struct platter_error *err);

/* Where the data of a member begins. */
int aff4_member_start(struct dev *dev, const struct aff4_member *member, uint64_t *start);

/* Write all of a member, whose size is member->size, to out. */
int aff4_member_read(struct dev *dev, const struct aff4_member *member, void *out);

/* All of a member of at most max bytes, with a NUL behind it, to be freed. */
int aff4_zip_load(const struct aff4_zip *zip, const char *name, size_t max, char **out, size_t *len,
                  struct platter_error *err);

/* ---- aff4-turtle.c: what is known is written down in RDF, as Turtle ---- */

struct aff4_triple {
	const char *subject, *predicate, *object; /* URIs without prefixes, or text */
	const char *type;                         /* of text: a URI, or "" */
};

struct aff4_graph {
	struct aff4_triple *triples;
	size_t count;
	char *arena;
	size_t used, room;
};

int aff4_graph_parse(const char *text, size_t len, struct aff4_graph *g, struct platter_error *err);
void aff4_graph_free(struct aff4_graph *g);

/* The namespace of all names that are AFF4's own. */
#define AFF4_SCHEMA "http://aff4.org/Schema#"

/* The next triple from *at on of that subject (NULL: any) and AFF4's predicate ("type": RDF's). */
const struct aff4_triple *aff4_graph_find(const struct aff4_graph *g, size_t *at,
                                          const char *subject, const char *predicate);
/* The object of the first one, or NULL; as a number, or 0. */
const char *aff4_graph_get(const struct aff4_graph *g, const char *subject, const char *predicate);
uint64_t aff4_graph_number(const struct aff4_graph *g, const char *subject, const char *predicate);
/* Whether uri is that name of AFF4's. */
bool aff4_is(const char *uri, const char *name);

/* ---- aff4-volume.c: the volumes of an image, and its streams in them ---- */

struct aff4_volume {
	struct aff4_zip zip;
	struct aff4_graph graph;
	char urn[256];
};

/* As aff4_zip_open. */
int aff4_volume_open(struct dev *dev, struct aff4_volume *v, struct platter_error *err);
void aff4_volume_close(struct aff4_volume *v);
/* The name of a member: that of urn in v, and what is behind it. -ENAMETOOLONG. */
int aff4_member_name(const struct aff4_volume *v, const char *urn, const char *rest, char *out,
                     size_t size);

/* ---- aff4-stream.c: an ImageStream, chunks in bevies ---- */

struct aff4_bevy {
	struct aff4_member data, index;
};

struct aff4_stream {
	struct dev *dev;
	uint64_t size;
	uint32_t chunk;    /* bytes */
	uint32_t per_bevy; /* chunks */
	bool packs;
	enum codec codec;
	struct aff4_bevy *bevies;
	uint64_t nbevies;
	uint64_t id; /* tells chunks of different streams apart, in the highest bits */
};

/* Bevies of all streams: 32 TiB in those of 64 MiB, and 32 MiB of memory. */
#define AFF4_BEVIES_MAX (512u << 10)

/* max: of bevies. s->nbevies is of an opened one. */
int aff4_stream_open(const struct aff4_volume *v, const char *urn, uint64_t max,
                     struct aff4_stream *s, struct platter_error *err);
void aff4_stream_close(struct aff4_stream *s);
/* As a map; RUN_MADE runs are numbered with .id, and made by aff4_stream_make. */
int aff4_stream_map(const struct aff4_stream *s, struct cache *cache, uint64_t off,
                    struct run *run);
int aff4_stream_make(const struct aff4_stream *s, struct cache *cache, uint64_t number, void *data,
                     size_t size);

/* RUN_MADE numbers, above those of the map: the stream, and the chunk in it. */
#define AFF4_CHUNK_BITS 48

/* ---- aff4-map.c: what the disk is put together from ---- */

struct aff4_map_entry {
	le64 mapped_offset; /* +0x00 */
	le64 length;        /* +0x08 */
	le64 target_offset; /* +0x10 */
	le32 target_id;     /* +0x18 */
};
_Static_assert(sizeof(struct aff4_map_entry) == 28, "AFF4 v1.0, section 4");

enum aff4_target_kind {
	AFF4_FILL, /* a text over and over, or one byte; zeros are a byte */
	AFF4_STREAM,
};

struct aff4_target {
	enum aff4_target_kind kind;
	const char *text; /* NULL: byte */
	uint8_t byte;
	struct aff4_stream stream;
};

struct aff4 {
	struct cache *cache;
	struct aff4_target *targets; /* by id, and the one for gaps behind them */
	uint32_t ntargets;
	uint64_t size;

	struct aff4_map_entry *held; /* in order, NULL: read them */
	struct dev *dev;
	uint64_t start; /* of the map in dev */
	uint64_t count;
};

/* The texts of UnknownData and UnreadableData. */
extern const char aff4_unknown[], aff4_unreadable[];

/* Whether an entry stays inside what it refers to: 0 or -EIO. */
int aff4_check_entry(const struct aff4 *a, const struct aff4_map_entry *e);

/* The driver's map; self is a struct aff4. */
int aff4_map_run(void *self, uint64_t node, uint64_t off, struct run *run);

#endif
