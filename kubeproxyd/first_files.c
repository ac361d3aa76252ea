/* Making the first files, where the configuration says they are. Each step looks first and can be
 * repeated: a key without its certificate gets one, a certificate without its key is somebody's
 * mistake to be told, nothing is overwritten. */
#include "kubeproxyd/first_files.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/lock_file.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/new_file.h"
#include "kubeproxyd/pki.h"

#define YEAR_SECONDS	INT64_C(31536000)
#define VALID_YEARS	10
#define PROXY_GROUP	"eksgate-proxy"
#define SAMPLE_NAME	"example.yaml"
#define NAMES_MAX	8
#define HOST_NAME_BYTES 254

static const char sample_text[] = "# Who may do what: roles, and bindings that give them to "
				  "people; see kubeproxyd(8). `kubeproxyd check` reads this\n"
				  "# directory, SIGHUP loads it. Nothing bound means denied: this "
				  "role does nothing until somebody is bound to it.\n"
				  "kind: role\n"
				  "version: v8\n"
				  "metadata:\n"
				  "  name: example-developer\n"
				  "spec:\n"
				  "  allow:\n"
				  "    kubernetes_labels: {env: [dev]}\n"
				  "    kubernetes_groups: [developers]\n"
				  "#---\n"
				  "#kind: role_binding\n"
				  "#version: v1\n"
				  "#metadata:\n"
				  "#  name: example-developers\n"
				  "#spec:\n"
				  "#  roles: [example-developer]\n"
				  "#  groups: [engineering]    # O of their certificates: "
				  "kubeproxyd cert USER --group engineering\n";

/* A key and its certificate. */
struct pair {
	enum pki_kind kind;
	const char *what; /* "server certificate" */
	const char *certificate;
	const char *key;
	const struct pki_subject *subject;
	bool is_key_shared; /* the proxy's user reads the key */
	bool may_lack_key; /* a certificate alone is fine: its key is elsewhere */
};

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* --- keys and certificates ------------------------------------------------------------------- */

/* As root, and where the proxy has a user of its own: readable for that user. Else for the one who
 * made it. */
static bool share_with_proxy(const char *path, mode_t mode, char **error)
{
	const struct group *group = geteuid() == 0 ? getgrnam(PROXY_GROUP) : NULL;
	if (group == NULL)
		return true;
	if (chown(path, 0, group->gr_gid) == 0 && chmod(path, mode) == 0)
		return true;
	*error = xasprintf("%s: %s", path, strerror(errno));
	return false;
}

static bool make_directory_of(const char *path, char **error)
{
	char *directory = new_file_directory(path);
	bool was_there = exists(directory);
	bool is_made = new_file_make_directory(directory, 0750, error) &&
		       (was_there || share_with_proxy(directory, 0750, error));
	free(directory);
	return is_made;
}

static EVP_PKEY *make_key(const struct pair *pair, struct buf *report, char **error)
{
	EVP_PKEY *key = pki_key_new();
	char *text = pki_key_text(key);
	bool is_made = make_directory_of(pair->key, error) &&
		       new_file_write(pair->key, text, 0600, error) &&
		       (!pair->is_key_shared || share_with_proxy(pair->key, 0640, error));
	xfree_secret(&text);
	if (is_made) {
		buf_printf(report, "made  %s: key of the %s\n", pair->key, pair->what);
		return key;
	}
	EVP_PKEY_free(key);
	return NULL;
}

static bool make_certificate(
    const struct pair *pair, EVP_PKEY *key, struct buf *report, char **error)
{
	struct unix_time now = unix_now();
	struct pki_validity validity = {unix_add(now, duration_seconds(-300)),
	    unix_add(now, duration_seconds(VALID_YEARS * YEAR_SECONDS))};
	X509 *certificate =
	    pki_certificate_new(pair->kind, pair->subject, &validity, key, NULL, error);
	if (certificate == NULL)
		return false;
	char *text = pki_certificate_text(certificate);
	bool is_made = make_directory_of(pair->certificate, error) &&
		       new_file_write(pair->certificate, text, 0644, error);
	free(text);
	X509_free(certificate);
	if (is_made)
		buf_printf(report, "made  %s: %s, valid for %d years\n", pair->certificate,
		    pair->what, VALID_YEARS);
	return is_made;
}

static bool make_pair(const struct pair *pair, struct buf *report, char **error)
{
	bool has_key = exists(pair->key);
	if (exists(pair->certificate) && (has_key || pair->may_lack_key)) {
		buf_printf(report, "kept  %s: %s%s\n", pair->certificate, pair->what,
		    has_key ? "" : " of another place (no key here: `cert` cannot sign with it)");
		return true;
	}
	if (exists(pair->certificate)) {
		*error = xasprintf("%s is there and its key %s is not: put the key back, or take "
				   "the certificate away",
		    pair->certificate, pair->key);
		return false;
	}
	EVP_PKEY *key = has_key ? pki_read_key(pair->key, error) : make_key(pair, report, error);
	bool is_made = key != NULL && make_certificate(pair, key, report, error);
	EVP_PKEY_free(key);
	return is_made;
}

/* --- names of the server --------------------------------------------------------------------- */

struct names {
	char *items[NAMES_MAX];
	size_t count;
};

/* Takes `name` over; "" and what is known already are dropped. */
static void add_name(struct names *names, char *name)
{
	bool is_known = name[0] == '\0';
	for (size_t i = 0; i < names->count; i++)
		is_known = is_known || strcasecmp(names->items[i], name) == 0;
	if (is_known || names->count == NAMES_MAX)
		free(name);
	else
		names->items[names->count++] = name;
}

/* "https://host:port", "host:port", "[::1]:port" or "host" without scheme, port and brackets
 * (free()). */
static char *host_of(const char *address)
{
	const char *scheme = strstr(address, "://");
	const char *host = scheme != NULL ? scheme + 3 : address;
	if (host[0] == '[')
		return xstrndup(host + 1, strcspn(host + 1, "]"));
	return xstrndup(host, strcspn(host, ":/"));
}

/* An address that means every address is no name. */
static bool is_wildcard_address(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static void collect_names(const struct settings *settings, struct names *names)
{
	char host[HOST_NAME_BYTES] = "";
	if (settings->kubernetes.public_addr != NULL)
		add_name(names, host_of(settings->kubernetes.public_addr));
	if (gethostname(host, sizeof host - 1) == 0)
		add_name(names, xstrdup(host));
	add_name(names, xstrdup("localhost"));
	add_name(names, xstrdup("127.0.0.1"));
	add_name(names, xstrdup("::1"));
	char *listening = host_of(
	    settings->kubernetes.listen_addr != NULL ? settings->kubernetes.listen_addr : "");
	if (is_wildcard_address(listening))
		free(listening);
	else
		add_name(names, listening);
	if (settings->proxy.sni_suffix != NULL)
		add_name(names, xasprintf("*.%s", settings->proxy.sni_suffix +
						      strspn(settings->proxy.sni_suffix, "*.")));
}

static bool make_server(const struct settings *settings, struct buf *report, char **error)
{
	struct names names = {0};
	collect_names(settings, &names);
	struct pki_subject subject = {.common_name = "eksgate",
	    .names = (const char *const *)names.items,
	    .name_count = names.count};
	struct pair pair = {PKI_SERVER, "server certificate", settings->proxy.certificate,
	    settings->proxy.key, &subject, true, false};
	bool is_made = make_pair(&pair, report, error);
	for (size_t i = 0; i < names.count; i++)
		free(names.items[i]);
	return is_made;
}

static bool make_client_ca(const struct settings *settings, struct buf *report, char **error)
{
	struct pki_subject subject = {.common_name = "eksgate client CA"};
	struct pair pair = {PKI_CLIENT_CA, "client CA", settings->proxy.client_ca,
	    settings->proxy.client_ca_key, &subject, false, true};
	return make_pair(&pair, report, error);
}

/* --- roles ----------------------------------------------------------------------------------- */

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool make_roles(const struct settings *settings, struct buf *report, char **error)
{
	const char *directory = settings->proxy.roles_dir;
	struct dirent **entries = NULL;
	if (!new_file_make_directory(directory, 0755, error))
		return false;
	int count = scandir(directory, &entries, is_visible, NULL);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	if (count > 0) {
		buf_printf(report, "kept  %s: roles and bindings\n", directory);
		return true;
	}
	char *path = xasprintf("%s/" SAMPLE_NAME, directory);
	bool is_made = new_file_write(path, sample_text, 0644, error);
	if (is_made)
		buf_printf(report, "made  %s: a sample role, bound to nobody\n", path);
	free(path);
	return is_made;
}

/* --- the whole ------------------------------------------------------------------------------- */

static bool check_settings(const struct settings *settings, char **error)
{
	if (settings->proxy.certificate != NULL && settings->proxy.key != NULL &&
	    settings->proxy.client_ca != NULL && settings->proxy.client_ca_key != NULL &&
	    settings->proxy.roles_dir != NULL)
		return true;
	*error = xstrdup("eksgate.proxy must say where tls.certificate, tls.key, client_ca, "
			 "client_ca_key and roles_dir "
			 "are");
	return false;
}

bool first_files_make(const struct settings *settings, struct buf *report, char **error)
{
	*error = NULL;
	if (!check_settings(settings, error) ||
	    !make_directory_of(settings->proxy.certificate, error))
		return false;
	char *directory = new_file_directory(settings->proxy.certificate);
	char *lock_path = xasprintf("%s/.init.lock", directory);
	int lock = lock_file_take(lock_path, error);
	free(lock_path);
	free(directory);
	if (lock < 0)
		return false;
	bool is_made = make_server(settings, report, error) &&
		       make_client_ca(settings, report, error) &&
		       make_roles(settings, report, error);
	close(lock);
	return is_made;
}
