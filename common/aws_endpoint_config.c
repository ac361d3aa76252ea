/* See the header. Of several places that name an endpoint the first counts: AWS_ENDPOINT_URL_<SVC>,
 * AWS_ENDPOINT_URL, the profile's section of services, its endpoint_url. Owned by aws_context,
 * asked by aws_call. */
#include "common/aws_endpoint_config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/aws_endpoint.h"
#include "common/aws_files.h"
#include "common/xmem.h"

struct aws_endpoint_config {
	struct aws_files files;
	char *profile;
	char *error; /* the configuration as a whole is not usable */
	struct aws_endpoint_variant variant;
	bool is_ignoring; /* configured endpoints */
	char *ca_file;
	char *region; /* NULL: none is configured */
};

/* --- loading --------------------------------------------------------------------------------- */

static struct aws_setting setting_of(const struct aws_endpoint_config *config, const char *key)
{
	return aws_setting_of(
	    config->files.config.ini, config->files.credentials.ini, config->profile, key);
}

/* The variable, else the key of the profile. Whatever is neither true nor false is refused: taking
 * it for false would send requests past the FIPS endpoints that somebody asked for. */
static bool read_switch(struct aws_endpoint_config *config, const char *variable, const char *key)
{
	struct aws_setting setting = setting_of(config, key);
	const char *value = aws_variable(variable);
	const char *text = value != NULL ? value : setting.value;
	if (text == NULL || strcasecmp(text, "false") == 0)
		return false;
	if (strcasecmp(text, "true") == 0)
		return true;
	if (config->error == NULL && value != NULL)
		config->error = xasprintf("%s must be true or false", variable);
	else if (config->error == NULL)
		config->error = xasprintf("%s:%u: profile %s: %s must be true or false",
		    setting.file, setting.line, config->profile, key);
	return false;
}

/* The section of services that the profile names must be there. */
static void check_services(struct aws_endpoint_config *config)
{
	struct aws_setting services = setting_of(config, "services");
	if (services.value == NULL || config->error != NULL)
		return;
	if (!aws_ini_has(config->files.config.ini, AWS_INI_SERVICES, services.value))
		config->error = xasprintf("%s:%u: profile %s: there is no section [services %s]",
		    services.file, services.line, config->profile, services.value);
}

static char *read_region(const struct aws_endpoint_config *config)
{
	const char *const regions[] = {aws_variable("AWS_REGION"),
	    aws_variable("AWS_DEFAULT_REGION"), setting_of(config, "region").value};
	for (size_t i = 0; i < sizeof regions / sizeof regions[0]; i++) {
		if (regions[i] != NULL && aws_region_is_valid(regions[i]))
			return xstrdup(regions[i]);
	}
	return NULL;
}

struct aws_endpoint_config *aws_endpoint_config_load(void)
{
	struct aws_endpoint_config *config = xcalloc(1, sizeof *config);
	char *unreadable = NULL; /* the credential chain says so, when it needs the files */
	const char *profile = aws_variable("AWS_PROFILE");
	if (profile == NULL)
		profile = aws_variable("AWS_DEFAULT_PROFILE");
	config->profile = xstrdup(profile != NULL ? profile : "default");
	if (!aws_files_load(&config->files, &unreadable))
		xfree(&unreadable);
	config->variant.is_fips = read_switch(config, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint");
	config->variant.is_dual_stack =
	    read_switch(config, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint");
	config->is_ignoring = read_switch(
	    config, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls");
	if (!config->is_ignoring)
		check_services(config);
	const char *ca_file = aws_variable("AWS_CA_BUNDLE");
	if (ca_file == NULL)
		ca_file = setting_of(config, "ca_bundle").value;
	config->ca_file = ca_file != NULL ? aws_expanded_path(ca_file) : NULL;
	config->region = read_region(config);
	return config;
}

void aws_endpoint_config_free(struct aws_endpoint_config **handle)
{
	struct aws_endpoint_config *config = *handle;
	if (config == NULL)
		return;
	aws_files_free(&config->files);
	xfree(&config->profile);
	xfree(&config->error);
	xfree(&config->ca_file);
	xfree(&config->region);
	xfree(handle);
}

/* --- asking ---------------------------------------------------------------------------------- */

/* "resource-explorer-2" is RESOURCE_EXPLORER_2 to users; some are called otherwise (free()). */
static char *id_of(const char *service)
{
	static const char *const names[][2] = {{"portal.sso", "SSO"}, {"oidc", "SSO_OIDC"},
	    {"tagging", "RESOURCE_GROUPS_TAGGING_API"}, {"config", "CONFIG_SERVICE"}};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(service, names[i][0]) == 0)
			return xstrdup(names[i][1]);
	}
	char *id = xstrdup(service);
	for (char *p = id; *p != '\0'; p++)
		*p = (char)(*p == '-' ? '_' : toupper((unsigned char)*p));
	return id;
}

/* endpoint_url below the service in the profile's section of services (free()). */
static char *url_of_services(const struct aws_endpoint_config *config, const char *id)
{
	struct aws_setting services = setting_of(config, "services");
	if (services.value == NULL)
		return NULL;
	char *key = xstrdup(id);
	for (char *p = key; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	const struct aws_ini_property *property =
	    aws_ini_get_in(config->files.config.ini, AWS_INI_SERVICES, services.value, key);
	xfree(&key);
	return property != NULL ? aws_ini_nested(property, "endpoint_url") : NULL;
}

/* NULL when nothing names an endpoint (free()). */
static char *configured_url(const struct aws_endpoint_config *config, const char *id)
{
	char *name = xasprintf("AWS_ENDPOINT_URL_%s", id);
	const char *url = aws_variable(name);
	xfree(&name);
	if (url == NULL)
		url = aws_variable("AWS_ENDPOINT_URL");
	if (url != NULL)
		return xstrdup(url);
	char *own = url_of_services(config, id);
	if (own != NULL && *own != '\0')
		return own;
	xfree(&own);
	return xstrdup_or_null(setting_of(config, "endpoint_url").value);
}

/* Takes over `url`. */
static char *checked_url(
    const struct aws_endpoint_config *config, const char *service, char *url, char **error)
{
	size_t len = strlen(url);
	while (len > 0 && url[len - 1] == '/')
		url[--len] = '\0';
	bool is_url = strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
	if (!is_url)
		*error = xasprintf("the endpoint configured for %s must begin with https:// or "
				   "http://: %.80s",
		    service, url);
	else if (config->variant.is_fips || config->variant.is_dual_stack)
		*error = xasprintf("%s endpoints are asked for, and another endpoint is configured "
				   "for %s (%.80s): only one of them can be",
		    config->variant.is_fips ? "FIPS" : "dual-stack", service, url);
	if (*error == NULL)
		return url;
	xfree(&url);
	return NULL;
}

char *aws_endpoint_config_url(
    const struct aws_endpoint_config *config, const char *service, const char *region, char **error)
{
	*error = xstrdup_or_null(config->error);
	if (*error != NULL)
		return NULL;
	char *id = id_of(service);
	char *url = config->is_ignoring ? NULL : configured_url(config, id);
	xfree(&id);
	if (url != NULL)
		return checked_url(config, service, url, error);
	char *host = aws_endpoint_host(service, region, config->variant);
	url = xasprintf("https://%s", host);
	xfree(&host);
	return url;
}

const char *aws_endpoint_config_ca_file(const struct aws_endpoint_config *config)
{
	return config->ca_file;
}

const char *aws_endpoint_config_region(const struct aws_endpoint_config *config)
{
	return config->region;
}
