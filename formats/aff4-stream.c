/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AFF4 v1.0, section 3: an ImageStream is cut into chunks, and so many of them (2048 by custom) are
 * a bevy: a member of the archive with the chunks one behind the other, and another one with their
 * places. A chunk whose stored length is that of a chunk is not packed. The last chunk is filled up
 * with zeros; where a writer leaves that away, it unpacks to what is left of the stream.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aff4.h"
#include "cache.h"

#define CHUNK_MIN   512u
#define MEMBER_NAME 1200

struct index_entry {
	le64 offset; /* +0x0 in the bevy */
	le32 size;   /* +0x8 */
};
_Static_assert(sizeof(struct index_entry) == 12, "AFF4 v1.0, section 3");

/* How the ways of packing are called: what their URIs have in them. */
static const struct {
	const char *in_uri;
	enum codec codec;
} methods[] = {
	{"google.com/p/snappy", CODEC_SNAPPY},
	{"google.com/p/lz4", CODEC_LZ4},
	{"rfc1950", CODEC_ZLIB},
	{"rfc1951", CODEC_DEFLATE},
};

static int set_method(struct aff4_stream *s, const char *method, struct platter_error *err)
{
	if (!method || strstr(method, "NullCompressor") || strstr(method, "compression/stored"))
		return 0;
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (strstr(method, methods[i].in_uri)) {
			s->packs = true;
			s->codec = methods[i].codec;
			return codec_require(s->codec, err);
		}
	return err_set(err, EOPNOTSUPP, "packed by <%.200s>, which is not known", method);
}

static int set_geometry(struct aff4_stream *s, const struct aff4_volume *v, const char *urn,
                        uint64_t max, struct platter_error *err)
{
	uint64_t chunk = aff4_graph_number(&v->graph, urn, "chunkSize");
	uint64_t per = aff4_graph_number(&v->graph, urn, "chunksInSegment");

	s->size = aff4_graph_number(&v->graph, urn, "size");
	if (chunk < CHUNK_MIN || chunk > RUN_CHUNK_MAX)
		return err_set(err, EINVAL, "chunks of %" PRIu64 " bytes, expected %u to %u", chunk,
		               CHUNK_MIN, RUN_CHUNK_MAX);
	if (per == 0 || per > RUN_CHUNK_MAX / sizeof(struct index_entry))
		return err_set(err, EINVAL, "%" PRIu64 " chunks in a segment, expected 1 to %zu",
		               per, RUN_CHUNK_MAX / sizeof(struct index_entry));
	if (s->size > DEV_SIZE_MAX)
		return err_set(err, EFBIG, "%" PRIu64 " bytes, at most %" PRIu64, s->size,
		               DEV_SIZE_MAX);
	s->chunk = (uint32_t)chunk;
	s->per_bevy = (uint32_t)per;
	s->nbevies = s->size ? (s->size - 1) / (chunk * per) + 1 : 0;
	/* Each is two members. */
	if (s->nbevies > v->zip.count)
		return err_set(err, EINVAL,
		               "%" PRIu64 " segments of %" PRIu64
		               " bytes, and the archive has %" PRIu64 " members",
		               s->nbevies, chunk * per, v->zip.count);
	if (s->nbevies > max)
		return err_set(err, E2BIG,
		               "%" PRIu64 " segments, at most %u in all streams together",
		               s->nbevies, AFF4_BEVIES_MAX);
	s->bevies = calloc(s->nbevies ? (size_t)s->nbevies : 1, sizeof *s->bevies);
	return s->bevies ? 0 : err_set(err, ENOMEM, "no memory");
}

/* Whether the name of a member, behind that of the stream, is a bevy's or its index's. */
static bool parse_bevy(const char *name, size_t len, uint64_t *number, bool *index)
{
	static const char suffix[] = ".index";
	size_t digits = 0;

	if (len < 2 || name[0] != '/')
		return false;
	name++;
	len--;
	for (*number = 0; digits < len && digits < 12 && name[digits] >= '0' && name[digits] <= '9';
	     digits++)
		*number = *number * 10 + (uint64_t)(name[digits] - '0');
	*index = len - digits == sizeof suffix - 1 &&
	         memcmp(name + digits, suffix, sizeof suffix - 1) == 0;
	return digits && (*index || digits == len);
}

/* Find all bevies in one way through the archive's directory. */
static int find_bevies(struct aff4_stream *s, const struct aff4_volume *v, const char *urn,
                       struct platter_error *err)
{
	char base[MEMBER_NAME];
	struct aff4_member member;
	const char *name;
	size_t at = 0, len, blen;
	uint64_t n;
	bool index;
	int r = aff4_member_name(v, urn, "", base, sizeof base);

	if (r)
		return err_set(err, -r, "it has no name in the archive");
	blen = strlen(base);
	while ((r = aff4_zip_next(&v->zip, &at, &member, &name, &len)) == 0) {
		if (len > blen && memcmp(name, base, blen) == 0 &&
		    parse_bevy(name + blen, len - blen, &n, &index) && n < s->nbevies)
			*(index ? &s->bevies[n].index : &s->bevies[n].data) = member;
	}
	return r == -ENOENT ? 0 : err_set(err, EIO, "the archive's directory is damaged");
}

static uint64_t chunks_in(const struct aff4_stream *s, uint64_t bevy)
{
	uint64_t chunks = s->size ? (s->size - 1) / s->chunk + 1 : 0;

	return min64(s->per_bevy, chunks - bevy * s->per_bevy);
}

static int check_bevies(const struct aff4_stream *s, struct platter_error *err)
{
	for (uint64_t i = 0; i < s->nbevies; i++) {
		const struct aff4_bevy *b = &s->bevies[i];
		uint64_t wanted = chunks_in(s, i) * sizeof(struct index_entry);

		if (b->index.size < wanted || b->index.size > RUN_CHUNK_MAX)
			return err_set(err, EIO,
			               "the index of segment %" PRIu64 " has %" PRIu64
			               " bytes, expected %" PRIu64 " to %u",
			               i, b->index.size, wanted, RUN_CHUNK_MAX);
		if (b->data.size == 0)
			return err_set(err, EIO, "segment %" PRIu64 " of %" PRIu64 " is not there",
			               i, s->nbevies);
		if (b->data.method != 0 || b->data.packed != b->data.size)
			return err_set(err, EOPNOTSUPP,
			               "segment %" PRIu64
			               " is packed once more, which is not supported",
			               i);
		if (!range_ok(b->data.header, b->data.packed, s->dev->size))
			return err_set(err, EIO,
			               "segment %" PRIu64 " of %" PRIu64 " bytes at %" PRIu64
			               " passes the end at %" PRIu64,
			               i, b->data.packed, b->data.header, s->dev->size);
	}
	return 0;
}

int aff4_stream_open(const struct aff4_volume *v, const char *urn, uint64_t max,
                     struct aff4_stream *s, struct platter_error *err)
{
	int r;

	s->dev = v->zip.dev;
	r = set_geometry(s, v, urn, max, err);
	if (!r)
		r = set_method(s, aff4_graph_get(&v->graph, urn, "compressionMethod"), err);
	if (!r)
		r = find_bevies(s, v, urn, err);
	if (!r)
		r = check_bevies(s, err);
	if (r)
		err_prefix(err, "stream %.100s", urn);
	return r;
}

void aff4_stream_close(struct aff4_stream *s)
{
	free(s->bevies);
	s->bevies = NULL;
}

/* ---- reading ---- */

/* A bevy's index, as the cache makes it. */
struct making {
	const struct aff4_stream *s;
	const struct aff4_bevy *bevy;
};

static int make_index(void *arg, void *data, size_t size)
{
	const struct making *m = arg;

	(void)size;
	return aff4_member_read(m->s->dev, &m->bevy->index, data);
}

/* Where the data of a bevy begins, by its local header. */
static int bevy_start(const struct aff4_stream *s, struct cache *cache,
                      const struct aff4_bevy *bevy, uint64_t *start)
{
	const struct cache_chunk *chunk;
	le16 name, extra;
	int r = run_table(cache, s->dev, bevy->data.header, 30, &chunk);

	if (r)
		return r;
	memcpy(name.b, (const char *)chunk->data + 26, 2);
	memcpy(extra.b, (const char *)chunk->data + 28, 2);
	*start = bevy->data.header + 30 + le16_get(name) + le16_get(extra);
	cache_put(cache, chunk);
	return range_ok(*start, bevy->data.size, s->dev->size) ? 0 : -EIO;
}

/* Chunk i of a bevy, given its index: checked to lie in it. */
static int get_entry(const struct aff4_bevy *bevy, const void *index, uint64_t i, uint64_t *off,
                     uint32_t *len)
{
	struct index_entry e;

	memcpy(&e, (const char *)index + i * sizeof e, sizeof e);
	*off = le64_get(e.offset);
	*len = le32_get(e.size);
	return *len && *len <= RUN_CHUNK_MAX && range_ok(*off, *len, bevy->data.size) ? 0 : -EIO;
}

/* Chunks that are not packed and stand one behind the other are one run. */
static void extend_raw(const struct aff4_stream *s, const struct aff4_bevy *bevy, const void *index,
                       uint64_t i, uint64_t count, uint64_t end, struct run *run)
{
	uint64_t off;
	uint32_t len;

	while (++i < count && get_entry(bevy, index, i, &off, &len) == 0 && off == end &&
	       len == s->chunk) {
		end += len;
		run->length += len;
	}
}

static int fill_run(const struct aff4_stream *s, const struct aff4_bevy *bevy, const void *index,
                    uint64_t n, uint64_t start, struct run *run)
{
	uint64_t count = chunks_in(s, n / s->per_bevy), i = n % s->per_bevy, off;
	uint64_t left = s->size - n * s->chunk;
	uint32_t len;
	int r = get_entry(bevy, index, i, &off, &len);

	if (r)
		return r;
	run->dev = s->dev;
	run->offset = start + off;
	run->length = s->chunk - run->skip;
	if (len == s->chunk || (!s->packs && len == left)) {
		run->kind = RUN_RAW;
		run->offset += run->skip;
		extend_raw(s, bevy, index, i, count, off + len, run);
	} else if (!s->packs) {
		return -EIO;
	} else if (left < s->chunk) {
		run->kind = RUN_MADE;
		run->offset = s->id | n;
		run->unpacked = (uint32_t)left;
	} else {
		run->kind = RUN_PACKED;
		run->codec = s->codec;
		run->packed = len;
		run->unpacked = s->chunk;
	}
	run->length = min64(run->length, left - run->skip);
	return 0;
}

int aff4_stream_map(const struct aff4_stream *s, struct cache *cache, uint64_t off, struct run *run)
{
	uint64_t n = off / s->chunk, start;
	const struct aff4_bevy *bevy = &s->bevies[n / s->per_bevy];
	struct making making = {s, bevy};
	struct cache_key key = {bevy, 0};
	const struct cache_chunk *index;
	int r = bevy_start(s, cache, bevy, &start);

	*run = (struct run){.skip = (uint32_t)(off % s->chunk)};
	if (!r)
		r = cache_get(cache, key, (size_t)bevy->index.size, make_index, &making, &index);
	if (r)
		return r;
	r = fill_run(s, bevy, index->data, n, start, run);
	cache_put(cache, index);
	return r;
}

/* The last chunk, of which less than a chunk counts: filled up or not, as it was written. */
int aff4_stream_make(const struct aff4_stream *s, struct cache *cache, uint64_t number, void *data,
                     size_t size)
{
	uint64_t n = number & (((uint64_t)1 << AFF4_CHUNK_BITS) - 1), start, off = 0;
	const struct aff4_bevy *bevy = &s->bevies[n / s->per_bevy];
	struct making making = {s, bevy};
	struct cache_key key = {bevy, 0};
	const struct cache_chunk *index;
	char *packed = NULL, *whole = NULL;
	uint32_t len = 0;
	int r = bevy_start(s, cache, bevy, &start);

	if (!r)
		r = cache_get(cache, key, (size_t)bevy->index.size, make_index, &making, &index);
	if (r)
		return r;
	r = get_entry(bevy, index->data, n % s->per_bevy, &off, &len);
	cache_put(cache, index);
	packed = malloc(len + 1u);
	whole = malloc(s->chunk);
	if (!packed || !whole)
		r = -ENOMEM;
	if (!r)
		r = dev_pread(s->dev, packed, len, start + off);
	if (!r && codec_unpack(s->codec, packed, len, whole, s->chunk) == 0)
		memcpy(data, whole, size);
	else if (!r)
		r = codec_unpack(s->codec, packed, len, data, size);
	free(packed);
	free(whole);
	return r;
}
