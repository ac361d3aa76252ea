/* What discovery tells the log. */
#ifndef EKSGATE_DISCOVERY_LOG_H
#define EKSGATE_DISCOVERY_LOG_H

#include <stdbool.h>

struct account;
struct scope;
struct sweep_result;

/* A pass ended. `is_news`: it ended otherwise than the one before. */
void discovery_log_outcome(
    const struct scope *scope, const struct sweep_result *result, bool is_news);
/* The tagging API is not used any more, or again. */
void discovery_log_tagging(const struct scope *scope);
/* What "*" means now, or why that is not known. */
struct organization;
void discovery_log_organization(const struct organization *organization);
void discovery_log_regions(const struct account *account);

#endif
