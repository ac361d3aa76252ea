/* What a filter must know of one Kubernetes object in JSON: its name, its namespace, and whether it
 * is a Status or a Table. Pure. */
#ifndef EKSGATE_JSON_FACTS_H
#define EKSGATE_JSON_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "kubeproxyd/filter/filter.h"
#include "kubeproxyd/filter/json_cursor.h"

/* What may become of an object. */
enum json_verdict { JSON_PASSES, JSON_IS_DROPPED, JSON_IS_UNREADABLE };

/* Who is asked. */
struct json_judge {
	const struct filter_events *events;
	void *arg;
};

/* Each reads one value where the cursor stands and judges it: an item of a list; a row of a Table,
 * by the object in it; an event of a watch, by its object or by each row of the Table in it.
 * Bookmarks name nothing, and pass. Where the cursor is afterwards means something only when the
 * value was readable. */
enum json_verdict json_judge_item(
    const struct json_judge *judge, struct json_cursor *cursor) MUST_USE;
enum json_verdict json_judge_row(
    const struct json_judge *judge, struct json_cursor *cursor) MUST_USE;
enum json_verdict json_judge_event(
    const struct json_judge *judge, struct json_cursor *cursor) MUST_USE;
/* All of an answer that is no list: a Status passes. */
enum json_verdict json_judge_single(
    const struct json_judge *judge, struct json_cursor *cursor) MUST_USE;

/* One pair of a list's metadata that is cut out, with a comma beside it. */
struct json_cut {
	size_t from, to; /* equal: nothing */
};

/* Reads the metadata of a list. remainingItemCount is to be cut: it counts what its reader may not
 * see. *is_page: there are more pages, see FILTER_IS_PAGE. False: unreadable. */
bool json_judge_metadata(
    const uint8_t *text, size_t len, struct json_cut *cut, bool *is_page) MUST_USE;

#endif
