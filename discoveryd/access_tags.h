/* The tags by which access entries tell whose they are. All discoveryds of an AWS account read
 * them, so that none undoes what another needs. Pure. */
#ifndef EKSGATE_ACCESS_TAGS_H
#define EKSGATE_ACCESS_TAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/labels.h"
#include "common/mono.h"

#define ACCESS_TAG_MANAGED "eksgate/managed-by" /* "eksgate": made by some discoveryd … */
#define ACCESS_TAG_CREATOR "eksgate/created-by" /* … by this one */
#define ACCESS_TAG_USER	   "eksgate/used-by-" /* + a discoveryd: "in-use" or "released" */
#define ACCESS_TAG_PURPOSE "eksgate/purpose" /* "bootstrap": cluster-admin for a minute */
#define ACCESS_TAG_EXPIRES "eksgate/expires" /* of a bootstrap, RFC 3339 */

/* A temporary entry of another discoveryd is left alone until it has been over for so long. */
#define ACCESS_ORPHAN_GRACE_MS (15 * 60 * INT64_C(1000))

/* What the tags of an entry say to the discoveryd `owner`. */
struct access_marks {
	bool is_managed; /* some discoveryd made it */
	bool is_mine; /* this one did */
	bool is_used; /* this one has said that it needs it */
	bool is_shared; /* another one has, and has not released it */
	size_t others; /* other discoveryds that need it, or did */
	bool is_temporary; /* a bootstrap's */
	bool is_over; /* and its time was over long ago */
};

struct access_marks access_tags_read(
    const struct labels *tags, const char *owner, struct unix_time now) MUST_USE;
/* For a new lasting entry (labels_free()). */
struct labels access_tags_lasting(const char *owner) MUST_USE;
struct labels access_tags_temporary(const char *owner, struct unix_time expires) MUST_USE;
/* "I need it", or "not any more". */
struct labels access_tags_use(const char *owner, bool is_needed) MUST_USE;

#endif
