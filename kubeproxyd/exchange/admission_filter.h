/* Requests whose answer holds more than the user may see, and will pass a filter: what must be so
 * for that, and what is asked of the API server. A part of admission. */
#ifndef EKSGATE_ADMISSION_FILTER_H
#define EKSGATE_ADMISSION_FILTER_H

#include <stdbool.h>

#include "common/attr.h"
#include "kubeproxyd/exchange/admission.h"

/* The decision is restricted. False: no answer to this could be filtered; status and message say
 * so. */
bool admission_filter(struct admission *admission, const struct http_head *request) MUST_USE;

#endif
