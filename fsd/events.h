/*
 * `DIR/.zab/events`: what changes below a directory, a line each, made by the
 * replica (wire.h: EVENTS). A file has a cursor, the zxid up to which it was
 * told; it is asked from there whenever somebody reads or polls, so that a session
 * that moves misses nothing. Called by zabfile.c and op_read.c.
 */
#ifndef ZABFS_FSD_EVENTS_H
#define ZABFS_FSD_EVENTS_H

#include "fsd/call.h"

struct events;

/* OPEN, of a number that qualified.h knows; opened() answers it. */
void events_open(struct call *call, struct handle *handle,
    void (*opened)(struct call *call, struct handle *handle, int code));
/* That of a process before us, from where its reader was: what he had read a part of comes again. */
void events_restore(struct fsd *fsd, struct handle *handle);
void events_close(struct events *events);
/* Waits until there is something; EAGAIN with O_NONBLOCK. */
void events_read(struct call *call, struct events *events);
/* The handle is notified when there is something; owned from now on. */
unsigned events_poll(struct events *events, struct fuse_pollhandle *handle);

#endif
