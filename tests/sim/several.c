/*
 * Several operations at once (MULTI): clients draw them here (client.c), over the names that they
 * use anyway. Each row is compared with a model that runs the same steps over the tree of the row
 * before it: all of them are in it, or none, and it says which one failed; and the client was told
 * so.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#define STEPS_MAX 3
#define DIRS 4	 /* client.c's: the first name that may be a directory */
#define INSIDE 6 /* and the first below one */

/* The register is nobody's but its own. Most steps are to fit what is there. */
static uint32_t
some_name(struct world *world, const struct client *client)
{
	uint32_t name = 1 + (uint32_t)random_below(world, NAMES - 1);

	return client_parent(client, name) != 0 || random_one_in(world, 8) ? name : 1;
}

static struct blob
path_of(uint32_t name, char text[64])
{
	int len = name < INSIDE ? snprintf(text, 64, "/%s", client_name(name))
				: snprintf(text, 64, "/%s/%s",
				      client_name(DIRS + (name - INSIDE) / 2), client_name(name));

	return (struct blob){ (const uint8_t *)text, (uint32_t)len };
}

static void
draw(struct world *world, struct wire_step *step, uint32_t name, bool is)
{
	static const enum wire_step_kind kinds[] = { WIRE_STEP_SET, WIRE_STEP_SET, WIRE_STEP_DELETE,
		WIRE_STEP_CHECK };

	step->kind = is ? kinds[random_below(world, 4)] : WIRE_STEP_CREATE;
	if (random_one_in(world, 12))
		step->kind = 1 + (uint32_t)random_below(world, 4);
	step->version = random_one_in(world, 2) ? -1 : qualified_version(world);
	if (step->kind == WIRE_STEP_CHECK && random_one_in(world, is ? 8 : 2))
		step->version = WIRE_ABSENT;
	if (step->kind != WIRE_STEP_CREATE)
		return;
	step->mode = (name == DIRS || name == DIRS + 1) && !random_one_in(world, 3)
			 ? S_IFDIR | 0755
			 : S_IFREG | 0644;
	if (S_ISREG(step->mode) && random_one_in(world, 4))
		step->owner = WIRE_EPHEMERAL;
}

void
several_request(struct world *world, struct client *client)
{
	uint32_t n = 1 + (uint32_t)random_below(world, STEPS_MAX), name;
	struct wire_msg msg = { .type = WIRE_T_MULTI, .multi.root = TREE_ROOT };
	msgpack_sbuffer steps;
	char text[64];

	msgpack_sbuffer_init(&steps);
	for (; n > 0; n--) {
		struct wire_step step = { 0 };

		name = some_name(world, client);
		draw(world, &step, name, client->ids[name] != 0);
		step.path = path_of(name, text);
		if (step.kind == WIRE_STEP_SET)
			step.value = step.path;
		wire_step_pack(&steps, &step);
	}
	msg.multi.steps = (struct blob){ (const uint8_t *)steps.data, (uint32_t)steps.size };
	client_ask(world, client, &msg, NAMES, 0);
	world->dones[world->ndones - 1].steps = bytes_new(world, steps.data, steps.size);
	msgpack_sbuffer_destroy(&steps);
}

/* What stands at each name, and around all of them. */
struct model {
	struct {
		struct usage used;
		struct quota quota;
	} root;
	struct {
		bool is, dir;
		uint32_t version, children;
		int64_t size;
		struct usage used;
		struct quota quota;
	} at[NAMES];
};

static void
model_look(struct model *model, const struct tree *tree)
{
	const struct znode *node;
	struct wire_stat stat;
	uint32_t name;
	uint64_t parent, ids[NAMES] = { 0 };

	memset(model, 0, sizeof *model);
	model->root.used = quotas_count(tree, tree_node(tree, TREE_ROOT));
	tree_quota(tree, TREE_ROOT, &model->root.quota);
	for (name = 0; name < NAMES; name++) {
		parent = name < INSIDE ? TREE_ROOT : ids[DIRS + (name - INSIDE) / 2];
		node = parent == 0 ? NULL
				   : tree_child(tree, parent,
					 (struct blob){ (const uint8_t *)client_name(name),
					     (uint32_t)strlen(client_name(name)) });
		if (node == NULL)
			continue;
		znode_stat(tree, node, &stat);
		ids[name] = S_ISDIR(stat.mode) ? stat.id : 0;
		model->at[name].is = true;
		model->at[name].dir = S_ISDIR(stat.mode);
		model->at[name].version = stat.version;
		model->at[name].children = stat.children;
		model->at[name].size = stat.size;
		model->at[name].used = quotas_count(tree, node);
		tree_quota(tree, stat.id, &model->at[name].quota);
	}
}

static uint32_t
above(uint32_t name)
{
	return DIRS + (name - INSIDE) / 2;
}

/* So much more at a name, and in the directories that it is in. */
static int
model_take(struct model *model, uint32_t name, bool itself, struct usage more)
{
	bool inside = name >= INSIDE;

	if (quotas_beyond(&model->root.quota, &model->root.used, &more) ||
	    (itself && quotas_beyond(&model->at[name].quota, &model->at[name].used, &more)) ||
	    (inside &&
		quotas_beyond(&model->at[above(name)].quota, &model->at[above(name)].used, &more)))
		return ERR_QUOTA;
	model->root.used.nodes += more.nodes;
	model->root.used.bytes += more.bytes;
	if (itself) {
		model->at[name].used.nodes += more.nodes;
		model->at[name].used.bytes += more.bytes;
	}
	if (inside) {
		model->at[above(name)].used.nodes += more.nodes;
		model->at[above(name)].used.bytes += more.bytes;
	}
	return ERR_OK;
}

static uint32_t
name_of(struct blob path)
{
	char text[64];
	uint32_t name;

	for (name = 1; name < NAMES; name++)
		if (path_of(name, text).len == path.len && memcmp(text, path.data, path.len) == 0)
			return name;
	CHECK(false);
	return 0;
}

/* A version that is asked for. */
static int
version_is(const struct model *model, uint32_t name, int64_t version)
{
	return version == -1 || version == (int64_t)model->at[name].version ? ERR_OK
									    : ERR_BADVERSION;
}

static int
model_remove(struct model *model, uint32_t name, int64_t version)
{
	int code = model->at[name].children != 0 ? ERR_NOTEMPTY : version_is(model, name, version);

	if (code != ERR_OK)
		return code;
	model->at[name].is = false;
	if (name >= INSIDE)
		model->at[above(name)].children--;
	return model_take(model, name, false, (struct usage){ -1, -model->at[name].size });
}

static int
model_create(struct model *model, uint32_t name, bool dir)
{
	if (model->at[name].is)
		return ERR_EXISTS;
	if (model_take(model, name, false, (struct usage){ 1, 0 }) != ERR_OK)
		return ERR_QUOTA;
	memset(&model->at[name], 0, sizeof model->at[name]);
	model->at[name].is = true;
	model->at[name].dir = dir;
	model->at[name].used.nodes = 1;
	if (name >= INSIDE)
		model->at[above(name)].children++;
	return ERR_OK;
}

static int
model_set(struct model *model, uint32_t name, struct blob value)
{
	int code = model_take(
	    model, name, true, (struct usage){ 0, (int64_t)value.len - model->at[name].size });

	if (code != ERR_OK)
		return code;
	model->at[name].size = value.len;
	model->at[name].version++;
	return ERR_OK;
}

static int
model_step(struct model *model, const struct wire_step *step)
{
	uint32_t name = name_of(step->path);
	bool absent = step->kind == WIRE_STEP_CHECK && step->version == WIRE_ABSENT;
	int code;

	if (name >= INSIDE && !model->at[above(name)].is)
		return absent ? ERR_OK : ERR_NONODE;
	if (name >= INSIDE && !model->at[above(name)].dir)
		return ERR_NOTDIR;
	if (step->kind == WIRE_STEP_CREATE)
		return model_create(model, name, S_ISDIR(step->mode));
	if (absent)
		return model->at[name].is ? ERR_EXISTS : ERR_OK;
	if (!model->at[name].is)
		return ERR_NONODE;
	if (step->kind == WIRE_STEP_DELETE)
		return model_remove(model, name, step->version);
	code = version_is(model, name, step->version);
	if (code == ERR_OK && step->kind == WIRE_STEP_SET)
		return model_set(model, name, step->value);
	return code;
}

/* The code, the number of the step that failed, and how many operations there are to be. */
static int
model_run(const struct tree *tree, const struct done *done, uint32_t *failed, uint32_t *nops)
{
	struct blob steps = { done->steps->data, (uint32_t)done->steps->len };
	struct wire_step step;
	struct model model;
	int code = ERR_OK;

	*failed = *nops = 0;
	model_look(&model, tree);
	while (code == ERR_OK && wire_step_next(&steps, &step) == 1) {
		++*failed;
		*nops += step.kind != WIRE_STEP_CHECK;
		code = model_step(&model, &step);
	}
	*failed = code == ERR_OK ? 0 : *failed;
	*nops = code == ERR_OK ? *nops : 0;
	return code;
}

/* Where the row was dropped, who asks again is told less. */
static bool
may_be_brief(const struct world *world, const struct done *done)
{
	return done->again && (world->options.keep_rows < 1000 || world->coverage[COVER_SNAP] != 0);
}

static void
check_told(struct world *world, const struct txn *txn, const struct done *done)
{
	uint64_t results = 0;
	msgpack_sbuffer out;

	msgpack_sbuffer_init(&out);
	txn_results(txn, &out);
	if (out.size != 0)
		results = XXH3_64bits(out.data, out.size);
	msgpack_sbuffer_destroy(&out);
	if (done->value == results && done->node == txn->head.result_id)
		return;
	if (done->value == 0 && done->node == 0 && may_be_brief(world, done))
		return;
	fail(world, "client %u is told other results than those of %llx", done->client,
	    (unsigned long long)txn->zxid);
}

void
several_row(
    struct world *world, const struct tree *tree, const struct txn *txn, const struct done *done)
{
	uint32_t failed, nops;
	int code = model_run(tree, done, &failed, &nops);

	if (txn->head.code != code || txn->head.result_id != failed || txn->nops != nops)
		fail(world,
		    "%llx ends with %d at step %llu, %u operations, and not with %d, %u, %u",
		    (unsigned long long)txn->zxid, txn->head.code,
		    (unsigned long long)txn->head.result_id, txn->nops, code, failed, nops);
	if (done->ended != 0 && !done->given_up)
		check_told(world, txn, done);
	world->coverage[code == ERR_OK ? COVER_SEVERAL : COVER_NONE_OF_THEM]++;
}

void
several_answered(struct done *done, const struct wire_reply *reply, bool again)
{
	done->node = reply->more;
	done->value = reply->data.len == 0 ? 0 : XXH3_64bits(reply->data.data, reply->data.len);
	done->again = again;
}
