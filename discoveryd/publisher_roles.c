/* The uid -> roles table behind ZAP and HELLO. Names are looked up once, when the bus is bound; a
 * user that does not exist simply has no row. */
#include "discoveryd/publisher_roles.h"

#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

struct row {
	uid_t uid;
	unsigned roles;
};

struct publisher_roles {
	struct row *rows;
	size_t count;
};

static void allow(struct publisher_roles *roles, uid_t uid, unsigned role)
{
	for (size_t i = 0; i < roles->count; i++) {
		if (roles->rows[i].uid == uid) {
			roles->rows[i].roles |= role;
			return;
		}
	}
	roles->rows = xreallocarray(roles->rows, roles->count + 1, sizeof *roles->rows);
	roles->rows[roles->count++] = (struct row){uid, role};
}

struct publisher_roles *publisher_roles_new(uid_t own)
{
	struct publisher_roles *roles = xcalloc(1, sizeof *roles);
	allow(roles, own, BUS_ROLE_PROXY | BUS_ROLE_TAP);
	return roles;
}

void publisher_roles_free(struct publisher_roles **roles)
{
	if (*roles == NULL)
		return;
	free((*roles)->rows);
	xfree(roles);
}

static bool find_uid(const char *user, uid_t *uid)
{
	if (user[0] != '\0' && strspn(user, "0123456789") == strlen(user)) {
		errno = 0;
		unsigned long number = strtoul(user, NULL, 10);
		/* The highest uid means "none" to the kernel. */
		*uid = (uid_t)number;
		return errno == 0 && number < UINT32_MAX;
	}
	const struct passwd *entry = getpwnam(user);
	if (entry != NULL)
		*uid = entry->pw_uid;
	return entry != NULL;
}

bool publisher_roles_add(struct publisher_roles *roles, const char *user, unsigned role)
{
	uid_t uid;
	if (!find_uid(user, &uid))
		return false;
	allow(roles, uid, role);
	return true;
}

unsigned publisher_roles_of(const struct publisher_roles *roles, uid_t uid)
{
	for (size_t i = 0; i < roles->count; i++) {
		if (roles->rows[i].uid == uid)
			return roles->rows[i].roles;
	}
	return 0;
}

unsigned publisher_role_parse(const char *name)
{
	if (strcmp(name, "proxy") == 0)
		return BUS_ROLE_PROXY;
	return strcmp(name, "tap") == 0 ? BUS_ROLE_TAP : 0;
}
