/* The answer to a SelfSubjectRulesReview: held until it is complete, cut down to what the policy
 * lets pass, and sent in the encoding that the client asked for. The API server was asked for JSON.
 * Called by exchange_answer.c. */
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/exchange/exchange_private.h"
#include "kubeproxyd/policy/access_review.h"
#include "kubeproxyd/policy/rules_review.h"

/* Real ones are a tenth of this; a document costs many times its text. */
#define RULES_MAX_BYTES ((size_t)1024 * 1024)

bool exchange_rules_begin(struct exchange *exchange, const struct http_head *head)
{
	exchange->holds_rules = exchange->admission.rules_namespace != NULL &&
				head->status >= 200 && head->status < 300;
	buf_clear(&exchange->rules);
	return exchange->holds_rules;
}

void exchange_rules_add(struct exchange *exchange, const uint8_t *data, size_t len)
{
	if (exchange->rules.len + len > RULES_MAX_BYTES)
		exchange_answer(exchange, 502, "the answer of the API server is too long");
	else
		buf_append(&exchange->rules, data, len);
}

void exchange_rules_end(struct exchange *exchange)
{
	struct admission *admission = &exchange->admission;
	const struct kube_cluster *resource = admission->cluster->resource;
	struct rules_question question = {
	    .grants = admission->grants->grants,
	    .cluster = resource->name,
	    .labels = &resource->labels,
	    .namespace = admission->rules_namespace,
	    .sent = &admission->decision,
	};
	enum body_format wanted =
	    body_format_wanted(fields_get(&exchange->request->fields, "Accept"));
	if (!rules_review_cut(&question, buf_text(&exchange->rules), exchange->rules.len, wanted,
		&admission->document)) {
		exchange_answer(exchange, 502, "the answer of the API server cannot be read");
		return;
	}
	admission->document_type = body_format_type(wanted);
	admission->status = 201;
	admission->message = xstrdup("done");
	exchange_drop_upstream(exchange);
	exchange_answer_refused(exchange);
}
