/* Shared by zabstream.c and zabstream_kept.c. Nobody else. */
#ifndef ZABFS_FSD_ZABSTREAM_INTERNAL_H
#define ZABFS_FSD_ZABSTREAM_INTERNAL_H

#include "fsd/flow.h"
#include "fsd/lines.h"
#include "fsd/multi.h"
#include "fsd/queued.h"

struct line;

struct stream {
	struct fsd *fsd;
	struct flow flow;
	bool keeps, closed;
	struct handle *handle; /* while it is open; borrowed */
	bool broken;	       /* the beginning of the next line is lost */
	TAILQ_HEAD(, line) written;
	char *partial; /* the beginning of a line */
	size_t partial_len;
	struct lines results;
	uint64_t lost;
	/* Of the WRITE that comes again: lines whose results were read, and the others. */
	uint32_t were_read, anew;
	/* Of the WRITE that is being taken. */
	char *text;
	size_t at, len;
	uint64_t nth; /* line */
	struct who who;
};

/* To be read as a line among the results. */
void stream_say_lost(struct stream *stream, uint64_t count);
/* Of those that had no room: where the next result stands, or for who has read the others. */
void stream_say_dropped(struct stream *stream);
/* What is left of a WRITE belongs to the next one. False: a line that never ends. */
bool stream_keep_partial(struct stream *stream, const char *text, size_t len);

#endif
