/* What status.access of clusters is to become: collected in a turn, committed together. */
#ifndef EKSGATE_ACCESS_TEXTS_H
#define EKSGATE_ACCESS_TEXTS_H

#include <stddef.h>

struct cluster_set;
struct registry_changes;

/* {0} is empty. */
struct access_texts {
	struct access_text *items;
	size_t count;
};

void access_texts_add(struct access_texts *texts, const char *arn, const char *text);
/* Turns them into changes of the clusters that are still there, and is empty then. */
void access_texts_move(
    struct access_texts *texts, const struct cluster_set *set, struct registry_changes *changes);
void access_texts_free(struct access_texts *texts);

#endif
