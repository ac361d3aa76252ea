/* What the planner's reasons mean in a cluster, and what a person can do: texts for status, explain
 * and the resource. */
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/access_case.h"
#include "discoveryd/access_steps.h"
#include "discoveryd/account.h"

static const char *target_text(const struct access_case *one)
{
	return one->plan.target < one->wanted.count ? one->wanted.principals[one->plan.target]
						    : "the proxy's principal";
}

static const char *bootstrap_text(const struct access_case *one)
{
	return one->bootstrap_principal != NULL ? one->bootstrap_principal : "discoveryd's role";
}

/* "eks:CreateAccessEntry, eks:TagResource" */
static char *missing_text(unsigned missing)
{
	struct buf text = {0};
	for (enum eks_access_op op = 0; op < EKS_ACCESS_OPS; op++) {
		if ((missing & (1u << op)) != 0)
			buf_printf(&text, "%s%s", text.len > 0 ? ", " : "", eks_access_action(op));
	}
	return buf_take(&text);
}

static char *denied_reason(const struct access_case *one)
{
	char *missing = missing_text(one->plan.missing);
	char *text = xasprintf("%s is not permitted to %s", missing,
	    one->account != NULL && strcmp(one->account, "own") != 0 ? one->account : "discoveryd");
	free(missing);
	return text;
}

static char *error_or(const struct access_case *one, const char *text)
{
	return one->error != NULL ? xasprintf("%s: %s", text, one->error) : xstrdup(text);
}

/* Those that need nothing but words. */
static const char *plain_reason(enum access_reason reason)
{
	static const char *const texts[ACCESS_REASONS] = {
	    [REASON_NONE] = "access is being arranged",
	    [REASON_NO_PROXY] = "no proxy serves it",
	    [REASON_UNREACHABLE] = "no proxy reaches its endpoint",
	    [REASON_TURN] = "other clusters are being bootstrapped first",
	    [REASON_BUSY] = "another discoveryd is arranging access",
	    [REASON_NO_ACCOUNT] = "nothing in the configuration acts in its account now",
	    [REASON_CONFIG_MAP] = "its authentication mode is CONFIG_MAP: it has no access entries",
	    [REASON_MANUAL] = "eksgate.access.mode is manual",
	    [REASON_NOBODY] = "no principal is configured that access could be set up for",
	};
	return texts[reason];
}

char *words_reason(const struct access_case *one)
{
	const char *plain = plain_reason(one->plan.reason);
	if (plain != NULL)
		return xstrdup(plain);
	switch (one->plan.reason) {
	case REASON_READY:
		return xasprintf("access is set up as %s", access_mode_text(one->wanted.mode));
	case REASON_FOREIGN:
		return xasprintf("the proxies act as another principal than %s", target_text(one));
	case REASON_DENIED:
		return denied_reason(one);
	case REASON_HIDDEN:
		return xasprintf("%s has an access entry, and eks:DescribeAccessEntry is not "
				 "permitted",
		    target_text(one));
	case REASON_INVALID:
		return xasprintf("EKS does not know the principal %s", target_text(one));
	case REASON_TYPE:
		return xasprintf(
		    "the access entry of %s is of a type that takes no groups", target_text(one));
	case REASON_MAPPED:
		return xasprintf(
		    "aws-auth maps %s, and an access entry would replace that", target_text(one));
	case REASON_EXISTED:
		return xasprintf("the access entry of %s existed before: it is not made "
				 "cluster-admin",
		    target_text(one));
	case REASON_UNKNOWN_PRINCIPAL:
		return xasprintf("the API server does not know the proxy (401), although %s has an "
				 "access entry",
		    target_text(one));
	case REASON_WHO:
		return error_or(one, "the bootstrap principal is not known to EKS");
	case REASON_SERVES:
		return xasprintf("the RBAC objects are missing, and the only identity that could "
				 "create them, %s, is the proxy's own",
		    bootstrap_text(one));
	case REASON_BOOT_EXISTED:
		return xasprintf("the RBAC objects are missing, and %s, which would create them, "
				 "has an access entry already",
		    bootstrap_text(one));
	default:
		return error_or(one, "the proxy is still not permitted");
	}
}

static char *rbac_command(const struct access_case *one, const char *format)
{
	return xasprintf("run: kubeproxyd rbac %s%s", one->name, format);
}

static char *denied_remedy(const struct access_case *one)
{
	char *missing = missing_text(one->plan.missing);
	char *text = xasprintf("add %s to its policy, or do it by hand: kubeproxyd rbac %s "
			       "--format awscli",
	    missing, one->name);
	free(missing);
	return text;
}

/* Of those where a person gives another identity. */
static char *bootstrap_remedy(const struct access_case *one)
{
	return xasprintf("set eksgate.access.bootstrap_role_arn to a role without an access entry, "
			 "or apply the objects: kubeproxyd rbac %s | kubectl apply -f -",
	    one->name);
}

char *words_remedy(const struct access_case *one)
{
	switch (one->plan.reason) {
	case REASON_NO_PROXY:
		return xstrdup("start a kubeproxyd whose kubernetes_service.resources select it");
	case REASON_UNREACHABLE:
		return xstrdup("see what the proxies say; a private endpoint needs a network path");
	case REASON_NO_ACCOUNT:
		return xstrdup("see discoveryd status for the credentials of its account");
	case REASON_CONFIG_MAP:
		return rbac_command(one, " --format aws-auth, or change its authentication mode to "
					 "API_AND_CONFIG_MAP");
	case REASON_MANUAL:
		return rbac_command(one, " (and --format awscli for the access entry)");
	case REASON_NOBODY:
		return xstrdup("set setup_access_for_arn in discovery_service.aws[], or "
			       "assume_role_arn in kubernetes_service.resources[].aws");
	case REASON_FOREIGN:
		return xstrdup("let kubeproxyd assume that role (kubernetes_service.resources[]"
			       ".aws.assume_role_arn), or correct setup_access_for_arn");
	case REASON_DENIED:
		return denied_remedy(one);
	case REASON_HIDDEN:
		return xstrdup("permit eks:DescribeAccessEntry, so that our group can be united "
			       "with those that are there");
	case REASON_INVALID:
		return xstrdup("write the full ARN of the role, its path included");
	case REASON_TYPE:
		return xstrdup("let the proxy act as a role of its own");
	case REASON_MAPPED:
		return rbac_command(one, " --format aws-auth, or remove the mapping from aws-auth");
	case REASON_EXISTED:
		return rbac_command(one, " | kubectl apply -f -, or delete the entry so that "
					 "discoveryd makes it anew");
	case REASON_UNKNOWN_PRINCIPAL:
		return xstrdup("when the role was deleted and made anew, delete its access entry: "
			       "it knows the old one");
	case REASON_WHO:
	case REASON_SERVES:
	case REASON_BOOT_EXISTED:
		return bootstrap_remedy(one);
	case REASON_USELESS:
		return rbac_command(
		    one, " | kubectl diff -f -, and see what the proxies say is denied");
	default:
		return NULL;
	}
}

char *words_status(const struct access_case *one)
{
	if (one->plan.reason == REASON_READY)
		return xstrdup("ready");
	char *reason = words_reason(one);
	char *text = xasprintf("%s: %s", access_reason_text(one->plan.reason), reason);
	free(reason);
	return text;
}
