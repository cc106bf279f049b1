/*
 * A client: what it asks for, on a few names. Name 0 is a register: created,
 * replaced as a whole and read behind a sync, nothing else (linear.c). 4 and 5
 * are directories now and then, 6 to 9 lie below them. Every request is written
 * down with what became of it (history.c).
 * Its connection is client_io.c's. Called by world.c.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#define READ_BIT (UINT64_C(1) << 63)

#define BIG 270000 /* bytes: a piece of its own (snap.c) */
#define DIRS 4	   /* the first of them */
#define INSIDE 6   /* the first name below one */

const char *
client_name(uint32_t name)
{
	static const char *const names[NAMES] = { "register", "a", "b", "c", "d", "e", "a", "b",
		"a", "b" };

	return names[name];
}

static struct blob
name_blob(uint32_t name)
{
	return (
	    struct blob){ (const uint8_t *)client_name(name), (uint32_t)strlen(client_name(name)) };
}

uint64_t
client_parent(const struct client *client, uint32_t name)
{
	return name < INSIDE ? TREE_ROOT : client->ids[DIRS + (name - INSIDE) / 2];
}

static struct done *
note(struct world *world, const struct client *client, const struct wire_msg *msg)
{
	struct done *done;

	if (world->ndones == world->dones_space) {
		world->dones_space = world->dones_space * 2 + 64;
		world->dones = realloc(world->dones, world->dones_space * sizeof *world->dones);
		CHECK(world->dones != NULL);
	}
	done = &world->dones[world->ndones++];
	*done = (struct done){ .type = msg->type,
		.session = client->session,
		.rid = msg->sync.rid,
		.client = client->index,
		.begun = world->now,
		.needed = msg->type == WIRE_T_SYNC ? world->acknowledged : client->said };
	return done;
}

/* The least write that has no answer, or the next. */
static uint64_t
acked(const struct world *world, const struct client *client)
{
	uint64_t least = client->rid;
	uint32_t i;

	for (i = 0; i < OUTSTANDING_MAX; i++) {
		const struct done *done;

		if (client->pending[i].done == 0)
			continue;
		done = &world->dones[client->pending[i].done - 1];
		if ((done->rid & READ_BIT) == 0 && done->rid < least)
			least = done->rid;
	}
	return least - 1;
}

void
client_ask(struct world *world, struct client *client, struct wire_msg *msg, uint64_t key,
    uint64_t written)
{
	struct pending *pending = client->pending;
	msgpack_sbuffer packed;
	struct done *done;

	while (pending->done != 0)
		pending++;
	CHECK(pending < client->pending + OUTSTANDING_MAX);
	if (wire_is_write(msg->type)) {
		msg->create.rid = ++client->rid;
		pending->done = world->ndones + 1; /* counts for acked() */
		done = note(world, client, msg);
		msg->create.acked = acked(world, client);
		msg->create.flags |= random_one_in(world, 4) ? WIRE_ECHO : 0;
	} else {
		msg->sync.rid = ++client->reads | READ_BIT;
		pending->done = world->ndones + 1;
		done = note(world, client, msg);
	}
	done->key = key;
	done->written = written;
	qualified_note(done, msg);
	if (msg->type == WIRE_T_LOOKUP)
		done->parent = msg->lookup.parent;
	if (msg->type == WIRE_T_READ && client->synced_begun != 0) {
		done->synced = true;
		done->begun = client->synced_begun;
	}
	msgpack_sbuffer_init(&packed);
	wire_pack(&packed, msg);
	pending->bytes = bytes_new(world, packed.data, packed.size);
	done->request = pending->bytes;
	pending->sent = false;
	pending->once = true;
	msgpack_sbuffer_destroy(&packed);
	client->npending++;
	trace(world, "client %u: %s rid=%llx name=%llu", client->index, wire_type_name(msg->type),
	    (unsigned long long)done->rid, (unsigned long long)key);
	client_resend(world, client);
}

static void
create(struct world *world, struct client *client, uint32_t name)
{
	bool dir = (name == DIRS || name == DIRS + 1) && !random_one_in(world, 3);
	struct wire_msg msg = { .type = WIRE_T_CREATE,
		.create = { .parent = client_parent(client, name),
		    .name = name_blob(name),
		    .mode = dir ? S_IFDIR | 0755 : S_IFREG | 0644 } };

	if (name != 0)
		qualified_owner(world, &msg.create);
	client_ask(world, client, &msg, name, 0);
}

static void
remove_or_move(struct world *world, struct client *client, uint32_t name)
{
	struct wire_msg msg = { .type = WIRE_T_DELETE,
		.delete = { .parent = client_parent(client, name),
		    .name = name_blob(name),
		    .dir = name == DIRS || name == DIRS + 1,
		    .version = qualified_version(world) } };
	uint32_t to = 1 + (uint32_t)random_below(world, NAMES - 1);

	if (!random_one_in(world, 3) && client_parent(client, to) != 0) {
		msg = (struct wire_msg){ .type = WIRE_T_RENAME,
			.rename = { .parent = client_parent(client, name),
			    .name = name_blob(name),
			    .newparent = client_parent(client, to),
			    .newname = name_blob(to),
			    .how = (uint32_t)random_below(world, 3) } };
	}
	client_ask(world, client, &msg, name, 0);
}

static void
put(struct world *world, struct client *client, uint32_t name)
{
	struct wire_msg msg = { .type = WIRE_T_WRITE,
		.write = { .id = client->ids[name], .how = WIRE_REPLACE, .version = -1 } };
	char text[32];

	if (name != 0) {
		msg.write.how = (uint32_t)random_below(world, 3);
		msg.write.offset = random_below(world, 20);
		msg.write.version = qualified_version(world);
	}
	snprintf(text, sizeof text, "%u:%llu;", client->index, (unsigned long long)++world->values);
	msg.write.data = (struct blob){ (const uint8_t *)text, (uint32_t)strlen(text) };
	client_ask(world, client, &msg, msg.write.id, XXH3_64bits(text, strlen(text)));
}

static void
look(struct world *world, struct client *client, uint32_t name, bool value)
{
	struct wire_msg msg = { .type = WIRE_T_LOOKUP,
		.lookup = { .parent = client_parent(client, name), .name = name_blob(name) } };

	if (value)
		msg = (struct wire_msg){ .type = WIRE_T_READ, .read.id = client->ids[name] };
	client_ask(world, client, &msg, value ? client->ids[name] : name, 0);
}

static void
get_or_list(struct world *world, struct client *client, uint32_t name)
{
	struct wire_msg msg = { .type = WIRE_T_GETATTR, .getattr.id = client->ids[name] };
	uint64_t id = msg.getattr.id;

	if (random_one_in(world, 2)) {
		id = client_parent(client, name);
		msg = (struct wire_msg){ .type = WIRE_T_LIST,
			.list = { .id = id, .bytes = WIRE_LIST_MAX } };
	} else if (random_one_in(world, 3)) {
		msg = (struct wire_msg){ .type = WIRE_T_USAGE, .usage.id = id };
	}
	client_ask(world, client, &msg, id, 0);
}

/* The answer is BYE; if it does not come, the session goes on. */
static void
leave(struct world *world, struct client *client)
{
	struct wire_msg msg = { .type = WIRE_T_CLOSE };
	msgpack_sbuffer packed;

	if (!client->up)
		return;
	trace(world, "client %u: CLOSE", client->index);
	client_lock_leave(client);
	msgpack_sbuffer_init(&packed);
	wire_pack(&packed, &msg);
	client_send_bytes(world, client, bytes_new(world, packed.data, packed.size));
	msgpack_sbuffer_destroy(&packed);
}

static void
set_mode(struct world *world, struct client *client, uint32_t name)
{
	struct wire_msg msg = { .type = WIRE_T_SETATTR,
		.setattr = { .id = client->ids[name],
		    .version = qualified_version(world),
		    .valid = WIRE_SET_MODE,
		    .mode = 0600 + (uint32_t)random_below(world, 64) } };

	if (random_one_in(world, 2))
		msg.setattr.valid = WIRE_SET_MTIME;
	/* Two operations, one transaction. */
	if (world->options.big && random_one_in(world, 2)) {
		msg.setattr.valid |= WIRE_SET_SIZE;
		msg.setattr.size = random_one_in(world, 3) ? 0 : BIG;
	}
	client_ask(world, client, &msg, msg.setattr.id, 0);
}

/* Anybody: a voter, an observer, a stranger. */
static void
hand_over(struct world *world, struct client *client)
{
	uint32_t sid = 1 + (uint32_t)random_below(world, world->count + 1);
	struct wire_msg msg = { .type = WIRE_T_HAND_OVER, .hand_over.member = sid };

	client_ask(world, client, &msg, UINT64_MAX, sid);
}

/* What is limited is filled at once, and emptied: what is in flight counts. */
static bool
limit(struct world *world, struct client *client)
{
	uint32_t name;

	if (!quotas_request(world, client))
		return false;
	while (client->npending < OUTSTANDING_MAX && !random_one_in(world, 6)) {
		name = INSIDE + (uint32_t)random_below(world, NAMES - INSIDE);
		if (client_parent(client, name) == 0 || random_one_in(world, 4))
			several_request(world, client);
		else if (client->ids[name] == 0 || random_one_in(world, 6))
			create(world, client, name);
		else if (!random_one_in(world, 3))
			put(world, client, name);
		else
			remove_or_move(world, client, name);
	}
	return true;
}

static void
request(struct world *world, struct client *client)
{
	struct wire_msg sync = { .type = WIRE_T_SYNC };
	uint32_t name = (uint32_t)random_below(world, NAMES);

	if (client->session == 0 || client->npending >= OUTSTANDING_MAX)
		return;
	world->writes++;
	if (random_one_in(world, world->options.leave))
		leave(world, client);
	if ((world->options.kinds & 1u << FAULT_HAND_OVER) != 0 && random_one_in(world, 30)) {
		hand_over(world, client);
		return;
	}
	if (random_one_in(world, 5) && client_lock(world, client))
		return;
	if (world->options.tight && random_one_in(world, 3) && limit(world, client))
		return;
	if (random_one_in(world, 4))
		name = 0;
	if (client_parent(client, name) == 0)
		name = DIRS + (name - INSIDE) / 2;
	if (client->ids[name] == 0) {
		if (random_one_in(world, 2))
			create(world, client, name);
		else
			look(world, client, name, false);
		return;
	}
	switch (random_below(world, name == 0 ? 3 : 13)) {
	case 0:
		client_ask(world, client, &sync, name, 0);
		break;
	case 1:
	case 2:
		put(world, client, name);
		break;
	case 3:
		look(world, client, name, false);
		break;
	case 4:
		look(world, client, name, true);
		break;
	case 5:
		set_mode(world, client, name);
		break;
	case 6:
		get_or_list(world, client, name);
		break;
	case 7:
	case 8:
		qualified_request(world, client, name);
		break;
	case 9:
		several_request(world, client);
		break;
	case 10:
		if (!limit(world, client))
			remove_or_move(world, client, name);
		break;
	default:
		remove_or_move(world, client, name);
	}
}

/* Where leaders come and go by themselves, so many at once that some reach one, some the next. */
void
client_request(struct world *world, struct client *client)
{
	request(world, client);
	while (world->options.rollover != 0 && !world->healed && client->session != 0 &&
	       client->npending < OUTSTANDING_MAX && !random_one_in(world, 5))
		request(world, client);
}

/* A read behind a sync, of the register. */
static void
read_register(struct world *world, struct client *client, uint64_t begun)
{
	if (client->ids[0] == 0 || client->npending >= OUTSTANDING_MAX)
		return;
	client->synced_begun = begun;
	look(world, client, 0, true);
	client->synced_begun = 0;
}

static void
learn(struct client *client, const struct done *done, const struct wire_stat *stat)
{
	uint32_t name = (uint32_t)done->key;

	if (done->sequence)
		client->made[client->nmade++ % MADE] = stat->id;
	else if (done->type == WIRE_T_CREATE || done->type == WIRE_T_LOOKUP)
		client->ids[name] = stat->id;
}

static bool
is_about_lock(enum wire_type type)
{
	return type == WIRE_T_LOCK || type == WIRE_T_UNLOCK || type == WIRE_T_AWAIT;
}

static void
answer(struct world *world, struct client *client, struct pending *pending,
    const struct wire_reply *reply)
{
	struct done *done = &world->dones[pending->done - 1];
	struct wire_stat stat;

	done->ended = world->now;
	done->code = reply->code;
	done->zxid = reply->zxid;
	if (reply->stat.len != 0 && wire_stat_unpack(reply->stat, &stat) == 0) {
		done->node = stat.id;
		done->stat = XXH3_64bits(reply->stat.data, reply->stat.len);
		learn(client, done, &stat);
	}
	if (done->type == WIRE_T_READ || done->type == WIRE_T_USAGE)
		done->value = XXH3_64bits(reply->data.data, reply->data.len);
	if (done->type == WIRE_T_LIST)
		done->value = reads_entries(reply->data);
	if (done->type == WIRE_T_MULTI)
		several_answered(done, reply, !pending->once);
	if (done->sequence)
		qualified_answered(world, done, reply->data);
	if (wire_is_write(done->type) && done->code == ERR_OK && done->zxid > world->acknowledged)
		world->acknowledged = done->zxid;
	if (done->type == WIRE_T_HAND_OVER && done->code == ERR_OK)
		check_led(world, (uint32_t)done->written, done->begun);
	trace(world, "client %u: rid=%llx code=%d zxid=%llx", client->index,
	    (unsigned long long)done->rid, done->code, (unsigned long long)done->zxid);
	pending->done = 0;
	client->npending--;
	/* Either may ask for more, and move what `done` points to. */
	if (done->type == WIRE_T_SYNC && done->key == 0)
		read_register(world, client, done->begun);
	else if (is_about_lock(done->type))
		client_lock_answered(world, client, done);
}

/* Of a request that was sent only once: it is not executed, and the user is told so. */
static bool
gives_up(struct world *world, struct pending *pending, int32_t code)
{
	struct done *done = &world->dones[pending->done - 1];

	if (!pending->once || code == ERR_EXPIRED || !random_one_in(world, 4))
		return false;
	done->given_up = true;
	done->code = code;
	done->ended = world->now;
	pending->done = 0;
	return true;
}

static void
refused(struct world *world, struct client *client, struct pending *pending, int32_t code)
{
	struct done *done = &world->dones[pending->done - 1];

	if (wire_is_write(done->type) && gives_up(world, pending, code)) {
		client->npending--;
		if (is_about_lock(done->type))
			client_lock_answered(world, client, done);
		return;
	}
	pending->sent = pending->once = false; /* again, with the clock */
}

void
client_answered(struct world *world, struct client *client, const struct wire_reply *reply)
{
	uint32_t i;

	if (reply->rid == TOLD_RID) {
		told_answered(world, client, reply);
		return;
	}
	for (i = 0; i < OUTSTANDING_MAX; i++) {
		struct pending *pending = &client->pending[i];

		if (pending->done == 0 || world->dones[pending->done - 1].rid != reply->rid)
			continue;
		if (!pending->sent)
			break;
		if (reply->code == ERR_EXPIRED)
			history_expect_over(world, client);
		/* Who is not up to date may never be. */
		if (reply->code == ERR_BUSY &&
		    world->dones[pending->done - 1].type == WIRE_T_HAND_OVER)
			answer(world, client, pending, reply);
		else if (reply->code == ERR_BUSY || reply->code == ERR_NOQUORUM ||
			 reply->code == ERR_EXPIRED || reply->code == ERR_NOSPC)
			refused(world, client, pending, reply->code);
		else
			answer(world, client, pending, reply);
		return;
	}
	fail(world, "client %u is answered %llx, and does not wait for it", client->index,
	    (unsigned long long)reply->rid);
}

/* Each time it is sent a write promises what can be promised by now. */
static void
promise(struct world *world, struct client *client, struct pending *pending)
{
	msgpack_zone *zone;
	msgpack_sbuffer packed;
	struct wire_msg msg;

	if (!wire_is_write(world->dones[pending->done - 1].type))
		return;
	zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	CHECK(zone != NULL);
	CHECK(wire_unpack(pending->bytes->data, pending->bytes->len, zone, &msg) == 0);
	msg.create.acked = acked(world, client);
	msgpack_sbuffer_init(&packed);
	wire_pack(&packed, &msg);
	pending->bytes = bytes_new(world, packed.data, packed.size);
	msgpack_sbuffer_destroy(&packed);
	msgpack_zone_free(zone);
}

/* In the order of the requests. */
void
client_resend(struct world *world, struct client *client)
{
	bool again = true;
	uint32_t i;

	if (!client->up)
		return;
	while (again) {
		struct pending *next = NULL;

		for (i = 0; i < OUTSTANDING_MAX; i++) {
			struct pending *pending = &client->pending[i];

			if (pending->done != 0 && !pending->sent &&
			    (next == NULL || pending->done < next->done))
				next = pending;
		}
		again = next != NULL;
		if (again) {
			if (!next->once)
				promise(world, client, next);
			next->sent = true;
			client_send_bytes(world, client, next->bytes);
		}
	}
}

/* What was asked in the old session: nobody knows. */
void
client_lost(struct world *world, struct client *client)
{
	trace(world, "client %u: its session is over", client->index);
	memset(client->pending, 0, sizeof client->pending);
	memset(client->ids, 0, sizeof client->ids);
	memset(client->made, 0, sizeof client->made);
	memset(client->claims, 0, sizeof client->claims);
	client->npending = 0;
	client->session = 0;
	client->leaving = false;
	client->rid = client->reads = 0;
	client->said = client->seen = 0;
}
