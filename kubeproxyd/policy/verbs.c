/* Verbs by name. Called by those who read roles and by those who ask about requests. */
#include "kubeproxyd/policy/verbs.h"

#include <stddef.h>

#include "common/text.h"

const char *const verb_names[] = {"*", "get", "list", "watch", "create", "update", "patch",
    "delete", "deletecollection", "exec", "portforward", "escalate", "bind", "approve", "sign",
    "use", NULL};

uint32_t verb_bit(const char *verb)
{
	for (size_t i = 1; verb_names[i] != NULL; i++) {
		if (text_is(verb_names[i], verb))
			return (uint32_t)1 << (i - 1);
	}
	return VERB_OTHER;
}
