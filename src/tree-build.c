/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making the node tree: which nodes `attach` shows, and which filesystems `mount` does. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"
#include "text.h"
#include "tree.h"

struct platter_tree *tree_new(struct platter *p, const struct platter_view *view)
{
	struct platter_tree *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->p = p;
	t->view = *view;
	return t;
}

void platter_tree_close(struct platter_tree *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->nslots; i++) {
		if (t->slots[i].fs)
			t->slots[i].driver->close(t->slots[i].fs);
		dev_unref(t->slots[i].dev);
		pthread_mutex_destroy(&t->slots[i].lock);
	}
	for (size_t i = 0; i < t->nnodes; i++) {
		free(t->nodes[i].name);
		free(t->nodes[i].target);
		dev_unref(t->nodes[i].dev);
	}
	free(t->slots);
	free(t->nodes);
	free(t);
}

/* ---- static nodes ---- */

/*
 * Append a node. A directory's children are appended together, right after `first` was noted, so
 * the tree is laid out level by level. Takes what node points to, also on failure; name is copied.
 */
static int add(struct platter_tree *t, struct node node, const char *name)
{
	node.name = strdup(name);
	if (t->nnodes == t->allocated && node.name) {
		size_t more = t->allocated ? 2 * t->allocated : 16;
		struct node *grown = reallocarray(t->nodes, more, sizeof *grown);

		if (grown) {
			t->nodes = grown;
			t->allocated = more;
		}
	}
	if (!node.name || t->nnodes == t->allocated) {
		free(node.name);
		free(node.target);
		dev_unref(node.dev);
		return -ENOMEM;
	}
	t->nodes[t->nnodes++] = node;
	return 0;
}

static int add_window(struct platter_tree *t, const char *name, uint64_t start, uint64_t size)
{
	struct node node = {.kind = NODE_DEV};
	struct dev *disk = t->p->disk;
	int r = dev_window(disk, min64(start, disk->size), size, &node.dev);

	return r ? r : add(t, node, name);
}

static int add_part(struct platter_tree *t, const struct partition *part)
{
	char name[16];

	snprintf(name, sizeof name, "%" PRIu32, part->number);
	return add_window(t, name, part->start, part->usable);
}

static bool name_taken(const struct platter_tree *t, size_t first, const char *name)
{
	for (size_t i = first; i < t->nnodes; i++)
		if (strcmp(t->nodes[i].name, name) == 0)
			return true;
	return false;
}

/* by-*: what names a partition, as udev spells it; "" = it has no such name. */
enum by { BY_LABEL, BY_UUID, BY_PARTLABEL, BY_PARTUUID, BY_COUNT };

static const char *const by_names[BY_COUNT] = {"by-label", "by-uuid", "by-partlabel",
                                               "by-partuuid"};

static const char *by_value(const struct platter *p, size_t i, enum by by)
{
	switch (by) {
	case BY_LABEL:
		return p->parts[i].label;
	case BY_UUID:
		return p->parts[i].uuid;
	case BY_PARTLABEL:
		return p->table.parts[i].name;
	case BY_PARTUUID:
		return p->table.parts[i].uuid;
	case BY_COUNT:
		break;
	}
	return "";
}

/* Names beyond this many would make adding them, one compared with all, slow. */
#define LINKS_MAX 1024

/* The partitions are in the order of their numbers, so the lowest takes a name that several have.
 */
static int add_links(struct platter_tree *t, enum by by)
{
	const struct platter *p = t->p;
	size_t first = t->nnodes;

	for (size_t i = 0; i < p->table.nparts && t->nnodes - first < LINKS_MAX; i++) {
		struct node node = {.kind = NODE_LINK};
		char name[256];

		if (p->table.parts[i].usable == 0)
			continue;
		text_udev(by_value(p, i, by), name, sizeof name);
		/* What udev keeps includes dots, and two names of dots mean something else. */
		if (!name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    name_taken(t, first, name))
			continue;
		if (asprintf(&node.target, "../%" PRIu32, p->table.parts[i].number) < 0)
			return -ENOMEM;
		if (add(t, node, name) != 0)
			return -ENOMEM;
	}
	return 0;
}

/* The children of node i, which come next. */
#define CHILDREN(t, i, body)                                                                       \
	do {                                                                                       \
		size_t dir_ = (i), first_ = (t)->nnodes;                                           \
                                                                                                   \
		body;                                                                              \
		(t)->nodes[dir_].first = first_;                                                   \
		(t)->nodes[dir_].count = (t)->nnodes - first_;                                     \
	} while (0)

static const struct node dir_node = {.kind = NODE_DIR};

static int add_parts(struct platter_tree *t, int only)
{
	const struct table *table = &t->p->table;
	int r = 0;

	for (size_t i = 0; i < table->nparts && !r; i++)
		if (only == PLATTER_PART_ALL || table->parts[i].number == (uint32_t)only)
			r = add_part(t, &table->parts[i]);
	for (int by = 0; only == PLATTER_PART_ALL && by < BY_COUNT && !r; by++)
		r = add(t, dir_node, by_names[by]);
	return r;
}

static int add_gaps(struct platter_tree *t)
{
	const struct table *table = &t->p->table;
	int r = 0;

	for (size_t i = 0; i < table->ngaps && !r; i++) {
		uint64_t start = table->gaps[i].start, size = table->gaps[i].size;
		char name[48];

		snprintf(name, sizeof name, "%" PRIu64 "-%" PRIu64, start, start + size);
		r = add_window(t, name, start, size);
	}
	return r;
}

static int add_boots(struct platter_tree *t)
{
	int r = 0;

	for (size_t i = 0; i < t->p->boot.nparts && !r; i++)
		r = add_part(t, &t->p->boot.parts[i]);
	return r;
}

/* The tracks as the image has them: an overlay holds changes of the disk, not of these. */
static int add_tracks(struct platter_tree *t)
{
	const struct image *image = t->p->container;
	int r = 0;

	for (size_t i = 0; i < image->ntracks && !r; i++) {
		struct run_source src = image->source;
		struct node node = {.kind = NODE_DEV};
		char name[16];

		src.node = image->tracks[i].node;
		src.size = image->tracks[i].size;
		snprintf(name, sizeof name, "%" PRIu32, image->tracks[i].number);
		r = dev_mapped(&src, src.size, &node.dev);
		if (!r)
			r = add(t, node, name);
	}
	return r;
}

static int add_info(struct platter_tree *t)
{
	struct node node = {.kind = NODE_DEV};
	char *text = platter_info_json(t->p);
	int r = text ? dev_memory(text, strlen(text), false, &node.dev) : -ENOMEM;

	free(text);
	return r ? r : add(t, node, "info.json");
}

static size_t index_of(const struct platter_tree *t, size_t dir, const char *name)
{
	size_t i = t->nodes[dir].first;

	while (strcmp(t->nodes[i].name, name) != 0)
		i++;
	return i;
}

static int build_devices(struct platter_tree *t, int only)
{
	bool all = only == PLATTER_PART_ALL, tracks = all && t->p->container->ntracks;
	int r = add(t, dir_node, "");

	if (r)
		return r;
	CHILDREN(t, 0, {
		if (all || only == 0)
			r = add(t, (struct node){.kind = NODE_DEV, .dev = dev_ref(t->p->disk)},
			        "disk");
		if (!r && only != 0)
			r = add(t, dir_node, "parts");
		if (!r && all)
			r = add(t, dir_node, "gaps");
		if (!r && all)
			r = add(t, dir_node, "boot");
		if (!r && tracks)
			r = add(t, dir_node, "tracks");
		if (!r)
			r = add(t, dir_node, ".platter");
	});
	if (!r && only != 0)
		CHILDREN(t, index_of(t, 0, "parts"), r = add_parts(t, only));
	if (!r && all)
		CHILDREN(t, index_of(t, 0, "gaps"), r = add_gaps(t));
	if (!r && all)
		CHILDREN(t, index_of(t, 0, "boot"), r = add_boots(t));
	if (!r && tracks)
		CHILDREN(t, index_of(t, 0, "tracks"), r = add_tracks(t));
	if (!r)
		CHILDREN(t, index_of(t, 0, ".platter"), r = add_info(t));
	for (int by = 0; all && by < BY_COUNT && !r; by++)
		CHILDREN(t, index_of(t, index_of(t, 0, "parts"), by_names[by]),
		         r = add_links(t, by));
	return r;
}

/* The numbers that there are, for messages. */
static void list_numbers(const struct platter *p, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < p->table.nparts && used + 16 < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%" PRIu32, i ? ", " : "",
		                         p->table.parts[i].number);
}

static int no_such_part(const struct platter *p, int part, struct platter_error *err)
{
	char numbers[256];

	list_numbers(p, numbers, sizeof numbers);
	if (!numbers[0])
		return err_set(err, ENOENT, "%s: no partition %d, there is no partition at all",
		               p->path, part);
	return err_set(err, ENOENT, "%s: no partition %d, there are %s", p->path, part, numbers);
}

int platter_attach(struct platter *p, int part, const struct platter_view *view,
                   struct platter_tree **out, struct platter_error *err)
{
	struct platter_tree *t;
	int index = -1, r;

	*out = NULL;
	if (part > 0 && (index = disk_find_part(p, (uint32_t)part)) < 0)
		return no_such_part(p, part, err);
	if (part > 0 && p->table.parts[index].size && !p->table.parts[index].usable)
		return err_set(err, ENXIO, "%s: partition %d: %s", p->path, part,
		               p->table.parts[index].problem);
	t = tree_new(p, view);
	r = t ? build_devices(t, part) : -ENOMEM;
	if (r) {
		platter_tree_close(t);
		return err_set(err, -r, "%s: making the nodes: %s", p->path, strerror(-r));
	}
	*out = t;
	return 0;
}

/* ---- filesystems ---- */

static const struct fsid *fsid_of(const struct platter *p, int part)
{
	return part < 0 ? &p->whole : &p->parts[part];
}

static void name_place(const struct platter *p, int part, char *out, size_t size)
{
	if (part < 0)
		snprintf(out, size, "the whole disk");
	else
		snprintf(out, size, "partition %" PRIu32, p->table.parts[part].number);
}

static int not_browsable(const struct platter *p, int part, struct platter_error *err)
{
	const struct fsid *id = fsid_of(p, part);
	char place[32];

	name_place(p, part, place, sizeof place);
	if (id->error)
		return err_set(err, -id->error, "%s: looking for a filesystem on %s: %s", p->path,
		               place, strerror(-id->error));
	if (!id->type[0])
		return err_set(err, EOPNOTSUPP,
		               "%s: no known filesystem on %s; platter attach shows "
		               "its bytes",
		               p->path, place);
	return err_set(err, EOPNOTSUPP,
	               "%s: %s on %s cannot be browsed; platter attach shows its "
	               "bytes",
	               p->path, id->type, place);
}

int tree_open_slot(struct platter_tree *t, unsigned s, struct platter_error *err)
{
	struct slot *slot = &t->slots[s - 1];
	struct platter *p = t->p;
	struct platter_error why = {0};
	char place[32];
	int r;

	pthread_mutex_lock(&slot->lock);
	if (!slot->tried) {
		slot->tried = true;
		if (slot->part < 0)
			slot->dev = dev_ref(p->disk);
		else
			slot->error = disk_open_part(p, (size_t)slot->part, &slot->dev);
		if (!slot->error)
			slot->error =
				slot->driver->open(slot->dev, &p->fs_options, &slot->fs, &why);
		if (slot->error == DRIVER_NOT_MINE)
			slot->error = err_set(&why, EIO, "is no %s", slot->driver->name);
		if (slot->error) {
			slot->fs = NULL;
			name_place(p, slot->part, place, sizeof place);
			err_set(err, -slot->error, "%s: %s on %s: %s", p->path, slot->driver->name,
			        place, why.text[0] ? why.text : strerror(-slot->error));
			if (!err)
				disk_log(p, "%s on %s: %s", slot->driver->name, place, why.text);
		}
	}
	r = slot->error;
	pthread_mutex_unlock(&slot->lock);
	return r;
}

static int add_slot(struct platter_tree *t, int part)
{
	struct slot *grown = reallocarray(t->slots, t->nslots + 1, sizeof *grown);

	if (!grown)
		return -ENOMEM;
	t->slots = grown;
	t->slots[t->nslots] = (struct slot){.part = part, .driver = fsid_of(t->p, part)->driver};
	pthread_mutex_init(&t->slots[t->nslots].lock, NULL);
	t->nslots++;
	return 0;
}

static int build_single(struct platter_tree *t, int part, struct platter_error *err)
{
	int r;

	if (!fsid_of(t->p, part)->driver)
		return not_browsable(t->p, part, err);
	t->single = true;
	r = add_slot(t, part);
	return r ? err_set(err, -r, "no memory") : tree_open_slot(t, 1, err);
}

static int add_mount_point(struct platter_tree *t, int part)
{
	char name[16];
	int r = add_slot(t, part);

	snprintf(name, sizeof name, "%" PRIu32, part < 0 ? 0 : t->p->table.parts[part].number);
	return r ? r : add(t, (struct node){.kind = NODE_FS, .slot = t->nslots}, name);
}

static int build_multi(struct platter_tree *t, struct platter_error *err)
{
	struct platter *p = t->p;
	int r = add(t, dir_node, ""), first = -1;

	if (!r)
		CHILDREN(t, 0, {
			if (p->whole.driver)
				r = add_mount_point(t, -1);
			for (size_t i = 0; i < p->table.nparts && !r && t->nslots < SLOTS_MAX;
			     i++) {
				if (first < 0 && p->parts[i].filesystem)
					first = (int)i;
				if (p->parts[i].driver)
					r = add_mount_point(t, (int)i);
			}
		});
	if (r)
		return err_set(err, -r, "no memory");
	return t->nslots ? 0 : not_browsable(p, first, err);
}

/* Several filesystems where one was asked for: their numbers. */
static int too_many(const struct platter *p, struct platter_error *err)
{
	char numbers[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < p->table.nparts && used + 16 < sizeof numbers; i++)
		if (p->parts[i].filesystem)
			used += (size_t)snprintf(numbers + used, sizeof numbers - used,
			                         "%s%" PRIu32, used ? ", " : "",
			                         p->table.parts[i].number);
	return err_set(err, ENOTUNIQ, "%s: filesystems in partitions %s, choose one with -p",
	               p->path, numbers);
}

/* layout=auto and single: the one filesystem that there is, or what the layout says of several. */
static int build_found(struct platter_tree *t, struct platter_error *err)
{
	struct platter *p = t->p;
	size_t count = 0;
	int first = -1;

	if (p->whole.filesystem)
		return build_single(t, -1, err);
	for (size_t i = 0; i < p->table.nparts; i++)
		if (p->parts[i].filesystem && count++ == 0)
			first = (int)i;
	if (count <= 1)
		return build_single(t, first, err);
	if (t->view.layout == PLATTER_LAYOUT_SINGLE)
		return too_many(p, err);
	return build_multi(t, err);
}

int platter_mount(struct platter *p, int part, const struct platter_view *view,
                  struct platter_tree **out, struct platter_error *err)
{
	struct platter_tree *t;
	int index = -1, r;

	*out = NULL;
	if (part > 0 && (index = disk_find_part(p, (uint32_t)part)) < 0)
		return no_such_part(p, part, err);
	t = tree_new(p, view);
	if (!t)
		return err_set(err, ENOMEM, "%s: no memory", p->path);
	if (part != PLATTER_PART_ALL)
		r = build_single(t, index, err);
	else if (view->layout == PLATTER_LAYOUT_MULTI)
		r = build_multi(t, err);
	else
		r = build_found(t, err);
	if (r) {
		platter_tree_close(t);
		return r;
	}
	*out = t;
	return 0;
}
