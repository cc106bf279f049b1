/* Values of the configuration, each as it is read. See conf_value.h. */
#include "replica/lib/conf_value.h"

#include "replica/lib/address.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const kinds[] = { "member", "observer" };
static const char *const keys[] = { "peer", "front", "http" };
#define FLAG_SET (1 << 24) /* one of ours: libconfuse's CFGF_MODIFIED may be there before */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static int
once(cfg_t *cfg, cfg_opt_t *opt)
{
	if ((opt->flags & FLAG_SET) != 0) {
		cfg_error(cfg, "%s: set twice", opt->name);
		return -1;
	}
	opt->flags |= FLAG_SET;
	return 0;
}

int
conf_value_string(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	*(const char **)result = value;
	return once(cfg, opt);
}

/* What begins with 0 is octal to some, and decimal to others. */
int
conf_value_number(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	const char *digits = value[0] == '-' ? value + 1 : value;
	size_t len = strspn(digits, "0123456789");

	errno = 0;
	*(long *)result = strtol(value, NULL, 10);
	if (len == 0 || digits[len] != '\0' || (digits[0] == '0' && len > 1) || errno != 0) {
		cfg_error(cfg, "%s: \"%s\" is not a decimal number", opt->name, value);
		return -1;
	}
	return once(cfg, opt);
}

int
conf_value_bool(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	int is = cfg_parse_boolean(value);

	if (is != cfg_true && is != cfg_false) {
		cfg_error(cfg, "%s: \"%s\" is neither true nor false", opt->name, value);
		return -1;
	}
	*(int *)result = is;
	return once(cfg, opt);
}

/* Each machine has it: those of two members are two. */
static bool
is_everywhere(const struct address *address)
{
	static const char *const hosts[] = { "localhost", "::1", "0.0.0.0", "::" };
	size_t i;

	for (i = 0; i < COUNT(hosts); i++)
		if (strcasecmp(address->host, hosts[i]) == 0)
			return true;
	return strncmp(address->host, "127.", 4) == 0;
}

/*
 * Whether both can be right. Nobody is asked what a name means: another way to write it goes
 * unnoticed.
 */
static bool
collide(const char *text, const char *key, const char *other, const char *other_key, bool same)
{
	bool http = strcmp(key, "http") == 0 || strcmp(other_key, "http") == 0;
	struct address a, b;

	if (!address_parse(text, &a) || !address_parse(other, &b))
		return false;
	if (strcasecmp(a.host, b.host) != 0 || strcmp(a.port, b.port) != 0)
		return false;
	/* Where others have to reach it, it is one place in the ensemble. */
	return same || !http || !is_everywhere(&a);
}

static bool
is_taken(cfg_t *member, cfg_opt_t *opt, const char *kind, cfg_t *other)
{
	const char *text = cfg_opt_getnstr(opt, 0), *taken;
	size_t i;

	for (i = 0; i < COUNT(keys); i++) {
		if (other == member && strcmp(keys[i], opt->name) == 0)
			continue;
		taken = cfg_size(other, keys[i]) == 0 ? NULL : cfg_getstr(other, keys[i]);
		if (taken == NULL || !collide(text, opt->name, taken, keys[i], other == member))
			continue;
		cfg_error(member, "%s: \"%s\" is %s of %s %s already", opt->name, text, keys[i],
		    kind, cfg_title(other));
		return true;
	}
	return false;
}

int
conf_value_address(cfg_t *root, cfg_t *member, cfg_opt_t *opt)
{
	const char *text = cfg_opt_getnstr(opt, 0);
	struct address address;
	size_t kind;
	unsigned i;

	if (!address_parse(text, &address)) {
		cfg_error(member, "%s: \"%s\" is not HOST:PORT", cfg_opt_name(opt), text);
		return -1;
	}
	for (kind = 0; kind < COUNT(kinds); kind++)
		for (i = 0; i < cfg_size(root, kinds[kind]); i++)
			if (is_taken(member, opt, kinds[kind], cfg_getnsec(root, kinds[kind], i)))
				return -1;
	return 0;
}
