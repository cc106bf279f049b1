/*
 * A million files of 100-byte values in memory: at most 300 bytes each, all
 * told. Measured by the resident set, as an operator sees it; a sanitizer's
 * own memory would be counted too, so there it is a smaller tree and no limit.
 */
#include "tests/unit/tree_world.h"

#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define NODES 20000u
#define BYTES_MAX UINT64_MAX
#else
#define NODES 1000000u
#define BYTES_MAX 300u
#endif
#define DIR_NODES 10000u

static uint64_t
resident(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
	fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
add(struct tree *tree, uint64_t n, uint64_t parent, uint32_t cversion, uint32_t mode)
{
	static const uint8_t value[100] = "v";
	char name[32];
	struct txn_op op = { .type = TXN_CREATE };
	struct txn txn = { .zxid = n, .head = { .time_ns = (int64_t)n }, .nops = 1, .ops = &op };

	snprintf(name, sizeof(name), "file-%07llu", (unsigned long long)n);
	op.create.id = n + 1;
	op.create.parent = parent;
	op.create.name = blob_of(name);
	op.create.mode = mode;
	op.create.parent_cversion = cversion;
	if (S_ISREG(mode))
		op.create.value = (struct blob){ value, sizeof(value) };
	tree_apply(tree, &txn);
	assert_true(tree_fits(tree));
}

static void
fill(const char *what, uint32_t dir_nodes)
{
	uint64_t before = resident(), bytes, dir = TREE_ROOT;
	struct tree *tree = tree_new();
	struct timespec from, to;
	uint32_t in_dir = 0, dirs = 0;
	double seconds;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (uint64_t n = 1; n <= NODES; n++) {
		if (dir_nodes != 0 && (n - 1) % (dir_nodes + 1) == 0) {
			add(tree, n, TREE_ROOT, ++dirs, S_IFDIR | 0755);
			dir = n + 1;
			in_dir = 0;
		} else {
			add(tree, n, dir, ++in_dir, S_IFREG | 0644);
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	bytes = (resident() - before) / NODES;
	seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
	print_message("# %s: %u nodes, %llu bytes each, made in %.2f s\n", what, NODES,
	    (unsigned long long)bytes, seconds);
	assert_int_equal(tree_nodes(tree), NODES + 1);
	assert_true(bytes <= BYTES_MAX);
	tree_free(tree);
}

static void
test_million(void **state)
{
	(void)state;
	fill("one directory", 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_million),
	};

	(void)argv;
	/* With an argument: directories of DIR_NODES instead, for a look. */
	if (argc > 1) {
		fill("directories", DIR_NODES);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
