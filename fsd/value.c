/* Shared values. See value.h; used by inode.c, op_open.c, op_read.c, zabfile.c. */
#include "fsd/value.h"

#include <stdlib.h>
#include <string.h>

struct value *
value_new(const struct wire_stat *stat, struct blob data)
{
	struct value *value = malloc(sizeof *value + data.len);

	if (value == NULL)
		return NULL;
	value->references = 1;
	value->len = data.len;
	value->stat = *stat;
	if (data.len != 0)
		memcpy(value->data, data.data, data.len);
	return value;
}

struct value *
value_ref(struct value *value)
{
	value->references++;
	return value;
}

void
value_unref(struct value *value)
{
	if (value != NULL && --value->references == 0)
		free(value);
}
