/*
 * The tree's image on disk, taken fuzzily: a pass writes what changed since
 * the pass before, in batches, while service goes on. The store (store.h)
 * keeps the rows; this is what they are made from and made into.
 *
 * Pass: image_pass_begin remembers `applied` and takes the set of changed
 * nodes and sessions; image_pass_next hands out a batch of rows in their state
 * of that moment, until it says that there is none; changes made meanwhile
 * belong to the next pass. image_pass_abort gives the set back (disk full).
 *
 * Load: tree_new, tree_recovery_begin, image_load_node and image_load_session
 * for each row, image_load_done, tree_apply of the log rows above `applied`,
 * tree_recovery_end.
 */
#ifndef ZABFS_TREE_IMAGE_H
#define ZABFS_TREE_IMAGE_H

#include "replica/store/store.h"
#include "replica/tree/tree.h"

struct image_pass; /* owned by the tree; at most one */

/* How many rows a pass that began now would write. */
uint64_t image_dirty(const struct tree *tree);
struct image_pass *image_pass_begin(struct tree *tree);
uint64_t image_pass_applied(const struct image_pass *pass);
/*
 * Appends rows to `batch` (copies; see store.h) until it holds about
 * `bytes_max`. False: nothing was left, the pass is over and freed.
 */
bool image_pass_next(
    struct tree *tree, struct image_pass *pass, struct store_batch *batch, size_t bytes_max);
void image_pass_abort(struct tree *tree, struct image_pass *pass);
/* The last pass did not reach the disk: everything of it is due again. */
void image_mark_all(struct tree *tree);

/*
 * The tree as it is, row by row: the node, or session, with the least id above
 * `after`. False: no more. Blobs are borrowed until the next tree_apply; a
 * session's results are packed into `results` (cleared first).
 */
bool image_next_node(const struct tree *tree, uint64_t after, struct store_node *row);
bool image_next_session(
    const struct tree *tree, uint64_t after, msgpack_sbuffer *results, struct store_session *row);

/* ERR_PROTO: a row that no tree can have written. */
int image_load_node(struct tree *tree, const struct store_node *row);
int image_load_session(struct tree *tree, const struct store_session *row);
void image_load_done(struct tree *tree, uint64_t applied, uint64_t next_id);

#endif
