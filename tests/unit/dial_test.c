/*
 * A name whose servers do not answer: however often it is dialed, one look-up at a time asks for
 * it. The look-up is this program's own getaddrinfo(3), which waits until it is told to answer.
 */
#include "replica/lib/dial.h"
#include "replica/lib/resolve.h"

#include "replica/lib/check.h"

#include <dirent.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define DEADLINE_S 30
#define SHORT_MS 5
#define LONG_MS (DEADLINE_S * 1000)

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool answering;
static unsigned int asked, running;

int
getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out)
{
	(void)host;
	(void)port;
	(void)out;
	if ((hints->ai_flags & AI_NUMERICHOST) != 0)
		return EAI_NONAME;
	pthread_mutex_lock(&mutex);
	asked++;
	running++;
	pthread_cond_broadcast(&changed);
	while (!answering)
		pthread_cond_wait(&changed, &mutex);
	running--;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	return EAI_FAIL;
}

static void
answer(bool answers)
{
	pthread_mutex_lock(&mutex);
	answering = answers;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

static unsigned int
times_asked(void)
{
	unsigned int times;

	pthread_mutex_lock(&mutex);
	times = asked;
	pthread_mutex_unlock(&mutex);
	return times;
}

/* Until so many have been asked for, and so many of them wait. */
static void
wait_until(unsigned int are_asked, unsigned int are_running)
{
	struct timespec until;
	int late = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DEADLINE_S;
	pthread_mutex_lock(&mutex);
	while (late == 0 && (asked != are_asked || running != are_running))
		late = pthread_cond_timedwait(&changed, &mutex, &until);
	pthread_mutex_unlock(&mutex);
	assert_int_equal(late, 0);
}

static struct event_base *base;
static struct resolver *resolver;
static const char *why;

static int
setup(void **state)
{
	(void)state;
	base = event_base_new();
	resolver = resolver_new();
	asked = running = 0;
	answering = false;
	why = NULL;
	return base == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	resolver_free(resolver);
	event_base_free(base);
	answer(true);
	wait_until(asked, 0);
	return 0;
}

static void
on_dialed(void *arg, int fd, const char *reason)
{
	(void)arg;
	assert_int_equal(fd, -1);
	why = reason;
}

static struct dial *
begin(uint32_t limit_ms)
{
	why = NULL;
	return dial_new(base, "a.name:1", resolver, limit_ms, on_dialed, NULL);
}

static const char *
dial(uint32_t limit_ms)
{
	begin(limit_ms);
	while (why == NULL)
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
	return why;
}

static void
test_one_look_up_at_a_time(void **state)
{
	struct dial *cancelled;
	int i;

	(void)state;
	for (i = 0; i < 20; i++)
		assert_string_equal(dial(SHORT_MS), "its name is not found in time");
	cancelled = begin(LONG_MS);
	assert_int_equal(event_base_loop(base, EVLOOP_NONBLOCK), 0);
	dial_cancel(cancelled);
	wait_until(1, 1);
	/* Who asks when it is answered has the answer. */
	begin(LONG_MS);
	assert_int_equal(event_base_loop(base, EVLOOP_NONBLOCK), 0);
	answer(true);
	while (why == NULL)
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
	assert_string_equal(why, gai_strerror(EAI_FAIL));
	assert_int_equal(times_asked(), 1);
}

/* Until no thread is left but this one. */
static void
wait_alone(void)
{
	time_t until = time(NULL) + DEADLINE_S;
	unsigned int entries;
	DIR *tasks;

	do {
		tasks = opendir("/proc/self/task");
		assert_non_null(tasks);
		for (entries = 0; readdir(tasks) != NULL; entries++)
			;
		closedir(tasks);
		assert_true(time(NULL) < until);
	} while (entries != 3); /* "." and ".." */
}

static void
test_what_nobody_waited_for(void **state)
{
	(void)state;
	dial(SHORT_MS);
	wait_until(1, 1);
	answer(true);
	wait_until(1, 0);
	wait_alone();
	/* It may be of long ago. */
	assert_string_equal(dial(LONG_MS), gai_strerror(EAI_FAIL));
	assert_int_equal(times_asked(), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_look_up_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_nobody_waited_for, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
