/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drive a container format over a device that may hold anything, within bounds: what it reads to
 * open, how long it takes and how much memory are counted, and a driver that goes beyond fails the
 * test.
 */
#ifndef PLATTER_FORMATDRIVE_H
#define PLATTER_FORMATDRIVE_H

#include <stddef.h>
#include <stdint.h>

#include "dev.h"

/*
 * Open dev as `format` (NULL: whatever it is), look at the whole map as far as the bounds let, read
 * from its runs, close. 0 when it opened, else -errno with the reason in err. Ends the process with
 * a message when the driver breaks a rule: an error without a reason, a read of a table past the
 * bounds, a run past the end.
 */
int formatdrive(struct dev *dev, const char *format, struct platter_error *err);

/*
 * An input as a device. One that begins with "SPARSE01" is a sparse one, so that a small input can
 * stand for a large disk: a 64-bit little-endian size, then stretches of a 64-bit offset, a 32-bit
 * length and that many bytes. Anything else is the device's bytes.
 */
struct dev *formatdrive_input(const uint8_t *data, size_t len);

#endif
