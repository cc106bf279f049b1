/*
 * Sessions: rows, ephemerals, the retry table; locks are lock.c's. See session.h, tree.h. A
 * session's hash is a sum of its parts, so that a result more or less costs
 * nothing beside it.
 */
#include "replica/tree/session.h"

#include "replica/lib/check.h"
#include "replica/tree/lock.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct session *
session_find(const struct tree *tree, uint64_t id)
{
	PPvoid_t slot = JudyLGet(tree->sessions, id, PJE0);

	return slot == NULL ? NULL : *slot;
}

static uint64_t
base_hash(const struct session *session)
{
	uint64_t numbers[] = { session->id, session->acked, session->timeout_ms,
		session->secret_len, session->identity_len };
	uint64_t hash = hash_numbers(numbers, sizeof numbers / sizeof numbers[0], 0);

	hash = XXH3_64bits_withSeed(session->secret, session->secret_len, hash);
	return XXH3_64bits_withSeed(session->identity, session->identity_len, hash);
}

static uint64_t
result_hash(const struct session *session, const struct session_result *result)
{
	uint64_t numbers[] = { session->id, result->rid, result->zxid, result->node,
		(uint64_t)(int64_t)result->code };

	return hash_numbers(numbers, sizeof numbers / sizeof numbers[0], 1);
}

static uint64_t
ephemeral_hash(uint64_t session, uint64_t node, uint64_t handle)
{
	uint64_t numbers[] = { session, node, handle };

	return hash_numbers(numbers, sizeof numbers / sizeof numbers[0], 2);
}

uint64_t
session_hash(const struct session *session)
{
	uint64_t hash = base_hash(session);
	Word_t key = 0;
	PPvoid_t slot;

	for (slot = JudyLFirst(session->results, &key, PJE0); slot != NULL;
	     slot = JudyLNext(session->results, &key, PJE0))
		hash += result_hash(session, *slot);
	key = 0;
	for (slot = JudyLFirst(session->ephemerals, &key, PJE0); slot != NULL;
	     slot = JudyLNext(session->ephemerals, &key, PJE0))
		hash += ephemeral_hash(session->id, key, *(Word_t *)slot);
	return hash + lock_hashes(session);
}

void
session_mark(struct tree *tree, uint64_t id)
{
	CHECK(Judy1Set(&tree->dirty_sessions, id, PJE0) != JERR);
}

struct session *
session_put(
    struct tree *tree, uint64_t id, struct blob secret, uint32_t timeout_ms, struct blob identity)
{
	struct session *session = session_find(tree, id);
	PPvoid_t slot;

	session_mark(tree, id);
	/* All of it was fixed at the opening: over an image it can only be the same. */
	if (session != NULL)
		return session;
	CHECK(secret.len == WIRE_SECRET_LEN && identity.len <= WIRE_IDENTITY_MAX);
	session = calloc(1, sizeof *session + identity.len);
	CHECK(session != NULL);
	session->id = id;
	session->timeout_ms = timeout_ms;
	session->secret_len = secret.len;
	session->identity_len = identity.len;
	RB_INIT(&session->locks);
	if (secret.len != 0)
		memcpy(session->secret, secret.data, secret.len);
	if (identity.len != 0)
		memcpy(session->identity, identity.data, identity.len);
	slot = JudyLIns(&tree->sessions, id, PJE0);
	CHECK(slot != NULL && slot != PPJERR);
	*slot = session;
	tree->hash += base_hash(session);
	return session;
}

void
session_free(struct tree *tree, struct session *session)
{
	Word_t key = 0;
	PPvoid_t slot;

	for (slot = JudyLFirst(session->results, &key, PJE0); slot != NULL;
	     slot = JudyLNext(session->results, &key, PJE0))
		free(*slot);
	JudyLFreeArray(&session->results, PJE0);
	JudyLFreeArray(&session->ephemerals, PJE0);
	lock_remove_all(tree, session);
	JudyLDel(&tree->sessions, session->id, PJE0);
	free(session);
}

void
session_remove(struct tree *tree, struct session *session)
{
	session_mark(tree, session->id);
	lock_remove_all(tree, session);
	tree->hash -= session_hash(session);
	session_free(tree, session);
}

void
session_acknowledge(struct tree *tree, struct session *session, uint64_t acked)
{
	struct session_result *result;
	Word_t rid = 0;
	PPvoid_t slot;

	if (acked > session->acked) {
		tree->hash -= base_hash(session);
		session->acked = acked;
		tree->hash += base_hash(session);
	}
	while ((slot = JudyLFirst(session->results, &rid, PJE0)) != NULL && rid <= session->acked) {
		result = *slot;
		tree->hash -= result_hash(session, result);
		JudyLDel(&session->results, rid, PJE0);
		session->nresults--;
		free(result);
		rid = 0;
	}
}

void
session_record(
    struct tree *tree, struct session *session, const struct session_result *result, uint64_t acked)
{
	PPvoid_t slot = JudyLIns(&session->results, result->rid, PJE0);

	CHECK(slot != NULL && slot != PPJERR);
	if (*slot != NULL) {
		/* Over an image that has caught this transaction already. */
		tree_misfit(tree);
		tree->hash -= result_hash(session, *slot);
	} else {
		*slot = malloc(sizeof *result);
		CHECK(*slot != NULL);
		session->nresults++;
	}
	*(struct session_result *)*slot = *result;
	tree->hash += result_hash(session, result);
	session_acknowledge(tree, session, acked);
	session_mark(tree, session->id);
}

void
session_ephemeral_add(struct tree *tree, uint64_t id, uint64_t node, uint64_t handle)
{
	struct session *session = session_find(tree, id);
	PPvoid_t slot;

	if (session == NULL) {
		tree_misfit(tree);
		return;
	}
	session_ephemeral_remove(tree, id, node);
	slot = JudyLIns(&session->ephemerals, node, PJE0);
	CHECK(slot != NULL && slot != PPJERR);
	*(Word_t *)slot = handle;
	tree->hash += ephemeral_hash(id, node, handle);
}

void
session_ephemeral_remove(struct tree *tree, uint64_t id, uint64_t node)
{
	struct session *session = session_find(tree, id);
	PPvoid_t slot = session == NULL ? NULL : JudyLGet(session->ephemerals, node, PJE0);

	if (slot == NULL)
		return;
	tree->hash -= ephemeral_hash(id, node, *(Word_t *)slot);
	JudyLDel(&session->ephemerals, node, PJE0);
}

uint64_t
session_handle(const struct tree *tree, uint64_t id, uint64_t node)
{
	const struct session *session = session_find(tree, id);
	PPvoid_t slot = session == NULL ? NULL : JudyLGet(session->ephemerals, node, PJE0);

	return slot == NULL ? 0 : *(Word_t *)slot;
}

const struct session *
tree_session(const struct tree *tree, uint64_t id)
{
	return session_find(tree, id);
}

const struct session *
tree_next_session(const struct tree *tree, uint64_t after)
{
	Word_t id = after;
	PPvoid_t slot = JudyLNext(tree->sessions, &id, PJE0);

	return slot == NULL ? NULL : *slot;
}

uint64_t
tree_sessions(const struct tree *tree)
{
	return JudyLCount(tree->sessions, 0, UINT64_MAX, PJE0);
}

uint64_t
session_id(const struct session *session)
{
	return session->id;
}

struct blob
session_secret(const struct session *session)
{
	return (struct blob){ session->secret, session->secret_len };
}

uint32_t
session_timeout_ms(const struct session *session)
{
	return session->timeout_ms;
}

struct blob
session_identity(const struct session *session)
{
	return (struct blob){ session->identity, session->identity_len };
}

uint64_t
session_acked(const struct session *session)
{
	return session->acked;
}

const struct session_result *
session_result(const struct session *session, uint64_t rid)
{
	PPvoid_t slot = JudyLGet(session->results, rid, PJE0);

	return slot == NULL ? NULL : *slot;
}

uint32_t
session_results(const struct session *session)
{
	return session->nresults;
}

uint32_t
session_results_above(const struct session *session, uint64_t rid)
{
	if (rid == UINT64_MAX)
		return 0;
	return (uint32_t)JudyLCount(session->results, rid + 1, UINT64_MAX, PJE0);
}

uint32_t
session_ephemerals(const struct session *session)
{
	return (uint32_t)JudyLCount(session->ephemerals, 0, UINT64_MAX, PJE0);
}

bool
session_next_ephemeral(
    const struct session *session, uint64_t after, uint64_t *id, uint64_t *handle)
{
	Word_t key = after;
	PPvoid_t slot = JudyLNext(session->ephemerals, &key, PJE0);

	if (slot == NULL)
		return false;
	*id = key;
	*handle = *(Word_t *)slot;
	return true;
}
