/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer's way to the container formats: an input is an image (see formatdrive_input). The
 * driver is the one that PLATTER_FUZZ names; without it, whichever takes the input. Built by
 * contrib/fuzz; findings are replayed by hostile-format.
 */
#include "config.h"

#include <stdlib.h>

#include "formatdrive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct platter_error err;
	struct dev *dev = formatdrive_input(data, len);

	(void)formatdrive(dev, getenv("PLATTER_FUZZ"), &err);
	dev_unref(dev);
	return 0;
}
