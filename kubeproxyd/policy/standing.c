/* What roles say of clusters, kept for the few sets of labels that a connection asks about: most
 * are for one cluster. A set that is asked for beyond those takes the place of the oldest. Roles
 * and subject never change while the grants live, so nothing here can be out of date. */
#include "kubeproxyd/policy/standing.h"

#include <stdlib.h>

#include "common/xmem.h"
#include "kubeproxyd/policy/policy_set.h"

struct known {
	struct labels labels;
	struct standing *roles;
};

struct standings {
	struct known items[STANDINGS_MAX];
	size_t count;
	size_t next; /* to be replaced */
	size_t last; /* that was asked for */
};

static void judge(const struct grants *grants, struct known *known)
{
	for (size_t i = 0; i < grants->role_count; i++) {
		const struct role *role = grants->roles[i];
		known->roles[i] = (struct standing){
		    .allows = role_allows(role, &grants->subject, &known->labels),
		    .denies = role_denies(role, &grants->subject, &known->labels),
		};
	}
}

static size_t add(const struct grants *grants, const struct labels *labels)
{
	struct standings *standings = grants->standings;
	size_t place = standings->next;
	struct known *known = &standings->items[place];
	if (known->roles == NULL)
		known->roles = xcalloc(grants->role_count + 1, sizeof *known->roles);
	labels_copy(&known->labels, labels);
	judge(grants, known);
	standings->next = (place + 1) % STANDINGS_MAX;
	if (standings->count < STANDINGS_MAX)
		standings->count++;
	return place;
}

const struct standing *standings_find(
    const struct grants *grants, const struct labels *cluster_labels)
{
	struct standings *standings = grants->standings;
	const struct known *last = &standings->items[standings->last];
	if (last->roles != NULL && last->labels.version != 0 &&
	    last->labels.version == cluster_labels->version)
		return last->roles;
	for (size_t place = 0; place < standings->count; place++) {
		struct known *known = &standings->items[place];
		if (!labels_equal(&known->labels, cluster_labels))
			continue;
		/* The same anew, as of a cluster of which something else changed: from now on they
		 * are known at sight. */
		if (known->labels.version != cluster_labels->version)
			labels_copy(&known->labels, cluster_labels);
		standings->last = place;
		return standings->items[place].roles;
	}
	standings->last = add(grants, cluster_labels);
	return standings->items[standings->last].roles;
}

struct standings *standings_new(void)
{
	return xcalloc(1, sizeof(struct standings));
}

void standings_free(struct standings **standings)
{
	struct standings *old = *standings;
	*standings = NULL;
	if (old == NULL)
		return;
	for (size_t i = 0; i < old->count; i++) {
		labels_free(&old->items[i].labels);
		free(old->items[i].roles);
	}
	free(old);
}
