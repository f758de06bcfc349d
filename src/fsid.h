/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which filesystem a device holds: libblkid names it, a driver of ours browses it. */
#ifndef PLATTER_FSID_H
#define PLATTER_FSID_H

#include <stdbool.h>

#include "drivers.h"

struct fsid {
	char type[32]; /* as libblkid names it; "" = nothing recognised */
	char label[256], uuid[64];
	bool filesystem;                /* not swap, a RAID or LVM member, or encrypted */
	const struct fs_driver *driver; /* NULL: cannot be browsed */
};

/* Fills *id in; a device that cannot be read counts as not recognised. 0 or -ENOMEM, -errno of
 * what identification itself needs. */
int fsid_identify(struct dev *dev, struct fsid *id);

#endif
