/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An overlay that is worked on at rest, and its relatives: the files in its folder that were made
 * for the same image and go back to the same first overlay, which the seed in their headers tells.
 */
#ifndef PLATTER_OVERLAY_TOP_H
#define PLATTER_OVERLAY_TOP_H

#include "overlay.h"

struct ovl_top {
	char *path; /* the real one */
	struct ovl_file f;
};

/* Overlays that few commands may work on: to the others they are -EROFS. */
enum ovl_top_allow {
	OVL_TOP_FROZEN = 1 << 0,
	OVL_TOP_COMMITTING = 1 << 1, /* the image is part old, part new: the overlay must stay */
};

/*
 * Open and lock an overlay that nobody has open; -EBUSY, at once, when somebody has. A snapshot of
 * it that was cut off is finished. allow: of enum ovl_top_allow. ovl_top_close in any case.
 */
int ovl_top_open(const char *path, unsigned allow, struct ovl_top *t, struct platter_error *err);

/* Let go of it. Returns r; when that is an error, path is put before the message. */
int ovl_top_close(struct ovl_top *t, const char *path, int r, struct platter_error *err);

/* Look at base through it and its layers. The lock goes over to *out, also on failure. */
int ovl_top_start(struct ovl_top *t, struct dev *base, struct overlay **out,
                  struct platter_error *err);

struct family_member {
	char *path; /* NULL: was removed */
	struct ovl_header h;
	bool below; /* the overlay in question stands on it */
};

struct family {
	struct family_member
		*members; /* those below come first, the uppermost of them at the head */
	size_t count, below;
};

/* The relatives of an overlay at path, itself not among them. */
int family_read(const char *path, const struct ovl_file *of, struct family *f,
                struct platter_error *err);
void family_free(struct family *f);

/* A member that stands directly on the layer of that path and uuid; NULL: none. */
const struct family_member *family_child(const struct family *f, const char *path,
                                         const uint8_t uuid[16]);

/*
 * Remove the layers below (prefix NULL), or the layers whose path begins with prefix; but none that
 * another member stands on.
 */
int family_remove(struct family *f, const char *prefix, struct platter_error *err);

#endif
