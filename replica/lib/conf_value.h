/*
 * A value of the configuration as it is read: libconfuse's callbacks for what it
 * would take as it comes. It lets the last of two settings of one key win, and reads
 * 010 and 0x10 as C does. Called by conf.c alone.
 */
#ifndef ZABFS_LIB_CONF_VALUE_H
#define ZABFS_LIB_CONF_VALUE_H

#include <confuse.h>

/* A key that is set twice, or a number that is not decimal, is an error: cfg_error has said so. */
int conf_value_string(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result);
int conf_value_number(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result);
int conf_value_bool(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result);

/*
 * 0, or -1 and cfg_error: it is not HOST:PORT, or somebody has that address already. root: the
 * whole configuration, as far as it is read; opt: a member's key, read just now.
 */
int conf_value_address(cfg_t *root, cfg_t *member, cfg_opt_t *opt);

#endif
