/*
 * Finding, describing and listing what is below `.zab`. See zab.h.
 *
 * The directories show the mode and owner of the znode that they belong to, so
 * that the kernel allows a creation or removal through them to whom it allows one in the
 * directory itself. Only they are cached.
 */
#include "fsd/zab.h"

#include "fsd/inode.h"
#include "fsd/qualified.h"
#include "fsd/reply.h"
#include "replica/lib/err.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define READ_ONLY 0444

static const struct zab_entry {
	const char *name;
	enum ino_kind kind;
	uint32_t mode; /* permissions: of what stands alone */
} entries[] = {
	{ "data", INO_DATA, S_IFREG },
	{ "self", INO_STAT, S_IFREG },
	{ "stat", INO_STATS, S_IFDIR },
	{ "ephemeral", INO_EPHEMERAL, S_IFDIR },
	{ "held", INO_HELD, S_IFDIR },
	{ "sequence", INO_MODIFIER, S_IFDIR },
	{ "container", INO_MODIFIER, S_IFDIR },
	{ "async", INO_MODIFIER, S_IFDIR },
	{ "events", INO_EVENTS, S_IFREG },
	{ "quota", INO_QUOTA, S_IFREG },
	/* root only: */
	{ "session", INO_SESSION, S_IFREG | READ_ONLY },
	{ "metrics", INO_METRICS, S_IFREG | READ_ONLY },
	{ "cluster", INO_CLUSTER, S_IFDIR | 0555 },
	{ "txn", INO_TXN, S_IFREG | 0666 },
	{ "stream", INO_STREAM, S_IFREG | 0666 },
	{ "sync", INO_SYNC, S_IFREG | READ_ONLY },
}, cluster[] = {
	{ "members", INO_MEMBERS, S_IFREG | READ_ONLY },
	{ "leader", INO_LEADER, S_IFREG | 0644 },
	{ "epoch", INO_EPOCH, S_IFREG | READ_ONLY },
};
#define ENTRIES (sizeof entries / sizeof entries[0])
#define ROOT_ENTRIES 6
#define CLUSTER (sizeof cluster / sizeof cluster[0])

/* The fixed entries of a directory. */
static const struct zab_entry *
entries_of(const struct fsd *fsd, uint64_t ino, size_t *count)
{
	*count = 0;
	if (ino_kind(ino) == INO_CLUSTER)
		*count = CLUSTER;
	else if (ino_kind(ino) == INO_ZAB)
		*count = ino_node(ino) == fsd->root.id ? ENTRIES : ENTRIES - ROOT_ENTRIES;
	return ino_kind(ino) == INO_CLUSTER ? cluster : entries;
}

bool
zab_alone(uint64_t ino)
{
	switch (ino_kind(ino)) {
	case INO_SESSION:
	case INO_CLUSTER:
	case INO_TXN:
	case INO_STREAM:
	case INO_SYNC:
		return true;
	default:
		return zab_reported(ino);
	}
}

bool
zab_place(uint64_t parent, const char *name)
{
	return ino_kind(parent) != INO_ZNODE || strcmp(name, ZAB_NAME) == 0;
}

static bool
is_dir(enum ino_kind kind)
{
	return kind == INO_ZAB || kind == INO_STATS || kind == INO_EPHEMERAL || kind == INO_HELD ||
	       kind == INO_MODIFIER;
}

void
zab_attr(uint64_t ino, const struct wire_stat *stat, struct stat *attr)
{
	char text[ZAB_TEXT_MAX];

	reply_stat(stat, attr);
	switch (ino_kind(ino)) {
	case INO_ZNODE:
	case INO_ALIAS:
	case INO_REACHED:
		return;
	case INO_DATA:
		attr->st_mode = S_IFREG | (stat->mode & 0666);
		attr->st_size = stat->size;
		attr->st_mtim = attr->st_ctim;
		break;
	case INO_STAT:
		attr->st_mode = S_IFREG | READ_ONLY;
		attr->st_size = (off_t)zab_stat_text(stat, text, sizeof text);
		break;
	case INO_EVENTS:
		/* All names below are told: to the directory's owner. */
		attr->st_mode = S_IFREG | (stat->mode & 0400);
		attr->st_size = 0;
		break;
	case INO_QUOTA:
		/* Set by whom chmod(2) would be allowed. */
		attr->st_mode = S_IFREG | 0644;
		attr->st_size = 0;
		break;
	default:
		attr->st_mode = S_IFDIR | (stat->mode & 01777);
		attr->st_size = 0;
		break;
	}
	attr->st_ino = ino;
}

/* The size of what the replica makes is 0, as in proc(5): it is made when it is opened. */
static void
alone_attr(const struct fsd *fsd, uint64_t ino, struct stat *attr)
{
	char text[ZAB_TEXT_MAX];
	size_t i;

	memset(attr, 0, sizeof *attr);
	attr->st_ino = ino;
	attr->st_nlink = 1;
	attr->st_blksize = REPLY_BLKSIZE;
	for (i = 0; i < ENTRIES; i++)
		if (entries[i].kind == ino_kind(ino))
			attr->st_mode = entries[i].mode;
	for (i = 0; i < CLUSTER; i++)
		if (cluster[i].kind == ino_kind(ino))
			attr->st_mode = cluster[i].mode;
	if (ino_kind(ino) == INO_SESSION)
		attr->st_size = (off_t)zab_session_text(fsd, text, sizeof text);
}

/*
 * `.zab`, and a directory in it, is a place to pass through, and shows who may. The kernel asks
 * after each file that is made there: what it may cache may be answered from here.
 */
static void
ask_dir(struct call *call, uint64_t dir, call_done done)
{
	static const struct wire_reply fine = { .code = ERR_OK };
	struct wire_stat stat;

	if (is_dir(ino_kind(call->ino)) && inode_access(call->fsd, dir, &stat))
		done(call, &fine, &stat);
	else
		call_getattr(call, dir, done);
}

static void
found(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct stat attr;

	if (call_code(reply, stat) != ERR_OK) {
		reply_code(call, call_code(reply, stat));
	} else {
		zab_attr(call->ino, stat, &attr);
		reply_entry_zab(
		    call, call->ino, &attr, is_dir(ino_kind(call->ino)) ? REPLY_FOREVER : 0);
	}
	call_free(call);
}

static void
stat_found(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	if (stat != NULL)
		call->ino = ino_make(INO_STAT, stat->id);
	found(call, reply, stat);
}

/* NAME exists. A directory may be removed by its version; there is no way on through a modifier. */
static void
name_found(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct qualified dir;

	if (stat == NULL || call->req == NULL) {
		found(call, reply, stat);
		return;
	}
	if (!qualified_dir(call->fsd, call->parent, &dir) ||
	    (S_ISDIR(stat->mode) && !dir.modifier.versioned)) {
		reply_err(call, ENOENT);
		call_free(call);
		return;
	}
	call->ino = ino_kind(call->parent) == INO_MODIFIER
			? qualified_ino(call->fsd, INO_REACHED, stat->id, &dir.modifier)
			: ino_make(INO_ALIAS, stat->id);
	found(call, reply, stat);
}

static void
lookup_name(struct call *call, uint64_t parent, const char *name)
{
	struct qualified dir;
	bool known = qualified_dir(call->fsd, parent, &dir);

	/* What a sequence creates has a name that nobody can look up before. */
	if (known && !dir.modifier.sequence) {
		call_lookup(call, dir.id, name, name_found);
		return;
	}
	if (known)
		reply_err(call, ENOENT);
	else
		reply_vanished(call);
	call_free(call);
}

/* What a name that is none of the fixed entries qualifies: 0 and its kind, or the errno. */
static int
qualify(const char *name, enum ino_kind *kind, struct modifier *modifier)
{
	int errnum;

	*modifier = (struct modifier){ 0 };
	*kind = INO_EVENTS;
	errnum = modifier_events(name, &modifier->from);
	if (errnum != ENOENT)
		return errnum;
	*kind = INO_MODIFIER;
	return modifier_parse(name, modifier);
}

static void
qualified_found(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct modifier modifier;
	enum ino_kind kind;

	if (stat != NULL && call->req != NULL && qualify(call->name, &kind, &modifier) == 0) {
		call->ino = qualified_ino(call->fsd, kind, stat->id, &modifier);
		/* The few names without an argument may stay. */
		if (strchr(call->name, '=') != NULL)
			qualified_named(call->fsd, stat->id, call->name);
	}
	found(call, reply, stat);
}

static void
lookup_qualified(struct call *call, uint64_t parent, const char *name)
{
	struct modifier modifier;
	enum ino_kind kind;
	int errnum = ino_kind(parent) == INO_ZAB ? qualify(name, &kind, &modifier) : ENOENT;

	if (errnum == 0) {
		call->ino = ino_make(kind, 0);
		ask_dir(call, ino_node(parent), qualified_found);
		return;
	}
	reply_err(call, errnum);
	call_free(call);
}

static void
lookup_entry(struct call *call, uint64_t parent, const char *name)
{
	const struct zab_entry *all;
	struct stat attr;
	size_t i, count;

	all = entries_of(call->fsd, parent, &count);
	for (i = 0; i < count; i++)
		if (all[i].kind != INO_MODIFIER && all[i].kind != INO_EVENTS &&
		    strcmp(all[i].name, name) == 0)
			break;
	if (i == count) {
		lookup_qualified(call, parent, name);
		return;
	}
	call->ino = ino_make(all[i].kind, ino_node(parent));
	if (!zab_alone(call->ino)) {
		ask_dir(call, ino_node(parent), found);
		return;
	}
	/* The kernel writes to one node at a time: each gets a number of its own. */
	if (zab_talks(call->ino))
		call->ino = ino_make(ino_kind(call->ino), ++call->fsd->talks);
	alone_attr(call->fsd, call->ino, &attr);
	reply_entry_zab(call, call->ino, &attr, 0);
	call_free(call);
}

void
zab_lookup(struct call *call, uint64_t parent, const char *name)
{
	uint64_t dir = ino_node(parent);

	call->parent = parent;
	switch (ino_kind(parent)) {
	case INO_ZNODE:
		call->ino = ino_make(INO_ZAB, dir);
		call->root = dir == call->fsd->root.id;
		ask_dir(call, dir, found);
		break;
	case INO_ZAB:
	case INO_CLUSTER:
		lookup_entry(call, parent, name);
		break;
	case INO_STATS:
		call_lookup(call, dir, name, stat_found);
		break;
	case INO_EPHEMERAL:
	case INO_HELD:
	case INO_MODIFIER:
		lookup_name(call, parent, name);
		break;
	default:
		reply_err(call, ENOENT);
		call_free(call);
	}
}

static void
got_attr(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct stat attr;

	if (reply->code == ERR_NONODE) {
		reply_vanished(call);
	} else if (call_code(reply, stat) != ERR_OK) {
		reply_code(call, call_code(reply, stat));
	} else {
		zab_attr(call->ino, stat, &attr);
		reply_attr(call, &attr, is_dir(ino_kind(call->ino)) ? reply_forever(call->fsd) : 0);
	}
	call_free(call);
}

void
zab_getattr(struct call *call, uint64_t ino)
{
	struct qualified dir;
	struct stat attr;

	call->ino = ino;
	call->root = ino == ino_make(INO_ZAB, call->fsd->root.id);
	if (!zab_alone(ino)) {
		if (qualified_dir(call->fsd, ino, &dir)) {
			ask_dir(call, dir.id, got_attr);
			return;
		}
		reply_vanished(call);
		call_free(call);
		return;
	}
	alone_attr(call->fsd, ino, &attr);
	reply_attr(call, &attr, 0);
	call_free(call);
}

/*
 * Offsets count: `.`, `..`, then the entries. What is named by a modifier is listed in the
 * directory itself.
 */
void
zab_readdir(fuse_req_t req, uint64_t ino, size_t size, off_t offset, bool plus)
{
	struct fuse_entry_param param;
	char *buffer = malloc(size);
	const struct zab_entry *all;
	size_t i, n, used = 0, len;
	const char *name;

	if (buffer == NULL) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	all = entries_of(call_fsd(req), ino, &n);
	n += 2;
	for (i = (size_t)offset; i < n; i++) {
		memset(&param, 0, sizeof param);
		name = i == 0 ? "." : i == 1 ? ".." : all[i - 2].name;
		param.attr.st_mode = i < 2 ? S_IFDIR : all[i - 2].mode & S_IFMT;
		param.attr.st_ino = i < 2 ? ino : ino_make(all[i - 2].kind, ino_node(ino));
		len = plus ? fuse_add_direntry_plus(
				 req, buffer + used, size - used, name, &param, (off_t)i + 1)
			   : fuse_add_direntry(
				 req, buffer + used, size - used, name, &param.attr, (off_t)i + 1);
		if (len > size - used)
			break;
		used += len;
	}
	fuse_reply_buf(req, buffer, used);
	free(buffer);
}

int
zab_target(const struct fsd *fsd, uint64_t parent, const char *name, struct zab_target *target)
{
	struct qualified dir;

	*target = (struct zab_target){ .dir = ino_node(parent) };
	if (strcmp(name, ZAB_NAME) == 0)
		return EPERM;
	switch (ino_kind(parent)) {
	case INO_ZNODE:
		return 0;
	case INO_EPHEMERAL:
	case INO_HELD:
	case INO_MODIFIER:
		if (!qualified_dir(fsd, parent, &dir))
			return ESTALE;
		target->dir = dir.id;
		target->modifier = dir.modifier;
		target->flags = WIRE_ECHO;
		return 0;
	default:
		return EPERM;
	}
}

uint32_t
zab_flags(uint64_t ino)
{
	return ino_kind(ino) == INO_ALIAS ? WIRE_ECHO : 0;
}
