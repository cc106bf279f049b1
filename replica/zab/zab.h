/*
 * The Zab core: a pure step function. No clock, no I/O, no randomness, no
 * logging: what happened comes in as an event, what is to be done leaves as
 * data, each with what must be durable first. replica.c is the only caller
 * that orders step -> persist -> send -> apply.
 *
 * This is the ensemble of one: the member elects itself, and its own durable
 * row is the quorum. Each start begins a new epoch, durable before service.
 * Source: replica/README.md; the Zab paper (DSN 2011), section 4.
 */
#ifndef ZABFS_ZAB_ZAB_H
#define ZABFS_ZAB_ZAB_H

#include <stdbool.h>
#include <stdint.h>

#define ZAB_OUTSTANDING_MAX 65536 /* proposals not yet applied */

enum zab_role { ZAB_LOOKING, ZAB_LEADING };

struct zab {
	enum zab_role role;
	uint64_t accepted_epoch;
	uint64_t current_epoch;
	uint64_t epoch_wanted;	/* being made durable; 0: none */
	uint64_t last_proposed; /* zxid of the last row handed out */
	uint64_t last_logged;	/* durable here */
	uint64_t committed;	/* quorum has it */
	uint64_t outstanding;	/* proposed, not applied */
};

enum zab_event_type {
	ZAB_EVENT_START,	 /* recovered state in .start */
	ZAB_EVENT_EPOCHS_LOGGED, /* the epochs of the last output are durable */
	ZAB_EVENT_PROPOSE,	 /* one proposal, with the zxid that zab_next_zxid gave */
	ZAB_EVENT_LOGGED,	 /* rows up to .zxid are durable */
	ZAB_EVENT_DELIVERED,	 /* .count delivered rows were applied: no longer outstanding */
	ZAB_EVENT_LOG_LOST,	 /* rows above .zxid will never be (disk full): step down */
	ZAB_EVENT_TICK,		 /* a leaderless member tries again */
};

struct zab_event {
	enum zab_event_type type;
	uint64_t zxid;
	uint64_t count;
	struct {
		uint64_t accepted_epoch, current_epoch, last_zxid;
	} start;
};

/* What is to be done, in this order. */
struct zab_output {
	bool persist_epochs; /* make (accepted, current) durable, then EPOCHS_LOGGED */
	uint64_t accepted_epoch, current_epoch;
	bool persist_row; /* append the proposal at .row_zxid, then LOGGED */
	uint64_t row_zxid, row_prev_zxid;
	bool deliver; /* rows up to .deliver_zxid are committed: apply them */
	uint64_t deliver_zxid;
	bool role_changed;
	bool drop_outstanding; /* proposals above `committed` are void: none was executed */
};

/* Every field of *out is set. */
void zab_step(struct zab *zab, const struct zab_event *event, struct zab_output *out);

/* The zxid of the next proposal; 0: not leading, or ZAB_OUTSTANDING_MAX is reached. */
uint64_t zab_next_zxid(const struct zab *zab);

uint32_t zab_zxid_epoch(uint64_t zxid);
uint32_t zab_zxid_counter(uint64_t zxid);

#endif
