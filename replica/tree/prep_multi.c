/*
 * A MULTI: paths are led to nodes, rights are asked as the kernel asks them
 * (path_resolution(7)), and each step is prepared by prep_ops.c over those before
 * it. All or nothing: several are in a view of their own until the last one is done.
 */
#include "replica/tree/prep_internal.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/tree/node.h"

#include <endian.h>
#include <string.h>
#include <sys/stat.h>

#define MAY_READ 4u
#define MAY_WRITE 2u
#define MAY_SEARCH 1u

static bool
in_group(const struct wire_multi *who, uint32_t gid)
{
	uint32_t group, at;

	if (who->gid == gid)
		return true;
	for (at = 0; at + sizeof group <= who->groups.len; at += sizeof group) {
		memcpy(&group, who->groups.data + at, sizeof group);
		if (le32toh(group) == gid)
			return true;
	}
	return false;
}

static bool
may(const struct wire_multi *who, const struct view_node *node, uint32_t what)
{
	uint32_t shift = who->uid == node->uid ? 6 : in_group(who, node->gid) ? 3 : 0;

	return who->uid == 0 || ((node->mode >> shift) & what) == what;
}

/* The next component, '/'s left out; empty: there is none. */
static struct blob
component(struct blob *path)
{
	struct blob name;

	while (path->len != 0 && *path->data == '/') {
		path->data++;
		path->len--;
	}
	name = (struct blob){ path->data, 0 };
	while (path->len != 0 && *path->data != '/') {
		path->data++;
		path->len--;
		name.len++;
	}
	return name;
}

struct place {
	struct view_node dir; /* the directory that the last component is in */
	struct blob name;     /* empty: the root itself */
	bool exists;
	struct view_node node; /* the one that stands there */
};

/* One component on; the node that stands at `name` becomes the directory. */
static int
enter(struct prep_job *job, struct place *place)
{
	uint64_t id = view_child(job->view, place->dir.id, place->name);

	if (id == 0 || !view_get(job->view, id, &place->dir))
		return ERR_NONODE;
	return S_ISDIR(place->dir.mode) ? 0 : ERR_NOTDIR;
}

static int
find(struct prep_job *job, const struct wire_multi *msg, struct blob path, struct place *place)
{
	struct blob next;
	uint64_t id;
	int code;

	*place = (struct place){ 0 };
	if (!view_get(job->view, msg->root, &place->dir))
		return ERR_NONODE;
	if (!S_ISDIR(place->dir.mode))
		return ERR_NOTDIR;
	place->name = component(&path);
	for (;;) {
		if (place->name.len == 0) {
			place->node = place->dir;
			place->exists = true;
			return 0;
		}
		code = node_check_name(place->name);
		if (code != 0)
			return code;
		if (!may(msg, &place->dir, MAY_SEARCH))
			return ERR_ACCES;
		next = component(&path);
		if (next.len == 0)
			break;
		code = enter(job, place);
		if (code != 0)
			return code;
		place->name = next;
	}
	id = view_child(job->view, place->dir.id, place->name);
	place->exists = id != 0 && view_get(job->view, id, &place->node);
	return 0;
}

static int
create(struct prep_job *job, const struct wire_multi *msg, const struct wire_step *step,
    const struct place *place)
{
	struct wire_create create = { .flags = step->flags,
		.parent = place->dir.id,
		.name = place->name,
		.mode = step->mode,
		.uid = msg->uid,
		.gid = msg->gid,
		.owner = step->owner,
		.handle = step->handle,
		.value = step->value };

	if (place->name.len == 0)
		return ERR_EXISTS;
	/* Held by what? */
	if (step->owner == WIRE_HELD)
		return ERR_INVAL;
	if (!may(msg, &place->dir, MAY_WRITE))
		return ERR_ACCES;
	return prep_create(job, &create);
}

static int
set(struct prep_job *job, const struct wire_multi *msg, const struct wire_step *step,
    const struct place *place)
{
	struct wire_write write = { .id = place->node.id,
		.how = WIRE_REPLACE,
		.data = step->value,
		.version = step->version };

	if (!place->exists)
		return ERR_NONODE;
	return may(msg, &place->node, MAY_WRITE) ? prep_write_value(job, &write) : ERR_ACCES;
}

static int delete (struct prep_job *job, const struct wire_multi *msg, const struct wire_step *step,
    const struct place *place)
{
	struct wire_delete delete = { .id = place->node.id, .version = step->version };

	if (!place->exists)
		return ERR_NONODE;
	if (!may(msg, &place->dir, MAY_WRITE))
		return ERR_ACCES;
	if (prep_is_guarded(&place->dir, &place->node, msg->uid))
		return ERR_PERM;
	if (place->name.len == 0)
		return ERR_PERM;
	return prep_delete(job, &delete);
}

static int
check(const struct wire_step *step, const struct place *place)
{
	if (step->version == WIRE_ABSENT)
		return place->exists ? ERR_EXISTS : 0;
	if (!place->exists)
		return ERR_NONODE;
	return step->version == -1 || step->version == (int64_t)place->node.version
		   ? 0
		   : ERR_BADVERSION;
}

static int
run(struct prep_job *job, const struct wire_multi *msg, const struct wire_step *step)
{
	struct place place;
	int code = find(job, msg, step->path, &place);

	/* What stands nowhere is not there. */
	if (code == ERR_NONODE && step->kind == WIRE_STEP_CHECK && step->version == WIRE_ABSENT)
		return 0;
	if (code != 0)
		return code;
	switch (step->kind) {
	case WIRE_STEP_CREATE:
		return create(job, msg, step, &place);
	case WIRE_STEP_SET:
		return set(job, msg, step, &place);
	case WIRE_STEP_DELETE:
		return delete (job, msg, step, &place);
	case WIRE_STEP_CHECK:
		return check(step, &place);
	default:
		return ERR_PROTO;
	}
}

/* The last of so many is the one that failed, if one did. */
static void
end(struct prep_job *job, uint32_t steps, int code)
{
	job->out->head.result_id = code == 0 ? 0 : steps;
	if (code != 0)
		job->out->nops = 0;
}

/* All or nothing by itself, as by a message of its own. */
static bool
is_alone(struct blob steps, struct wire_step *step)
{
	return wire_step_next(&steps, step) == 1 && steps.len == 0;
}

int
prep_multi(struct prep_job *job, const struct wire_multi *msg)
{
	struct view *below = job->view;
	struct blob steps = msg->steps;
	struct wire_step step;
	uint32_t n = 0;
	int code = 0, more;

	if (is_alone(steps, &step)) {
		code = run(job, msg, &step);
		end(job, 1, code);
		return code;
	}
	job->view = view_layer(below);
	while (code == 0 && (more = wire_step_next(&steps, &step)) != 0) {
		n++;
		code = more < 0 ? ERR_PROTO : n > WIRE_STEPS_MAX ? ERR_FBIG : run(job, msg, &step);
	}
	if (code == 0)
		view_merge(job->view, job->zxid);
	else
		view_free(job->view);
	end(job, n, code);
	job->view = below;
	return code;
}
