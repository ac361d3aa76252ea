/* Loads the files that the settings name: server certificate, client CA, roles,
 * audit policy. `run`, a reload and
 * `check` judge them by this one function. */
#include "kubeproxyd/proxy_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/locks.h"
#include "kubeproxyd/net/tls.h"
#include "kubeproxyd/pki.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/record/audit_policy.h"

/* Takes `finding`. */
static void add_finding(struct buf *findings, char *finding)
{
	if (findings->len > 0)
		buf_append_char(findings, '\n');
	buf_append_text(findings, finding);
	free(finding);
}

static bool is_missing(struct buf *findings, const char *what, const char *path)
{
	if (access(path, F_OK) == 0 || errno != ENOENT)
		return false;
	add_finding(
	    findings, xasprintf("%s: there is no %s: run `kubeproxyd init` first", path, what));
	return true;
}

static void load_tls(
    const struct settings *settings, struct proxy_files *files, struct buf *findings)
{
	static const char *const protocols[] = {"h2", "http/1.1", NULL};
	bool lacks_any = is_missing(findings, "server certificate", settings->proxy.certificate);
	lacks_any |= is_missing(findings, "server key", settings->proxy.key);
	lacks_any |= is_missing(findings, "client CA", settings->proxy.client_ca);
	if (lacks_any)
		return;
	char *error = NULL;
	files->tls = tls_server_new(settings->proxy.certificate, settings->proxy.key,
	    settings->proxy.client_ca, protocols, &error);
	if (files->tls == NULL || !tls_server_use_crls(files->tls, settings->proxy.client_crls,
				      settings->proxy.client_crl_count, &error))
		add_finding(findings, error);
}

static bool has_ending(const char *name, const char *ending)
{
	size_t len = strlen(name), ending_len = strlen(ending);
	return len > ending_len && strcmp(name + len - ending_len, ending) == 0;
}

static int is_certificate(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && has_ending(entry->d_name, ".pem") &&
	       !has_ending(entry->d_name, "-key.pem");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_named_certificates(
    const char *directory, struct tls_server *tls, struct buf *findings)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, is_certificate, by_name);
	if (count < 0) {
		add_finding(findings,
		    xasprintf("%s: %s (eksgate.proxy.tls.directory)", directory, strerror(errno)));
		return;
	}
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		char *certificate = xasprintf("%s/%s", directory, name), *error = NULL;
		char *key = xasprintf(
		    "%s/%.*s-key.pem", directory, (int)(strlen(name) - strlen(".pem")), name);
		if (!tls_server_add(tls, certificate, key, &error))
			add_finding(findings, error);
		free(certificate);
		free(key);
		free(entries[i]);
	}
	free(entries);
}

static void load_audit_policy(
    const struct settings *settings, struct proxy_files *files, struct buf *findings)
{
	const char *file = settings->proxy.audit.policy;
	char *error = NULL;
	files->audit_policy =
	    file != NULL ? audit_policy_load(file, &error) : audit_policy_default();
	if (error != NULL)
		add_finding(findings, error);
}

/* Broken at the start, it would lock nobody. */
static void check_locks(const struct settings *settings, struct buf *findings)
{
	char *error = NULL;
	struct locks *locks = locks_load(settings->proxy.locks_file, &error);
	if (locks == NULL)
		add_finding(findings, error);
	locks_free(&locks);
}

/* What users check the server's certificate against. */
static void load_authority(
    const struct settings *settings, struct proxy_files *files, struct buf *findings)
{
	char *error = NULL;
	X509 *certificate = pki_read_last_certificate(settings->proxy.certificate, &error);
	if (certificate != NULL)
		files->authority = pki_certificate_text(certificate);
	else
		add_finding(findings, error);
	X509_free(certificate);
}

bool proxy_files_load(const struct settings *settings, struct proxy_files *files, char **error)
{
	struct buf findings = {0};
	*files = (struct proxy_files){0};
	load_tls(settings, files, &findings);
	if (files->tls != NULL && settings->proxy.more_certificates != NULL)
		load_named_certificates(settings->proxy.more_certificates, files->tls, &findings);
	if (files->tls != NULL)
		load_authority(settings, files, &findings);
	check_locks(settings, &findings);
	char *policy_error = NULL;
	files->policy =
	    policy_load(settings->proxy.roles_dir, settings->access.group, &policy_error);
	if (files->policy == NULL)
		add_finding(&findings, policy_error);
	load_audit_policy(settings, files, &findings);
	if (findings.len == 0)
		return true;
	proxy_files_free(files);
	*error = buf_take(&findings);
	return false;
}

void proxy_files_free(struct proxy_files *files)
{
	tls_server_free(&files->tls);
	xfree(&files->authority);
	policy_unref(&files->policy);
	audit_policy_free(&files->audit_policy);
}
