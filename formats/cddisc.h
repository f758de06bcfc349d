/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An optical disc put together from stretches of files: what the drivers for cue, toc, nrg, mds and
 * ccd share. They say which tracks there are, where each begins and what it consists of; here the
 * disk and the tracks' nodes are made of that, and mapped.
 *
 * The disk is what a drive's block device shows: sectors of 2048 bytes, the disc's address 0 at
 * offset 0, up to the end of the last data track. Data tracks stand at their addresses, since the
 * filesystem of a later session, and that of a Video CD, name sectors by those; what is audio, gap,
 * lead-in or lead-out in between reads as zeros. When the disc begins with audio, the first 32
 * sectors are those of the last session's first data track, which a drive would be told to look at:
 * there is nothing else there, and whoever looks for a filesystem looks there (growisofs does the
 * same on media that have no sessions). A disc without data tracks is all its samples.
 */
#ifndef PLATTER_CDDISC_H
#define PLATTER_CDDISC_H

#include "cdsector.h"
#include "drivers.h"

/* As many as a disc can have. */
#define CD_TRACKS_MAX 99u

struct cd_disc;

/* NULL without memory. */
struct cd_disc *cd_disc_new(void);

/*
 * Begin a track: its number (rising, 1 to 99), session (from 1, never falling) and address on the
 * disc as the image tells or implies it. Where sectors are kept with their headers, those have the
 * last word on the address.
 */
int cd_disc_track(struct cd_disc *disc, uint32_t number, uint32_t session, bool audio,
                  uint64_t address, struct platter_error *err);

/* What the track begun last goes on with: length stored bytes of file at off; NULL: zeros. What
 * is less than a sector at the end of data, or than a sample of audio, is left out. */
int cd_disc_piece(struct cd_disc *disc, struct dev *file, uint64_t off, uint64_t length,
                  const struct cd_layout *layout, struct platter_error *err);

/* All is said: fill in the image, to which disc passes. On failure it stays the caller's. */
int cd_disc_finish(struct cd_disc *disc, struct image *image, struct platter_error *err);

/* For the driver; self is the disc. */
int cd_disc_map(void *self, uint64_t node, uint64_t off, struct run *run);
void cd_disc_close(void *self);

#endif
