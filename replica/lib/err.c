/* The error table, expanded. See err.h. */
#include "replica/lib/err.h"

#include <errno.h>

bool
err_is_known(int code)
{
	switch (code) {
	case ERR_OK:
#define ERR_CASE(name, number, errnum, text) case name:
		ERR_TABLE(ERR_CASE)
#undef ERR_CASE
		return true;
	}
	return false;
}

const char *
err_text(int code)
{
	switch (code) {
	case ERR_OK:
		return "success";
#define ERR_CASE(name, number, errnum, text)                                                       \
	case name:                                                                                 \
		return text;
		ERR_TABLE(ERR_CASE)
#undef ERR_CASE
	}
	return "unknown error";
}

int
err_errno(int code)
{
	switch (code) {
	case ERR_OK:
		return 0;
#define ERR_CASE(name, number, errnum, text)                                                       \
	case name:                                                                                 \
		return errnum;
		ERR_TABLE(ERR_CASE)
#undef ERR_CASE
	}
	return EIO;
}
