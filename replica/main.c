/*
 * zabfs-replica: one member's daemon. Arguments, configuration, signals; the
 * work is replica.c's. See zabfs-replica(8).
 */
#include "replica/replica.h"

#include "replica/lib/address.h"
#include "replica/lib/daemon.h"
#include "replica/lib/log.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* Each place that a connection may take, and as much again as a member needs for itself. */
#define DESCRIPTORS                                                                                \
	(FRONT_CONNECTIONS_MAX + LINK_STRANGERS_MAX + HTTP_CONNECTIONS_MAX +                       \
	    2 * CONF_MEMBERS_MAX + 64)

struct arguments {
	const char *conf, *dir, *socket;
	uint32_t member;
	bool foreground, check_only, found;
	int verbose;
};

static const char usage_text[] = "usage: zabfs-replica -f CONF -i ID -D DIR [-s SOCKET] [-dIv]\n"
				 "       zabfs-replica -n -f CONF [-i ID]\n";

static _Noreturn void
usage(void)
{
	fputs(usage_text, stderr);
	exit(EX_USAGE);
}

static uint32_t
member_number(const char *text)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || end == text || number == 0 || number > UINT32_MAX) {
		fprintf(stderr, "zabfs-replica: -i %s: not a member's id\n", text);
		exit(EX_USAGE);
	}
	return (uint32_t)number;
}

static void
arguments_parse(int argc, char **argv, struct arguments *args)
{
	int c;

	while ((c = getopt(argc, argv, "f:i:D:s:dnvI")) != -1) {
		switch (c) {
		case 'f':
			args->conf = optarg;
			break;
		case 'i':
			args->member = member_number(optarg);
			break;
		case 'D':
			args->dir = optarg;
			break;
		case 's':
			args->socket = optarg;
			break;
		case 'd':
			args->foreground = true;
			break;
		case 'n':
			args->check_only = true;
			break;
		case 'v':
			args->verbose++;
			break;
		case 'I':
			args->found = true;
			break;
		default:
			usage();
		}
	}
	if (optind != argc || args->conf == NULL)
		usage();
	if (!args->check_only && (args->member == 0 || args->dir == NULL))
		usage();
}

/* Whether each address that the text may lead to is this machine's own, and nobody else's. */
static bool
is_loopback(const char *text, char *err, size_t errlen)
{
	struct addrinfo *found, *at;
	struct address address;
	bool loopback = true;
	int code;

	if (!address_parse(text, &address)) {
		snprintf(err, errlen, "\"%s\" is not HOST:PORT", text);
		return false;
	}
	code = address_resolve(&address, false, &found);
	if (code != 0) {
		snprintf(err, errlen, "%s: %s", text, gai_strerror(code));
		return false;
	}
	for (at = found; at != NULL; at = at->ai_next)
		loopback = loopback && address_is_loopback(at->ai_addr);
	freeaddrinfo(found);
	snprintf(err, errlen,
	    "%s is not loopback: what is said there could be read and changed on the network; "
	    "plaintext = true allows it",
	    text);
	return loopback;
}

/* An address that this member listens at; NULL: it doesn't. */
static void
check_exposure(const char *path, const struct conf_member *self, const char *key, const char *text)
{
	char err[512];

	if (text == NULL || is_loopback(text, err, sizeof err))
		return;
	fprintf(stderr, "zabfs-replica: %s: %s %u: %s: %s\n", path,
	    self->observer ? "observer" : "member", (unsigned)self->id, key, err);
	exit(EX_CONFIG);
}

static struct conf *
conf_read(const struct arguments *args)
{
	struct conf *conf;
	char err[512];
	size_t i;

	if (conf_load(args->conf, &conf, err, sizeof err) != 0) {
		fprintf(stderr, "zabfs-replica: %s\n", err);
		exit(EX_CONFIG);
	}
	if (args->member == 0)
		return conf;
	for (i = 0; i < conf->nmembers; i++)
		if (conf->members[i].id == args->member)
			break;
	if (i == conf->nmembers) {
		fprintf(stderr, "zabfs-replica: %s: member: none has id %u\n", args->conf,
		    (unsigned)args->member);
		exit(EX_CONFIG);
	}
	if (conf->plaintext)
		return conf;
	if (conf->nmembers > 1)
		check_exposure(args->conf, &conf->members[i], "peer", conf->members[i].peer);
	check_exposure(args->conf, &conf->members[i], "front", conf->members[i].front);
	check_exposure(args->conf, &conf->members[i], "http", conf->members[i].http);
	return conf;
}

/*
 * The customary 1024 are fewer than there are places: mounts, or strangers, would take those that
 * members and the databases need.
 */
static void
descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS)
		return;
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warn("setrlimit: %s", strerror(errno));
	if (limit.rlim_cur < DESCRIPTORS)
		log_warn("fewer descriptors than connections may want limit=%llu wanted=%d",
		    (unsigned long long)limit.rlim_cur, DESCRIPTORS);
}

static void
on_signal(evutil_socket_t number, short events, void *arg)
{
	(void)events;
	log_info("ending signal=%d", (int)number);
	event_base_loopbreak(arg);
}

static void
on_ready(void *arg)
{
	(void)arg;
	daemon_ready();
}

int
main(int argc, char **argv)
{
	struct arguments args = { 0 };
	struct replica_options options;
	struct event *term, *interrupt;
	struct event_base *base;
	struct replica *replica;
	struct conf *conf;
	char err[512];
	int code;

	daemon_help(argc, argv, usage_text);
	arguments_parse(argc, argv, &args);
	conf = conf_read(&args);
	if (args.check_only) {
		conf_free(conf);
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	umask(S_IRWXG | S_IRWXO); /* the databases hold the sessions' secrets */
	daemon_start(args.foreground);
	log_init("zabfs-replica", args.foreground, args.verbose);
	descriptors_raise();

	base = event_base_new();
	if (base == NULL)
		fatal(EX_OSERR, "no event loop");
	options = (struct replica_options){ .conf = conf,
		.member = args.member,
		.dir = args.dir,
		.socket = args.socket != NULL ? args.socket : conf->socket,
		.found = args.found };
	/* What is founded in vain would be in the way of the next attempt. */
	code = args.found ? loop_try(&options, err, sizeof err) : 0;
	if (code == 0)
		code = replica_new(&options, &replica, err, sizeof err);
	if (code == 0)
		code = loop_new(base, replica, &options, err, sizeof err);
	if (code != 0)
		fatal(code, "%s", err);
	replica->ready = on_ready;
	term = evsignal_new(base, SIGTERM, on_signal, base);
	interrupt = evsignal_new(base, SIGINT, on_signal, base);
	if (term == NULL || interrupt == NULL || evsignal_add(term, NULL) != 0 ||
	    evsignal_add(interrupt, NULL) != 0)
		fatal(EX_OSERR, "no signal events");

	order_start(replica);
	event_base_dispatch(base);

	loop_free(replica->loop);
	replica_free(replica);
	event_free(term);
	event_free(interrupt);
	event_base_free(base);
	conf_free(conf);
	log_info("ended");
	return 0;
}
