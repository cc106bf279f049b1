/*
 * This mount's figures, the second part of `.zab/metrics`. zabfs-cluster(7) says
 * what each means. Called by zabfile.c.
 */
#include "fsd/zab.h"

#include "fsd/echo.h"
#include "fsd/inode.h"
#include "replica/lib/metrics.h"

#define NS_PER_MS UINT64_C(1000000)

static void
session(const struct fsd *fsd, msgpack_sbuffer *out)
{
	struct link_figures link = link_figures(fsd->link);

	metrics_gauge(out, "zabfs_mount_connected", "1: .zab/session says connected.",
	    link_get_state(fsd->link) == LINK_CONNECTED);
	metrics_gauge(out, "zabfs_mount_replica_id", "The member that serves the mount.",
	    link_replica(fsd->link));
	metrics_head(out, "zabfs_mount_timeout_seconds", METRICS_GAUGE, "The session's timeout.");
	metrics_seconds(
	    out, "zabfs_mount_timeout_seconds", NULL, link_timeout_ms(fsd->link) * NS_PER_MS);
	metrics_counter(out, "zabfs_mount_attachments_total",
	    "How often the mount found a replica: again, each time one was lost.",
	    link.attachments);
	metrics_counter(
	    out, "zabfs_mount_requests_total", "Requests to the replica.", link.requests);
	metrics_gauge(
	    out, "zabfs_mount_requests_outstanding", "Those without an answer.", link.waiting);
	metrics_bounded(out, "zabfs_mount_changes_outstanding",
	    "Those that change something and are on their way; more wait.", link.writes,
	    WIRE_OUTSTANDING_MAX);
}

static void
cache(const struct fsd *fsd, msgpack_sbuffer *out)
{
	metrics_gauge(
	    out, "zabfs_mount_inodes", "What the kernel knows by number.", inode_count(fsd));
	metrics_bounded(out, "zabfs_mount_cached_bytes", "Values kept for reading.",
	    inode_value_bytes(fsd), INODE_VALUES_MAX);
}

static void
echo(const struct fsd *fsd, msgpack_sbuffer *out)
{
	struct echo *echo = fsd->echo;

	metrics_bounded(out, "zabfs_mount_echo_queue", "Changes that wait to be told to watchers.",
	    echo == NULL ? 0 : echo_queued(echo), ECHO_QUEUE_MAX);
	metrics_counter(out, "zabfs_mount_echo_changes_total", "Changes made elsewhere.",
	    echo == NULL ? 0 : echo_pushed(echo));
	metrics_counter(out, "zabfs_mount_echo_coalesced_total",
	    "Those that became one with an earlier one that waited.",
	    echo == NULL ? 0 : echo_coalesced(echo));
	metrics_counter(out, "zabfs_mount_echo_overflows_total",
	    "Those that found no room: their events are lost.",
	    echo == NULL ? 0 : echo_overflows(echo));
}

void
figures_text(const struct fsd *fsd, msgpack_sbuffer *out)
{
	session(fsd, out);
	cache(fsd, out);
	echo(fsd, out);
}
