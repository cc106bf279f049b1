/*
 * What watchers must be told of a transaction, from the transaction alone: so
 * the same stream comes out live and from the log (a front end that
 * reattaches). A pure function; net/ and replica.c send the results to those
 * whose kernels know one of the nodes.
 */
#ifndef ZABFS_TREE_CHANGE_H
#define ZABFS_TREE_CHANGE_H

#include "replica/tree/txn.h"

/*
 * The i-th operation's change in *out (zxid and op set, last 0); names are borrowed
 * from the transaction. False: the operation shows nowhere (sessions, locks, quotas).
 * Every operation gives at most one change.
 */
bool change_of(const struct txn *txn, uint32_t i, struct wire_change *out);

#endif
