/* Words and what belongs to each. See verify.h. */
#include "tests/cluster/verify.h"

#include <stdlib.h>
#include <uthash.h>

struct word {
	const char *text;
	void *pointer;
	UT_hash_handle hh;
};

struct words {
	struct word *table;
};

struct words *
words_new(void)
{
	return calloc(1, sizeof(struct words));
}

void
words_free(struct words *words)
{
	struct word *word = words->table, *next;

	while (word != NULL) {
		next = word->hh.next;
		HASH_DEL(words->table, word);
		free(word);
		word = next;
	}
	free(words);
}

void **
words_at(struct words *words, const char *text, bool make)
{
	struct word *word;

	HASH_FIND_STR(words->table, text, word);
	if (word == NULL && make) {
		word = calloc(1, sizeof *word);
		word->text = text;
		HASH_ADD_KEYPTR(hh, words->table, text, strlen(text), word);
	}
	return word == NULL ? NULL : &word->pointer;
}
