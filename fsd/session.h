/*
 * What this mount does when the change stream or the session's state says
 * something: the link's handler. main.c hands it to link_new.
 */
#ifndef ZABFS_FSD_SESSION_H
#define ZABFS_FSD_SESSION_H

#include "fsd/fsd.h"

/* arg: the fsd. */
extern const struct link_handler session_handler;

#endif
