/*
 * One register's history, as check_register.c and check_view.c need it: its
 * values, each written once, and who saw which. register.c collects it.
 */
#ifndef ZABFS_TESTS_CLUSTER_REGISTER_H
#define ZABFS_TESTS_CLUSTER_REGISTER_H

#include "tests/cluster/verify.h"

struct value {
	const char *text;
	uint64_t begun, ended; /* of the write; UINT64_MAX: may still come */
	enum outcome outcome;
	bool seen;
};

/* Somebody saw that value, or wrote it. */
struct sight {
	const struct call *call;
	size_t value;
};

struct reg {
	const char *key;
	struct value *values; /* the first one is the initial */
	size_t nvalues;
	struct sight *sights; /* by their beginning */
	size_t nsights;
};

/* Reports values that nobody wrote, that were refused, or were seen too early. */
void reg_collect(struct run *run, const char *key, struct reg *reg);
void reg_free(struct reg *reg);
/* Calls it for each register there is. */
void reg_each(struct run *run, void (*check)(struct run *, const struct reg *));

#endif
