/*
 * A member's figures as text, for Prometheus (lib/metrics.h): what
 * `.zab/metrics` and http:/metrics show. zabfs-cluster(7) says what each means.
 * Called by report.c.
 */
#include "replica/replica.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define LABEL_LEN 256
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const kinds[FIGURES_KINDS] = { "diff", "trunc", "snap" };

/* One value for each name; the names are a label's values. */
static void
labelled(msgpack_sbuffer *out, const char *name, const char *label, const char *const *names,
    const uint64_t *values, size_t count)
{
	char text[LABEL_LEN];
	size_t i;

	for (i = 0; i < count; i++) {
		snprintf(text, sizeof text, "%s=\"%s\"", label, names[i]);
		metrics_value(out, name, text, values[i]);
	}
}

static void
identity(const struct replica *replica, msgpack_sbuffer *out)
{
	char cluster[160], labels[LABEL_LEN];
	const char *name = "zabfs_member_info";

	metrics_escape(replica->conf->cluster, cluster, sizeof cluster);
	snprintf(labels, sizeof labels, "cluster=\"%s\",member=\"%u\"", cluster,
	    (unsigned)replica->member);
	metrics_head(out, name, METRICS_GAUGE, "Who this is: 1.");
	metrics_value(out, name, labels, 1);
	name = "zabfs_start_time_seconds";
	metrics_head(out, name, METRICS_GAUGE, "When the process began to serve, since 1970.");
	metrics_seconds(out, name, NULL, (uint64_t)replica->figures.started_ns);
	name = "zabfs_recovery_duration_seconds";
	metrics_head(out, name, METRICS_GAUGE, "What loading the tree took at the start.");
	metrics_seconds(out, name, NULL, replica->figures.recovery_ns);
}

static uint64_t
open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	uint64_t count = 0;

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count - 1; /* but for this one */
}

static uint64_t
resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
process(msgpack_sbuffer *out)
{
	struct rlimit files = { 0 };

	getrlimit(RLIMIT_NOFILE, &files);
	metrics_bounded(
	    out, "zabfs_open_files", "Descriptors of the process.", open_files(), files.rlim_cur);
	metrics_gauge(
	    out, "zabfs_resident_bytes", "Memory of the process that is in use.", resident_bytes());
}

static void
ensemble(const struct replica *replica, msgpack_sbuffer *out)
{
	static const char *const roles[] = { "leader", "follower", "observer", "looking" };
	uint64_t is[COUNT(roles)] = { 0 };
	struct zab_status core;
	struct wire_status own;
	char why[64];

	zab_status(replica->zab, &core);
	status_own(replica, &own);
	is[replica->leading		 ? 0
	    : core.role == ZAB_FOLLOWING ? 1
	    : core.role == ZAB_OBSERVING ? 2
					 : 3] = 1;
	metrics_head(
	    out, "zabfs_role", METRICS_GAUGE, "1 for what this member is, 0 for the rest.");
	labelled(out, "zabfs_role", "role", roles, is, COUNT(roles));
	metrics_gauge(out, "zabfs_leader_id", "The leader's id; 0: none is known.",
	    replica->serving ? replica->leader : 0);
	metrics_gauge(out, "zabfs_quorum",
	    "1: this member is in an ensemble that has a leader and a majority.", replica->serving);
	metrics_gauge(out, "zabfs_ready", "1: http:/readyz says 200.",
	    report_ready(replica, why, sizeof why));
	metrics_gauge(out, "zabfs_disk_full", "1: the log takes nothing.", replica->disk_full);
	metrics_gauge(out, "zabfs_epoch", "The number of the leadership.", own.epoch);
	metrics_gauge(out, "zabfs_zxid_logged", "The last transaction in the log here.",
	    replica->durable.last_zxid);
	metrics_gauge(out, "zabfs_zxid_committed", "The last one that is known to be committed.",
	    core.committed);
	metrics_gauge(out, "zabfs_zxid_applied", "The last one that reads show.",
	    tree_applied(replica->tree));
}

/* Of those that follow this leader, who may be counted on to take its place or serve reads. */
static void
learners(const struct replica *replica, msgpack_sbuffer *out)
{
	static const char *const roles[] = { "follower", "observer" };
	const struct conf *conf = replica->conf;
	struct zab_learner_status learner;
	uint64_t synced[COUNT(roles)] = { 0 };
	size_t i;

	for (i = 0; i < conf->nmembers; i++)
		if (zab_learner_status(replica->zab, conf->members[i].id, &learner) &&
		    learner.synchronised)
			synced[conf->members[i].observer]++;
	metrics_head(out, "zabfs_synchronised_learners", METRICS_GAUGE,
	    "Members that follow this leader and are up to date.");
	labelled(out, "zabfs_synchronised_learners", "role", roles, synced, COUNT(roles));
}

/* Each member as this one knows it. */
static void
members(const struct replica *replica, msgpack_sbuffer *out)
{
	const struct conf *conf = replica->conf;
	struct wire_status status[CONF_MEMBERS_MAX];
	bool known[CONF_MEMBERS_MAX];
	char labels[LABEL_LEN];
	size_t i;

	metrics_head(out, "zabfs_member_up", METRICS_GAUGE,
	    "1: the member has been heard of in the last seconds.");
	for (i = 0; i < conf->nmembers; i++) {
		known[i] = status_member(replica, conf->members[i].id, &status[i]);
		snprintf(labels, sizeof labels, "member=\"%u\"", (unsigned)conf->members[i].id);
		metrics_value(out, "zabfs_member_up", labels, known[i]);
	}
	metrics_head(out, "zabfs_member_lag_transactions", METRICS_GAUGE,
	    "Transactions that the member is behind the leader; missing: nobody knows.");
	for (i = 0; i < conf->nmembers; i++) {
		if (!known[i] || status[i].lag == STATUS_UNKNOWN)
			continue;
		snprintf(labels, sizeof labels, "member=\"%u\"", (unsigned)conf->members[i].id);
		metrics_value(out, "zabfs_member_lag_transactions", labels, status[i].lag);
	}
}

static void
contents(const struct replica *replica, msgpack_sbuffer *out)
{
	struct store_figures store;

	store_figures(replica->store, &store);
	metrics_gauge(
	    out, "zabfs_znodes", "Znodes, the root among them.", tree_nodes(replica->tree));
	metrics_gauge(out, "zabfs_data_bytes", "Bytes of all values.", tree_bytes(replica->tree));
	metrics_gauge(
	    out, "zabfs_ephemerals", "Ephemeral and held znodes.", tree_ephemerals(replica->tree));
	metrics_bounded(out, "zabfs_sessions", "Sessions of the ensemble.",
	    tree_sessions(replica->tree), replica->conf->sessions_max);
	metrics_counter(out, "zabfs_sessions_refused_total",
	    "Sessions that this member, as the leader, had no room for.",
	    replica->figures.sessions_refused);
	metrics_counter(out, "zabfs_sessions_expired_total",
	    "Sessions whose mount was not heard of for their timeout.", replica->figures.expired);
	metrics_gauge(out, "zabfs_log_rows", "Rows in the log.", store.rows);
	metrics_gauge(out, "zabfs_log_bytes", "Bytes of log.db and its WAL.", store.log_bytes);
	metrics_gauge(
	    out, "zabfs_image_bytes", "Bytes of the tree's image and its WAL.", store.image_bytes);
	metrics_gauge(
	    out, "zabfs_disk_free_bytes", "Bytes free on the data's disk.", store.free_bytes);
	metrics_gauge(out, "zabfs_image_changes",
	    "Rows that the next pass will write to the image.", image_dirty(replica->tree));
	metrics_bounded(out, "zabfs_log_queue_rows", "Rows on their way to the log.",
	    store.queued_rows, STORE_QUEUE_ROWS_MAX);
	metrics_bounded(out, "zabfs_log_queue_bytes", "Their bytes.", store.queued_bytes,
	    STORE_QUEUE_BYTES_MAX);
	metrics_bounded(out, "zabfs_image_queue_batches", "Batches on their way to the image.",
	    store_pass_queued(replica->store),
	    replica->snap != NULL ? SNAP_BATCHES_MAX : IMAGER_BATCHES_MAX);
}

static void
fronts(const struct replica *replica, msgpack_sbuffer *out)
{
	struct attendance *attendance, *next;
	uint64_t interests = 0, most = 0, unsent = 0, sessions = 0, requests = 0;
	struct front_figures figures = front_figures(replica->fronts);
	struct front *front;

	for (front = front_next(replica->fronts, NULL); front != NULL;
	     front = front_next(replica->fronts, front)) {
		interests += front_interests(front);
		if (front_interests(front) > most)
			most = front_interests(front);
		if (front_unsent(front) > unsent)
			unsent = front_unsent(front);
	}
	HASH_ITER (hh, replica->attendances, attendance, next) {
		sessions += attendance->front != NULL;
		requests += attendance->nrequests;
	}
	metrics_bounded(out, "zabfs_connections", "Connections of mounts.",
	    front_connections(replica->fronts), FRONT_CONNECTIONS_MAX);
	metrics_gauge(
	    out, "zabfs_attached_sessions", "Sessions that this member serves.", sessions);
	metrics_gauge(
	    out, "zabfs_interests", "Znodes that the kernels of its mounts know.", interests);
	metrics_bounded(out, "zabfs_connection_interests",
	    "Those of the mount whose kernel knows most.", most, FRONT_INTEREST_MAX);
	metrics_bounded(out, "zabfs_connection_unsent_bytes",
	    "Bytes that the slowest mount has not taken yet.", unsent, FRONT_UNSENT_MAX);
	metrics_bounded(out, "zabfs_connections_unsent_bytes",
	    "Bytes that all mounts together have not taken yet.", figures.unsent_bytes,
	    figures.unsent_bytes_limit);
	metrics_gauge(out, "zabfs_requests_outstanding",
	    "Changes and syncs of its mounts without an answer.", requests);
	metrics_bounded(out, "zabfs_requests_outstanding_bytes", "Their bytes.",
	    replica->requests_bytes, REQUESTS_BYTES_MAX);
	metrics_bounded(out, "zabfs_requests_early",
	    "Requests that wait for the leader to apply what they rest on.", replica->nearly,
	    LEAD_EARLY_MAX);
	metrics_bounded(out, "zabfs_requests_early_bytes", "Their bytes.", replica->early_bytes,
	    LEAD_EARLY_BYTES_MAX);
	metrics_bounded(out, "zabfs_confirmations_outstanding",
	    "Pings, fsyncs and attachments that wait for a majority's word, or for its rows.",
	    replica->ndoubts + replica->nanswers, LEAD_DOUBTS_MAX);
}

/* What may take long, and is meant to. */
static void
waits(const struct replica *replica, msgpack_sbuffer *out)
{
	struct attendance *attendance, *next;
	uint64_t most = 0;

	HASH_ITER (hh, replica->attendances, attendance, next)
		if (attendance->nawaits > most)
			most = attendance->nawaits;
	metrics_bounded(out, "zabfs_session_lock_waits",
	    "Locks that the mount which waits for most is waiting for.", most, WIRE_AWAITS_MAX);
	metrics_bounded(out, "zabfs_events_waits",
	    "Readers of .zab/events that wait for the next change.", replica->nevent_waits,
	    EVENT_WAITS_MAX);
	metrics_bounded(out, "zabfs_hand_overs",
	    "Hand-overs of its leadership that this member was asked for.", replica->nhand_overs,
	    HAND_OVERS_MAX);
}

static void
links(const struct replica *replica, msgpack_sbuffer *out)
{
	char labels[LABEL_LEN];
	uint32_t i;

	metrics_head(out, "zabfs_link_unsent_bytes", METRICS_GAUGE,
	    "Bytes that another member has not taken yet.");
	for (i = 0; i < replica->npeers; i++) {
		const struct peer *peer = &replica->peers[i];

		snprintf(labels, sizeof labels, "member=\"%u\"", (unsigned)peer->sid);
		metrics_value(out, "zabfs_link_unsent_bytes", labels,
		    links_unsent(replica->links, peer->sid, peer->conn));
	}
	metrics_gauge(out, "zabfs_link_unsent_bytes_limit",
	    "What zabfs_link_unsent_bytes may be at most.", LINK_UNSENT_MAX);
}

static void
traffic(const struct replica *replica, msgpack_sbuffer *out)
{
	static const char *const who[] = { "mount", "member" };
	struct front_figures front = front_figures(replica->fronts);
	struct links_figures link = links_figures(replica->links);
	uint64_t in[] = { front.received_bytes, link.received_bytes },
		 to[] = { front.sent_bytes, link.sent_bytes },
		 refused[] = { front.refused, link.refused };

	metrics_head(out, "zabfs_received_bytes_total", METRICS_COUNTER,
	    "Bytes that came from mounts, from members.");
	labelled(out, "zabfs_received_bytes_total", "peer", who, in, 2);
	metrics_head(out, "zabfs_sent_bytes_total", METRICS_COUNTER,
	    "Bytes that went to mounts, to members.");
	labelled(out, "zabfs_sent_bytes_total", "peer", who, to, 2);
	metrics_head(out, "zabfs_connections_refused_total", METRICS_COUNTER,
	    "Connections that were turned away.");
	labelled(out, "zabfs_connections_refused_total", "peer", who, refused, 2);
	metrics_counter(out, "zabfs_connections_dropped_total",
	    "Connections of mounts that ended otherwise than by the mount's leaving.",
	    front.dropped);
}

static void
transactions(const struct replica *replica, msgpack_sbuffer *out)
{
	const struct figures *figures = &replica->figures;
	const struct proposal *proposal;
	uint64_t proposals = 0;

	TAILQ_FOREACH (proposal, &replica->proposals, next)
		proposals++;
	metrics_counter(out, "zabfs_transactions_proposed_total",
	    "Transactions that this member proposed as the leader.", figures->proposed);
	metrics_counter(out, "zabfs_transactions_committed_total",
	    "Those of them that a majority has.", figures->committed);
	metrics_counter(out, "zabfs_transactions_applied_total",
	    "Transactions applied to the tree here, whoever led.", figures->applied);
	metrics_bounded(out, "zabfs_proposals_outstanding",
	    "Transactions that are logged, or will be, and not applied.", proposals,
	    ZAB_OUTSTANDING_MAX);
	metrics_bounded(out, "zabfs_proposals_outstanding_bytes", "Their bytes.",
	    replica->proposed_bytes, PROPOSED_BYTES_MAX);
}

static void
durations(const struct replica *replica, msgpack_sbuffer *out)
{
	const struct figures *figures = &replica->figures;

	metrics_durations(out, "zabfs_read_duration_seconds", "Answering a read.", &figures->reads);
	metrics_durations(out, "zabfs_write_duration_seconds",
	    "A change of a mount here, from its arrival to its answer.", &figures->writes);
	metrics_durations(out, "zabfs_fsync_duration_seconds",
	    "An fsync of a mount here: a round through a majority.", &figures->syncs);
	metrics_durations(out, "zabfs_commit_duration_seconds",
	    "From a leader's proposal to its commit.", &figures->commits);
	metrics_durations(out, "zabfs_log_fsync_duration_seconds",
	    "Committing a transaction of log.db: its write and fsync.", &figures->fsyncs);
	metrics_durations(out, "zabfs_election_duration_seconds",
	    "From losing a leader, or the start, to serving.", &figures->elections);
	metrics_durations(out, "zabfs_image_pass_duration_seconds",
	    "A pass that brings the image up to date.", &figures->passes);
	metrics_durations(out, "zabfs_tick_delay_seconds",
	    "How much too late the loop came to its tick.", &figures->delays);
}

static void
events(const struct replica *replica, msgpack_sbuffer *out)
{
	const struct figures *figures = &replica->figures;

	metrics_head(out, "zabfs_elections_total", METRICS_COUNTER,
	    "How often this member went looking for a leader, and why.");
	/* NONE and START are never a reason to look again. */
	labelled(out, "zabfs_elections_total", "reason", order_reasons + 2, figures->looked + 2,
	    ZAB_REASONS - 2);
	metrics_head(out, "zabfs_synchronisations_sent_total", METRICS_COUNTER,
	    "Histories sent to members that followed this leader.");
	labelled(
	    out, "zabfs_synchronisations_sent_total", "kind", kinds, figures->sent, FIGURES_KINDS);
	metrics_head(out, "zabfs_synchronisations_received_total", METRICS_COUNTER,
	    "Histories that this member got from leaders.");
	labelled(out, "zabfs_synchronisations_received_total", "kind", kinds, figures->received,
	    FIGURES_KINDS);
	metrics_gauge(out, "zabfs_snapshot_percent",
	    "How much of a snapshot that is coming in is here; 0: none is.",
	    replica->snap != NULL ? snap_in_percent(replica) : 0);
	metrics_counter(out, "zabfs_histories_differ_total",
	    "Members whose log was found to differ from this leader's.", figures->alarms);
	metrics_counter(out, "zabfs_image_passes_failed_total",
	    "Passes that a full disk cut short.", figures->passes_failed);
}

void
figures_text(const struct replica *replica, msgpack_sbuffer *out)
{
	identity(replica, out);
	process(out);
	ensemble(replica, out);
	learners(replica, out);
	members(replica, out);
	contents(replica, out);
	fronts(replica, out);
	waits(replica, out);
	links(replica, out);
	traffic(replica, out);
	transactions(replica, out);
	durations(replica, out);
	events(replica, out);
}
