/* The copy of an identity that grants hold. */
#include "kubeproxyd/policy/subject.h"

#include <stdlib.h>

#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"

void subject_init(struct subject *subject, const struct identity *identity)
{
	*subject = (struct subject){.user = xstrdup(identity->user)};
	for (size_t i = 0; i < identity->group_count; i++)
		texts_add(&subject->groups, identity->groups[i]);
	traits_copy(&subject->traits, &identity->traits);
}

void subject_free(struct subject *subject)
{
	free(subject->user);
	texts_free(&subject->groups);
	traits_free(&subject->traits);
	*subject = (struct subject){0};
}
