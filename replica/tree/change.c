/* Operations to changes. See change.h. */
#include "replica/tree/change.h"

#include <string.h>

static void
set_place(struct wire_change *out, uint64_t id, uint64_t parent, struct blob name, uint32_t mode)
{
	out->id = id;
	out->parent = parent;
	out->name = name;
	out->mode = mode;
}

bool
change_of(const struct txn *txn, uint32_t i, struct wire_change *out)
{
	const struct txn_op *op = &txn->ops[i];

	memset(out, 0, sizeof *out);
	out->zxid = txn->zxid;
	out->op = i + 1;
	switch (op->type) {
	case TXN_CREATE:
		out->kind = WIRE_ADD;
		set_place(out, op->create.id, op->create.parent, op->create.name, op->create.mode);
		return true;
	case TXN_DELETE:
		out->kind = WIRE_REMOVE;
		set_place(out, op->delete.id, op->delete.parent, op->delete.name, op->delete.mode);
		return true;
	case TXN_WRITE:
		out->kind = WIRE_VALUE;
		set_place(out, op->write.id, op->write.parent, op->write.name, op->write.mode);
		return true;
	case TXN_ATTR:
		out->kind = WIRE_ATTR;
		set_place(out, op->attr.id, op->attr.parent, op->attr.name, op->attr.mode);
		return true;
	case TXN_RENAME:
		out->kind = op->rename.exchange ? WIRE_SWAP : WIRE_MOVE;
		set_place(out, op->rename.id, op->rename.parent, op->rename.name, op->rename.mode);
		out->id2 = op->rename.id2;
		out->parent2 = op->rename.parent2;
		out->name2 = op->rename.name2;
		out->mode2 = op->rename.mode2;
		return true;
	case TXN_SESSION_OPEN:
	case TXN_SESSION_CLOSE:
	case TXN_LOCK:
	case TXN_UNLOCK:
	case TXN_QUOTA:
		return false;
	}
	return false;
}
