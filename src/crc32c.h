/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRC-32C (Castagnoli; RFC 3720 appendix B.4): the checksum of the overlay's metadata,
 * of VHDX's and of ext4's. */
#ifndef PLATTER_CRC32C_H
#define PLATTER_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *data, size_t len);

/* The same in pieces, and without its inversions: begin with ~0 for those that leave out the last
 * one, as ext4 does. */
uint32_t crc32c_more(uint32_t crc, const void *data, size_t len);

#endif
