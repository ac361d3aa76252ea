/* Owned by the exchanges, who know which reader is the slowest; counted into by clients' streams,
 * by both HTTP/2 rooms, and by what gathers answers: filters and the proxy's own requests. */
#include "kubeproxyd/net/holdings.h"

void holdings_count(struct holdings *holdings, size_t *counted, size_t now)
{
	if (holdings == NULL)
		return;
	holdings->held = holdings->held - *counted + now;
	*counted = now;
}

bool holdings_are_tight(const struct holdings *holdings)
{
	return holdings != NULL && holdings->limit > 0 && holdings->held > holdings->limit / 2;
}

bool holdings_have_room(const struct holdings *holdings, size_t more)
{
	return holdings == NULL || holdings->limit == 0 ||
	       (holdings->held <= holdings->limit && more <= holdings->limit - holdings->held);
}

void holdings_make_room(struct holdings *holdings, size_t more)
{
	if (!holdings_have_room(holdings, more) && holdings->make_room != NULL)
		holdings->make_room(holdings->arg, more);
}
