/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An overlay and the layers that it stands on, merged into one: whole, then at one stroke. */
#include "config.h"

#include <errno.h>

#include "newfile.h"
#include "overlay-top.h"
#include "platter.h"

/* Stands for the image where that is not needed: only what layers hold is read. */
static int absent_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	(void)dev;
	(void)buf;
	(void)len;
	(void)off;
	return -EIO;
}

static void absent_close(struct dev *dev)
{
	(void)dev;
}

static const struct dev_ops absent_ops = {.pread = absent_pread, .close = absent_close};

static int flatten(struct ovl_top *t, const struct platter_progress *progress,
                   struct platter_error *err)
{
	struct ovl_header old = t->f.h, h;
	struct newfile n = {.fd = -1};
	struct overlay *chain = NULL;
	struct family family;
	struct dev base;
	int r = family_read(t->path, &t->f, &family, err);

	if (r)
		return r;
	dev_init(&base, &absent_ops, le64_get(old.virtual_size));
	r = ovl_top_start(t, &base, &chain, err);
	if (!r)
		r = ovl_header_init(&h, le64_get(old.virtual_size), err);
	if (!r) {
		ovl_header_inherit(&h, &old);
		r = newfile_open(t->path, OVL_FILE_MODE, &n, err);
	}
	if (!r) {
		r = overlay_copy_to_file(chain, overlay_dev(chain), n.fd, &h, &base, progress, err);
		if (r)
			err_prefix(err, "the merged overlay");
	}
	if (!r)
		r = newfile_place(&n, true, err);
	newfile_drop(&n);
	/* Its lock lasts until here: only now is the old top nobody's. */
	overlay_free(chain);
	if (!r)
		r = family_remove(&family, NULL, err);
	family_free(&family);
	return r;
}

int platter_overlay_flatten(const char *path, const struct platter_progress *progress,
                            struct platter_error *err)
{
	struct ovl_top t;
	int r = ovl_top_open(path, 0, &t, err);

	if (!r && t.f.h.parent[0])
		r = flatten(&t, progress, err);
	return ovl_top_close(&t, path, r, err);
}
