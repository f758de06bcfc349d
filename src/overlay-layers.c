/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chain of frozen overlays that an overlay may stand on. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay.h"

/* A layer is locked for writing only while it is being frozen. */
#define LAYER_WAIT_MS 1000

static char *parent_path(const char *path, const struct ovl_header *h)
{
	const char *slash = strrchr(path, '/');
	char *full;

	if (asprintf(&full, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, h->parent) < 0)
		return NULL;
	return full;
}

/*
 * Freezing a layer is the header with the number that its child wrote down, state sealed. A
 * snapshot that was cut off between the two left the layer clean or open with the number before.
 */
static int check_parent(const struct ovl_header *child, const struct ovl_header *parent,
                        struct platter_error *err)
{
	uint64_t want = le64_get(child->parent_hseq), has = le64_get(parent->hseq);

	if (memcmp(child->parent_uuid, parent->uuid, sizeof parent->uuid) != 0)
		return err_set(err, ESTALE, "is another overlay than the one that was frozen");
	if (has != want - (parent->state != OVL_SEALED))
		return err_set(err, ESTALE,
		               "was changed after it was frozen: header %llu, expected %llu",
		               (unsigned long long)has, (unsigned long long)want);
	if (memcmp(&child->virtual_size, &parent->virtual_size, sizeof child->virtual_size) != 0 ||
	    memcmp(&child->base.seed, &parent->base.seed, sizeof child->base.seed) != 0)
		return err_set(err, ESTALE, "was made for another image");
	if (le32_get(child->depth) != le32_get(parent->depth) + 1)
		return err_set(err, EINVAL, "stands on %u layers, expected %u",
		               le32_get(parent->depth), le32_get(child->depth) - 1);
	return 0;
}

static int open_named(const char *path, const struct ovl_header *child, enum ovl_lock lock,
                      struct ovl_file *f, struct platter_error *err)
{
	struct stat st;
	int r;

	/* Whoever made the overlay may have put a link to anything here: a device, say, that does
	 * something when it is opened. */
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "is not a regular file");
	r = ovl_file_open(path, lock, LAYER_WAIT_MS, f, err);
	if (r)
		return r;
	r = check_parent(child, &f->h, err);
	if (r)
		ovl_file_close(f);
	return r;
}

int overlay_parent_open(const char *path, const struct ovl_header *h, enum ovl_lock lock,
                        char **parent, struct ovl_file *f, struct platter_error *err)
{
	int r;

	*f = (struct ovl_file){.fd = -1};
	*parent = parent_path(path, h);
	if (!*parent)
		return err_set(err, ENOMEM, "no memory");
	r = open_named(*parent, h, lock, f, err);
	if (!r)
		return 0;
	err_prefix(err, "layer %s", h->parent);
	free(*parent);
	*parent = NULL;
	return r;
}

static int start_parent(const char *path, const struct ovl_header *h, bool live, struct dev *base,
                        struct overlay **out, struct platter_error *err)
{
	struct overlay_mode mode = {.read_only = true};
	struct ovl_file f;
	char *parent;
	int r = overlay_parent_open(path, h, live ? OVL_LOCK_NONE : OVL_LOCK_SHARED, &parent, &f,
	                            err);

	if (r)
		return r;
	r = overlay_start_layered(parent, &f, live, base, mode, NULL, out, err);
	free(parent);
	return r;
}

int overlay_start_layered(const char *path, struct ovl_file *f, bool live, struct dev *base,
                          struct overlay_mode mode, const struct overlay_hooks *hooks,
                          struct overlay **out, struct platter_error *err)
{
	struct overlay *lower = NULL;
	int r = 0;

	*out = NULL;
	/* Depths go down by one from parent to parent, so that this comes to an end. */
	if (f->h.parent[0])
		r = start_parent(path, &f->h, live, base, &lower, err);
	if (!r) {
		r = overlay_start(f->io, &f->h, f->slot, lower ? overlay_dev(lower) : base, mode,
		                  hooks, out, err);
		f->io = NULL;
	}
	overlay_free(lower);
	if (r)
		ovl_file_close(f);
	return r;
}

void overlay_finish_snapshot(const char *path, const struct ovl_header *h)
{
	enum ovl_lock lock = OVL_LOCK_NONE;
	struct ovl_file f;
	char *parent;

	/* Looked at first: a lock would be in the way of others, and is seldom needed. */
	while (h->parent[0] && overlay_parent_open(path, h, lock, &parent, &f, NULL) == 0) {
		bool sealed = f.h.state == OVL_SEALED;

		free(parent);
		if (!sealed && lock == OVL_LOCK_EXCLUSIVE) {
			f.h.state = OVL_SEALED;
			(void)ovl_file_put_header(&f);
			sealed = true;
		}
		lock = OVL_LOCK_EXCLUSIVE;
		ovl_file_close(&f);
		if (sealed)
			return;
	}
}
