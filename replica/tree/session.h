/*
 * A session in the tree: its row, its ephemerals, its retry table. Shared by
 * the tree's files; nobody outside of replica/tree includes it.
 */
#ifndef ZABFS_TREE_SESSION_H
#define ZABFS_TREE_SESSION_H

#include "replica/tree/node.h"

struct held_lock;
RB_HEAD(session_locks, held_lock); /* lock.c */

struct session {
	uint64_t id, acked;
	uint32_t timeout_ms;
	uint32_t nresults;
	Pvoid_t results;	    /* JudyL: rid -> struct session_result */
	Pvoid_t ephemerals;	    /* JudyL: node -> handle */
	struct session_locks locks; /* by node and owner */
	uint32_t nlocks;
	uint8_t secret[WIRE_SECRET_LEN];
	uint32_t secret_len, identity_len;
	uint8_t identity[];
};

struct session *session_find(const struct tree *tree, uint64_t id);
/* Makes it, or gives an existing one (recovery) these values. */
struct session *session_put(
    struct tree *tree, uint64_t id, struct blob secret, uint32_t timeout_ms, struct blob identity);
void session_remove(struct tree *tree, struct session *session);
void session_free(struct tree *tree, struct session *session); /* without the hash: tree_free */

/* The result of a write; results at or below acked go. */
void session_record(struct tree *tree, struct session *session, const struct session_result *result,
    uint64_t acked);

void session_acknowledge(struct tree *tree, struct session *session, uint64_t acked);

void session_ephemeral_add(struct tree *tree, uint64_t session, uint64_t node, uint64_t handle);
void session_ephemeral_remove(struct tree *tree, uint64_t session, uint64_t node);
uint64_t session_handle(const struct tree *tree, uint64_t session, uint64_t node);

/* The next image pass takes it along. */
void session_mark(struct tree *tree, uint64_t id);

uint64_t session_hash(const struct session *session);

#endif
