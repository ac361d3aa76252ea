/* Decides about tunnels. A backend that answers anything but the 101 that was asked for never gets
 * a tunnel: what follows such an answer would run with the proxy's own credentials
 * (CVE-2018-1002105). Called by exchange.c. */
#include "kubeproxyd/exchange/upgrade.h"

#include <stddef.h>
#include <strings.h>

static const char *check_switch(const struct http_head *request, const struct http_head *answer)
{
	if (!answer->is_upgrade || fields_count_of(&answer->fields, "Upgrade") != 1)
		return "its 101 does not say which protocol it switched to";
	const char *asked = fields_get(&request->fields, "Upgrade");
	const char *got = fields_get(&answer->fields, "Upgrade");
	bool is_same = asked != NULL && strcasecmp(asked, got) == 0;
	return is_same ? NULL : "it switched to another protocol than was asked for";
}

const char *upgrade_refuse(
    const struct http_head *request, bool was_sent, const struct http_head *answer)
{
	if (answer->status == 101)
		return was_sent ? check_switch(request, answer)
				: "it switched protocols although nobody asked";
	bool is_redirect = answer->status >= 300 && answer->status < 400;
	return was_sent && is_redirect ? "it redirected an upgrade" : NULL;
}
