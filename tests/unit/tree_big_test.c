/*
 * A directory of a million children: what making and removing a name costs does not grow with them,
 * in steps that are counted, not timed: comparisons of names, rows of the next image. node.c is
 * compiled into this program, with a memcmp that counts.
 */
#include <stddef.h>
#include <string.h>

static unsigned long compared;

static int
counted_memcmp(const void *a, const void *b, size_t len)
{
	compared++;
	return memcmp(a, b, len);
}

#define memcmp counted_memcmp
#include "replica/tree/node.c" /* instead of the archive's: whose members define what is missing */
#undef memcmp

#include "tests/unit/tree_world.h"

#if defined(__SANITIZE_ADDRESS__)
#define MANY 20000u
#else
#define MANY 1000000u
#endif
#define FEW 1000u
#define PROBES 500u

struct big {
	struct tree *tree;
	uint64_t zxid;
	uint32_t cversion;
};

static struct blob
name_of(uint64_t n, char name[32])
{
	/* In an order that has nothing to do with the numbers. */
	snprintf(name, 32, "%08llx-%llu",
	    (unsigned long long)(n * UINT64_C(0x9e3779b97f4a7c15) >> 32), (unsigned long long)n);
	return blob_of(name);
}

static void
apply(struct big *big, struct txn_op *op)
{
	struct txn txn = { .zxid = ++big->zxid, .nops = 1, .ops = op };

	tree_apply(big->tree, &txn);
	assert_true(tree_fits(big->tree));
}

static void
add(struct big *big, uint64_t n)
{
	char name[32];
	struct txn_op op = { .type = TXN_CREATE };

	op.create.id = n + 1;
	op.create.parent = TREE_ROOT;
	op.create.name = name_of(n, name);
	op.create.mode = S_IFREG | 0644;
	op.create.parent_cversion = ++big->cversion;
	apply(big, &op);
}

static void
take(struct big *big, uint64_t n)
{
	char name[32];
	struct txn_op op = { .type = TXN_DELETE };

	op.delete.id = n + 1;
	op.delete.parent = TREE_ROOT;
	op.delete.name = name_of(n, name);
	op.delete.mode = S_IFREG | 0644;
	op.delete.parent_cversion = ++big->cversion;
	apply(big, &op);
}

/* Everything so far is in the image. */
static void
pass(struct tree *tree)
{
	struct image_pass *pass = image_pass_begin(tree);
	struct store_batch lost = { 0 };

	while (image_pass_next(tree, pass, &lost, 1 << 20))
		lost.bytes = 0;
	assert_int_equal(image_dirty(tree), 0);
}

/* The most comparisons of one creation, and of one removal, with so many there. */
static void
most(uint32_t children, unsigned long *creation, unsigned long *removal)
{
	struct big big = { .tree = tree_new() };
	uint64_t n;

	for (n = 1; n <= children; n++)
		add(&big, n);
	pass(big.tree);
	*creation = *removal = 0;
	for (n = children + 1; n <= children + PROBES; n++) {
		compared = 0;
		add(&big, n);
		*creation = compared > *creation ? compared : *creation;
	}
	/* Each of them, and the directory. */
	assert_int_equal(image_dirty(big.tree), PROBES + 1);
	for (n = 1; n <= PROBES; n++) {
		compared = 0;
		take(&big, n * (children / PROBES));
		*removal = compared > *removal ? compared : *removal;
	}
	assert_int_equal(image_dirty(big.tree), 2 * PROBES + 1);
	tree_free(big.tree);
}

static void
test_names(void **state)
{
	unsigned long few_created, few_removed, created, removed, logarithm = 0;
	uint32_t n;

	(void)state;
	for (n = MANY; n != 0; n /= 2)
		logarithm++;
	most(FEW, &few_created, &few_removed);
	most(MANY, &created, &removed);
	print_message("# comparisons, at most: %lu and %lu of %u, %lu and %lu of %u\n", few_created,
	    few_removed, FEW, created, removed, MANY);
	/* Twice the logarithm is the tree's height, which is gone through twice: to look, and to put. */
	assert_in_range(few_created, 1, 4 * logarithm);
	assert_in_range(created, few_created, 4 * logarithm + 4);
	assert_in_range(removed, 0, 4 * logarithm + 4);
}

/* A page costs its own entries, wherever it begins. */
static void
test_pages(void **state)
{
	struct big big = { .tree = tree_new() };
	const struct znode *child;
	uint64_t n, after;

	(void)state;
	for (n = 1; n <= MANY; n++)
		add(&big, n);
	compared = 0;
	for (after = 0; (child = tree_next_child(big.tree, TREE_ROOT, after)) != NULL;) {
		assert_true(znode_id(child) == after + 1 + (after == 0));
		after = znode_id(child);
	}
	assert_int_equal(after, MANY + 1);
	assert_int_equal(compared, 0);
	tree_free(big.tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
