/* Expressions and templates of roles: whatever parses evaluates, to yes or no or to texts, for
 * users with and without traits; what does not parse says why. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/expression.h"
#include "kubeproxyd/policy/subject.h"
#include "kubeproxyd/policy/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static void on_text(void *arg, const char *text, bool is_pattern)
{
	(void)arg;
	require(text[0] != '\0' && (!is_pattern || text[0] == '^'));
}

static void evaluate(const char *text, const struct subject *subject, const struct labels *labels)
{
	char *error = NULL;
	struct expression *expression = expression_parse(text, EXPRESSION_OF_LABELS, &error);
	require((expression == NULL) == (error != NULL));
	if (expression != NULL) {
		bool holds = expression_holds(expression, subject, labels);
		require(holds == expression_holds(expression, subject, labels));
	}
	expression_free(&expression);
	xfree(&error);
	struct template *template = template_is_one(text) ? template_parse(text, &error) : NULL;
	if (template != NULL)
		template_expand(template, subject, on_text, NULL);
	template_free(&template);
	free(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char user[] = "joe@example.com", group[] = "ops";
	char *groups[] = {group}, *text = xstrndup((const char *)data, size);
	struct identity identity = {
	    .user = user, .groups = groups, .group_count = 1, .references = 1};
	struct labels labels = {0};
	struct subject subject;
	labels_set(&labels, "env", "prod");
	require(traits_add(&identity.traits, "team", "web"));
	require(traits_add(&identity.traits, "email", user));
	subject_init(&subject, &identity);
	evaluate(text, &subject, &labels);
	subject_free(&subject);
	traits_free(&identity.traits);
	labels_free(&labels);
	free(text);
	return 0;
}
