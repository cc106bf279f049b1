/*
 * The configuration, read and checked. See conf.h. libconfuse parses and
 * knows the line; each value's range is checked as soon as it is parsed, so
 * that the message can name the line.
 */
#include "replica/lib/conf.h"

#include "replica/lib/conf_text.h"
#include "replica/lib/conf_value.h"
#include "replica/lib/wire.h"

#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBER_ID_MAX 255

/* libconfuse's callbacks have no argument of ours. conf_load is not reentrant. */
static const char *the_path;
static cfg_t *the_root;
static char *the_err;
static size_t the_errlen;

static void __attribute__((format(printf, 2, 0)))
on_error(cfg_t *cfg, const char *format, va_list args)
{
	char text[256], *at;

	if (the_err[0] != '\0')
		return; /* the first one is the cause */
	vsnprintf(text, sizeof text, format, args);
	/* It may quote a value, which may hold anything; it stays one line. */
	for (at = text; *at != '\0'; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	if (cfg != NULL && cfg->line > 0)
		snprintf(the_err, the_errlen, "%s:%d: %s", the_path, cfg->line, text);
	else
		snprintf(the_err, the_errlen, "%s: %s", the_path, text);
}

struct range {
	const char *key;
	long min, max;
};

static const struct range ranges[] = {
	{ "tick", 10, 10000 },
	{ "init_limit", 1, 1000 },
	{ "sync_limit", 1, 1000 },
	{ "value_max", 1, WIRE_VALUE_MAX },
	{ "log_rows_min", 1, 2147483647 },
	{ "log_tree_percent", 0, 1000 },
	{ "pass_interval", 1, 86400 },
	{ "session_timeout_min", 100, 3600000 },
	{ "session_timeout_max", 100, 3600000 },
	{ "sessions_max", 1, 1000000 },
};

static int
check_range(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *key = cfg_opt_name(opt);
	long value = cfg_opt_getnint(opt, cfg_opt_size(opt) - 1);
	size_t i;

	for (i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
		if (strcmp(ranges[i].key, key) != 0)
			continue;
		if (value >= ranges[i].min && value <= ranges[i].max)
			return 0;
		cfg_error(cfg, "%s: %ld is not between %ld and %ld", key, value, ranges[i].min,
		    ranges[i].max);
		return -1;
	}
	return 0;
}

static int
check_socket(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *value = cfg_opt_getnstr(opt, 0);

	if (value[0] != '/') {
		cfg_error(cfg, "socket: \"%s\" is not an absolute path", value);
		return -1;
	}
	if (strlen(value) <= CONF_SOCKET_MAX)
		return 0;
	cfg_error(cfg, "socket: the path is longer than %d bytes", CONF_SOCKET_MAX);
	return -1;
}

static int
check_cluster(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *value = cfg_opt_getnstr(opt, 0);

	if (value[0] != '\0' && strlen(value) <= 64)
		return 0;
	cfg_error(cfg, "cluster: a name of 1 to 64 bytes is wanted");
	return -1;
}

static int
check_address(cfg_t *cfg, cfg_opt_t *opt)
{
	return conf_value_address(the_root, cfg, opt);
}

static const char *const kinds[] = { "member", "observer" };
#define KINDS (sizeof kinds / sizeof kinds[0])

/* How many sections of both kinds have the number: "1" and "01" are one. */
static unsigned
count_id(cfg_t *cfg, long id)
{
	unsigned count = 0, i;
	size_t kind;

	for (kind = 0; kind < KINDS; kind++)
		for (i = 0; i < cfg_size(cfg, kinds[kind]); i++)
			count +=
			    strtol(cfg_title(cfg_getnsec(cfg, kinds[kind], i)), NULL, 10) == id;
	return count;
}

static int
check_member(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_t *member = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	const char *title = cfg_title(member), *kind = cfg_opt_name(opt);
	char *end;
	long id = strtol(title, &end, 10);

	if (*end != '\0' || id < 1 || id > MEMBER_ID_MAX)
		cfg_error(cfg, "%s: id \"%s\" is not a number between 1 and %d", kind, title,
		    MEMBER_ID_MAX);
	else if (count_id(cfg, id) > 1)
		cfg_error(cfg, "%s %ld: another member or observer has that id", kind, id);
	else if (cfg_size(member, "peer") == 0 || cfg_getstr(member, "peer") == NULL)
		cfg_error(cfg, "%s %ld: peer is missing", kind, id);
	else if (cfg_size(cfg, kinds[0]) + cfg_size(cfg, kinds[1]) > CONF_MEMBERS_MAX)
		cfg_error(cfg, "%s: more than %d", kind, CONF_MEMBERS_MAX);
	else
		return 0;
	return -1;
}

static char *
copy(const char *text)
{
	char *to = text == NULL ? NULL : strdup(text);

	if (text != NULL && to == NULL)
		abort();
	return to;
}

/* What only the whole file can tell. */
static int
check_whole(const char *path, cfg_t *cfg, char *err, size_t errlen)
{
	if (cfg_getstr(cfg, "cluster") == NULL)
		snprintf(err, errlen, "%s: cluster: missing", path);
	else if (cfg_size(cfg, "member") == 0)
		snprintf(err, errlen, "%s: member: at least one is needed", path);
	else if (cfg_getint(cfg, "session_timeout_min") > cfg_getint(cfg, "session_timeout_max"))
		snprintf(err, errlen, "%s: session_timeout_min: above session_timeout_max", path);
	else
		return 0;
	return -1;
}

static void
convert_members(cfg_t *cfg, struct conf *conf)
{
	struct conf_member *member;
	cfg_t *section;
	unsigned i;
	size_t kind;

	conf->members =
	    calloc(cfg_size(cfg, kinds[0]) + cfg_size(cfg, kinds[1]), sizeof *conf->members);
	if (conf->members == NULL)
		abort();
	for (kind = 0; kind < KINDS; kind++) {
		for (i = 0; i < cfg_size(cfg, kinds[kind]); i++) {
			section = cfg_getnsec(cfg, kinds[kind], i);
			member = &conf->members[conf->nmembers++];
			member->id = (uint32_t)strtoul(cfg_title(section), NULL, 10);
			member->observer = kind == 1;
			member->peer = copy(cfg_getstr(section, "peer"));
			member->front = copy(cfg_getstr(section, "front"));
			member->http = copy(cfg_getstr(section, "http"));
		}
	}
}

static struct conf *
convert(cfg_t *cfg)
{
	struct conf *conf = calloc(1, sizeof *conf);

	if (conf == NULL)
		abort();
	conf->cluster = copy(cfg_getstr(cfg, "cluster"));
	conf->socket = copy(cfg_getstr(cfg, "socket"));
	conf->tick_ms = (uint32_t)cfg_getint(cfg, "tick");
	conf->init_limit = (uint32_t)cfg_getint(cfg, "init_limit");
	conf->sync_limit = (uint32_t)cfg_getint(cfg, "sync_limit");
	conf->value_max = (uint32_t)cfg_getint(cfg, "value_max");
	conf->log_rows_min = (uint64_t)cfg_getint(cfg, "log_rows_min");
	conf->log_tree_percent = (uint32_t)cfg_getint(cfg, "log_tree_percent");
	conf->pass_interval = (uint32_t)cfg_getint(cfg, "pass_interval");
	conf->session_timeout_min = (uint32_t)cfg_getint(cfg, "session_timeout_min");
	conf->session_timeout_max = (uint32_t)cfg_getint(cfg, "session_timeout_max");
	conf->sessions_max = (uint32_t)cfg_getint(cfg, "sessions_max");
	conf->plaintext = cfg_getbool(cfg, "plaintext") == cfg_true;
	convert_members(cfg, conf);
	return conf;
}

static void
watch_section(cfg_t *cfg, const char *kind)
{
	static const char *const addresses[] = { "peer", "front", "http" };
	char name[32];
	size_t i;

	cfg_set_validate_func(cfg, kind, check_member);
	for (i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
		snprintf(name, sizeof name, "%s|%s", kind, addresses[i]);
		cfg_set_validate_func(cfg, name, check_address);
	}
}

static cfg_t *
parser_new(void)
{
	static cfg_opt_t member[] = {
		CFG_STR_CB("peer", NULL, CFGF_NODEFAULT, conf_value_string),
		CFG_STR_CB("front", NULL, CFGF_NODEFAULT, conf_value_string),
		CFG_STR_CB("http", NULL, CFGF_NODEFAULT, conf_value_string),
		CFG_END(),
	};
	static cfg_opt_t all[] = {
		CFG_STR_CB("cluster", NULL, CFGF_NODEFAULT, conf_value_string),
		CFG_STR_CB("socket", "/run/zabfs/front.sock", CFGF_NONE, conf_value_string),
		CFG_INT_CB("tick", 200, CFGF_NONE, conf_value_number),
		CFG_INT_CB("init_limit", 10, CFGF_NONE, conf_value_number),
		CFG_INT_CB("sync_limit", 4, CFGF_NONE, conf_value_number),
		CFG_INT_CB("value_max", WIRE_VALUE_MAX, CFGF_NONE, conf_value_number),
		CFG_INT_CB("log_rows_min", 100000, CFGF_NONE, conf_value_number),
		CFG_INT_CB("log_tree_percent", 10, CFGF_NONE, conf_value_number),
		CFG_INT_CB("pass_interval", 30, CFGF_NONE, conf_value_number),
		CFG_INT_CB("session_timeout_min", 1000, CFGF_NONE, conf_value_number),
		CFG_INT_CB("session_timeout_max", 600000, CFGF_NONE, conf_value_number),
		CFG_INT_CB("sessions_max", 32768, CFGF_NONE, conf_value_number),
		CFG_BOOL_CB("plaintext", cfg_false, CFGF_NONE, conf_value_bool),
		CFG_SEC("member", member, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_SEC("observer", member, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_END(),
	};
	cfg_t *cfg = cfg_init(all, CFGF_NONE);
	size_t i;

	if (cfg == NULL)
		abort();
	cfg_set_error_function(cfg, on_error);
	for (i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
		cfg_set_validate_func(cfg, ranges[i].key, check_range);
	cfg_set_validate_func(cfg, "socket", check_socket);
	cfg_set_validate_func(cfg, "cluster", check_cluster);
	for (i = 0; i < KINDS; i++)
		watch_section(cfg, kinds[i]);
	return cfg;
}

int
conf_load(const char *path, struct conf **out, char *err, size_t errlen)
{
	char *text;
	cfg_t *cfg;
	int code;

	err[0] = '\0';
	text = conf_text(path, err, errlen);
	if (text == NULL)
		return -1;
	cfg = parser_new();
	the_path = path;
	the_root = cfg;
	the_err = err;
	the_errlen = errlen;
	code = cfg_parse_buf(cfg, text);
	free(text);
	if (code != CFG_SUCCESS && err[0] == '\0')
		snprintf(err, errlen, "%s: not a configuration", path);
	if (code == CFG_SUCCESS && check_whole(path, cfg, err, errlen) == 0)
		*out = convert(cfg);
	cfg_free(cfg);
	return err[0] == '\0' ? 0 : -1;
}

void
conf_free(struct conf *conf)
{
	size_t i;

	for (i = 0; i < conf->nmembers; i++) {
		free(conf->members[i].peer);
		free(conf->members[i].front);
		free(conf->members[i].http);
	}
	free(conf->members);
	free(conf->cluster);
	free(conf->socket);
	free(conf);
}
