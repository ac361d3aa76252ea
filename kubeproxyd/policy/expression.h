/* Expressions in roles, as Teleport's documents write them: kubernetes_labels_expression, which is
 * true or false about a cluster, and what stands between "{{" and "}}" in a template, which is a
 * list of texts. Parsed and checked once; evaluating cannot fail. Pure.
 *
 *   expression = and *( "||" and )            and = not *( "&&" not )
 *   not        = "!" not / comparison         comparison = term [ ("==" / "!=") term ]
 *   term       = text / "(" expression ")" / name [ "[" text "]" / "(" [expression *("," ...)] ")"
 * ]
 *
 * Names: user.name and user.metadata.name; external.TRAIT, internal.TRAIT,
 * user.spec.traits["TRAIT"] (lists; also with brackets); labels["KEY"] and labels.KEY (of the
 * cluster, "" when absent; only in label expressions). Functions: contains, contains_any,
 * contains_all, set, labels_matching, regexp.match, regexp.replace, email.local, strings.upper,
 * strings.lower. */
#ifndef EKSGATE_EXPRESSION_H
#define EKSGATE_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/labels.h"
#include "kubeproxyd/policy/document.h"

struct expression; /* opaque, immutable */
struct subject;

#define EXPRESSION_MAX_BYTES 4096

enum expression_use { EXPRESSION_OF_LABELS, EXPRESSION_OF_TEMPLATE };

/* NULL: *error says what and at which character (free()). */
struct expression *expression_parse(
    const char *text, enum expression_use use, char **error) MUST_USE;
/* Of a label expression. */
bool expression_holds(const struct expression *expression, const struct subject *subject,
    const struct labels *labels) MUST_USE;
/* Of a template: adds the values to `out`. */
void expression_values(
    const struct expression *expression, const struct subject *subject, struct texts *out);
void expression_free(struct expression **expression);

#endif
