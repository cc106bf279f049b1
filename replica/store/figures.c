/* How much the store holds, for whoever watches. Called on the loop's thread. */
#include "replica/store/store_internal.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* With its WAL. */
static uint64_t
bytes_of(const struct store *store, const char *file)
{
	static const char *const parts[] = { "", "-wal" };
	char path[4096];
	uint64_t bytes = 0;
	struct stat st;
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s%s", store->dir, file, parts[i]);
		if (stat(path, &st) == 0)
			bytes += (uint64_t)st.st_size;
	}
	return bytes;
}

void
store_figures(struct store *store, struct store_figures *out)
{
	char tree[TREE_FILE_SPACE];
	struct statvfs disk;

	*out =
	    (struct store_figures){ .rows = store->rows, .log_bytes = bytes_of(store, LOG_FILE) };
	tree_file_name(store->tree, tree);
	out->image_bytes = bytes_of(store, tree);
	if (statvfs(store->dir, &disk) == 0)
		out->free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
	pthread_mutex_lock(&store->log_mutex);
	out->queued_rows = store->queued_rows;
	out->queued_bytes = store->queued_bytes;
	pthread_mutex_unlock(&store->log_mutex);
}
