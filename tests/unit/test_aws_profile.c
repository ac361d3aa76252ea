/* The INI dialect and the resolution of profiles; the environment and the files around them. The
 * shared corpus of small files is not part of this tree: EKSGATE_PROFILE_CORPUS or
 * ../shared/data/profile-corpus says where; its cases that are easy to get wrong are in the table
 * here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <unistd.h>

#include "common/aws_ini.h"
#include "common/aws_profile.h"
#include "common/xmem.h"

/* --- INI ------------------------------------------------------------------------------------- */

struct ini_case {
	enum aws_ini_kind kind;
	const char *text;
	const char *profile, *key;
	const char *value; /* NULL: not there */
};

#define CONFIG AWS_INI_CONFIG
#define CREDS  AWS_INI_CREDENTIALS

static const struct ini_case ini_cases[] = {
    {CONFIG, "[profile a]\nk = v\n", "a", "k", "v"},
    {CONFIG, "[profile a]\nk = v", "a", "k", "v"},
    {CONFIG, "\xef\xbb\xbf[default]\r\nk = v\r\n", "default", "k", "v"},
    {CONFIG, "[a]\nk = v\n", "a", "k", NULL},
    {CREDS, "[a]\nk = v\n", "a", "k", "v"},
    {CREDS, "[profile a]\nk = v\n", "a", "k", NULL},
    {CONFIG, "[profile\ta]\nk=v", "a", "k", "v"},
    {CONFIG, "[profile \"a b\"]\nk=v", "a b", "k", "v"},
    {CONFIG, "[ profile a ]\nk=v", "a", "k", "v"},
    {CONFIG, "[profile a] ; c\nk=v", "a", "k", "v"},
    {CONFIG, "[profile a]# c\nk=v", "a", "k", "v"},
    {CONFIG, "[profile ]\nk=v", "", "k", NULL},
    {CONFIG, "[profile]\nk=v", "profile", "k", NULL},
    {CONFIG, "[profilea]\nk=v", "a", "k", NULL},
    {CONFIG, "[profile a\nk=v", "a", "k", NULL},
    {CONFIG, "[]\nk=v", "", "k", NULL},
    {CONFIG, "[default]\nk=1\n[profile default]\nk=2", "default", "k", "2"},
    {CONFIG, "[profile default]\nk=2\n[default]\nk=1", "default", "k", "2"},
    {CONFIG, "[default]\nother=1\n[profile default]\nk=2", "default", "other", NULL},
    {CREDS, "[a]\nk=1\n[b]\nk=2\n[a]\nk=3\nl=4", "a", "k", "3"},
    {CREDS, "[a]\nk=1\nk=2", "a", "k", "2"},
    {CREDS, "[a]\nKeY = v", "a", "key", "v"},
    {CREDS, "[a]\nk = v # c", "a", "k", "v"},
    {CREDS, "[a]\nk = v ;c", "a", "k", "v"},
    {CREDS, "[a]\nk = v\t; c", "a", "k", "v"},
    {CREDS, "[a]\nk=v#c", "a", "k", "v#c"},
    {CREDS, "[a]\nk = v; c", "a", "k", "v; c"},
    {CREDS, "[a]\nk = # c", "a", "k", ""},
    {CREDS, "[a]\nk = a=b", "a", "k", "a=b"},
    {CREDS, "[a]\nk=%(x)s", "a", "k", "%(x)s"},
    {CREDS, "[a]\nk =", "a", "k", ""},
    {CREDS, "[a]\n  k = v", "a", "k", "v"},
    {CREDS, "[a]\nk: v", "a", "k: v", NULL},
    {CREDS, "[a]\nk", "a", "k", NULL},
    {CREDS, "[a]\n= v\nk=1", "a", "k", "1"},
    {CREDS, "k=0\n[a]\nl=1", "a", "k", NULL},
    {CREDS, "[a]\nk = v\n  -more\n\t-and more ", "a", "k", "v\n-more\n-and more"},
    {CREDS, "[a]\nk = v\n  -more # c", "a", "k", "v\n-more # c"},
    {CREDS, "[a]\nk = v\n\n  \n  -more", "a", "k", "v\n-more"},
    {CREDS, "[a]\nk = v\n  # c\n", "a", "k", "v"},
    {CREDS, "[a]\nk = v\n[a]\n  -more", "a", "k", "v"},
    {CREDS, "[a]\ns3 =\n  k = v\nl = w", "a", "k", NULL},
    {CREDS, "[a]\ns3 =\n  k = v\nl = w", "a", "s3", "\nk = v"},
    {CREDS, "[a]\ns3 =\n  k = v\nl = w", "a", "l", "w"},
    {CONFIG, "[profile a]\nk=1\n[sso-session x]\nk=2\n[services y]\neks =\n  endpoint_url = z\n",
	"a", "k", "1"},
    {CREDS, "", "a", "k", NULL},
    {CREDS, "[", "a", "k", NULL},
    {CREDS, "]", "a", "k", NULL},
    {CREDS, "=", "a", "k", NULL},
    {CREDS, "\xef\xbb", "a", "k", NULL},
};

static void test_ini(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof ini_cases / sizeof ini_cases[0]; i++) {
		const struct ini_case *c = &ini_cases[i];
		struct aws_ini *ini = aws_ini_parse("file", c->kind, c->text, strlen(c->text));
		const struct aws_ini_property *property = aws_ini_get(ini, c->profile, c->key);
		if ((property == NULL) != (c->value == NULL))
			fail_msg("%s: %s", c->text, property != NULL ? property->value : "missing");
		if (property != NULL && strcmp(property->value, c->value) != 0)
			fail_msg("%s: %s", c->text, property->value);
		aws_ini_free(&ini);
	}
	assert_null(aws_ini_find(NULL, "a"));
}

static void test_ini_notes_what_it_skips(void **state)
{
	(void)state;
	static const char text[] = "early=1\n[a]\nno equals\n=x\n[b\nk=v\n[]\n[c]\nk=\0v\n";
	struct aws_ini *ini = aws_ini_parse("f", AWS_INI_CREDENTIALS, text, sizeof text - 1);
	assert_string_equal(buf_text(&ini->notes),
	    "f:1: a line before any section is skipped\n"
	    "f:3: not KEY = VALUE: the line is skipped\n"
	    "f:4: a value without key is skipped\n"
	    "f:5: \"[\" without \"]\": the section is skipped\n"
	    "f:7: a section without name is skipped\n"
	    "f:9: a line with a NUL byte is skipped\n");
	aws_ini_free(&ini);
	struct buf many = {0};
	for (int i = 0; i < 1000; i++)
		buf_append_text(&many, "bad\n");
	ini = aws_ini_parse("f", AWS_INI_CONFIG, many.data, many.len);
	assert_int_equal(ini->note_count, 20);
	aws_ini_free(&ini);
	buf_free(&many);
}

static void parse_corpus_file(const char *directory, const char *name)
{
	static char text[65536];
	char *path = xasprintf("%s/%s", directory, name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t len = fread(text, 1, sizeof text, file);
	fclose(file);
	xfree(&path);
	for (int kind = 0; kind < 2; kind++) {
		struct aws_ini *ini = aws_ini_parse(name, (enum aws_ini_kind)kind, text, len);
		struct aws_plan plan;
		char *error = NULL;
		enum aws_profile_result result =
		    aws_profile_resolve(ini, ini, "default", &plan, &error);
		assert_int_equal(result, AWS_PROFILE_EMPTY);
		aws_ini_free(&ini);
	}
}

static void test_corpus(void **state)
{
	(void)state;
	const char *root = getenv("EKSGATE_PROFILE_CORPUS");
	char *path = xasprintf(
	    "%s/parse_config_profile", root != NULL ? root : "../shared/data/profile-corpus");
	DIR *directory = opendir(path);
	if (directory == NULL) {
		print_message(
		    "no corpus at %s: skipped (EKSGATE_PROFILE_CORPUS names its folder)\n", path);
		xfree(&path);
		skip();
	}
	size_t count = 0;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		parse_corpus_file(path, entry->d_name);
		count++;
	}
	closedir(directory);
	xfree(&path);
	assert_true(count > 30);
}

/* --- resolution ------------------------------------------------------------------------------ */

struct profile_case {
	const char *config, *credentials, *profile;
	const char *wanted; /* "KEY TOKEN ROLE(external,session,seconds) … @region", or a part of
			       the error */
	enum aws_profile_result result;
};

#define KEYS(n) "aws_access_key_id=AK" n "\naws_secret_access_key=SK" n "\n"
#define OK	AWS_PROFILE_OK
#define BAD	AWS_PROFILE_ERROR

static const struct profile_case profile_cases[] = {
    {"", "[a]\n" KEYS("1"), "a", "AK1 -", OK},
    {"[profile a]\n" KEYS("1") "aws_session_token=T\nregion=eu-west-1", "", "a", "AK1 T @eu-west-1",
	OK},
    /* The credentials file wins, and a token of the other file does not go with its keys. */
    {"[profile a]\n" KEYS("1") "aws_session_token=T\nregion=eu-west-1", "[a]\n" KEYS("2"), "a",
	"AK2 - @eu-west-1", OK},
    {"[profile a]\nrole_arn=R\nsource_profile=b", "[b]\n" KEYS("1"), "a", "AK1 - R(-,-,0)", OK},
    {"[profile "
     "a]\nrole_arn=R\nsource_profile=b\nexternal_id=x\nrole_session_name=s\nduration_seconds=900\n",
	"[b]\n" KEYS("1"), "a", "AK1 - R(x,s,900)", OK},
    {"[profile a]\nrole_arn=R2\nsource_profile=b\n[profile b]\nrole_arn=R1\nsource_profile=c",
	"[c]\n" KEYS("1"), "a", "AK1 - R1(-,-,0) R2(-,-,0)", OK},
    {"[profile a]\nrole_arn=R\nsource_profile=a\n" KEYS("1"), "", "a", "AK1 - R(-,-,0)", OK},
    {"[profile a]\nsource_profile=b", "[b]\n" KEYS("1"), "a", "AK1 -", OK},
    {"", "", "a", "", AWS_PROFILE_EMPTY},
    {"[profile a]\nregion=eu-west-1", "", "a", "", AWS_PROFILE_EMPTY},
    {"", "[a]\naws_access_key_id=AK", "a",
	"credentials:2: profile a: aws_access_key_id without aws_secret_access_key", BAD},
    {"", "[a]\naws_secret_access_key=SK", "a",
	"credentials:2: profile a: aws_secret_access_key without", BAD},
    {"", "[a]\naws_access_key_id=\naws_secret_access_key=SK", "a",
	"aws_secret_access_key without aws_access_key_id", BAD},
    {"", "[a]\naws_access_key_id=AK\naws_secret_access_key=one\n  two", "a", "the secret key holds",
	BAD},
    {"[profile a]\nrole_arn=R", "[a]\n" KEYS("1"), "a",
	"config:2: profile a: role_arn needs source_profile", BAD},
    {"[profile a]\nrole_arn=R\nsource_profile=a", "", "a",
	"names the profile itself, which has no keys", BAD},
    {"[profile a]\nrole_arn=R\nsource_profile=b", "", "a",
	"source_profile names b, which has no credentials", BAD},
    {"[profile a]\nrole_arn=R\nsource_profile=b\n[profile b]\nrole_arn=R\nsource_profile=a", "",
	"a", "config:6: profile b: source_profile goes in a circle: a -> b -> a", BAD},
    {"[profile a]\nrole_arn=R\nsource_profile=b\nduration_seconds=1h", "[b]\n" KEYS("1"), "a",
	"config:4: profile a: duration_seconds must be a number from 900 to 43200", BAD},
    {"[profile a]\nrole_arn=R\nsource_profile=b\nduration_seconds=-900", "[b]\n" KEYS("1"), "a",
	"duration_seconds", BAD},
    {"[profile a]\nrole_arn=R\nsource_profile=b\nmfa_serial=M", "[b]\n" KEYS("1"), "a",
	"config:4: profile a: mfa_serial", BAD},
    {"[profile a]\nrole_arn=R\nsource_profile=b\ncredential_source=Environment", "", "a",
	"exclude each other", BAD},
    {"[profile a]\nrole_arn=R\ncredential_source=Ec2InstanceMetadata", "", "a",
	"metadata - R(-,-,0)", OK},
    {"[profile a]\ncredential_source=ecscontainer", "", "a", "container -", OK},
    {"[profile a]\nrole_arn=R\ncredential_source=Environment", "", "a", "environment - R(-,-,0)",
	OK},
    {"[profile a]\nrole_arn=R\ncredential_source=Moon", "", "a",
	"config:3: profile a: credential_source must be Environment, Ec2InstanceMetadata or "
	"EcsContainer",
	BAD},
    {"[profile a]\nrole_arn=R\nweb_identity_token_file=/t\nduration_seconds=900", "", "a",
	"web:R:/t -", OK},
    {"[profile a]\nrole_arn=R\nsource_profile=b\n[profile b]\nrole_arn=W\n"
     "web_identity_token_file=/t",
	"", "a", "web:W:/t - R(-,-,0)", OK},
    {"[profile a]\nweb_identity_token_file=/t", "", "a",
	"config:2: profile a: web_identity_token_file needs role_arn beside it", BAD},
    {"[profile a]\nrole_arn=R\nweb_identity_token_file=/t\nduration_seconds=1", "", "a",
	"duration_seconds must be", BAD},
    {"[profile a]\ncredential_process=/bin/x y", "", "a", "process:/bin/x y -", OK},
    {"[profile a]\ncredential_process=/bin/x", "[a]\n" KEYS("1"), "a", "AK1 -", OK},
    {"[profile a]\nsso_session=s\nsso_account_id=1\nsso_role_name=r\n[sso-session s]\n"
     "sso_start_url=u\nsso_region=eu-west-1",
	"", "a", "sso:s:u:eu-west-1:1:r -", OK},
    {"[profile a]\nrole_arn=R\nsso_session=s\nsso_account_id=1\nsso_role_name=r\n"
     "[sso-session s]\nsso_start_url=u\nsso_region=eu-west-1",
	"", "a", "sso:s:u:eu-west-1:1:r - R(-,-,0)", OK},
    {"[profile a]\nsso_start_url=u\nsso_region=eu-west-1\nsso_account_id=1\nsso_role_name=r", "",
	"a", "sso:-:u:eu-west-1:1:r -", OK},
    {"[profile a]\nsso_session=s", "", "a",
	"config:2: profile a: there is no section [sso-session s]", BAD},
    {"[profile a]\nsso_session=s\n[sso-session s]\nsso_start_url=u", "", "a",
	"sso_region is missing in sso-session s", BAD},
    {"[profile a]\nsso_session=s\n[profile s]\nsso_start_url=u", "", "a", "no section", BAD},
    {"[profile a]\nsso_start_url=u\nsso_region=eu-west-1\nsso_account_id=1", "", "a",
	"config:2: profile a: sso_role_name is missing", BAD},
    {"[profile a]\nsso_start_url=u\nsso_region=../x\nsso_account_id=1\nsso_role_name=r", "", "a",
	"sso_region is no region", BAD},
    {"[profile a]\nlogin_session=x", "", "a", "login_session is not supported", BAD},
};

static void base_text(struct buf *text, const struct aws_plan *plan)
{
	const struct aws_plan_sso *sso = &plan->sso;
	switch (plan->base) {
	case AWS_BASE_KEYS:
		buf_append_text(text, plan->credentials->access_key_id);
		return;
	case AWS_BASE_WEB_IDENTITY:
		buf_printf(text, "web:%s:%s", plan->web_role.arn, plan->token_file);
		return;
	case AWS_BASE_PROCESS:
		buf_printf(text, "process:%s", plan->command);
		return;
	case AWS_BASE_SSO:
		buf_printf(text, "sso:%s:%s:%s:%s:%s", sso->session != NULL ? sso->session : "-",
		    sso->start_url, sso->region, sso->account, sso->role);
		return;
	case AWS_BASE_ENVIRONMENT:
		buf_append_text(text, "environment");
		return;
	case AWS_BASE_CONTAINER:
		buf_append_text(text, "container");
		return;
	case AWS_BASE_METADATA:
		buf_append_text(text, "metadata");
		return;
	}
}

static char *plan_text(const struct aws_plan *plan)
{
	struct buf text = {0};
	base_text(&text, plan);
	bool has_token = plan->credentials != NULL && plan->credentials->session_token != NULL;
	buf_printf(&text, " %s", has_token ? plan->credentials->session_token : "-");
	for (size_t i = 0; i < plan->role_count; i++) {
		const struct aws_plan_role *role = &plan->roles[i];
		buf_printf(&text, " %s(%s,%s,%u)", role->arn,
		    role->external_id != NULL ? role->external_id : "-",
		    role->session_name != NULL ? role->session_name : "-", role->duration_seconds);
	}
	if (plan->region != NULL)
		buf_printf(&text, " @%s", plan->region);
	return buf_take(&text);
}

static void check_profile(const struct profile_case *c)
{
	struct aws_ini *config =
	    aws_ini_parse("config", AWS_INI_CONFIG, c->config, strlen(c->config));
	struct aws_ini *credentials = aws_ini_parse(
	    "credentials", AWS_INI_CREDENTIALS, c->credentials, strlen(c->credentials));
	struct aws_plan plan;
	char *error = NULL;
	enum aws_profile_result result =
	    aws_profile_resolve(config, credentials, c->profile, &plan, &error);
	if (result != c->result)
		fail_msg(
		    "%s%s: %d %s", c->config, c->credentials, result, error != NULL ? error : "");
	if (result == AWS_PROFILE_OK) {
		char *text = plan_text(&plan);
		assert_string_equal(text, c->wanted);
		xfree(&text);
	} else if (result == AWS_PROFILE_ERROR && strstr(error, c->wanted) == NULL) {
		fail_msg("%s", error);
	}
	aws_plan_free(&plan);
	aws_ini_free(&config);
	aws_ini_free(&credentials);
	xfree(&error);
}

static void test_profiles(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof profile_cases / sizeof profile_cases[0]; i++)
		check_profile(&profile_cases[i]);
}

/* p0 -> p1 -> … -> p<count>, which has the keys. */
static void check_chain(int count, enum aws_profile_result wanted, const char *error_part)
{
	struct buf config = {0};
	for (int i = 0; i < count; i++)
		buf_printf(
		    &config, "[profile p%d]\nrole_arn=R%d\nsource_profile=p%d\n", i, i, i + 1);
	char *credentials = xasprintf("[p%d]\n" KEYS("1"), count);
	struct aws_ini *first = aws_ini_parse("config", AWS_INI_CONFIG, config.data, config.len);
	struct aws_ini *second =
	    aws_ini_parse("credentials", AWS_INI_CREDENTIALS, credentials, strlen(credentials));
	struct aws_plan plan;
	char *error = NULL;
	assert_int_equal(aws_profile_resolve(first, second, "p0", &plan, &error), wanted);
	if (error_part != NULL)
		assert_non_null(strstr(error, error_part));
	else
		assert_int_equal(plan.role_count, count);
	aws_plan_free(&plan);
	aws_ini_free(&first);
	aws_ini_free(&second);
	buf_free(&config);
	xfree(&credentials);
	xfree(&error);
}

static void test_long_chains(void **state)
{
	(void)state;
	check_chain(AWS_PROFILE_MAX_DEPTH - 1, AWS_PROFILE_OK, NULL);
	check_chain(AWS_PROFILE_MAX_DEPTH, AWS_PROFILE_ERROR, "more than 10 profiles");
}

/* --- environment ----------------------------------------------------------------------------- */

static const char *const variables[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION", "AWS_DEFAULT_REGION",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_V1_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"};

static char home[64];

static int set_up_home(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
		unsetenv(variables[i]);
	strcpy(home, "/tmp/eksgate-test-XXXXXX");
	if (mkdtemp(home) == NULL)
		return -1;
	return setenv("HOME", home, 1);
}

static int tear_down_home(void **state)
{
	(void)state;
	char command[128];
	snprintf(command, sizeof command, "rm -r %s", home);
	return system(command);
}

static void write_home_file(const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", home, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	xfree(&path);
}

static void expect_plan(const char *wanted, const char *source)
{
	struct aws_plan plan;
	char *error;
	if (!aws_plan_make(&plan, &error))
		fail_msg("%s", error);
	char *text = plan_text(&plan);
	assert_string_equal(text, wanted);
	assert_string_equal(plan.credentials->source, source);
	xfree(&text);
	aws_plan_free(&plan);
}

static void expect_error(const char *part)
{
	struct aws_plan plan;
	char *error = NULL;
	assert_false(aws_plan_make(&plan, &error));
	if (strstr(error, part) == NULL)
		fail_msg("%s", error);
	xfree(&error);
}

static void test_environment(void **state)
{
	(void)state;
	setenv("AWS_ACCESS_KEY_ID", "AK", 1);
	expect_error("AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not");
	setenv("AWS_SECRET_ACCESS_KEY", "SK", 1);
	expect_plan("AK -", "environment");
	setenv("AWS_SESSION_TOKEN", "T", 1);
	setenv("AWS_DEFAULT_REGION", "eu-west-2", 1);
	expect_plan("AK T @eu-west-2", "environment");
	setenv("AWS_REGION", "eu-west-1", 1);
	expect_plan("AK T @eu-west-1", "environment");
	setenv("AWS_SECRET_ACCESS_KEY", "S\r\nX-Evil: 1", 1);
	expect_error("the secret key holds a space, a control character");
	unsetenv("AWS_ACCESS_KEY_ID");
	expect_error("AWS_SECRET_ACCESS_KEY is set but AWS_ACCESS_KEY_ID is not");
}

static void test_files(void **state)
{
	(void)state;
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	expect_error("; instance metadata: AWS_EC2_METADATA_DISABLED is true");
	expect_error("no AWS credentials: AWS_ACCESS_KEY_ID is not set, and profile default is "
		     "neither in /tmp/");
	expect_error("/.aws/credentials (no such file) nor in ");
	write_home_file("creds", "[default]\n" KEYS("1") "[prod]\n" KEYS("2") "oops\n");
	write_home_file("config",
	    "[profile role]\nrole_arn=R\nsource_profile=prod\nregion=eu-west-1\n[profile empty]\n");
	setenv("AWS_SHARED_CREDENTIALS_FILE", "~/creds", 1);
	expect_plan("AK1 -", "profile default");
	setenv("AWS_DEFAULT_PROFILE", "prod", 1);
	expect_plan("AK2 -", "profile prod");
	setenv("AWS_CONFIG_FILE", "~/config", 1);
	setenv("AWS_PROFILE", "role", 1);
	expect_plan("AK2 - R(-,-,0) @eu-west-1", "profile prod");
	setenv("AWS_PROFILE", "empty", 1);
	expect_error("profile empty has none in");
	setenv("AWS_PROFILE", "nobody", 1);
	expect_error("/creds:7: not KEY = VALUE: the line is skipped");
	setenv("AWS_CONFIG_FILE", "~/missing", 1);
	expect_error("/missing (AWS_CONFIG_FILE): No such file or directory");
	setenv("AWS_CONFIG_FILE", home, 1);
	expect_error("(AWS_CONFIG_FILE): Is a directory");
}

static void test_huge_file(void **state)
{
	(void)state;
	char *text = xcalloc(1, 1100001);
	memset(text, '#', 1100000);
	write_home_file("creds", text);
	xfree(&text);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "~/creds", 1);
	expect_error("File too large");
}

static void test_order_of_sources(void **state)
{
	(void)state;
	struct aws_plan plan;
	char *error = NULL;
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/t", 1);
	expect_error("AWS_WEB_IDENTITY_TOKEN_FILE is set but AWS_ROLE_ARN is not");
	setenv("AWS_ROLE_ARN", "R", 1);
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/", 1);
	write_home_file("config", "[default]\n" KEYS("1"));
	assert_true(aws_plan_make(&plan, &error));
	assert_int_equal(plan.base, AWS_BASE_WEB_IDENTITY);
	aws_plan_free(&plan);
	unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
	assert_true(aws_plan_make(&plan, &error));
	assert_int_equal(plan.base, AWS_BASE_CONTAINER);
	assert_string_equal(plan.origin, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	aws_plan_free(&plan);
	setenv("AWS_CONFIG_FILE", "~/config", 1);
	expect_plan("AK1 -", "profile default");
	/* A profile that is named is meant: nothing else in its place. */
	setenv("AWS_PROFILE", "nobody", 1);
	expect_error("profile nobody is neither in");
}

static void expect_endpoint(const char *wanted, bool is_v1_forbidden)
{
	struct aws_plan plan;
	char *error = NULL;
	if (!aws_plan_make(&plan, &error))
		fail_msg("%s", error);
	assert_int_equal(plan.base, AWS_BASE_METADATA);
	assert_string_equal(plan.metadata.endpoint, wanted);
	assert_int_equal(plan.metadata.is_v1_forbidden, is_v1_forbidden);
	aws_plan_free(&plan);
}

static void test_metadata_settings(void **state)
{
	(void)state;
	expect_endpoint("http://169.254.169.254", false);
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv6", 1);
	setenv("AWS_EC2_METADATA_V1_DISABLED", "TRUE", 1);
	expect_endpoint("http://[fd00:ec2::254]", true);
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9//", 1);
	expect_endpoint("http://127.0.0.1:9", true);
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "file:///x", 1);
	expect_error("must begin with http://");
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPX", 1);
	expect_error("is IPX; it must be IPv4 or IPv6");
	unsetenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	unsetenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	unsetenv("AWS_EC2_METADATA_V1_DISABLED");
	write_home_file("config",
	    "[default]\nec2_metadata_service_endpoint_mode=IPv6\nec2_metadata_v1_disabled=true\n"
	    "[profile c]\ncredential_source=EcsContainer\n"
	    "[profile e]\ncredential_source=Environment\n"
	    "[profile m]\ncredential_source=Ec2InstanceMetadata\n");
	setenv("AWS_CONFIG_FILE", "~/config", 1);
	expect_endpoint("http://[fd00:ec2::254]", true);
	setenv("AWS_PROFILE", "c", 1);
	expect_error("config:5: profile c: credential_source is EcsContainer, but");
	setenv("AWS_PROFILE", "e", 1);
	expect_error("config:7: profile e: credential_source is Environment, but");
	setenv("AWS_PROFILE", "m", 1);
	expect_endpoint("http://169.254.169.254", false);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	expect_error("profile m: credential_source is Ec2InstanceMetadata, but "
		     "AWS_EC2_METADATA_DISABLED is true");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ini),
	    cmocka_unit_test(test_ini_notes_what_it_skips),
	    cmocka_unit_test(test_corpus),
	    cmocka_unit_test(test_profiles),
	    cmocka_unit_test(test_long_chains),
	    cmocka_unit_test_setup_teardown(test_environment, set_up_home, tear_down_home),
	    cmocka_unit_test_setup_teardown(test_files, set_up_home, tear_down_home),
	    cmocka_unit_test_setup_teardown(test_huge_file, set_up_home, tear_down_home),
	    cmocka_unit_test_setup_teardown(test_order_of_sources, set_up_home, tear_down_home),
	    cmocka_unit_test_setup_teardown(test_metadata_settings, set_up_home, tear_down_home),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
