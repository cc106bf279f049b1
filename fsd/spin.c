/* The loop that spins a little. See spin.h; called by main.c. */
#include "fsd/spin.h"

#include "fsd/kernel.h"
#include "replica/lib/log.h"

#include <sched.h>

#define WARM_MAX (4 * SPIN_WARM)
#define TURN_NS 1000000 /* timers and signals are looked at at least that often */

/* Polls until nothing has come for SPIN_NS. True: something came at all. */
static bool
spin(struct fsd *fsd)
{
	uint64_t start_ns = fsd_now_ns(), last_ns = start_ns, now_ns = start_ns;
	bool any = false, request, reply;

	while (now_ns - last_ns < SPIN_NS && now_ns - start_ns < TURN_NS) {
		request = kernel_poll(fsd->kernel);
		reply = link_poll(fsd->link);
		if (!request && !reply)
			sched_yield();
		now_ns = fsd_now_ns();
		if (!request && !reply)
			continue;
		any = true;
		last_ns = now_ns;
	}
	return any;
}

void
spin_loop(struct fsd *fsd)
{
	uint64_t ended_ns = fsd_now_ns();
	unsigned int warm = 0;

	while (!event_base_got_break(fsd->base) && !event_base_got_exit(fsd->base)) {
		if (event_base_loop(fsd->base, EVLOOP_ONCE) < 0) {
			log_error("the event loop failed");
			return;
		}
		if (event_base_got_break(fsd->base) || event_base_got_exit(fsd->base))
			return;
		if (fsd_now_ns() - ended_ns > SPIN_NEAR_NS)
			warm = 0;
		else if (warm < WARM_MAX)
			warm++;
		if (warm >= SPIN_WARM && !spin(fsd))
			warm /= 2;
		ended_ns = fsd_now_ns();
	}
}
