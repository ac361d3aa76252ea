/* What the environment and the profile in use say about where AWS's services are:
 * AWS_ENDPOINT_URL*, endpoint_url, services, FIPS, dual stack, and the CA bundle for AWS. Read
 * once, at start. Tokens for clusters have nothing to do with it (aws_sts_token_host()). */
#ifndef EKSGATE_AWS_ENDPOINT_CONFIG_H
#define EKSGATE_AWS_ENDPOINT_CONFIG_H

#include "common/attr.h"

struct aws_endpoint_config;

/* Never fails: what is wrong is the answer to aws_endpoint_config_url(). */
struct aws_endpoint_config *aws_endpoint_config_load(void) MUST_USE;
void aws_endpoint_config_free(struct aws_endpoint_config **config);

/* The base URL of `service` ("eks", "sts", "portal.sso") in `region` without a slash at its end
 * (free()). NULL: *error says what in the configuration stands against it (free()). */
char *aws_endpoint_config_url(const struct aws_endpoint_config *config, const char *service,
    const char *region, char **error) MUST_USE;
/* NULL: the system's certificates. Borrowed. */
const char *aws_endpoint_config_ca_file(const struct aws_endpoint_config *config);
/* AWS_REGION, AWS_DEFAULT_REGION, or the profile's region: the first that is one. NULL: there is
 * none. Borrowed. */
const char *aws_endpoint_config_region(const struct aws_endpoint_config *config);

#endif
