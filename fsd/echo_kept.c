/* What has been told, for a process that goes on. See echo.h; used by echo.c, kernel_adopt.c. */
#include "fsd/echo_internal.h"

#include <stdatomic.h>

/* Torn, it says less than it would. */
void
echo_mark_set(struct echo_mark *mark, uint64_t zxid, uint64_t index)
{
	mark->index = 0;
	atomic_signal_fence(memory_order_seq_cst);
	mark->zxid = zxid;
	atomic_signal_fence(memory_order_seq_cst);
	mark->index = index;
}

bool
echo_mark_before(const struct echo_mark *one, const struct echo_mark *other)
{
	return one->zxid < other->zxid || (one->zxid == other->zxid && one->index < other->index);
}

void
echo_settle(struct echo_kept *kept, bool hangs)
{
	if (!hangs && echo_mark_before(&kept->done, &kept->granted))
		echo_mark_set(&kept->done, kept->granted.zxid, kept->granted.index);
	/* What has hung once is to be told still, if by a process after the next one. */
	echo_mark_set(&kept->granted, 0, 0);
}
