/*
 * A member's image of its tree, on the simulated disk: batches are written one
 * after another, each whole or not at all; the end of a pass makes it count, and
 * cuts the log. Called by store.c and world.c.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"

#include <stdlib.h>
#include <string.h>

struct store_batch *
store_batch_new(void)
{
	struct store_batch *batch = calloc(1, sizeof *batch);

	CHECK(batch != NULL);
	return batch;
}

void
store_batch_free(struct store_batch *batch)
{
	free(batch->rows);
	free(batch);
}

size_t
store_batch_bytes(const struct store_batch *batch)
{
	return batch->bytes;
}

static struct batch_row *
add(struct store_batch *batch)
{
	batch->rows = realloc(batch->rows, (batch->count + 1) * sizeof *batch->rows);
	CHECK(batch->rows != NULL);
	memset(&batch->rows[batch->count], 0, sizeof *batch->rows);
	/* A few rows make a batch: there shall be many. */
	batch->bytes += 300000;
	return &batch->rows[batch->count++];
}

static void
own(struct blob *blob)
{
	blob->data = bytes_new(the_world, blob->data, blob->len)->data;
}

void
store_batch_node(struct store_batch *batch, const struct store_node *row)
{
	struct batch_row *to = add(batch);

	to->node = *row;
	own(&to->node.name);
	own(&to->node.value);
}

void
store_batch_node_gone(struct store_batch *batch, uint64_t id)
{
	struct batch_row *to = add(batch);

	to->gone = true;
	to->node.id = id;
}

void
store_batch_session(struct store_batch *batch, const struct store_session *row)
{
	struct batch_row *to = add(batch);

	to->session = true;
	to->row = *row;
	own(&to->row.secret);
	own(&to->row.identity);
	own(&to->row.results);
}

void
store_batch_session_gone(struct store_batch *batch, uint64_t id)
{
	struct batch_row *to = add(batch);

	to->session = to->gone = true;
	to->row.id = id;
}

static void
apply_node(struct image *image, const struct batch_row *row)
{
	uint32_t i;

	for (i = 0; i < image->nnodes && image->nodes[i].id != row->node.id; i++)
		;
	if (row->gone) {
		if (i < image->nnodes)
			image->nodes[i] = image->nodes[--image->nnodes];
		return;
	}
	if (i == image->nnodes) {
		image->nodes = realloc(image->nodes, ++image->nnodes * sizeof *image->nodes);
		CHECK(image->nodes != NULL);
	}
	image->nodes[i] = row->node;
}

static void
apply_session(struct image *image, const struct batch_row *row)
{
	uint32_t i;

	for (i = 0; i < image->nsessions && image->sessions[i].id != row->row.id; i++)
		;
	if (row->gone) {
		if (i < image->nsessions)
			image->sessions[i] = image->sessions[--image->nsessions];
		return;
	}
	if (i == image->nsessions) {
		image->sessions =
		    realloc(image->sessions, ++image->nsessions * sizeof *image->sessions);
		CHECK(image->sessions != NULL);
	}
	image->sessions[i] = row->row;
}

void
image_apply(struct image *image, const struct store_batch *batch)
{
	uint32_t i;

	for (i = 0; i < batch->count; i++) {
		if (batch->rows[i].session)
			apply_session(image, &batch->rows[i]);
		else
			apply_node(image, &batch->rows[i]);
	}
}

void
image_clear(struct image *image)
{
	free(image->nodes);
	free(image->sessions);
	memset(image, 0, sizeof *image);
}

static void
schedule(struct world *world, struct member *member)
{
	uint64_t us = 1 + random_below(world, world->options.disk_us * 4);
	struct event *event = heap_add(world, world->now + us * 1000, EVENT_IMAGE);

	event->member = (uint32_t)(member - world->members);
	event->life = member->life;
}

void
image_order(struct world *world, struct member *member, const struct image_order *order)
{
	struct disk *disk = &member->disk;

	if (!member_acts(world, member)) {
		if (order->batch != NULL)
			store_batch_free(order->batch);
		return;
	}
	if (disk->nimages == disk->images_space) {
		disk->images_space = disk->images_space * 2 + 8;
		disk->images = realloc(disk->images, disk->images_space * sizeof *disk->images);
		CHECK(disk->images != NULL);
	}
	disk->images[disk->nimages++] = *order;
	if (disk->nimages == 1)
		schedule(world, member);
}

static void
batch_done(struct world *world, struct disk *disk, const struct image_order *order)
{
	if (world->now < disk->full_until)
		disk->image_failed = true;
	if (disk->image_failed)
		return;
	image_apply(&disk->image, order->batch);
	if (order->upto > disk->image.upto)
		disk->image.upto = order->upto;
}

static void
pass_done(struct world *world, struct member *member, const struct image_order *order)
{
	struct disk *disk = &member->disk;
	bool failed = disk->image_failed || world->now < disk->full_until;

	disk->image_failed = false;
	if (!failed) {
		/* A snapshot may have taken the image's place meanwhile. */
		CHECK(order->applied >= disk->image.applied);
		disk->image.applied = order->applied;
		disk->image.next_id = order->next_id;
		disk_trim(world, member);
		world->coverage[COVER_IMAGE]++;
	}
	store_push(member, failed ? STORE_PASS_FAILED : STORE_PASSED, 0);
}

void
image_done(struct world *world, struct member *member)
{
	struct disk *disk = &member->disk;
	struct image_order order;

	if (!member_enter(world, member))
		return;
	if (disk->nimages != 0 && !disk_fails(world, member)) {
		order = disk->images[0];
		memmove(disk->images, disk->images + 1, --disk->nimages * sizeof *disk->images);
		if (order.batch != NULL) {
			batch_done(world, disk, &order);
			store_batch_free(order.batch);
		} else {
			pass_done(world, member, &order);
		}
		if (disk->nimages != 0)
			schedule(world, member);
		replica_completions(member->replica);
	}
	member_leave(world, member);
}

/* A snapshot takes the image's place: what is still to be written of a pass is for nothing. */
void
image_void(struct member *member)
{
	struct disk *disk = &member->disk;
	uint32_t i;

	for (i = 0; i < disk->nimages; i++) {
		if (disk->images[i].batch != NULL)
			store_batch_free(disk->images[i].batch);
		else
			store_push(member, STORE_PASSED, 0);
	}
	disk->nimages = 0;
	disk->image_failed = false;
}

void
image_crash(struct world *world, struct member *member)
{
	struct disk *disk = &member->disk;
	uint32_t i;

	if (disk->nimages != 0 && disk->images[0].batch != NULL && random_one_in(world, 2))
		batch_done(world, disk, &disk->images[0]);
	for (i = 0; i < disk->nimages; i++)
		if (disk->images[i].batch != NULL)
			store_batch_free(disk->images[i].batch);
	disk->nimages = 0;
	disk->image_failed = false;
	image_clear(&disk->snap);
}
