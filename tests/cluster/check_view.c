/*
 * No mount goes back: is there one order of a register's values in which every
 * mount saw them, syncs or not, and in which a write that ended before another
 * began comes before it? Each pair of sights of a mount, one ended before the
 * other began, is an arrow between two values; writes hang on a line of time.
 * There is such an order unless arrows go round in a circle.
 */
#include "tests/cluster/register.h"

#include <stdlib.h>
#include <string.h>

#define WORKERS_MAX 32

struct graph {
	struct {
		size_t from, to;
	} * edges;
	size_t nedges, room;
	size_t nnodes;
};

static void
edge(struct graph *graph, size_t from, size_t to)
{
	if (graph->nedges == graph->room) {
		graph->room = graph->room * 2 + 1024;
		graph->edges = realloc(graph->edges, graph->room * sizeof *graph->edges);
	}
	graph->edges[graph->nedges].from = from;
	graph->edges[graph->nedges++].to = to;
}

/* Values are in the order of their writes' beginnings, and so is the line of time. */
static void
add_time(struct graph *graph, const struct reg *reg)
{
	size_t n = reg->nvalues, i, low, high, middle;

	for (i = 0; i < n; i++) {
		if (i + 1 < n)
			edge(graph, n + i, n + i + 1);
		edge(graph, n + i, i);
		low = i + 1;
		high = n;
		while (low < high) {
			middle = (low + high) / 2;
			if (reg->values[middle].begun <= reg->values[i].ended)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < n)
			edge(graph, i, n + low);
	}
}

/* A mount's sights, by their end. */
static int
by_end(const void *a, const void *b)
{
	const struct sight *x = *(const struct sight *const *)a,
			   *y = *(const struct sight *const *)b;

	return x->call->ended < y->call->ended ? -1 : x->call->ended > y->call->ended;
}

static size_t
worker_index(const char **workers, size_t *count, const char *name)
{
	size_t i;

	for (i = 0; i < *count && strcmp(workers[i], name) != 0; i++)
		continue;
	if (i == *count)
		workers[(*count)++] = name;
	return i % WORKERS_MAX;
}

/* From the last sight of each worker that had ended when this one began. */
static void
add_mount(struct graph *graph, const struct reg *reg, const char *mount)
{
	const struct sight **ends = calloc(reg->nsights + 1, sizeof *ends);
	const struct sight *last[WORKERS_MAX] = { NULL };
	const char *workers[WORKERS_MAX + 1];
	size_t i, j, count = 0, next = 0, nworkers = 0;

	for (i = 0; i < reg->nsights; i++)
		if (strcmp(reg->sights[i].call->mount, mount) == 0)
			ends[count++] = &reg->sights[i];
	qsort(ends, count, sizeof(struct sight *), by_end);
	for (i = 0; i < reg->nsights; i++) {
		const struct sight *sight = &reg->sights[i];

		if (strcmp(sight->call->mount, mount) != 0)
			continue;
		for (; next < count && ends[next]->call->ended < sight->call->begun; next++)
			last[worker_index(workers, &nworkers, ends[next]->call->worker)] =
			    ends[next];
		for (j = 0; j < WORKERS_MAX; j++)
			if (last[j] != NULL && last[j]->value != sight->value)
				edge(graph, last[j]->value, sight->value);
	}
	free(ends);
}

/* Takes away what nothing points at, until nothing is left but circles. */
static size_t
in_circles(const struct graph *graph, bool *left)
{
	size_t *incoming = calloc(graph->nnodes, sizeof *incoming);
	size_t *first = calloc(graph->nnodes + 1, sizeof *first);
	size_t *to = calloc(graph->nedges + 1, sizeof *to);
	size_t *queue = calloc(graph->nnodes, sizeof *queue);
	size_t i, node, head = 0, tail = 0;

	for (i = 0; i < graph->nedges; i++)
		first[graph->edges[i].from]++;
	for (i = 1; i <= graph->nnodes; i++)
		first[i] += first[i - 1];
	for (i = 0; i < graph->nedges; i++) {
		to[--first[graph->edges[i].from]] = graph->edges[i].to;
		incoming[graph->edges[i].to]++;
	}
	for (i = 0; i < graph->nnodes; i++)
		if (incoming[i] == 0)
			queue[tail++] = i;
	while (head < tail) {
		node = queue[head++];
		left[node] = false;
		for (i = first[node]; i < first[node + 1]; i++)
			if (--incoming[to[i]] == 0)
				queue[tail++] = to[i];
	}
	free(incoming);
	free(first);
	free(to);
	free(queue);
	return graph->nnodes - tail;
}

static void
check(struct run *run, const struct reg *reg)
{
	struct graph graph = { .nnodes = reg->nvalues * 2 };
	bool *left = malloc(graph.nnodes * sizeof *left);
	const char *mounts[WORKERS_MAX];
	size_t i, j, nmounts = 0;

	add_time(&graph, reg);
	for (i = 0; i < reg->nsights; i++) {
		for (j = 0; j < nmounts && strcmp(mounts[j], reg->sights[i].call->mount) != 0; j++)
			continue;
		if (j < nmounts || nmounts == WORKERS_MAX)
			continue;
		mounts[nmounts++] = reg->sights[i].call->mount;
		add_mount(&graph, reg, reg->sights[i].call->mount);
	}
	memset(left, true, graph.nnodes * sizeof *left);
	if (in_circles(&graph, left) != 0)
		for (i = 0; i < graph.nedges; i++)
			if (left[graph.edges[i].from] && left[graph.edges[i].to] &&
			    graph.edges[i].from < reg->nvalues && graph.edges[i].to < reg->nvalues)
				violation(run,
				    "register %s: a mount goes back, in a circle: %s, then %s",
				    reg->key, reg->values[graph.edges[i].from].text,
				    reg->values[graph.edges[i].to].text);
	free(left);
	free(graph.edges);
}

void
check_views(struct run *run)
{
	reg_each(run, check);
}
