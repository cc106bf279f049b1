/*
 * The checkers of the cluster tests: what clients were told (client.h), and what
 * there is at the end (client_dump.c), against what zabfs(7) promises. None of
 * them looks into a daemon. verify.c runs them all; each check_*.c is one.
 */
#ifndef ZABFS_TESTS_CLUSTER_VERIFY_H
#define ZABFS_TESTS_CLUSTER_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum outcome {
	OUTCOME_DONE,
	OUTCOME_NEVER,	 /* certainly not executed */
	OUTCOME_UNKNOWN, /* perhaps, once, at any time since it began */
	OUTCOME_ODD,	 /* no error of the service: what is about it decides */
};

/* A line of a history. Words are borrowed from the run's text. */
struct call {
	uint64_t begun, ended;
	const char *mount, *worker, *op, *key, *value, *result;
	enum outcome outcome;
};

/* A line of the dump. */
struct node {
	const char *path, *mode, *size, *metadata, *value;
	uint64_t number;
};

struct run {
	struct call *calls; /* by their beginning */
	size_t ncalls;
	struct node *nodes;
	size_t nnodes;
	char *texts[2]; /* what the words point into */
	FILE *report;	/* where violations go */
	uint32_t violations;
	uint64_t counts[16]; /* COUNT_…: that the checkers had something to look at */
};

enum count {
	COUNT_WRITES,
	COUNT_READS,
	COUNT_SYNCED,
	COUNT_LINES,
	COUNT_NAMES,
	COUNT_LISTINGS,
	COUNT_EPHEMERALS,
	COUNT_HOLDS,
	COUNT_EVENTS,
	COUNT_SESSIONS,
	COUNT_UNKNOWN,
	COUNT_NEVER,
	COUNTS,
};

/* history.c. The texts are words in lines, changed in place; false: malformed. */
bool run_parse(struct run *run, char *dump, char *history);
void run_free(struct run *run);
void violation(struct run *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool call_is(const struct call *call, const char *op);
/* Of a path in the dump; NULL: it is not there. */
const struct node *run_node(const struct run *run, const char *dir, const char *name);

/* A set of words, each with a pointer: words.c. */
struct words;
struct words *words_new(void);
void words_free(struct words *words);
/* The place for a word's pointer; NULL if it is not there and not to be made. */
void **words_at(struct words *words, const char *word, bool make);

void check_registers(struct run *run); /* check_register.c: linearizable behind a sync */
void check_views(struct run *run);     /* check_view.c: no mount ever goes back */
void check_lines(struct run *run);     /* check_lines.c: exactly once, in order */
void check_names(struct run *run);     /* check_names.c: likewise, and listings */
void check_sessions(struct run *run);  /* check_session.c: ephemerals */
void check_locks(struct run *run);     /* check_lock.c: one holder at a time */
void check_events(struct run *run);    /* check_event.c: none is missing, none comes twice */
void check_results(struct run *run);   /* check_result.c: no errno that nothing explains */

#endif
