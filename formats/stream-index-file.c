/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressed streams: an index as bytes, for indexcache.h. Everything is little-endian:
 *
 *   u64 unpacked size, u64 spacing, u64 extra, u32 number of points, u32 bytes of the zero map;
 *   for each point: u64 in, u64 out, u32 kind, u32 packed, u32 length;
 *   the windows one after the other; the zero map.
 *
 * A kept index has a checksum, but is still not believed further than it holds together.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"
#include "stream.h"

struct head {
	le64 size, spacing, extra;
	le32 npoints, zeros_len;
};

struct entry {
	le64 in, out;
	le32 kind, packed, length;
};

_Static_assert(sizeof(struct head) == 32 && sizeof(struct entry) == 28, "no padding");

int stream_index_pack(const struct stream *s, uint8_t **out, size_t *len)
{
	struct head head = {le64_put(s->size), le64_put(s->spacing), le64_put(s->extra),
	                    le32_put((uint32_t)s->npoints), le32_put((uint32_t)s->zeros_len)};
	uint8_t *p;

	*len = sizeof head + s->npoints * sizeof(struct entry) + s->windows + s->zeros_len;
	*out = p = malloc(*len);
	if (!p)
		return -ENOMEM;
	memcpy(p, &head, sizeof head);
	p += sizeof head;
	for (size_t i = 0; i < s->npoints; i++, p += sizeof(struct entry)) {
		const struct stream_point *q = &s->points[i];
		struct entry e = {le64_put(q->in), le64_put(q->out), le32_put(q->kind),
		                  le32_put(q->packed), le32_put(q->length)};

		memcpy(p, &e, sizeof e);
	}
	for (size_t i = 0; i < s->npoints; i++) {
		if (s->points[i].packed)
			memcpy(p, s->points[i].window, s->points[i].packed);
		p += s->points[i].packed;
	}
	if (s->zeros_len)
		memcpy(p, s->zeros, s->zeros_len);
	return 0;
}

/* One point, whose window begins at *data. */
static bool unpack_point(struct stream *s, const struct entry *e, const uint8_t **data, size_t *len)
{
	struct stream_point p = {.in = le64_get(e->in),
	                         .out = le64_get(e->out),
	                         .kind = le32_get(e->kind),
	                         .packed = le32_get(e->packed),
	                         .length = le32_get(e->length)};
	uint64_t last = s->npoints ? s->points[s->npoints - 1].out : 0;

	if (p.packed > *len || p.length > s->coder->window || p.in / 8 >= s->file->size ||
	    p.out >= s->size || (s->npoints ? p.out <= last : p.out != 0))
		return false;
	if (p.packed) {
		p.window = malloc(p.packed);
		if (!p.window)
			return false;
		memcpy(p.window, *data, p.packed);
		*data += p.packed;
		*len -= p.packed;
	}
	s->points[s->npoints++] = p;
	s->windows += p.packed;
	return true;
}

bool stream_index_unpack(struct stream *s, const uint8_t *data, size_t len)
{
	const uint8_t *windows;
	struct head head;
	size_t n;

	if (len < sizeof head)
		return false;
	memcpy(&head, data, sizeof head);
	data += sizeof head;
	len -= sizeof head;
	n = le32_get(head.npoints);
	s->size = le64_get(head.size);
	s->spacing = le64_get(head.spacing);
	s->extra = le64_get(head.extra);
	if (n == 0 || n > len / sizeof(struct entry))
		return false;
	s->points = calloc(n, sizeof *s->points);
	if (!s->points)
		return false;
	s->room = n;
	windows = data + n * sizeof(struct entry);
	len -= n * sizeof(struct entry);
	for (size_t i = 0; i < n; i++, data += sizeof(struct entry)) {
		struct entry e;

		memcpy(&e, data, sizeof e);
		if (!unpack_point(s, &e, &windows, &len))
			return false;
	}
	if (len != le32_get(head.zeros_len))
		return false;
	s->zeros = malloc(len ? len : 1);
	if (!s->zeros)
		return false;
	memcpy(s->zeros, windows, len);
	s->zeros_len = len;
	return true;
}
