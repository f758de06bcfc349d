/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an overlay holds, copied to another device or a new overlay: by flatten, commit and keep. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay.h"

#define COPY_CHUNK ((size_t)1 << 20)

void overlay_step(const struct platter_progress *progress, uint64_t done, uint64_t total)
{
	if (progress && progress->step)
		progress->step(progress->arg, done, total);
}

int overlay_next_held(struct overlay *o, uint64_t *off, uint64_t *len)
{
	uint64_t size = overlay_dev(o)->size, n, at = *off;
	bool held;
	int r;

	for (*len = 0; at < size; at += n) {
		r = overlay_held(o, at, size - at, &held, &n);
		if (r)
			return r;
		if (held && !*len)
			*off = at;
		if (held)
			*len += n;
		else if (*len)
			return 0;
	}
	if (!*len)
		*off = size;
	return 0;
}

int overlay_count_held(struct overlay *o, uint64_t *bytes)
{
	uint64_t off = 0, len;
	int r;

	for (*bytes = 0;; off += len, *bytes += len) {
		r = overlay_next_held(o, &off, &len);
		if (r || !len)
			return r;
	}
}

/*
 * Copy up to *len bytes, as far as they are alike; what is a hole arrives as one. In whole blocks,
 * which need nothing of what `to` stands on, however small the blocks of the filesystem are.
 */
static int copy_range(struct dev *from, struct dev *to, uint64_t off, uint64_t *len, void *buf)
{
	struct dev_extent ext;
	int r = dev_extent(from, off, &ext);

	if (r)
		return r;
	if (ext.hole && ext.length >= min64(*len, OVL_BLOCK)) {
		*len = min64(*len, max64(OVL_BLOCK, align_down(ext.length, OVL_BLOCK)));
		return dev_zero(to, off, *len);
	}
	*len = min64(*len, max64(OVL_BLOCK, align_down(ext.length, OVL_BLOCK)));
	r = dev_pread(from, buf, (size_t)*len, off);
	return r ? r : dev_pwrite(to, buf, (size_t)*len, off);
}

int overlay_copy(struct overlay *o, struct dev *from, struct dev *to,
                 const struct platter_progress *progress)
{
	uint64_t off = 0, len, done = 0, total;
	void *buf = malloc(COPY_CHUNK);
	int r = buf ? overlay_count_held(o, &total) : -ENOMEM;

	while (!r) {
		r = overlay_next_held(o, &off, &len);
		if (r || !len)
			break;
		len = min64(len, COPY_CHUNK);
		r = copy_range(from, to, off, &len, buf);
		off += len;
		done += len;
		overlay_step(progress, done, total);
	}
	free(buf);
	return r;
}

int overlay_copy_to_file(struct overlay *o, struct dev *from, int fd, struct ovl_header *h,
                         struct dev *base, const struct platter_progress *progress,
                         struct platter_error *err)
{
	struct overlay_mode mode = {0};
	struct overlay *to = NULL;
	struct overlay_io *io;
	int r = ovl_file_format(fd, h, &io, err);

	if (!r)
		r = overlay_start(io, h, 1, base, mode, NULL, &to, err);
	if (r)
		return r;
	r = overlay_begin(to);
	if (!r)
		r = overlay_copy(o, from, overlay_dev(to), progress);
	if (!r)
		r = overlay_finish(to);
	overlay_free(to);
	return r ? err_set(err, -r, "%s", strerror(-r)) : 0;
}
