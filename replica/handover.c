/*
 * Leadership given to a named member: an operator wrote its id to
 * `.zab/cluster/leader`. The request goes to the leader as others do and waits
 * where it came from (request.c); one at a time is begun, by a tick. The answer
 * is the heir's, once it leads: it gets the request again as every new leader
 * does. What the leader says is why nothing has changed. Called by lead.c and
 * replica.c.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <stdlib.h>

struct hand_over {
	STAILQ_ENTRY(hand_over) next;
	uint32_t asker; /* a member */
	uint64_t session, serial, rid;
	uint32_t heir;
	bool begun;
};

static void
answer(struct replica *replica, const struct hand_over *asked, int code)
{
	struct wire_answer message = { .session = asked->session,
		.serial = asked->serial,
		.type = WIRE_T_HAND_OVER,
		.rid = asked->rid,
		.code = code };

	lead_answer(replica, asked->asker, &message);
}

static bool
is_voter(const struct conf *conf, uint32_t sid)
{
	size_t i;

	for (i = 0; i < conf->nmembers; i++)
		if (conf->members[i].id == sid)
			return !conf->members[i].observer;
	return false;
}

void
handover_take(struct replica *replica, uint32_t member, uint64_t session, uint64_t serial,
    const struct wire_hand_over *msg)
{
	struct hand_over asked = { .asker = member,
		.session = session,
		.serial = serial,
		.rid = msg->rid,
		.heir = msg->member };
	struct hand_over *kept;

	if (!is_voter(replica->conf, asked.heir)) {
		answer(replica, &asked, ERR_INVAL);
		return;
	}
	if (asked.heir == replica->member) {
		answer(replica, &asked, ERR_OK);
		return;
	}
	/* It was tried, and this one leads again: a majority does not reach the heir. */
	if (session == replica->handed_session && msg->rid == replica->handed_rid) {
		answer(replica, &asked, ERR_BUSY);
		return;
	}
	if (replica->nhand_overs >= HAND_OVERS_MAX) {
		answer(replica, &asked, ERR_BUSY);
		return;
	}
	kept = malloc(sizeof *kept);
	CHECK(kept != NULL);
	*kept = asked;
	STAILQ_INSERT_TAIL(&replica->hand_overs, kept, next);
	replica->nhand_overs++;
}

static void
refuse(struct replica *replica, struct hand_over *first)
{
	log_info("not handed over, it is not up to date member=%u", (unsigned)first->heir);
	STAILQ_REMOVE_HEAD(&replica->hand_overs, next);
	replica->nhand_overs--;
	answer(replica, first, ERR_BUSY);
	free(first);
}

void
handover_tick(struct replica *replica)
{
	struct hand_over *first = STAILQ_FIRST(&replica->hand_overs);
	struct zab_learner_status learner;
	struct zab_status status;

	if (first == NULL)
		return;
	zab_status(replica->zab, &status);
	if (first->begun) {
		/* The core has called it off: its time is over, or the heir has left. */
		if (status.heir == 0)
			refuse(replica, first);
		return;
	}
	if (!zab_learner_status(replica->zab, first->heir, &learner) || !learner.synchronised) {
		refuse(replica, first);
		return;
	}
	log_info("handing over member=%u", (unsigned)first->heir);
	first->begun = true;
	replica->handed_session = first->session;
	replica->handed_rid = first->rid;
	/* It may be done when this returns, and `first` gone. */
	order_hand_over(replica, first->heir);
}

void
handover_drop(struct replica *replica)
{
	struct hand_over *asked;

	while ((asked = STAILQ_FIRST(&replica->hand_overs)) != NULL) {
		STAILQ_REMOVE_HEAD(&replica->hand_overs, next);
		free(asked);
	}
	replica->nhand_overs = 0;
}
