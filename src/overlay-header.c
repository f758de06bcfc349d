/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Headers and map pages of an overlay's file: making, writing, and every check on reading. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "crc32c.h"
#include "overlay.h"

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t slot_offset(int slot)
{
	return slot ? OVL_HEADER_1 : 0;
}

static uint64_t map_size(uint64_t npages)
{
	return npages * OVL_PAGE_SIZE;
}

static uint64_t pages_for(uint64_t virtual_size)
{
	uint64_t blocks = align_up(virtual_size, OVL_BLOCK) >> OVL_BLOCK_BITS;

	return (blocks + OVL_BLOCKS_PER_PAGE - 1) / OVL_BLOCKS_PER_PAGE;
}

/* The layout follows from the size alone. */
static void lay_out(struct ovl_header *h, uint64_t size)
{
	uint64_t npages = pages_for(size);
	uint64_t map_b = align_up(OVL_MAP_A + map_size(npages), OVL_MAP_ALIGN);
	uint64_t data_off = align_up(map_b + map_size(npages), OVL_DATA_ALIGN);

	h->virtual_size = le64_put(size);
	h->block_bits = OVL_BLOCK_BITS;
	h->page_size = le32_put(OVL_PAGE_SIZE);
	h->npages = le64_put(npages);
	h->map_a = le64_put(OVL_MAP_A);
	h->map_b = le64_put(map_b);
	h->data_off = le64_put(data_off);
	h->file_size = le64_put(data_off + align_up(size, OVL_BLOCK));
}

int ovl_header_init(struct ovl_header *h, uint64_t size, struct platter_error *err)
{
	uint8_t random[24];

	/* Half of what a file can hold leaves room for the map, whatever the size. */
	if (size == 0 || size > DEV_SIZE_MAX / 2)
		return err_set(err, EFBIG, "a disk of %llu bytes, an overlay holds 1 to %llu",
		               (unsigned long long)size, (unsigned long long)DEV_SIZE_MAX / 2);
	if (getrandom(random, sizeof random, 0) != sizeof random)
		return err_set(err, errno, "no random numbers: %s", strerror(errno));
	memset(h, 0, sizeof *h);
	memcpy(h->magic, OVL_MAGIC, sizeof h->magic);
	h->header_size = le32_put(OVL_HEADER_SIZE);
	h->major = le16_put(OVL_MAJOR);
	h->minor = le16_put(OVL_MINOR);
	memcpy(h->uuid, random, sizeof h->uuid);
	memcpy(h->base.seed.b, random + sizeof h->uuid, sizeof h->base.seed.b);
	h->created_ns = h->opened_ns = le64_put(now_ns());
	lay_out(h, size);
	return 0;
}

static uint32_t header_crc(const struct ovl_header *h)
{
	size_t skip = offsetof(struct ovl_header, header_size);

	return crc32c((const char *)h + skip, sizeof *h - skip);
}

int ovl_header_write(struct overlay_io *io, struct ovl_header *h, int slot)
{
	h->crc = le32_put(header_crc(h));
	return io->ops->pwrite(io, h, sizeof *h, slot_offset(slot));
}

static bool header_sound(const struct ovl_header *h)
{
	return memcmp(h->magic, OVL_MAGIC, sizeof h->magic) == 0 &&
	       le32_get(h->crc) == header_crc(h);
}

int ovl_header_sound(struct overlay_io *io, bool sound[2])
{
	struct ovl_header h;
	int r = 0;

	for (int i = 0; i < 2 && !r; i++) {
		r = io->ops->pread(io, &h, sizeof h, slot_offset(i));
		sound[i] = r == 0 && header_sound(&h);
	}
	return r;
}

/* The parent is a file of that plain name in the overlay's own folder, and nothing else. */
static int check_parent(const struct ovl_header *h, struct platter_error *err)
{
	bool layered = le32_get(h->incompat) & OVL_INCOMPAT_LAYERED;
	size_t len = strnlen(h->parent, sizeof h->parent);
	uint32_t depth = le32_get(h->depth);

	if (len == sizeof h->parent)
		return err_set(err, EINVAL, "the name of its parent layer has no end");
	if (layered != (len > 0) || layered != (depth > 0))
		return err_set(err, EINVAL, "%u layers below it, the lower one is named '%s'",
		               depth, h->parent);
	if (depth > OVL_DEPTH_MAX)
		return err_set(err, EINVAL, "%u layers below it, at most %u", depth, OVL_DEPTH_MAX);
	if (strchr(h->parent, '/') || strcmp(h->parent, ".") == 0 || strcmp(h->parent, "..") == 0)
		return err_set(err, EINVAL, "its parent layer is named '%s', not a plain name",
		               h->parent);
	return 0;
}

/* A header that is sound says what it needs; what this version does not know it refuses. */
static int header_supported(const struct ovl_header *h, bool read_only, struct platter_error *err)
{
	uint32_t unknown = le32_get(h->incompat) & ~OVL_INCOMPAT_KNOWN;
	struct ovl_header want;
	int r;

	if (le16_get(h->major) != OVL_MAJOR)
		return err_set(err, ENOTSUP, "overlay format version %u, this is version %u",
		               le16_get(h->major), OVL_MAJOR);
	if (unknown & OVL_INCOMPAT_FAST_COMMIT)
		return err_set(err, ENOTSUP, "needs the feature fast commit");
	if (unknown)
		return err_set(err, ENOTSUP, "needs the feature bits 0x%x", unknown);
	if (!read_only && (le32_get(h->ro_compat) & ~OVL_RO_COMPAT_KNOWN))
		return err_set(err, ENOTSUP, "has the feature bits 0x%x and can only be read",
		               le32_get(h->ro_compat));
	if (h->block_bits != OVL_BLOCK_BITS || le32_get(h->page_size) != OVL_PAGE_SIZE)
		return err_set(err, ENOTSUP,
		               "blocks of 2^%u and map pages of %u bytes, "
		               "expected 2^%u and %u",
		               h->block_bits, le32_get(h->page_size), OVL_BLOCK_BITS,
		               OVL_PAGE_SIZE);
	if (le64_get(h->virtual_size) == 0 || le64_get(h->virtual_size) > DEV_SIZE_MAX / 2)
		return err_set(err, EINVAL, "a disk of %llu bytes, an overlay holds 1 to %llu",
		               (unsigned long long)le64_get(h->virtual_size),
		               (unsigned long long)DEV_SIZE_MAX / 2);
	want = *h;
	lay_out(&want, le64_get(h->virtual_size));
	if (memcmp(&want, h, sizeof want) != 0)
		return err_set(err, EINVAL,
		               "the layout in the header is not that of a disk of %llu "
		               "bytes",
		               (unsigned long long)le64_get(h->virtual_size));
	r = check_parent(h, err);
	if (r)
		return r;
	if (le16_get(h->hint_len) > OVL_HINT_MAX)
		return err_set(err, EINVAL, "a path of %u bytes, at most %u", le16_get(h->hint_len),
		               OVL_HINT_MAX);
	return 0;
}

int ovl_header_read(struct overlay_io *io, bool read_only, struct ovl_header *h, int *slot,
                    struct platter_error *err)
{
	struct ovl_header pair[2];
	bool sound[2];
	int i, r;

	for (i = 0; i < 2; i++) {
		r = io->ops->pread(io, &pair[i], sizeof pair[i], slot_offset(i));
		if (r && r != -EIO)
			return err_set(err, -r, "%s", strerror(-r));
		sound[i] = r == 0 && header_sound(&pair[i]);
	}
	if (!sound[0] && !sound[1]) {
		bool magic = memcmp(pair[0].magic, OVL_MAGIC, sizeof pair[0].magic) == 0;

		return err_set(err, EINVAL, "%s",
		               magic ? "both headers are damaged (checksum)"
		                     : "is not a platter overlay");
	}
	i = !sound[0] || (sound[1] && le64_get(pair[1].hseq) > le64_get(pair[0].hseq));
	r = header_supported(&pair[i], read_only, err);
	if (r)
		return r;
	*h = pair[i];
	*slot = i;
	return 0;
}

bool ovl_page_sound(const struct ovl_header *h, uint64_t i, const struct ovl_page *page)
{
	return memcmp(page->magic, OVL_PAGE_MAGIC, sizeof page->magic) == 0 &&
	       le64_get(page->index) == i && le64_get(page->seq) != 0 &&
	       memcmp(page->uuid_lo, h->uuid, sizeof page->uuid_lo) == 0 &&
	       le32_get(page->crc) == crc32c((const char *)page + 4, sizeof *page - 4);
}

int ovl_page_choose(const struct ovl_header *h, uint64_t i, const struct ovl_page pair[2])
{
	bool a = ovl_page_sound(h, i, &pair[0]), b = ovl_page_sound(h, i, &pair[1]);

	if (a && b)
		return le64_get(pair[1].seq) > le64_get(pair[0].seq);
	return a ? 0 : b ? 1 : -1;
}

int ovl_page_next(struct overlay_io *io, const struct ovl_header *h, uint64_t *i,
                  struct ovl_page pair[2])
{
	uint64_t map[2] = {le64_get(h->map_a), le64_get(h->map_b)}, npages = le64_get(h->npages);
	struct dev_extent ext[2];
	int r = 0;

	for (; *i < npages; *i += max64(1, min64(ext[0].length, ext[1].length) / OVL_PAGE_SIZE)) {
		for (int slot = 0; slot < 2 && !r; slot++)
			r = io->ops->extent(io, map[slot] + *i * OVL_PAGE_SIZE, &ext[slot]);
		if (r || !ext[0].hole || !ext[1].hole)
			break;
	}
	if (*i > npages)
		*i = npages;
	for (int slot = 0; slot < 2 && !r && *i < npages; slot++)
		r = io->ops->pread(io, &pair[slot], OVL_PAGE_SIZE, map[slot] + *i * OVL_PAGE_SIZE);
	return r;
}

void ovl_header_session(struct ovl_header *h)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	char text[37] = "";
	size_t n = 0;

	h->opened_ns = le64_put(now_ns());
	h->pid = le32_put((uint32_t)getpid());
	memset(h->boot_id, 0, sizeof h->boot_id);
	if (!f)
		return;
	if (fgets(text, sizeof text, f))
		for (char *p = text; *p && n < sizeof h->boot_id; p++) {
			unsigned byte;

			if (*p != '-' && sscanf(p, "%2x", &byte) == 1) {
				h->boot_id[n++] = (uint8_t)byte;
				p++;
			}
		}
	fclose(f);
}
