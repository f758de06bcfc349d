/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Advanced Forensic Format 4, version 1.0 (AFF4 Standard v1.0 and v1.0a, Schatz and Cohen).
 *
 * A volume is a ZIP archive with a description in RDF, information.turtle. There an Image has a
 * dataStream: a Map, or an ImageStream (aff4-stream.c). A Map says of ranges of the disk where in
 * which stream they stand: an ImageStream, or one of those that are stored nowhere, zeros, one byte
 * over and over, and two texts for what was not or could not be read. A Map may be large (one entry
 * for each 64 KiB is common), so only small ones are held.
 *
 * An image may be striped over several volumes. They are looked for among the files whose names
 * differ in the number at the end (Disk_1.aff4, Disk_2.aff4), and known by their URNs.
 *
 * Logical images (AFF4-L) hold files and no disk.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aff4.h"

/* What a volume may have of streams and files, far beyond what stripes are made of. */
#define TARGETS_MAX 1024u
#define STREAMS_MAX 16u
#define VOLUMES_MAX 16u
#define IMAGES_MAX  16u

#define IDX_MAX ((size_t)1 << 20)

/* Maps up to that are held, and may be in any order; packed ones always are. */
#define HELD_MAX   ((size_t)8 << 20)
#define PACKED_MAX ((size_t)32 << 20)

/* What is needed while it is opened. */
struct opening {
	struct image *image;
	struct aff4 *a;
	struct platter_error *err;
	struct aff4_volume volumes[VOLUMES_MAX];
	unsigned nvolumes, nstreams;
	const char *streams[STREAMS_MAX]; /* the URIs of those that are opened */
	uint64_t nbevies;                 /* in all of them */
	const char *subject;              /* the Image's URI */
	const char *stream;               /* its dataStream's */
};

/* ---- volumes ---- */

/* The name without the number that it ends in, ".aff4" aside. */
static size_t stem(const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t n = dot ? (size_t)(dot - name) : strlen(name);

	while (n && isdigit((unsigned char)name[n - 1]))
		n--;
	return n;
}

static int open_volume(struct opening *o, struct dev *dev)
{
	int r;

	if (o->nvolumes == VOLUMES_MAX)
		return err_set(o->err, E2BIG, "more than %u volumes", VOLUMES_MAX);
	r = aff4_volume_open(dev, &o->volumes[o->nvolumes], o->err);
	if (!r)
		o->nvolumes++;
	return r;
}

/* Called for each .aff4 file of the folder: open those that are called as this one. */
static int open_sibling(void *arg, const char *name)
{
	struct opening *o = arg;
	const char *own = chain_name(o->image->chain);
	struct dev *dev;
	int r;

	if (strcmp(name, own) == 0 || stem(name) != stem(own) || strncmp(name, own, stem(own)) != 0)
		return 0;
	r = chain_open(o->image->chain, "volume", name, &dev, o->err);
	if (!r)
		r = open_volume(o, dev);
	if (r == DRIVER_NOT_MINE)
		return 0;
	if (r)
		err_prefix(o->err, "volume \"%s\"", name);
	return r;
}

static bool has_stream(const struct aff4_volume *v, const char *urn)
{
	return aff4_graph_number(&v->graph, urn, "chunkSize") != 0;
}

/* The volume that a stream is in: this one, or another beside it. */
static int find_volume(struct opening *o, const char *urn, const struct aff4_volume **v)
{
	const char *where;
	int r = 0;

	for (int again = 0; again < 2; again++) {
		for (unsigned i = 0; i < o->nvolumes; i++)
			if (has_stream(&o->volumes[i], urn)) {
				*v = &o->volumes[i];
				return 0;
			}
		if (again || o->nvolumes > 1)
			break;
		r = chain_list(o->image->chain, ".aff4", open_sibling, o, o->err);
		if (r)
			break;
	}
	if (r && r != -EPERM)
		return r;
	where = aff4_graph_get(&o->volumes[0].graph, urn, "stored");
	return err_set(o->err, ENOENT,
	               "stream %.100s is in volume %.100s, which is not among the files here with "
	               "names like this one's",
	               urn, where ? where : "that is not said");
}

/* ---- what a map refers to ---- */

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *p = strchr(digits, tolower((unsigned char)c));

	return c && p ? (int)(p - digits) : -1;
}

/* Whether uri is one of the streams that are stored nowhere. */
static bool symbolic(const char *uri, struct aff4_target *t)
{
	static const char stream[] = AFF4_SCHEMA "SymbolicStream";
	const char *digits = uri + sizeof stream - 1;

	*t = (struct aff4_target){.kind = AFF4_FILL};
	if (aff4_is(uri, "UnknownData"))
		t->text = aff4_unknown;
	else if (aff4_is(uri, "UnreadableData"))
		t->text = aff4_unreadable;
	else if (strncmp(uri, stream, sizeof stream - 1) == 0 && strlen(digits) == 2 &&
	         hex_digit(digits[0]) >= 0 && hex_digit(digits[1]) >= 0)
		t->byte = (uint8_t)(hex_digit(digits[0]) << 4 | hex_digit(digits[1]));
	else
		return aff4_is(uri, "Zero");
	return true;
}

/* Each stream once, for each holds what it consists of. */
static int note_stream(struct opening *o, const char *uri)
{
	if (o->nstreams == STREAMS_MAX)
		return err_set(o->err, E2BIG, "a map of more than %u streams", STREAMS_MAX);
	for (unsigned i = 0; i < o->nstreams; i++)
		if (strcmp(o->streams[i], uri) == 0)
			return err_set(o->err, EINVAL, "a map that names stream %.100s twice", uri);
	o->streams[o->nstreams++] = uri;
	return 0;
}

/* uri stays where it is until all are added. */
static int add_target(struct opening *o, const char *uri)
{
	struct aff4 *a = o->a;
	struct aff4_target *t = &a->targets[a->ntargets];
	const struct aff4_volume *v = NULL;
	int r = 0;

	if (!symbolic(uri, t)) {
		r = note_stream(o, uri);
		if (!r)
			r = find_volume(o, uri, &v);
		if (r)
			return r;
		t->kind = AFF4_STREAM;
		t->stream.id = (uint64_t)(a->ntargets + 1) << AFF4_CHUNK_BITS;
		r = aff4_stream_open(v, uri, AFF4_BEVIES_MAX - o->nbevies, &t->stream, o->err);
		o->nbevies += t->stream.nbevies;
	}
	a->ntargets++; /* for aff4_close, whatever happened */
	return r;
}

/* The idx member: a URI in each line, whose number is the id. */
static int read_targets(struct opening *o)
{
	char name[1200], *text, *line, *rest;
	size_t len;
	int r = aff4_member_name(&o->volumes[0], o->stream, "/idx", name, sizeof name);

	if (r)
		return err_set(o->err, -r, "the map %.100s has no name in the archive", o->stream);
	r = aff4_zip_load(&o->volumes[0].zip, name, IDX_MAX, &text, &len, o->err);
	for (rest = text; !r && (line = strsep(&rest, "\n"));) {
		line[strcspn(line, "\r")] = '\0';
		if (!*line)
			continue;
		if (o->a->ntargets == TARGETS_MAX)
			r = err_set(o->err, E2BIG, "a map of more than %u targets", TARGETS_MAX);
		else
			r = add_target(o, line);
	}
	free(text);
	return r;
}

/* ---- the map ---- */

static int in_order(const void *x, const void *y)
{
	uint64_t a = le64_get(((const struct aff4_map_entry *)x)->mapped_offset);
	uint64_t b = le64_get(((const struct aff4_map_entry *)y)->mapped_offset);

	return a < b ? -1 : a > b;
}

/* An entry of no bytes would stand in the way of the one that is there. */
static void drop_empty(struct aff4 *a)
{
	uint64_t kept = 0;

	for (uint64_t i = 0; i < a->count; i++)
		if (le64_get(a->held[i].length) != 0)
			a->held[kept++] = a->held[i];
	a->count = kept;
}

/* Of a map that is held all can be said now. */
static int check_held(struct opening *o)
{
	struct aff4 *a = o->a;
	uint64_t end = 0;

	drop_empty(a);
	qsort(a->held, (size_t)a->count, sizeof *a->held, in_order);
	for (uint64_t i = 0; i < a->count; i++) {
		const struct aff4_map_entry *e = &a->held[i];
		uint64_t off = le64_get(e->mapped_offset);

		if (aff4_check_entry(a, e))
			return err_set(o->err, EIO,
			               "the map sends %" PRIu64 " bytes at %" PRIu64
			               " to byte %" PRIu64 " of stream %" PRIu32 " of %" PRIu32
			               ", which ends before",
			               le64_get(e->length), off, le64_get(e->target_offset),
			               le32_get(e->target_id), a->ntargets);
		if (off < end)
			return err_set(o->err, EINVAL,
			               "the map says two things of the byte at %" PRIu64, off);
		end = off + le64_get(e->length);
	}
	return 0;
}

static int hold_map(struct opening *o, const char *name, size_t max)
{
	char *bytes;
	size_t len;
	int r = aff4_zip_load(&o->volumes[0].zip, name, max, &bytes, &len, o->err);

	if (r)
		return r;
	o->a->held = (struct aff4_map_entry *)bytes;
	o->a->count = len / sizeof(struct aff4_map_entry);
	return check_held(o);
}

static int read_map(struct opening *o)
{
	struct aff4_member member;
	char name[1200];
	int r = aff4_member_name(&o->volumes[0], o->stream, "/map", name, sizeof name);

	if (r)
		return err_set(o->err, -r, "the map %.100s has no name in the archive", o->stream);
	r = aff4_zip_find(&o->volumes[0].zip, name, &member, o->err);
	if (r)
		return r;
	if (member.size % sizeof(struct aff4_map_entry))
		return err_set(o->err, EIO,
		               "a map of %" PRIu64 " bytes, expected a multiple of %zu",
		               member.size, sizeof(struct aff4_map_entry));
	if (member.size <= HELD_MAX || member.method != 0)
		return hold_map(o, name, PACKED_MAX);
	o->a->dev = o->image->file;
	o->a->count = member.size / sizeof(struct aff4_map_entry);
	r = member.packed == member.size ? aff4_member_start(o->a->dev, &member, &o->a->start)
	                                 : -EIO;
	return r ? err_set(o->err, EIO, "the map at %" PRIu64 " passes the end", member.header) : 0;
}

/* A stream without a map is one entry; one that is stored nowhere goes on for all of the disk. */
static int make_map(struct opening *o)
{
	int r = add_target(o, o->stream);
	const struct aff4_target *t = &o->a->targets[0];
	uint64_t len = t->kind == AFF4_FILL ? o->a->size : t->stream.size;

	if (r)
		return r;
	o->a->held = malloc(sizeof *o->a->held);
	if (!o->a->held)
		return err_set(o->err, ENOMEM, "no memory");
	*o->a->held = (struct aff4_map_entry){.length = le64_put(len)};
	o->a->count = 1;
	return 0;
}

/* What stands where the map says nothing. */
static int set_gap(struct opening *o)
{
	const char *uri = aff4_graph_get(&o->volumes[0].graph, o->stream, "mapGapDefaultStream");

	if (uri && !symbolic(uri, &o->a->targets[o->a->ntargets]))
		return err_set(o->err, EOPNOTSUPP,
		               "gaps are filled from <%.100s>, which is not known", uri);
	return 0;
}

/* ---- the image ---- */

static bool has_type(const struct aff4_graph *g, const char *subject, const char *type)
{
	const struct aff4_triple *t;
	size_t at = 0;

	while ((t = aff4_graph_find(g, &at, subject, "type")))
		if (aff4_is(t->object, type))
			return true;
	return false;
}

static bool is_image(const struct aff4_graph *g, const char *subject)
{
	return has_type(g, subject, "Image") || has_type(g, subject, "DiskImage") ||
	       has_type(g, subject, "ContiguousImage") ||
	       has_type(g, subject, "DiscontiguousImage");
}

/* The first image with a stream; others, which no known program writes, are only mentioned. */
static int find_image(struct opening *o)
{
	const struct aff4_graph *g = &o->volumes[0].graph;
	const struct aff4_triple *t;
	unsigned found = 0, files = 0, tried = 0;
	size_t at = 0;

	while ((t = aff4_graph_find(g, &at, NULL, "dataStream"))) {
		if (tried++ == IMAGES_MAX)
			break;
		if (!is_image(g, t->subject) || has_type(g, t->subject, "FileImage"))
			continue;
		if (found++ == 0) {
			o->subject = t->subject;
			o->stream = t->object;
		}
	}
	for (at = 0; (t = aff4_graph_find(g, &at, NULL, "type"));)
		files += aff4_is(t->object, "FileImage");
	if (!found && files)
		return err_set(o->err, EOPNOTSUPP,
		               "logical image (AFF4-L), which holds %u files and no disk", files);
	if (!found)
		return err_set(o->err, EINVAL, "information.turtle describes no disk image");
	if (found > 1)
		image_note(o->image, "holds %u images, of which %.100s is used", found, o->subject);
	return 0;
}

static bool parse_hex(const char *hex, uint8_t *out, size_t size)
{
	size_t n = 0;

	for (; hex[0] && hex[1] && n < size; hex += 2) {
		int a = hex_digit(hex[0]), b = hex_digit(hex[1]);

		if (a < 0 || b < 0)
			return false;
		out[n++] = (uint8_t)(a << 4 | b);
	}
	return n == size && !*hex;
}

/* The sums of the image, or of the stream where that is all of it. */
static int add_sums(struct opening *o, const char *subject)
{
	static const struct {
		const char *type, *digest;
		size_t len;
	} kinds[] = {{"MD5", "md5", 16},
	             {"SHA1", "sha1", 20},
	             {"SHA256", "sha256", 32},
	             {"SHA512", "sha512", 64},
	             {"blake2b", "blake2b", 64}};
	const struct aff4_triple *t;
	size_t at = 0;
	int r = 0;

	while (!r && (t = aff4_graph_find(&o->volumes[0].graph, &at, subject, "hash")))
		for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !r; i++) {
			struct image_sum sum = {.digest = kinds[i].digest, .length = o->a->size};

			if (!aff4_is(t->type, kinds[i].type))
				continue;
			if (parse_hex(t->object, sum.value, kinds[i].len))
				r = image_add_sum(o->image, &sum);
			else
				image_note(o->image, "the stored %s is not readable",
				           kinds[i].type);
		}
	return r ? err_set(o->err, -r, "no memory") : 0;
}

static int open_image(struct opening *o)
{
	const struct aff4_graph *g;
	struct aff4 *a = o->a;
	bool map;
	int r = open_volume(o, o->image->file);

	if (!r)
		r = find_image(o);
	if (r)
		return r;
	g = &o->volumes[0].graph;
	map = has_type(g, o->stream, "Map");
	a->size = aff4_graph_number(g, o->stream, "size");
	a->targets = calloc(TARGETS_MAX + 1, sizeof *a->targets);
	if (!a->targets)
		return err_set(o->err, ENOMEM, "no memory");
	r = map ? read_targets(o) : make_map(o);
	if (!r && map)
		r = read_map(o);
	if (!r)
		r = set_gap(o);
	if (!r)
		r = add_sums(o, o->subject);
	if (!r && !map)
		r = add_sums(o, o->stream);
	return r;
}

static void aff4_close(void *self)
{
	struct aff4 *a = self;

	for (uint32_t i = 0; a->targets && i < a->ntargets; i++)
		if (a->targets[i].kind == AFF4_STREAM)
			aff4_stream_close(&a->targets[i].stream);
	free(a->targets);
	free(a->held);
	free(a);
}

static int aff4_open(struct image *image, struct platter_error *err)
{
	struct opening *o = calloc(1, sizeof *o);
	struct aff4 *a = calloc(1, sizeof *a);
	int r;

	if (!o || !a) {
		free(o);
		free(a);
		return err_set(err, ENOMEM, "no memory");
	}
	*o = (struct opening){.image = image, .a = a, .err = err};
	a->cache = image->cache;
	r = open_image(o);
	while (o->nvolumes)
		aff4_volume_close(&o->volumes[--o->nvolumes]);
	free(o);
	if (r) {
		aff4_close(a);
		return r;
	}
	image->self = a;
	image->size = a->size;
	image->packed = true;
	return 0;
}

const struct format_driver format_aff4 = {
	.name = "aff4",
	.id = 13,
	.open = aff4_open,
	.map = aff4_map_run,
	.close = aff4_close,
};
