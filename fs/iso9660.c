/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ISO 9660 filesystem: nodes, their attributes, directories and the bytes of files
 * (ECMA-119 4th edition, sections 6.4 to 6.8 and 9.1; RRIP 1.12, section 4.1).
 *
 * In reading order: iso9660.h, iso9660-volume.c (which tree), iso9660-record.c (directory records),
 * iso9660-susp.c (Rock Ridge), this, iso9660-zisofs.c (packed files). The path tables are not
 * used: they say nothing that the directories do not, and would have to be compared with them.
 */
#include "config.h"

#include "iso9660.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Numbers of files with several links: above all offsets of records, which are at most 2^43 + 2^9.
 * By serial number where one is recorded, else by where the data is.
 */
#define INO_SERIAL ((uint64_t)1 << 54)
#define INO_EXTENT ((uint64_t)1 << 55)

/* In a cookie: something before it could not be listed. The rest is the offset in the directory. */
#define COOKIE_BROKEN ((uint64_t)1 << 62)

/* Broken records are passed over so that the others are shown, but not for ever. */
#define BROKEN_MAX 64

/* A stretch this long need not be made longer by reading on. */
#define STRETCH_ENOUGH ((uint64_t)16 << 20)

/* ---- files ---- */

/* Whether the record's data is one stretch of plain bytes. */
static bool is_plain_extent(const struct iso_record *rec)
{
	return rec->file_unit_size == 0 && rec->interleave_gap_size == 0 &&
	       !(rec->file_flags & ISO_FLAG_RESERVED);
}

static bool is_directory(const struct iso_entry *entry)
{
	return iso_entry_record(entry)->file_flags & ISO_FLAG_DIRECTORY;
}

/* Whether it is a file of several extents, each with a record of its own. */
static bool is_split(const struct iso_entry *entry)
{
	return !is_directory(entry) && iso_entry_record(entry)->file_flags & ISO_FLAG_MULTI_EXTENT;
}

/* Whether two records belong to one file. */
static bool same_identifier(const struct iso_record *a, const struct iso_record *b)
{
	return a->length_of_file_identifier == b->length_of_file_identifier &&
	       !memcmp(a->file_identifier, b->file_identifier, a->length_of_file_identifier);
}

/*
 * Go through the extents of a file: the record that entry holds and, as long as there is said to
 * be one more, those that walk gives. Sets *stored to their sum, and *ext (when not NULL) to
 * the stretch from byte off on, which extents that follow each other on the disc make longer.
 */
static int sections(const struct iso *iso, const struct iso_entry *entry, struct iso_walk *walk,
                    uint64_t off, uint64_t *stored, struct iso_extent *ext)
{
	const struct iso_record *first = iso_entry_record(entry), *rec = first;
	uint64_t pos = 0, start, len, where;
	int r;

	if (ext)
		*ext = (struct iso_extent){0};
	for (unsigned n = 0; n < ISO_SECTIONS_MAX; n++) {
		if (ext && !is_plain_extent(rec))
			return -EOPNOTSUPP;
		start = iso_data_start(iso, rec);
		len = both32_get(rec->data_length);
		if (ext && ext->len == 0 && off < pos + len)
			*ext = (struct iso_extent){start + (off - pos), len - (off - pos)};
		else if (ext && ext->len != 0 && start == ext->start + ext->len)
			ext->len += len;
		else if (ext && ext->len != 0)
			return 0;
		pos += len;
		*stored = pos;
		if (ext && ext->len >= STRETCH_ENOUGH)
			return 0;
		if (!(rec->file_flags & ISO_FLAG_MULTI_EXTENT))
			return 0;
		r = iso_walk_next(walk, &rec, &where);
		if (r <= 0)
			return r ? r : -EIO;
		if (!same_identifier(first, rec))
			return -EIO;
	}
	return -EIO;
}

/* sections() for a node on its own. */
static int node_sections(const struct iso *iso, const struct iso_entry *entry, uint64_t off,
                         uint64_t *stored, struct iso_extent *ext)
{
	uint64_t pos = entry->node + iso_entry_record(entry)->length;
	struct iso_walk walk;
	int r;

	/* Where the directory ends is not known here; its records' largest size is a bound. */
	iso_walk_begin(&walk, iso->dev, pos,
	               min64(iso->dev->size, pos + ISO_SECTIONS_MAX * (ISO_RECORD_MAX + 1)));
	r = sections(iso, entry, &walk, off, stored, ext);
	iso_walk_end(&walk);
	return r;
}

int iso_stored(const struct iso *iso, const struct iso_entry *entry, uint64_t off,
               struct iso_extent *ext)
{
	uint64_t stored;
	int r = node_sections(iso, entry, off, &stored, ext);

	if (r)
		return r;
	return ext->len ? 0 : -EIO;
}

/* ---- nodes ---- */

/*
 * The "." record of the directory that Rock Ridge has moved to another place: its entries are
 * the directory's attributes. Keeps the name.
 */
static int relocated_read(const struct iso *iso, struct iso_areas *areas, struct iso_entry *entry)
{
	uint64_t node = (uint64_t)entry->susp.child * iso->block;
	struct iso_susp *susp = &entry->susp;
	char name[ISO_NAME_MAX];
	size_t len = susp->name_len;
	int r;

	memcpy(name, susp->name, min64(len, sizeof name));
	r = iso_record_read(iso->dev, node, entry->record);
	if (r)
		return r;
	if (!iso_is_dot(iso_entry_record(entry)) || !is_directory(entry))
		return -EIO;
	entry->node = node;
	r = iso_susp_read(areas, iso_entry_record(entry),
	                  node == iso->root ? iso->root_skip : iso->skip, NULL, 0, susp);
	memcpy(susp->name, name, min64(len, sizeof name));
	susp->name_len = len;
	susp->have &= ~(uint32_t)(ISO_SUSP_CL | ISO_SUSP_RE);
	return r;
}

/*
 * All about the node whose record, at entry->node, has been copied to entry->record, but for
 * the extents that other records tell of. The caller has set the link's buffer.
 */
static int entry_parse(const struct iso *iso, struct iso_areas *areas, struct iso_entry *entry)
{
	struct iso_susp *susp = &entry->susp;
	uint32_t skip = entry->node == iso->root ? iso->root_skip : iso->skip;

	entry->stored = both32_get(iso_entry_record(entry)->data_length);
	susp->have = 0;
	susp->name_len = susp->link_len = 0;
	if (iso->tree != ISO_TREE_ROCK_RIDGE)
		return 0;
	return iso_susp_read(areas, iso_entry_record(entry), skip, NULL, 0, susp);
}

/* Read a node. link (may be NULL) gets up to link_size bytes of a symbolic link's target. */
static int entry_read(const struct iso *iso, uint64_t node, char *link, size_t link_size,
                      struct iso_entry *entry)
{
	struct iso_areas areas;
	int r;

	iso_areas_begin(&areas, iso);
	entry->node = node;
	entry->susp.link = link;
	entry->susp.link_size = link_size;
	r = iso_record_read(iso->dev, node, entry->record);
	return r ? r : entry_parse(iso, &areas, entry);
}

/* The type bits of a node's mode. */
static uint32_t entry_type(const struct iso_entry *entry)
{
	uint32_t have = entry->susp.have;
	uint32_t type = have & ISO_SUSP_PX ? entry->susp.mode & S_IFMT : S_IFLNK;

	/* ECMA-119 decides on what is a directory, because only it says where that is. */
	if (is_directory(entry))
		return S_IFDIR;
	switch (type) {
	case S_IFLNK:
		return have & ISO_SUSP_SL ? S_IFLNK : S_IFREG;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return type;
	default:
		return S_IFREG;
	}
}

static uint64_t entry_size(const struct iso *iso, const struct iso_entry *entry, uint32_t type)
{
	const struct iso_susp *susp = &entry->susp;

	switch (type) {
	case S_IFDIR:
		return entry->node == iso->root ? iso->root_size : entry->stored;
	case S_IFLNK:
		return susp->link_len;
	case S_IFREG:
		if (susp->have & ISO_SUSP_ZF)
			return susp->zisofs.size;
		return susp->have & ISO_SUSP_SF ? susp->sparse_size : entry->stored;
	default:
		return 0;
	}
}

/* Equal for the links of one file; an empty file shares its place with every other. */
static uint64_t entry_ino(const struct iso_entry *entry, uint32_t type)
{
	const struct iso_susp *susp = &entry->susp;

	if (!(susp->have & ISO_SUSP_PX) || susp->nlink < 2 || type == S_IFDIR)
		return entry->node;
	if (susp->have & ISO_SUSP_SERIAL && susp->serial != 0)
		return INO_SERIAL | susp->serial;
	if (type != S_IFREG || entry->stored == 0)
		return entry->node;
	return INO_EXTENT | both32_get(iso_entry_record(entry)->location_of_extent);
}

static void entry_attr(const struct iso *iso, const struct iso_entry *entry, struct fs_attr *attr)
{
	const struct iso_susp *susp = &entry->susp;
	uint32_t type = entry_type(entry);
	struct timespec recorded = iso_time_short(iso_entry_record(entry)->recording_date_and_time);
	struct timespec mtime = susp->have & ISO_SUSP_MTIME ? susp->mtime : recorded;

	*attr = (struct fs_attr){
		.ino = entry_ino(entry, type),
		.mode = type | (type == S_IFDIR ? 0555 : 0444),
		.nlink = 1,
		.size = entry_size(iso, entry, type),
		.mtime = mtime,
		.atime = susp->have & ISO_SUSP_ATIME ? susp->atime : mtime,
		.ctime = susp->have & ISO_SUSP_CTIME ? susp->ctime : mtime,
	};
	if (type == S_IFDIR || type == S_IFREG)
		attr->blocks = (entry->stored + 511) / 512;
	if (susp->have & ISO_SUSP_PX) {
		attr->mode = type | (susp->mode & 07777);
		attr->nlink = susp->nlink ? susp->nlink : 1;
		attr->uid = susp->uid;
		attr->gid = susp->gid;
		attr->owned = true;
	}
}

/* ---- directories ---- */

/* A directory that is open for a walk. */
struct dir {
	const struct iso *iso;
	uint64_t start, size;
	bool cut; /* the device ends before the directory does */
	struct iso_walk walk;
	struct iso_areas areas;
};

/* Open a directory for a walk from byte off on; dir_close must follow when it succeeds. */
static int dir_open(const struct iso *iso, uint64_t node, uint64_t off, struct dir *dir)
{
	struct iso_entry entry;
	const struct iso_record *rec = iso_entry_record(&entry);
	uint64_t end;
	int r;

	dir->iso = iso;
	dir->start = iso->root;
	dir->size = iso->root_size;
	if (node != iso->root) {
		entry.node = node;
		r = iso_record_read(iso->dev, node, entry.record);
		if (r)
			return r;
		if (!is_directory(&entry))
			return -ENOTDIR;
		if (!is_plain_extent(rec) || rec->file_flags & ISO_FLAG_MULTI_EXTENT)
			return -EOPNOTSUPP;
		dir->start = iso_is_dot(rec) ? node : iso_data_start(iso, rec);
		dir->size = both32_get(rec->data_length);
	}
	if (dir->size == 0 || dir->size > ISO_DIRECTORY_MAX || dir->start >= iso->dev->size ||
	    off > dir->size)
		return -EIO;
	end = min64(dir->start + dir->size, iso->dev->size);
	dir->cut = end != dir->start + dir->size;
	iso_walk_begin(&dir->walk, iso->dev, min64(dir->start + off, end), end);
	iso_areas_begin(&dir->areas, iso);
	return 0;
}

static void dir_close(struct dir *dir)
{
	iso_walk_end(&dir->walk);
}

/*
 * The next record of the directory, -EIO for a broken one (and the walk goes on), 0 at the end.
 * Any directory holds at least its own record, so one that begins with nothing is broken.
 */
static int dir_next(struct dir *dir, const struct iso_record **rec, uint64_t *off)
{
	bool first = dir->walk.pos == dir->start;
	int r = iso_walk_next(&dir->walk, rec, off);

	if (r > 0 && first && *off != dir->start)
		dir->walk.pos = *off;
	if (r >= 0 && first && (r == 0 || *off != dir->start))
		return -EIO;
	if (r == 0 && dir->cut) {
		dir->cut = false;
		return -EIO;
	}
	return r;
}

/* Whether a record is one to be shown, as far as it says itself. */
static bool is_shown(const struct iso_record *rec)
{
	return !iso_is_dot(rec) && !iso_is_dot_dot(rec) && !(rec->file_flags & ISO_FLAG_ASSOCIATED);
}

/* Make an entry of a record, with the records that follow it where they are of the same file. */
static int dir_entry(struct dir *dir, const struct iso_record *rec, uint64_t off,
                     struct iso_entry *entry)
{
	const struct iso *iso = dir->iso;
	struct iso_walk *walk = &dir->walk;
	struct iso_susp *susp = &entry->susp;
	uint64_t after;
	int r, s = 0;

	memcpy(entry->record, rec, rec->length);
	entry->node = off;
	r = entry_parse(iso, &dir->areas, entry);
	if (is_split(entry)) {
		after = walk->pos;
		s = sections(iso, entry, walk, 0, &entry->stored, NULL);
		/* Whatever follows instead of the missing extent is for the caller to see. */
		if (s)
			walk->pos = after;
	}
	if (r || s)
		return r ? r : s;
	if (!(susp->have & ISO_SUSP_NM))
		susp->name_len = iso_identifier_name(iso, iso_entry_record(entry), susp->name);
	if (susp->have & ISO_SUSP_CL && !(susp->have & ISO_SUSP_RE)) {
		r = relocated_read(iso, &dir->areas, entry);
		entry->stored = both32_get(iso_entry_record(entry)->data_length);
	}
	return r;
}

/* ---- the driver ---- */

static int iso_open(struct dev *dev, const struct fs_options *opt, void **fs,
                    struct platter_error *err)
{
	struct iso *iso = calloc(1, sizeof *iso);
	int r;

	*fs = NULL;
	if (!iso)
		return err_set(err, ENOMEM, "no memory");
	iso->dev = dev;
	iso->lower = opt->lower;
	r = iso_volume_open(iso, opt, err);
	if (r) {
		free(iso);
		return r;
	}
	*fs = iso;
	return 0;
}

static void iso_close(void *fs)
{
	free(fs);
}

static uint64_t iso_root(void *fs)
{
	const struct iso *iso = fs;

	return iso->root;
}

static int iso_stat(void *fs, uint64_t node, struct fs_attr *attr)
{
	const struct iso *iso = fs;
	struct iso_entry entry;
	int r = entry_read(iso, node, NULL, 0, &entry);

	if (!r && is_split(&entry))
		r = node_sections(iso, &entry, 0, &entry.stored, NULL);
	if (!r)
		entry_attr(iso, &entry, attr);
	return r;
}

/*
 * Compare a record's name with the one that is looked for, by as little reading as will do.
 * 1: it is the one, and *node is set. 0: it is not. -errno: there is no telling.
 */
static int lookup_one(struct dir *dir, const struct iso_record *rec, uint64_t off, const char *name,
                      size_t len, struct iso_susp *susp, uint64_t *node)
{
	const struct iso *iso = dir->iso;
	uint8_t record[ISO_RECORD_MAX];
	int r;

	susp->have = 0;
	if (iso->tree == ISO_TREE_ROCK_RIDGE) {
		r = iso_susp_read(&dir->areas, rec, iso->skip, name, len, susp);
		if (r)
			return r;
	}
	if (!(susp->have & ISO_SUSP_NM))
		susp->name_len = iso_identifier_name(iso, rec, susp->name);
	if (susp->name_len != len || memcmp(susp->name, name, len) || susp->have & ISO_SUSP_RE)
		return 0;
	*node = off;
	if (!(susp->have & ISO_SUSP_CL))
		return 1;
	*node = (uint64_t)susp->child * iso->block;
	r = iso_record_read(iso->dev, *node, record);
	if (r)
		return r;
	return iso_is_dot((const struct iso_record *)record) ? 1 : -EIO;
}

static int iso_lookup(void *fs, uint64_t dirnode, const char *name, size_t len, uint64_t *node)
{
	const struct iso_record *rec;
	struct iso_susp susp = {.link = NULL};
	unsigned broken = 0;
	struct dir dir;
	uint64_t off;
	int r;

	r = dir_open(fs, dirnode, 0, &dir);
	if (r)
		return r;
	/* A name that is not found next to broken records may have been one of them. */
	while (broken <= BROKEN_MAX) {
		r = dir_next(&dir, &rec, &off);
		if (r == 0)
			break;
		if (r > 0 && !is_shown(rec))
			continue;
		if (r > 0)
			r = lookup_one(&dir, rec, off, name, len, &susp, node);
		if (r > 0)
			break;
		broken += r < 0;
	}
	dir_close(&dir);
	if (r > 0)
		return 0;
	return broken ? -EIO : -ENOENT;
}

/* Tell of one entry. Non-zero when the listing is to stop. */
static int emit_entry(struct dir *dir, const struct iso_entry *entry, bool broken, fs_emit_fn *emit,
                      void *arg)
{
	const struct iso_susp *susp = &entry->susp;
	struct fs_attr attr;
	struct fs_dirent ent = {
		.name = susp->name,
		.len = min64(susp->name_len, sizeof susp->name),
		.node = entry->node,
		.next = (dir->walk.pos - dir->start) | (broken ? COOKIE_BROKEN : 0),
		.attr = &attr,
	};

	entry_attr(dir->iso, entry, &attr);
	return emit(arg, &ent);
}

static int iso_readdir(void *fs, uint64_t node, uint64_t cookie, fs_emit_fn *emit, void *arg)
{
	unsigned broken = cookie & COOKIE_BROKEN ? 1 : 0;
	struct iso_entry entry;
	const struct iso_record *rec;
	struct dir dir;
	uint64_t off;
	int r;

	r = dir_open(fs, node, cookie & ~COOKIE_BROKEN, &dir);
	if (r)
		return r;
	entry.susp.link = NULL;
	entry.susp.link_size = 0;
	/* What is broken must not hide the rest, nor pass for the whole: the error comes last. */
	while (broken <= BROKEN_MAX) {
		r = dir_next(&dir, &rec, &off);
		if (r == 0)
			break;
		if (r > 0 && !is_shown(rec))
			continue;
		r = r > 0 ? dir_entry(&dir, rec, off, &entry) : r;
		broken += r < 0;
		if (r < 0 || entry.susp.have & ISO_SUSP_RE)
			continue;
		if (emit_entry(&dir, &entry, broken != 0, emit, arg)) {
			dir_close(&dir);
			return 0;
		}
	}
	dir_close(&dir);
	return broken ? -EIO : 0;
}

static int iso_readlink(void *fs, uint64_t node, char *buf, size_t size, size_t *len)
{
	struct iso_entry entry;
	int r = entry_read(fs, node, buf, size, &entry);

	if (r)
		return r;
	if (entry_type(&entry) != S_IFLNK)
		return -EINVAL;
	if (entry.susp.link_unsupported)
		return -EOPNOTSUPP;
	if (entry.susp.link_len > size)
		return -ENAMETOOLONG;
	*len = entry.susp.link_len;
	return 0;
}

static int iso_map(void *fs, uint64_t node, uint64_t off, struct run *run)
{
	const struct iso *iso = fs;
	struct iso_extent ext;
	struct iso_entry entry;
	int r = entry_read(iso, node, NULL, 0, &entry);

	if (r)
		return r;
	if (is_directory(&entry))
		return -EISDIR;
	if (entry.susp.have & ISO_SUSP_SF)
		return -EOPNOTSUPP;
	if (entry.susp.have & ISO_SUSP_ZF) {
		if (off >= entry.susp.zisofs.size)
			return -EIO;
		r = node_sections(iso, &entry, 0, &entry.stored, NULL);
		return r ? r : iso_zisofs_map(iso, &entry, off, run);
	}
	r = iso_stored(iso, &entry, off, &ext);
	if (r)
		return r;
	/* What the device does not have is missing, not zero. */
	if (ext.start >= iso->dev->size)
		return -EIO;
	run->kind = RUN_RAW;
	run->dev = iso->dev;
	run->offset = ext.start;
	run->length = min64(ext.len, iso->dev->size - ext.start);
	return 0;
}

const struct fs_driver fs_iso9660 = {
	.name = "iso9660",
	.open = iso_open,
	.probe = iso_volume_probe,
	.root = iso_root,
	.stat = iso_stat,
	.lookup = iso_lookup,
	.readdir = iso_readdir,
	.readlink = iso_readlink,
	.map = iso_map,
	.close = iso_close,
};
