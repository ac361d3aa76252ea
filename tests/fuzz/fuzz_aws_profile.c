/* AWS's shared files: the input is read as a config and as a credentials file, and every profile in
 * it is resolved. What resolves must be usable as it is. */
#include <stdint.h>
#include <stdlib.h>

#include "common/aws_profile.h"
#include "common/xmem.h"

#define MAX_PROFILES 16 /* tried per input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_plan(const struct aws_plan *plan)
{
	char *error = NULL;
	if (plan->role_count > AWS_PROFILE_MAX_DEPTH || plan->text == NULL)
		abort();
	if ((plan->credentials != NULL) != (plan->base == AWS_BASE_KEYS) ||
	    (plan->token_file != NULL) != (plan->base == AWS_BASE_WEB_IDENTITY) ||
	    (plan->command != NULL) != (plan->base == AWS_BASE_PROCESS) ||
	    (plan->sso.region != NULL) != (plan->base == AWS_BASE_SSO))
		abort();
	if (plan->credentials == NULL)
		return;
	if (plan->credentials->access_key_id[0] == '\0' ||
	    !aws_credentials_are_sound(plan->credentials, &error))
		abort();
}

static void resolve_all(
    const struct aws_ini *config, const struct aws_ini *credentials, const struct aws_ini *names)
{
	for (size_t i = 0; i < names->count && i < MAX_PROFILES; i++) {
		struct aws_plan plan;
		char *error = NULL;
		enum aws_profile_result result = aws_profile_resolve(
		    config, credentials, names->profiles[i].name, &plan, &error);
		if ((result == AWS_PROFILE_ERROR) != (error != NULL))
			abort();
		if (result == AWS_PROFILE_OK)
			check_plan(&plan);
		aws_plan_free(&plan);
		xfree(&error);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* Exactly as long as the input, so that reading behind its end is seen. */
	char *text = xmemdup(data, len);
	struct aws_ini *config = aws_ini_parse("config", AWS_INI_CONFIG, text, len);
	struct aws_ini *credentials = aws_ini_parse("credentials", AWS_INI_CREDENTIALS, text, len);
	resolve_all(config, credentials, config);
	resolve_all(config, credentials, credentials);
	resolve_all(config, NULL, config);
	aws_ini_free(&config);
	aws_ini_free(&credentials);
	xfree(&text);
	return 0;
}
