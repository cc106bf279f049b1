/*
 * The core's messages as the wire has them, and back: field by field, and
 * written down once. Called by inbox.c and outbox.c.
 */
#include "replica/replica.h"

#define FIELDS(F)                                                                                  \
	F(type)                                                                                    \
	F(role)                                                                                    \
	F(flags)                                                                                   \
	F(vote_sid)                                                                                \
	F(attempt)                                                                                 \
	F(round)                                                                                   \
	F(epoch)                                                                                   \
	F(zxid)                                                                                    \
	F(prev)                                                                                    \
	F(hash)                                                                                    \
	F(vote_epoch)                                                                              \
	F(vote_zxid)                                                                               \
	F(vote_favour)
#define COPY(name) .name = in->name,

struct wire_zab
message_to_wire(const struct zab_message *in)
{
	return (struct wire_zab){ FIELDS(COPY) };
}

struct zab_message
message_from_wire(const struct wire_zab *in)
{
	return (struct zab_message){ FIELDS(COPY) };
}
