/* Builds kubeconfigs. Certificates and key are embedded, so that one file is all that a user gets.
 * Called by the `kubeconfig` verb. */
#include "kubeproxyd/exchange/kubeconfig.h"

#include <json-c/json.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/aws_endpoint.h"
#include "common/buf.h"
#include "common/render.h"
#include "common/settings_login.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/alias.h"

static void add_text(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

static void add_base64(struct json_object *object, const char *key, const char *text)
{
	size_t len = strlen(text);
	size_t size = (len + 2) / 3 * 4 + 1;
	char *encoded = xcalloc(1, size);
	EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)text, (int)len);
	add_text(object, key, encoded);
	explicit_bzero(encoded, size);
	free(encoded);
}

/* {"name": name, KIND: value} */
static struct json_object *named(const char *name, const char *kind, struct json_object *value)
{
	struct json_object *entry = json_object_new_object();
	add_text(entry, "name", name);
	json_object_object_add(entry, kind, value);
	return entry;
}

static char *cluster_server(const struct kubeconfig_input *input, const char *name)
{
	if (input->sni_suffix == NULL)
		return xasprintf("%s/clusters/%s", input->server, name);
	char alias[ALIAS_MAX + 1];
	alias_make(name, alias);
	return xasprintf("https://%s.%s%s", alias,
	    input->sni_suffix + strspn(input->sni_suffix, "*."), strrchr(input->server, ':'));
}

static struct json_object *cluster_entry(const struct kubeconfig_input *input, const char *name)
{
	struct json_object *cluster = json_object_new_object();
	char *server = cluster_server(input, name);
	add_text(cluster, "server", server);
	add_base64(cluster, "certificate-authority-data", input->ca);
	free(server);
	return named(name, "cluster", cluster);
}

static struct json_object *context_entry(const struct kubeconfig_input *input, const char *name)
{
	struct json_object *context = json_object_new_object();
	add_text(context, "cluster", name);
	add_text(context, "user", input->user);
	return named(name, "context", context);
}

/* --- ways to log in -------------------------------------------------------------------------- */

/* A credential plugin; arguments are added by add_argument(). */
static struct json_object *new_plugin(
    const char *command, const char *interactive, const char *hint, struct json_object **arguments)
{
	struct json_object *exec = json_object_new_object();
	*arguments = json_object_new_array();
	add_text(exec, "apiVersion", "client.authentication.k8s.io/v1");
	add_text(exec, "command", command);
	json_object_object_add(exec, "args", *arguments);
	add_text(exec, "interactiveMode", interactive);
	add_text(exec, "installHint", hint);
	return exec;
}

static void add_argument(struct json_object *arguments, const char *name, const char *value)
{
	char *argument = xasprintf("%s%s", name, value);
	json_object_array_add(arguments, json_object_new_string(argument));
	free(argument);
}

static struct json_object *oidc_plugin(const struct oidc_login *login)
{
	struct json_object *arguments;
	struct json_object *exec = new_plugin("kubectl", "IfAvailable",
	    "kubectl needs the plugin oidc-login: kubectl krew install oidc-login", &arguments);
	add_argument(arguments, "oidc-login", "");
	add_argument(arguments, "get-token", "");
	add_argument(arguments, "--oidc-issuer-url=", login->issuer);
	add_argument(arguments, "--oidc-client-id=", login->audiences[0]);
	for (size_t i = 0; i < login->scope_count; i++)
		add_argument(arguments, "--oidc-extra-scope=", login->scopes[i]);
	return exec;
}

static struct json_object *aws_plugin(const struct iam_login *login)
{
	struct json_object *arguments;
	const struct aws_partition *partition = aws_partition_by_id(login->partition);
	struct json_object *exec =
	    new_plugin("aws", "IfAvailable", "the AWS command line is needed: aws", &arguments);
	add_argument(arguments, "eks", "");
	add_argument(arguments, "get-token", "");
	add_argument(arguments, "--cluster-name", "");
	add_argument(arguments, login->id, "");
	add_argument(arguments, "--region", "");
	add_argument(arguments, partition != NULL ? partition->global_region : "us-east-1", "");
	add_argument(arguments, "--output", "");
	add_argument(arguments, "json", "");
	return exec;
}

/* The names that `kubeproxyd cert` gives to the files of a user, beside the kubeconfig. */
static void add_own_files(struct json_object *user, const char *name)
{
	char *stem = kubeconfig_file_stem(name);
	char *certificate = xasprintf("%s.pem", stem), *key = xasprintf("%s-key.pem", stem);
	add_text(user, "client-certificate", certificate);
	add_text(user, "client-key", key);
	free(certificate);
	free(key);
	free(stem);
}

static struct json_object *user_entry(const struct kubeconfig_input *input)
{
	struct json_object *user = json_object_new_object();
	if (input->certificate != NULL && input->key != NULL) {
		add_base64(user, "client-certificate-data", input->certificate);
		add_base64(user, "client-key-data", input->key);
	} else if (input->has_own_files) {
		add_own_files(user, input->user);
	} else if (input->oidc != NULL) {
		json_object_object_add(user, "exec", oidc_plugin(input->oidc));
	} else if (input->iam != NULL) {
		json_object_object_add(user, "exec", aws_plugin(input->iam));
	}
	return named(input->user, "user", user);
}

char *kubeconfig_text(const struct kubeconfig_input *input)
{
	struct json_object *config = json_object_new_object();
	struct json_object *clusters = json_object_new_array(), *contexts = json_object_new_array();
	struct json_object *users = json_object_new_array();
	for (size_t i = 0; i < input->cluster_count; i++) {
		json_object_array_add(clusters, cluster_entry(input, input->clusters[i]));
		json_object_array_add(contexts, context_entry(input, input->clusters[i]));
	}
	json_object_array_add(users, user_entry(input));
	add_text(config, "apiVersion", "v1");
	add_text(config, "kind", "Config");
	json_object_object_add(config, "clusters", clusters);
	json_object_object_add(config, "contexts", contexts);
	json_object_object_add(config, "users", users);
	add_text(config, "current-context", input->cluster_count > 0 ? input->clusters[0] : "");
	struct buf out = {0};
	render_document(&out, config, RENDER_YAML);
	char *text = xstrdup(buf_text(&out));
	buf_free_secret(&out);
	json_object_put(config);
	return text;
}

char *kubeconfig_file_stem(const char *user)
{
	char *stem = xstrdup(user);
	for (char *p = stem; *p != '\0'; p++) {
		bool is_plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
				(*p >= '0' && *p <= '9');
		if (!is_plain &&
		    (strchr("@-_.+", *p) == NULL || (p == stem && (*p == '.' || *p == '-'))))
			*p = '_';
	}
	return stem;
}

char *kubeconfig_server(const char *address, unsigned port)
{
	static const char scheme[] = "https://";
	const char *host = address;
	if (strncasecmp(address, scheme, strlen(scheme)) == 0)
		host += strlen(scheme);
	else if (strstr(address, "://") != NULL)
		return NULL;
	size_t len = strlen(host);
	while (len > 0 && host[len - 1] == '/')
		len--;
	size_t name_len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	if (name_len == 0 || name_len > len || strpbrk(host, " \t@?#") != NULL)
		return NULL;
	if (name_len == len)
		return xasprintf("%s%.*s:%u", scheme, (int)len, host, port);
	size_t digits = strspn(host + name_len + 1, "0123456789");
	if (host[name_len] != ':' || digits == 0 || name_len + 1 + digits != len)
		return NULL;
	return xasprintf("%s%.*s", scheme, (int)len, host);
}
