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

char *overlay_parent_path(const char *path, const struct ovl_header *h)
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
int overlay_check_parent(const struct ovl_header *child, const struct ovl_header *parent,
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

/* Open one layer and, by way of overlay_layers_open, those under it. Depths go down by one. */
static int open_layer(const char *path, const struct ovl_header *child, bool live, struct dev *base,
                      struct overlay **out, struct platter_error *err)
{
	struct overlay_mode mode = {.read_only = true};
	struct overlay *lower = NULL;
	struct ovl_file f;
	int r = ovl_file_open(path, live ? OVL_LOCK_NONE : OVL_LOCK_SHARED, LAYER_WAIT_MS, &f, err);

	if (r)
		return r;
	r = overlay_check_parent(child, &f.h, err);
	if (!r)
		r = overlay_layers_open(path, &f.h, live, base, &lower, err);
	if (!r) {
		r = overlay_start(f.io, &f.h, f.slot, lower ? overlay_dev(lower) : base, mode, NULL,
		                  out, err);
		f.io = NULL;
	}
	overlay_free(lower);
	ovl_file_close(&f);
	return r;
}

int overlay_layers_open(const char *path, const struct ovl_header *h, bool live, struct dev *base,
                        struct overlay **lower, struct platter_error *err)
{
	char *parent;
	int r;

	*lower = NULL;
	if (!h->parent[0])
		return 0;
	parent = overlay_parent_path(path, h);
	if (!parent)
		return err_set(err, ENOMEM, "no memory");
	r = open_layer(parent, h, live, base, lower, err);
	if (r)
		err_prefix(err, "layer %s", h->parent);
	free(parent);
	return r;
}
