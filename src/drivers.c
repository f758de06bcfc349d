/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "drivers.h"

#define FORMAT(name)     extern const struct format_driver format_##name;
#define PARTITION(name)  extern const struct partition_driver partition_##name;
#define BOOT(name)       extern const struct partition_driver boot_##name;
#define FILESYSTEM(name) extern const struct fs_driver fs_##name;
#include "drivers.def"

const struct format_driver *const format_drivers[] = {
#define FORMAT(name) &format_##name,
#include "drivers.def"
	NULL,
};

const struct partition_driver *const partition_drivers[] = {
#define PARTITION(name) &partition_##name,
#include "drivers.def"
	NULL,
};

const struct partition_driver *const boot_drivers[] = {
#define BOOT(name) &boot_##name,
#include "drivers.def"
	NULL,
};

const struct fs_driver *const fs_drivers[] = {
#define FILESYSTEM(name) &fs_##name,
#include "drivers.def"
	NULL,
};
