/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sectors of compact discs (ECMA-130, sections 14 and 16; for mode 2 the Yellow Book's and CD-ROM
 * XA's forms): how much of them a file holds, and which of those bytes are data.
 *
 *   audio      2352 bytes of samples
 *   mode 1     sync 12, header 4, data 2048, EDC and ECC 288
 *   mode 2     sync 12, header 4, subheader 8, then form 1: data 2048, EDC and ECC 280
 *                                             or form 2: data 2324, EDC 4
 *
 * A header is the sector's address as minute, second and frame in BCD, counted from 150 sectors
 * before the first one, and the mode. Files may leave out what can be computed, and may add the
 * subchannels, 96 or 16 bytes. A data sector counts as 2048 bytes; of a form 2 sector the first
 * 2048 are served, as a drive's block device does.
 */
#ifndef PLATTER_CDSECTOR_H
#define PLATTER_CDSECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CD_RAW_SECTOR  2352u
#define CD_DATA_SECTOR 2048u
#define CD_HEADER      16u /* sync and header */
#define CD_STORED_MAX  2448u

/* Sectors (frames) in a second, and before the one that has address 0. */
#define CD_FRAMES 75u
#define CD_PREGAP 150u

/* Between the end of a session's last track and the next session's pregap: lead-out and lead-in. */
#define CD_FIRST_GAP 11250u
#define CD_NEXT_GAP  6750u

enum cd_mode {
	CD_AUDIO,
	CD_MODE1,
	CD_MODE2,
};

/* How a file holds the sectors of a track. */
struct cd_layout {
	uint32_t stored; /* bytes of a sector in the file */
	uint32_t served; /* bytes of those that are data or samples */
	uint32_t skip;   /* before them */
	bool audio;
	bool swapped; /* samples are big-endian */
};

/* The layout of sectors of which stored bytes are kept; false when there is none of that length. */
bool cd_layout_find(enum cd_mode mode, uint32_t stored, struct cd_layout *layout);

/* Whether what is served stands as it is in the file. */
bool cd_layout_plain(const struct cd_layout *layout);

/* Whether sectors are kept with their sync and header. */
bool cd_layout_headed(const struct cd_layout *layout);

/* The address that a header states; false when it is no header. */
bool cd_header_address(const uint8_t header[CD_HEADER], uint64_t *sector);

/* Take what is served out of count stored sectors. */
void cd_sectors_serve(const struct cd_layout *layout, const uint8_t *stored, uint8_t *served,
                      size_t count);

#endif
