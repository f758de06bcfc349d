/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The description of an opened image: as JSON, and piece by piece. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "json.h"

static const char *scheme(const struct platter *p)
{
	return p->table.scheme ? p->table.scheme : "none";
}

/* The innermost image has the disk, and stands on parents. */
static const struct image *parent(const struct platter *p, size_t i)
{
	const struct image *image = p->container->parent;

	while (image && i--)
		image = image->parent;
	return image;
}

static size_t count_parents(const struct platter *p)
{
	size_t n = 0;

	while (parent(p, n))
		n++;
	return n;
}

static void put_fs(struct json *j, const char *key, const struct fsid *id)
{
	if (!id->type[0]) {
		json_null(j, key);
		return;
	}
	json_open(j, key, '{');
	json_string(j, "type", id->type);
	json_string_or_null(j, "label", id->label);
	json_string_or_null(j, "uuid", id->uuid);
	json_bool(j, "browse", id->driver != NULL);
	json_close(j, '}');
}

/* What a snapshot was called by, and the rest of what is known of it. */
static void put_snapshots(struct json *j, struct platter *p)
{
	json_open(j, "snapshots", '[');
	for (size_t i = 0; i < p->container->nsnapshots; i++) {
		struct platter_snapshot_info s;

		platter_get_snapshot(p, i, &s);
		json_open(j, NULL, '{');
		json_string(j, "id", s.id);
		json_string(j, "name", s.name);
		json_number(j, "created", (uint64_t)s.created);
		json_number(j, "size", s.size);
		json_bool(j, "shown", s.shown);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_notes(struct json *j, const struct platter *p)
{
	json_open(j, "notes", '[');
	for (size_t i = 0; i < p->container->nnotes; i++)
		json_string(j, NULL, p->container->notes[i]);
	json_close(j, ']');
}

static void put_parents(struct json *j, struct platter *p)
{
	json_open(j, "parents", '[');
	for (size_t i = 0; i < count_parents(p); i++) {
		const char *name;
		char format[64];

		platter_get_parent(p, i, &name, format, sizeof format);
		json_open(j, NULL, '{');
		json_string(j, "name", name);
		json_string(j, "format", format);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_image(struct json *j, struct platter *p)
{
	json_open(j, "image", '{');
	json_string(j, "path", p->path);
	json_string(j, "format", p->format_name);
	json_number(j, "virtual_size", p->disk->size);
	json_number(j, "sector_size", p->sector);
	if (p->overlay_path)
		json_string(j, "overlay", p->overlay_path);
	put_snapshots(j, p);
	put_notes(j, p);
	put_parents(j, p);
	json_close(j, '}');
}

static void put_table(struct json *j, const struct platter *p)
{
	static const char *const sources[] = {
		[TABLE_SOURCE_NONE] = NULL,
		[TABLE_SOURCE_PRIMARY] = "primary",
		[TABLE_SOURCE_BACKUP] = "backup",
	};

	json_open(j, "table", '{');
	json_string(j, "scheme", scheme(p));
	json_string_or_null(j, "uuid", p->table.uuid);
	json_string_or_null(j, "source", sources[p->table.source]);
	json_open(j, "problems", '[');
	for (size_t i = 0; i < p->table.nproblems; i++)
		json_string(j, NULL, p->table.problems[i]);
	json_close(j, ']');
	json_close(j, '}');
}

static void put_part(struct json *j, const struct partition *part, const struct fsid *id)
{
	json_open(j, NULL, '{');
	json_number(j, "number", part->number);
	json_number(j, "start", part->start);
	json_number(j, "size", part->size);
	json_string_or_null(j, "type", part->type);
	json_string_or_null(j, "type_name", part->type_name);
	json_string_or_null(j, "name", part->name);
	json_string_or_null(j, "uuid", part->uuid);
	json_bool(j, "bootable", part->bootable);
	json_string_or_null(j, "problem", part->problem);
	put_fs(j, "fs", id);
	json_close(j, '}');
}

static void put_parts(struct json *j, const struct platter *p)
{
	/* A disk without a table is one partition to whoever only wants to know what is there. */
	struct partition all = {.size = p->disk->size};

	json_open(j, "partitions", '[');
	for (size_t i = 0; i < p->table.nparts; i++)
		put_part(j, &p->table.parts[i], &p->parts[i]);
	if (!p->table.scheme)
		put_part(j, &all, &p->whole);
	json_close(j, ']');
}

static void put_gaps(struct json *j, const struct platter *p)
{
	json_open(j, "gaps", '[');
	for (size_t i = 0; i < p->table.ngaps; i++) {
		json_open(j, NULL, '{');
		json_number(j, "start", p->table.gaps[i].start);
		json_number(j, "size", p->table.gaps[i].size);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_boot(struct json *j, const struct platter *p)
{
	json_open(j, "boot", '[');
	for (size_t i = 0; i < p->boot.nparts; i++) {
		const struct partition *b = &p->boot.parts[i];

		json_open(j, NULL, '{');
		json_number(j, "number", b->number);
		json_number(j, "start", b->start);
		json_number(j, "size", b->usable);
		json_string_or_null(j, "platform", b->type_name ? b->type_name : b->type);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_tracks(struct json *j, const struct platter *p)
{
	json_open(j, "tracks", '[');
	for (size_t i = 0; i < p->container->ntracks; i++) {
		const struct image_track *t = &p->container->tracks[i];

		json_open(j, NULL, '{');
		json_number(j, "number", t->number);
		json_string(j, "type", t->audio ? "audio" : "data");
		json_number(j, "size", t->size);
		json_close(j, '}');
	}
	json_close(j, ']');
}

char *platter_info_json(struct platter *p)
{
	struct json j = {0};
	char *text = NULL;
	size_t size;
	bool failed;

	j.out = open_memstream(&text, &size);
	if (!j.out)
		return NULL;
	json_open(&j, NULL, '{');
	put_image(&j, p);
	put_fs(&j, "fs", &p->whole);
	put_table(&j, p);
	put_parts(&j, p);
	put_gaps(&j, p);
	put_boot(&j, p);
	put_tracks(&j, p);
	json_close(&j, '}');
	putc('\n', j.out);
	failed = ferror(j.out);
	if (fclose(j.out) != 0 || failed) {
		free(text);
		return NULL;
	}
	return text;
}

static struct platter_fs_info fs_info(const struct fsid *id)
{
	return (struct platter_fs_info){.type = id->type,
	                                .label = id->label,
	                                .uuid = id->uuid,
	                                .filesystem = id->filesystem,
	                                .browse = id->driver != NULL};
}

static struct platter_part_info part_info(const struct partition *part, const struct fsid *id)
{
	static const struct fsid none;

	return (struct platter_part_info){
		.number = part->number,
		.start = part->start,
		.size = part->size,
		.type = part->type,
		.type_name = part->type_name ? part->type_name : "",
		.name = part->name,
		.uuid = part->uuid,
		.problem = part->problem,
		.bootable = part->bootable,
		.container = part->container,
		.fs = fs_info(id ? id : &none),
	};
}

void platter_get_info(struct platter *p, struct platter_info *info)
{
	*info = (struct platter_info){
		.format = p->format_name,
		.scheme = scheme(p),
		.virtual_size = p->disk->size,
		.sector_size = p->sector,
		.fs = fs_info(&p->whole),
		.nparts = p->table.nparts,
		.ngaps = p->table.ngaps,
		.nboots = p->boot.nparts,
		.ntracks = p->container->ntracks,
		.nproblems = p->table.nproblems,
		.nsnapshots = p->container->nsnapshots,
		.nnotes = p->container->nnotes,
		.nparents = count_parents(p),
	};
}

void platter_get_part(struct platter *p, size_t i, struct platter_part_info *part)
{
	*part = part_info(&p->table.parts[i], &p->parts[i]);
}

void platter_get_boot(struct platter *p, size_t i, struct platter_part_info *part)
{
	*part = part_info(&p->boot.parts[i], NULL);
	part->size = p->boot.parts[i].usable;
}

void platter_get_track(struct platter *p, size_t i, struct platter_track_info *track)
{
	const struct image_track *t = &p->container->tracks[i];

	*track = (struct platter_track_info){t->number, t->size, t->audio};
}

void platter_get_gap(struct platter *p, size_t i, uint64_t *start, uint64_t *size)
{
	*start = p->table.gaps[i].start;
	*size = p->table.gaps[i].size;
}

const char *platter_get_problem(struct platter *p, size_t i)
{
	return p->table.problems[i];
}

void platter_get_snapshot(struct platter *p, size_t i, struct platter_snapshot_info *snapshot)
{
	const struct image_snapshot *s = &p->container->snapshots[i];

	*snapshot = (struct platter_snapshot_info){
		.id = s->id,
		.name = s->name,
		.created = s->created,
		.size = s->size,
		.shown = p->container->state && i == p->container->chosen,
	};
}

const char *platter_get_note(struct platter *p, size_t i)
{
	return p->container->notes[i];
}

void platter_get_parent(struct platter *p, size_t i, const char **name, char *format, size_t size)
{
	const struct image *image = parent(p, i);

	*name = chain_name(image->chain);
	image_format_name(image, format, size);
}
