/*
 * A znode in memory, its children, its place. Shared by the tree's files;
 * nobody outside of replica/tree includes it. About 150 bytes beside name and
 * value: a million of them have to fit.
 */
#ifndef ZABFS_TREE_NODE_H
#define ZABFS_TREE_NODE_H

#include "replica/tree/tree.h"

#include <Judy.h>
#include <bsd/sys/tree.h>

RB_HEAD(znode_names, znode);

/* Of a directory that has any: by name, and their ids in order. */
struct children {
	struct znode_names names;
	Pvoid_t ids; /* Judy1 */
	uint32_t count;
	uint32_t counted;   /* quota.c: of them, at the end of recovery */
	struct usage below; /* of all of them, and of what is below them */
};

struct znode {
	uint64_t id;
	uint64_t
	    parent; /* by id: a directory moves in memory, whatever its children; the root's is 0 */
	RB_ENTRY(znode) by_name;
	struct children *children;
	uint8_t *value;
	uint64_t czxid, mzxid, pzxid;
	int64_t birth_ns, mtime_ns, ctime_ns;
	uint64_t owner;
	uint32_t version, cversion, aversion;
	uint32_t mode, uid, gid;
	uint32_t value_len;
	bool placed; /* false: only in recovery */
	uint8_t name_len;
	uint8_t name[]; /* not terminated */
};

struct tree {
	Pvoid_t nodes;	  /* JudyL: id -> struct znode */
	Pvoid_t sessions; /* JudyL: id -> struct session */
	Pvoid_t locks;	  /* JudyL: id of a node -> its queue (lock.c) */
	Pvoid_t settled;  /* JudyL: zxid of a lock -> session (tree_next_settled) */
	uint64_t nlocks;
	uint64_t applied, hash, next_id;
	uint64_t count, bytes, ephemerals;
	uint64_t unplaced;
	bool recovering;
	bool misfit; /* in service something did not hold that a transaction expects */
	Pvoid_t dirty_nodes, dirty_sessions; /* Judy1: changed since the last pass began */
	Pvoid_t due;			     /* expiry.c */
	Pvoid_t quotas;			     /* JudyL: id -> struct quota (quota.c) */
	Pvoid_t exceeded;		     /* Judy1: ids (tree_next_exceeded) */
	struct image_pass *pass;
};

/* Whether a znode may have this name: ERR_OK, ERR_NAMETOOLONG or ERR_INVAL. */
int node_check_name(struct blob name);
/* Whether the mode is of a kind that there is, with nothing but permission bits beside. */
bool node_mode_valid(uint32_t mode);

/* Whether a node of this mode may have this owner, held by this handle. */
bool node_owner_valid(uint32_t mode, uint64_t owner, uint64_t handle);

/* What a transaction expects does not hold: normal in recovery, noted in service (tree_fits). */
void tree_misfit(struct tree *tree);

/* The node with this id; NULL: none. */
struct znode *node_find(const struct tree *tree, uint64_t id);

/* A new node in the index, not placed, nothing set but id and name, its hash not counted. */
struct znode *node_new(struct tree *tree, uint64_t id, struct blob name);
/* Out of the index, off its place, freed; its hash was taken off. Children lose their place. */
void node_free(struct tree *tree, struct znode *node);

/*
 * Puts a node, wherever it was, to (parent, name); it may be moved in memory
 * (a longer name), so the node to go on with is returned. A parent that isn't
 * there, or in service is below it, leaves it without a place; who had the name loses it (normal
 * in recovery only). Does not touch the hash.
 */
struct znode *node_place(struct tree *tree, struct znode *node, uint64_t parent, struct blob name);
/* Takes the node off its place; parent and name remember it. */
void node_unplace(struct tree *tree, struct znode *node);

struct znode *node_child(const struct znode *dir, struct blob name);

/* The value becomes size bytes: data at offset, around it what was there (whole: zeros). */
void node_write(struct tree *tree, struct znode *node, uint32_t size, uint32_t offset,
    struct blob data, bool whole);

/*
 * Every change of a node stands between these two: its hash leaves the tree's
 * sum and comes back, and the next image pass takes it along.
 */
void node_begin(struct tree *tree, const struct znode *node);
void node_end(struct tree *tree, const struct znode *node);
uint64_t node_hash(const struct znode *node);

/* Of numbers as little-endian bytes (the array is changed): the same on every machine. */
uint64_t hash_numbers(uint64_t *numbers, size_t n, uint64_t seed);

#endif
