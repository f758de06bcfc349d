/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "cdsector.h"

#include <string.h>

/* Subchannels behind each sector: P to W, or Q alone. */
static const uint32_t subchannels[] = {0, 96, 16};

struct known {
	enum cd_mode mode;
	uint32_t stored, skip;
};

/* Which parts of a sector programs keep. */
static const struct known known[] = {
	{CD_AUDIO, CD_RAW_SECTOR, 0},  {CD_MODE1, CD_DATA_SECTOR, 0},
	{CD_MODE1, CD_RAW_SECTOR, 16}, {CD_MODE2, CD_DATA_SECTOR, 0}, /* form 1 */
	{CD_MODE2, 2324, 0},                                          /* form 2 */
	{CD_MODE2, 2328, 0},                                          /* and its EDC */
	{CD_MODE2, 2332, 8}, /* form 2 with its subheader */
	{CD_MODE2, 2336, 8},           {CD_MODE2, CD_RAW_SECTOR, 24},
};

bool cd_layout_find(enum cd_mode mode, uint32_t stored, struct cd_layout *layout)
{
	for (size_t s = 0; s < sizeof subchannels / sizeof *subchannels; s++)
		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			if (known[i].mode == mode && known[i].stored + subchannels[s] == stored) {
				*layout = (struct cd_layout){
					.stored = stored,
					.served = mode == CD_AUDIO ? CD_RAW_SECTOR : CD_DATA_SECTOR,
					.skip = known[i].skip,
					.audio = mode == CD_AUDIO,
				};
				return true;
			}
	return false;
}

bool cd_layout_plain(const struct cd_layout *layout)
{
	return layout->stored == layout->served && !layout->swapped;
}

bool cd_layout_headed(const struct cd_layout *layout)
{
	return layout->skip >= CD_HEADER;
}

static bool has_sync(const uint8_t *sector)
{
	static const uint8_t sync[12] = {0,    0xff, 0xff, 0xff, 0xff, 0xff,
	                                 0xff, 0xff, 0xff, 0xff, 0xff, 0};

	return memcmp(sector, sync, sizeof sync) == 0;
}

static bool bcd(uint8_t v, unsigned limit, uint64_t *out)
{
	*out = (v >> 4) * 10u + (v & 15);
	return v >> 4 <= 9 && (v & 15) <= 9 && *out < limit;
}

bool cd_header_address(const uint8_t header[CD_HEADER], uint64_t *sector)
{
	uint64_t m, s, f;

	if (!has_sync(header) || !bcd(header[12], 100, &m) || !bcd(header[13], 60, &s) ||
	    !bcd(header[14], CD_FRAMES, &f))
		return false;
	*sector = (m * 60 + s) * CD_FRAMES + f;
	if (*sector < CD_PREGAP)
		return false;
	*sector -= CD_PREGAP;
	return true;
}

/* Where the data begins: what the sector says of itself, which is what a drive goes by. */
static uint32_t data_start(const struct cd_layout *layout, const uint8_t *sector)
{
	if (!cd_layout_headed(layout) || !has_sync(sector))
		return layout->skip;
	switch (sector[15]) {
	case 1:
		return 16;
	case 2:
		return 24;
	default:
		return layout->skip;
	}
}

static void swap_samples(uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2) {
		uint8_t b = p[i];

		p[i] = p[i + 1];
		p[i + 1] = b;
	}
}

void cd_sectors_serve(const struct cd_layout *layout, const uint8_t *stored, uint8_t *served,
                      size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const uint8_t *sector = stored + i * layout->stored;

		memcpy(served + i * layout->served, sector + data_start(layout, sector),
		       layout->served);
	}
	if (layout->swapped)
		swap_samples(served, count * layout->served);
}
