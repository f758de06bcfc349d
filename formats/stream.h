/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressed streams with random access: what gzip, bzip2, xz, zstd and lz4 have in common.
 *
 * A stream can be unpacked from some places on only: its restart points. Where the format lists
 * them (xz, zstd's seek table) the driver adds them as it reads that list; where it does not, one
 * pass over the file finds them, and what the pass found is kept for the next time (indexcache.h).
 * The unpacked bytes themselves are never spooled, neither to disk nor to memory.
 *
 * What is unpacked is served in chunks of STREAM_CHUNK bytes. To make one, a decoder begins at the
 * last point before it and skips; decoders stay alive for a while, so that reading on from where
 * one stands costs nothing twice. Their number is bounded by the memory that each needs.
 */
#ifndef PLATTER_STREAM_H
#define PLATTER_STREAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers.h"

#define STREAM_CHUNK ((uint32_t)256 << 10)

/* The most that a point may need of what was unpacked before it. */
#define STREAM_WINDOW_MAX ((size_t)64 << 10)

/* Memory for all decoders of a stream together; one that needs more than this is refused. */
#define STREAM_MEMORY ((uint64_t)144 << 20)

/* Decoders of a stream at one time. */
#define STREAM_DECODERS 8

/* Where unpacking can begin. */
struct stream_point {
	uint64_t in;             /* bits into the file */
	uint64_t out;            /* bytes into what is unpacked */
	uint32_t kind;           /* the coder's own */
	uint32_t packed, length; /* bytes of .window; and what it unpacks to */
	uint8_t *window;         /* the unpacked bytes before the point, deflated */
};

/* ---- the packed side ---- */

/* A buffered reader of the file. */
struct stream_in {
	struct dev *file;
	uint64_t next; /* of the first byte that is not in the buffer */
	uint8_t *at;   /* unread bytes ... */
	size_t left;   /* ... and how many there are */
	size_t step;   /* to read next: little after a jump, as only a header may be wanted */
	uint8_t buf[64 << 10];
};

void stream_in_seek(struct stream_in *in, uint64_t off);
/* The offset of the next byte. */
uint64_t stream_in_tell(const struct stream_in *in);
/* Make sure that at least one byte is there; at the end of the file .left stays 0. */
int stream_in_fill(struct stream_in *in);
/* Exactly len bytes, -ENODATA when the file ends before. */
int stream_in_get(struct stream_in *in, void *buf, size_t len);
int stream_in_skip(struct stream_in *in, uint64_t len);

/* ---- decoders ---- */

/* Every decoder begins with this. */
struct stream_decoder {
	struct stream_in in;
	const char *why; /* what is wrong, when read failed and there is more to say than errno */
	bool verify;     /* in a pass: check what need only be checked once */
	/* The pool's own. */
	uint64_t out;  /* position in what is unpacked */
	uint64_t goal; /* while busy: where it will stand */
	uint64_t used; /* when it was last put back */
	bool busy;
};

struct stream;

struct stream_coder {
	size_t size;       /* of its decoder */
	uint32_t index_id; /* what marks its indexes in the cache; changes when they do */
	uint32_t window;   /* bytes before a point that it may need, 0 to STREAM_WINDOW_MAX */
	/* Begin a zeroed decoder, whose .in stands at the point's byte, at the point. */
	int (*start)(struct stream *s, struct stream_decoder *d, const struct stream_point *point,
	             const uint8_t *window, size_t len);
	/* Unpack up to len bytes; fewer now and then; *got 0 only at the end of the stream. */
	int (*read)(struct stream_decoder *d, uint8_t *buf, size_t len, size_t *got);
	/* Where it stands in the file, in bits, with .kind: whether it could begin here. NULL for
	 * a coder whose points are listed. *window: whether it would need what comes before. */
	bool (*point)(struct stream_decoder *d, struct stream_point *point, bool *window);
	void (*stop)(struct stream_decoder *d);
};

/* Drivers embed this as the first member of their own struct, zeroed. */
struct stream {
	const struct stream_coder *coder;
	struct dev *file;
	uint64_t size;  /* unpacked */
	uint64_t extra; /* the driver's own, kept with the index */

	struct stream_point *points; /* by .out; the first is at 0 */
	size_t npoints, room;
	uint64_t spacing; /* of points */
	size_t windows;   /* bytes that they take */
	uint8_t *zeros;   /* a bit for each chunk that is known to be zeros */
	size_t zeros_len; /* bytes of it */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t change;
	struct stream_decoder *decoders[STREAM_DECODERS];
	unsigned ndecoders, max;
	uint64_t clock;
};

/* Begin to fill it in; stream_end is due from then on. */
void stream_begin(struct stream *s, struct image *image, const struct stream_coder *coder);

/* One decoder takes so much memory; refused when that is more than there is for all. */
int stream_need(struct stream *s, uint64_t memory, struct platter_error *err);

void stream_end(struct stream *s);

/* The same, and free what begins with the struct stream: the driver's close. */
void stream_close(void *self);

/* zstd and lz4 share a kind of frame that is to be skipped, whatever it holds. */
bool stream_is_skippable(uint32_t magic);

/* The little-endian word that the first other frame begins with. DRIVER_NOT_MINE when there is none
 * soon, -errno with err set when it cannot be read. */
int stream_first_frame(struct dev *file, uint32_t *magic, struct platter_error *err);

/* A point, in ascending order; those too near to the last are left out, as the bounds on the
 * index's memory want it. window may be NULL. */
int stream_add_point(struct stream *s, const struct stream_point *point, const uint8_t *window,
                     size_t len);

/*
 * Find the points and .size: in the cache, or by walk, which calls image_progress now and then.
 * walk NULL: stream_pass, which unpacks all of it.
 */
typedef int stream_walk_fn(struct stream *s, struct image *image, struct platter_error *err);
int stream_index(struct stream *s, struct image *image, stream_walk_fn *walk,
                 struct platter_error *err);
stream_walk_fn stream_pass;

/* The last step of open: fill in image. hint: what people could do about a stream that cannot be
 * begun in its middle. */
int stream_finish(struct stream *s, struct image *image, const char *hint,
                  struct platter_error *err);

/* All of these steps, for a coder whose decoders take so much memory; a struct stream is
 * image->self.
 */
int stream_open(struct image *image, const struct stream_coder *coder, uint64_t memory,
                stream_walk_fn *walk, const char *hint, struct platter_error *err);

/* The driver's map; its self is the struct stream. */
int stream_map(void *self, uint64_t node, uint64_t off, struct run *run);

/* ---- shared by stream.c and stream-index.c ---- */

int stream_decoder_new(struct stream *s, const struct stream_point *point,
                       struct stream_decoder **out);
void stream_decoder_free(struct stream *s, struct stream_decoder *d);
bool stream_all_zeros(const uint8_t *p, size_t len);

/* The points and the zeros as bytes, and back; stream-index-file.c. */
int stream_index_pack(const struct stream *s, uint8_t **out, size_t *len);
bool stream_index_unpack(struct stream *s, const uint8_t *data, size_t len);
void stream_index_clear(struct stream *s);

#endif
