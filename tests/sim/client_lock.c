/*
 * A client's locks: two owners, on names that come and go. It asks for one, waits, gives up,
 * converts, and releases it after a while, as soon as nothing fails any more. From the answer on,
 * until it asks for something else or its deadline has passed, it believes that it has the lock:
 * never two at a time. What else must hold is locks.c's. Called by client.c and client_io.c.
 */
#include "tests/sim/sim.h"

#include "replica/lib/err.h"

#define NODES 3 /* the first names: the register, too */
#define HOLD (2 * S)

static void
ask_lock(struct world *world, struct client *client, struct claim *claim, uint32_t how)
{
	struct wire_msg msg = { .type = WIRE_T_LOCK,
		.lock = {
		    .id = claim->node, .owner = (uint64_t)(claim - client->claims), .how = how } };

	claim->state = CLAIM_ASKED;
	claim->believed = false;
	claim->how = how;
	client_ask(world, client, &msg, claim->node, msg.lock.owner << 8 | how);
}

static void
ask_unlock(struct world *world, struct client *client, struct claim *claim)
{
	struct wire_msg msg = { .type = WIRE_T_UNLOCK,
		.unlock = { .id = claim->node, .owner = (uint64_t)(claim - client->claims) } };

	claim->state = CLAIM_RELEASED;
	claim->believed = false;
	client_ask(world, client, &msg, claim->node, msg.unlock.owner << 8);
}

static void
ask_await(struct world *world, struct client *client, struct claim *claim)
{
	struct wire_msg msg = { .type = WIRE_T_AWAIT,
		.await = { .id = claim->node, .owner = (uint64_t)(claim - client->claims) } };

	claim->state = CLAIM_WAITS;
	claim->waits++;
	client_ask(
	    world, client, &msg, claim->node, (uint64_t)claim->waits << 16 | msg.await.owner << 8);
}

bool
client_lock(struct world *world, struct client *client)
{
	struct claim *claim = &client->claims[random_below(world, CLAIMS)];
	uint32_t how = random_one_in(world, 2) ? WIRE_EXCLUSIVE : 0, name = 0;

	/* Mostly the same, and with patience, so that they meet. */
	if (random_one_in(world, 4))
		name = (uint32_t)random_below(world, NODES);
	if (random_one_in(world, 4))
		how |= WIRE_AT_ONCE;
	switch (claim->state) {
	case CLAIM_NONE:
		if (client->ids[name] == 0)
			return false;
		claim->node = client->ids[name];
		ask_lock(world, client, claim, how);
		return true;
	case CLAIM_WAITS:
		ask_unlock(world, client, claim);
		return true;
	case CLAIM_HELD:
		ask_lock(world, client, claim, how);
		return true;
	default:
		return false;
	}
}

/* It has it: nobody else believes that, too. */
static void
held(struct world *world, const struct client *client, struct claim *claim, bool waited)
{
	uint32_t i, j;

	claim->state = CLAIM_HELD;
	claim->until = world->now + random_below(world, HOLD);
	if (client->deadline <= world->now || client->leaving)
		return;
	world->coverage[waited ? COVER_WAITED : COVER_LOCKED]++;
	claim->believed = true;
	for (i = 0; i < world->options.clients; i++) {
		for (j = 0; j < CLAIMS; j++) {
			const struct claim *other = &world->clients[i].claims[j];

			if (other != claim && other->believed && other->node == claim->node &&
			    ((other->how | claim->how) & WIRE_EXCLUSIVE) != 0 &&
			    world->clients[i].deadline > world->now)
				fail(world, "clients %u and %u have the lock of %llx",
				    client->index, i, (unsigned long long)claim->node);
		}
	}
}

void
client_lock_answered(struct world *world, struct client *client, const struct done *done)
{
	struct claim *claim = &client->claims[done->written >> 8 & 0xff];

	if (done->type == WIRE_T_AWAIT) {
		/* One that it asked for before it gave up may still be answered. */
		if (claim->state != CLAIM_WAITS || done->written >> 16 != claim->waits)
			return;
		if (done->code == ERR_OK)
			held(world, client, claim, true);
		else
			fail(world, "client %u waits for a lock that is not there", client->index);
	} else if (done->given_up || done->type == WIRE_T_UNLOCK) {
		/* What may still be there has to go. */
		claim->state =
		    done->type == WIRE_T_UNLOCK && done->code == ERR_OK ? CLAIM_NONE : CLAIM_HELD;
		claim->until = 0;
	} else if (done->code == ERR_OK) {
		held(world, client, claim, false);
	} else if (done->code == ERR_AGAIN && (claim->how & WIRE_AT_ONCE) == 0) {
		ask_await(world, client, claim);
	} else {
		claim->state = CLAIM_NONE;
	}
}

/* Nobody waits for ever: all that are held are released. */
void
client_lock_tick(struct world *world, struct client *client)
{
	uint32_t i;

	for (i = 0; i < CLAIMS; i++) {
		struct claim *claim = &client->claims[i];

		if (claim->state == CLAIM_HELD && client->npending < OUTSTANDING_MAX &&
		    (world->healed || claim->until <= world->now))
			ask_unlock(world, client, claim);
	}
}

/* It ends its session, some time: what it had, and gets from now on, it may have no more. */
void
client_lock_leave(struct client *client)
{
	uint32_t i;

	client->leaving = true;
	for (i = 0; i < CLAIMS; i++)
		client->claims[i].believed = false;
}

bool
client_lock_idle(const struct client *client)
{
	uint32_t i;

	for (i = 0; i < CLAIMS; i++)
		if (client->claims[i].state != CLAIM_NONE)
			return false;
	return true;
}
