/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which filesystem a device holds: libblkid names it, a driver of ours browses it. */
#ifndef PLATTER_FSID_H
#define PLATTER_FSID_H

#include <stdbool.h>

#include "drivers.h"

struct fsid {
	char type[32]; /* as libblkid names it; "" = nothing recognised */
	char label[256], uuid[64];
	int error;       /* -errno: nothing was recognised, and not all could be looked at */
	bool filesystem; /* not swap, a RAID or LVM member, or encrypted */
	const struct fs_driver *driver; /* NULL: cannot be browsed */
};

/* Fills *id in. 0, or -errno of what identification itself needs; what cannot be read is noted in
 * *id. */
int fsid_identify(struct dev *dev, struct fsid *id);

#endif
