/*
 * zabfs.conf(5), the same file on every node, by libconfuse. Read by the
 * replica and by fsd.
 */
#ifndef ZABFS_LIB_CONF_H
#define ZABFS_LIB_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_MEMBERS_MAX 15 /* observers included */
#define CONF_SOCKET_MAX 107 /* bytes, sun_path of unix(7) */

struct conf_member {
	uint32_t id;
	bool observer;
	char *peer, *front, *http; /* HOST:PORT; NULL: none, but for peer */
};

struct conf {
	char *cluster;
	char *socket;
	uint32_t tick_ms;	      /* 10 … 10000 */
	uint32_t init_limit;	      /* ticks, 1 … 1000 */
	uint32_t sync_limit;	      /* ticks, 1 … 1000 */
	uint32_t value_max;	      /* bytes, 1 … WIRE_VALUE_MAX */
	uint64_t log_rows_min;	      /* rows, 1 … 2^31-1 */
	uint32_t log_tree_percent;    /* 0 … 1000 */
	uint32_t pass_interval;	      /* seconds, 1 … 86400 */
	uint32_t session_timeout_min; /* milliseconds, 100 … 3600000 */
	uint32_t session_timeout_max; /* likewise, not below the minimum */
	uint32_t sessions_max;	      /* 1 … 1000000 */
	bool plaintext;		      /* links between members may be readable on a network */
	struct conf_member *members;  /* observers last; one at least is none, ids differ */
	size_t nmembers;
};

/*
 * 0 and *out (freed by conf_free), or -1 and err: one line, "FILE:LINE: KEY:
 * what is wrong" where a line is to blame.
 */
int conf_load(const char *path, struct conf **out, char *err, size_t errlen);
void conf_free(struct conf *conf);

#endif
