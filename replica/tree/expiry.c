/* When nodes go by themselves. See expiry.h. */
#include "replica/tree/expiry.h"

#include "replica/lib/check.h"

#define NS_PER_MS 1000000

/* 0: not as it is now. A container has to have had a child: somebody is about to make the first. */
static Word_t
deadline_of(const struct znode *node)
{
	uint64_t ttl_ms = wire_owner_ttl_ms(node->owner);

	if (node->owner < WIRE_OWNER_TTL || node->children != NULL || node->mtime_ns <= 0)
		return 0;
	if (ttl_ms == 0)
		return node->cversion == 0 ? 0 : (Word_t)node->mtime_ns;
	return (Word_t)node->mtime_ns + ttl_ms * NS_PER_MS;
}

void
expiry_remove(struct tree *tree, const struct znode *node)
{
	Word_t deadline = deadline_of(node);
	PPvoid_t ids;

	if (deadline == 0)
		return;
	ids = JudyLGet(tree->due, deadline, PJE0);
	if (ids == NULL)
		return;
	Judy1Unset(ids, node->id, PJE0);
	if (*ids == NULL)
		JudyLDel(&tree->due, deadline, PJE0);
}

void
expiry_add(struct tree *tree, const struct znode *node)
{
	Word_t deadline = deadline_of(node);
	PPvoid_t ids;

	if (deadline == 0)
		return;
	ids = JudyLIns(&tree->due, deadline, PJE0);
	CHECK(ids != NULL && ids != PPJERR);
	CHECK(Judy1Set(ids, node->id, PJE0) != JERR);
}

void
expiry_free(struct tree *tree)
{
	Word_t deadline = 0;
	PPvoid_t ids;

	for (ids = JudyLFirst(tree->due, &deadline, PJE0); ids != NULL;
	     ids = JudyLNext(tree->due, &deadline, PJE0))
		Judy1FreeArray(ids, PJE0);
	JudyLFreeArray(&tree->due, PJE0);
}

bool
tree_next_due(const struct tree *tree, int64_t now_ns, struct tree_due *at)
{
	Word_t deadline = (Word_t)at->deadline_ns, id = at->id;
	PPvoid_t ids = JudyLFirst(tree->due, &deadline, PJE0);

	if (ids != NULL && (int64_t)deadline == at->deadline_ns && Judy1Next(*ids, &id, PJE0) != 1)
		ids = JudyLNext(tree->due, &deadline, PJE0);
	if (ids == NULL || (int64_t)deadline > now_ns)
		return false;
	if ((int64_t)deadline != at->deadline_ns) {
		id = 0;
		CHECK(Judy1First(*ids, &id, PJE0) == 1);
	}
	*at = (struct tree_due){ (int64_t)deadline, id };
	return true;
}
