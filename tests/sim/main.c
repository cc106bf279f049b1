/*
 * The simulator's program: a range of seeds on every core, with progress on a
 * terminal. A seed that fails is made smaller, as long as it fails, and the one
 * command that replays it with its trace is printed. See tests/README.md.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64
#define REPORT_SEEDS 64
#define SHRINK_S 20
#define WHY_SPACE 300
#define HANG_S 20 /* of the processor's time: a thousand times what a seed takes */
#define TRY_S 60  /* of anyone's */

/* Every field of the options, under the name that -o takes. */
#define OPTIONS(O)                                                                                 \
	O(voters)                                                                                  \
	O(observers)                                                                               \
	O(clients)                                                                                 \
	O(writes)                                                                                  \
	O(faults)                                                                                  \
	O(kinds)                                                                                   \
	O(duration_ms)                                                                             \
	O(delay_us)                                                                                \
	O(disk_us)                                                                                 \
	O(keep_rows)                                                                               \
	O(image_s)                                                                                 \
	O(rollover)                                                                                \
	O(wild)                                                                                    \
	O(pretenders)                                                                              \
	O(traps)                                                                                   \
	O(restart_ms)                                                                              \
	O(dial_ms)                                                                                 \
	O(lasts_ms)                                                                                \
	O(crowd_ms)                                                                                \
	O(skew)                                                                                    \
	O(lame)                                                                                    \
	O(sticky)                                                                                  \
	O(leave)                                                                                   \
	O(apart)                                                                                   \
	O(sessions)                                                                                \
	O(big)                                                                                     \
	O(told)                                                                                    \
	O(tight)                                                                                   \
	O(room)                                                                                    \
	O(piece)

static const char *progname;
static const struct options *running;
static bool to_shrink;	  /* what fails is made smaller */
static double shrink_end; /* until then */
static int telling = -1;  /* of a try: where it says why it fails */

static void
print_replay(const struct options *options)
{
	printf("replay: %s -s %llu -t -o ", progname, (unsigned long long)options->seed);
#define PRINT(name) printf("%s=%u,", #name, (unsigned)options->name);
	OPTIONS(PRINT)
#undef PRINT
	printf("\n");
	fflush(stdout);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void failed(const struct options *options, const char *why);

/* A CHECK in what ships: the seed is told, the process ends. */
static void
on_check(const char *file, int line, const char *condition)
{
	char why[WHY_SPACE];

	snprintf(why, sizeof why, "%s:%d: CHECK(%s)", file, line, condition);
	failed(running, why);
}

/* Likewise, of a step that never ends or of a crash. */
static void
on_signal(int number)
{
	failed(running, number == SIGVTALRM ? "it never ends" : strsignal(number));
	_exit(1);
}

static bool
run(const struct options *options, FILE *to, struct world *world)
{
	struct itimerval limit = { .it_value.tv_sec = HANG_S };

	running = options;
	setitimer(ITIMER_VIRTUAL, &limit, NULL);
	return world_run(options, to, world);
}

static _Noreturn void
try_child(const struct options *options, int to)
{
	static struct world world;
	sigset_t none;

	/* What it was forked in may be a signal's handler. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	telling = to;
	alarm(TRY_S);
	if (!run(options, NULL, &world))
		failed(options, world.failure);
	_exit(0);
}

/* In a process of its own, for it may end by a CHECK or never. */
static bool
fails(const struct options *options, char why[WHY_SPACE])
{
	char said[WHY_SPACE] = "it ends";
	int fds[2], status;
	pid_t pid;

	CHECK(pipe(fds) == 0);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		try_child(options, fds[1]);
	close(fds[1]);
	(void)!read(fds[0], said, sizeof said - 1);
	close(fds[0]);
	CHECK(waitpid(pid, &status, 0) == pid);
	if (status != 0)
		memcpy(why, said, sizeof said);
	return status != 0;
}

/* Tries a smaller value; keeps it if the run still fails. */
static bool
smaller(struct options *options, size_t offset, uint32_t value, char why[WHY_SPACE])
{
	uint32_t *field = (uint32_t *)(void *)((char *)options + offset), old = *field;

	if (value >= old || now() > shrink_end)
		return false;
	*field = value;
	if (fails(options, why))
		return true;
	*field = old;
	return false;
}

static void
shrink(struct options *options, char why[WHY_SPACE])
{
	static const size_t halves[] = { offsetof(struct options, faults),
		offsetof(struct options, traps), offsetof(struct options, crowd_ms),
		offsetof(struct options, writes), offsetof(struct options, duration_ms) };
	uint32_t bit, i, *field;
	bool again = true;

	shrink_end = now() + SHRINK_S;
	while (again) {
		again = smaller(options, offsetof(struct options, observers), 0, why);
		again |= smaller(options, offsetof(struct options, voters), 3, why);
		again |= smaller(options, offsetof(struct options, wild), 0, why);
		again |= smaller(options, offsetof(struct options, apart), 0, why);
		again |= smaller(options, offsetof(struct options, sessions), 0, why);
		for (bit = 0; bit < FAULTS; bit++)
			again |= smaller(options, offsetof(struct options, kinds),
			    options->kinds & ~(1u << bit), why);
		for (i = 0; i < sizeof halves / sizeof halves[0]; i++) {
			field = (uint32_t *)(void *)((char *)options + halves[i]);
			again |= smaller(options, halves[i], *field / 2, why) ||
				 smaller(options, halves[i], *field - (*field != 0), why);
		}
	}
}

/* Once for each seed; what it is called in may be the end of the process. */
static void
failed(const struct options *options, const char *why)
{
	struct options small = *options;
	char still[WHY_SPACE] = "";

	if (telling >= 0) {
		(void)!write(telling, why, strlen(why));
		_exit(1);
	}
	printf("seed %llu: %s\n", (unsigned long long)options->seed, why);
	if (to_shrink) {
		shrink(&small, still);
		if (still[0] != '\0')
			printf("made smaller: %s\n", still);
	}
	print_replay(&small);
}

struct report {
	uint64_t seeds, failed, steps, delivered;
	uint64_t coverage[COVERS];
};

static void
one(uint64_t seed, struct report *report)
{
	static struct world world;
	struct options options;
	int i;

	options_draw(seed, &options);
	report->seeds++;
	if (!run(&options, NULL, &world)) {
		report->failed++;
		failed(&options, world.failure);
	}
	report->steps += world.steps;
	report->delivered += world.history.count;
	for (i = 0; i < COVERS; i++)
		report->coverage[i] += world.coverage[i];
	world_free(&world);
}

/* One process: every jobs-th seed; a report after each REPORT_SEEDS. */
static void
work(uint64_t first, uint64_t last, uint64_t step, int to)
{
	struct report report = { 0 };
	uint64_t seed;

	check_hook(on_check);
	to_shrink = true;
	for (seed = first; seed <= last; seed += step) {
		one(seed, &report);
		if (report.seeds % REPORT_SEEDS != 0 && seed + step <= last)
			continue;
		CHECK(write(to, &report, sizeof report) == sizeof report);
		if (report.failed >= 3)
			break;
		memset(&report, 0, sizeof report);
	}
}

static void
progress(const struct report *total, uint64_t seeds, double begun)
{
	double spent = now() - begun, rate = (double)total->seeds / (spent > 0 ? spent : 1);

	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%llu of %llu seeds, %.0f a second, %.0f s left   ",
	    (unsigned long long)total->seeds, (unsigned long long)seeds, rate,
	    rate > 0 ? (double)(seeds - total->seeds) / rate : 0);
}

static void
add(struct report *total, const struct report *report)
{
	int i;

	total->seeds += report->seeds;
	total->failed += report->failed;
	total->steps += report->steps;
	total->delivered += report->delivered;
	for (i = 0; i < COVERS; i++)
		total->coverage[i] += report->coverage[i];
}

/* 0: every seed passed. */
static int
many(uint64_t first, uint64_t seeds, long jobs)
{
	struct report total = { 0 }, report;
	double begun = now();
	int fds[2], status, bad = 0;
	long i;

	CHECK(pipe(fds) == 0);
	fflush(stdout);
	for (i = 0; i < jobs; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0) {
			close(fds[0]);
			work(first + (uint64_t)i, first + seeds - 1, (uint64_t)jobs, fds[1]);
			fflush(stdout);
			_exit(0);
		}
	}
	close(fds[1]);
	while (read(fds[0], &report, sizeof report) == sizeof report) {
		add(&total, &report);
		progress(&total, seeds, begun);
	}
	while (wait(&status) > 0)
		bad |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	if (isatty(STDERR_FILENO))
		fputc('\n', stderr);
	printf(
	    "seeds %llu to %llu: %llu run, %llu failed; %llu steps, %llu transactions "
	    "delivered, %llu leaderships, %llu handed over, %llu snapshots, %llu images, %llu "
	    "rounds, %llu "
	    "sessions expired, %llu registers, %llu of sequences, %llu gone by themselves, %llu "
	    "of another version, %llu of several operations, %llu that failed, %llu answers with "
	    "events, %llu of lost ones, %llu locks at once, %llu waited for, %llu writes without "
	    "room, %.0f s\n",
	    (unsigned long long)first, (unsigned long long)(first + seeds - 1),
	    (unsigned long long)total.seeds, (unsigned long long)total.failed,
	    (unsigned long long)total.steps, (unsigned long long)total.delivered,
	    (unsigned long long)total.coverage[ZAB_LEADING] / 2,
	    (unsigned long long)total.coverage[COVER_HANDED],
	    (unsigned long long)total.coverage[COVER_SNAP],
	    (unsigned long long)total.coverage[COVER_IMAGE],
	    (unsigned long long)total.coverage[COVER_CONFIRMED],
	    (unsigned long long)total.coverage[COVER_EXPIRED],
	    (unsigned long long)total.coverage[COVER_REGISTER],
	    (unsigned long long)total.coverage[COVER_NUMBERED],
	    (unsigned long long)total.coverage[COVER_REAPED],
	    (unsigned long long)total.coverage[COVER_VERSION],
	    (unsigned long long)total.coverage[COVER_SEVERAL],
	    (unsigned long long)total.coverage[COVER_NONE_OF_THEM],
	    (unsigned long long)total.coverage[COVER_TOLD],
	    (unsigned long long)total.coverage[COVER_LOST],
	    (unsigned long long)total.coverage[COVER_LOCKED],
	    (unsigned long long)total.coverage[COVER_WAITED],
	    (unsigned long long)total.coverage[COVER_NO_ROOM], now() - begun);
	return bad || total.failed != 0 || total.seeds != seeds;
}

static int
replay(struct options *options, bool traced)
{
	static struct world world;
	bool ok;

	check_hook(on_check);
	ok = run(options, traced ? stdout : NULL, &world);
	printf("seed %llu: %s\n", (unsigned long long)options->seed, ok ? "ok" : world.failure);
	world_free(&world);
	return !ok;
}

/* In order, until one fails: how soon a broken rule is found. */
static int
first_failure(uint64_t first, uint64_t seeds)
{
	static struct world world;
	struct options options;
	bool good = true;
	uint64_t seed;

	check_hook(on_check);
	for (seed = first; good && seed < first + seeds; seed++) {
		options_draw(seed, &options);
		good = run(&options, NULL, &world);
		if (!good)
			failed(&options, world.failure);
		world_free(&world);
	}
	return !good;
}

/* NAME=VALUE,… into the options. */
static bool
parse(struct options *options, char *text)
{
	char *word, *value;

	for (word = strtok(text, ","); word != NULL; word = strtok(NULL, ",")) {
		value = strchr(word, '=');
		if (value == NULL)
			return false;
		*value++ = '\0';
#define PARSE(name)                                                                                \
	if (strcmp(word, #name) == 0) {                                                            \
		options->name = (uint32_t)strtoul(value, NULL, 0);                                 \
		continue;                                                                          \
	}
		OPTIONS(PARSE)
#undef PARSE
		return false;
	}
	return options->voters >= 1 && options->voters + options->observers <= MEMBERS_MAX;
}

int
main(int argc, char **argv)
{
	uint64_t seeds = 10000, seed = 0, first = 1;
	long jobs = sysconf(_SC_NPROCESSORS_ONLN);
	struct options options;
	bool traced = false, until_failure = false;
	char *changes = NULL;
	int c;

	progname = argv[0];
	signal(SIGVTALRM, on_signal);
	signal(SIGSEGV, on_signal);
	while ((c = getopt(argc, argv, "n:f:s:j:o:tx")) != -1) {
		switch (c) {
		case 'n':
			seeds = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			first = strtoull(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'j':
			jobs = strtol(optarg, NULL, 0);
			break;
		case 'o':
			changes = optarg;
			break;
		case 't':
			traced = true;
			break;
		case 'x':
			until_failure = true;
			break;
		default:
			goto usage;
		}
	}
	if (optind != argc || jobs < 1 || jobs > JOBS_MAX || seeds == 0)
		goto usage;
	if (until_failure)
		return first_failure(first, seeds);
	if (seed == 0)
		return many(first, seeds, jobs);
	options_draw(seed, &options);
	if (changes != NULL && !parse(&options, changes))
		goto usage;
	return replay(&options, traced);
usage:
	fprintf(stderr,
	    "usage: %s [-x] [-n SEEDS] [-f FIRST] [-j JOBS]\n"
	    "       %s -s SEED [-t] [-o NAME=VALUE,…]\n",
	    progname, progname);
	return 64;
}
