/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parent of a differencing VHD or VHDX. Such an image names it several times, by a path
 * relative to itself and by absolute Windows paths. The first name that may be opened at all
 * (chain.h) counts: a plain one, as ".\parent.vhd" is too, or a POSIX path, which chain.c judges. A
 * Windows path with folders names nothing that could be found here.
 */
#ifndef PLATTER_FORMATS_WINDOWS_PARENT_H
#define PLATTER_FORMATS_WINDOWS_PARENT_H

#include <stdbool.h>

#include "image.h"

struct windows_parent {
	bool usable;
	char ref[1024]; /* "": nothing was offered */
};

/* Keep ref, UTF-8, if it is the first one or the first that is usable. */
void windows_parent_offer(struct windows_parent *parent, const char *ref);

/* image_open_parent with what was kept. */
int windows_parent_open(struct image *image, const struct windows_parent *parent,
                        const char *format, struct platter_error *err);

#endif
