# eksgate: two daemons, a tap, and their tests. `make`, `make demo`, `make test`; MODE is release, asan or fuzz.

MODE ?= release
BUILD ?= build/$(MODE)
# Programs stand in $(BUILD): objects have a directory of their own, since a program and a source directory share a name.
OBJ := $(BUILD)/obj
PREFIX ?= /usr
DESTDIR ?=
VERSION := 0.1.0

# --- flags ------------------------------------------------------------------------------------------------------------

PACKAGES := zlib libcurl libcrypto libssl yaml-0.1 json-c libzmq libevent libevent_extra sqlite3 libbsd
WARNINGS := -Wall -Wextra -Wconversion -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wformat=2 -Wundef -Wvla -Wwrite-strings -Wold-style-definition
HARDENING := -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
LINK_HARDENING := -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack

CC_release := gcc
CFLAGS_release := -O2 -g -flto=auto -D_FORTIFY_SOURCE=3
# Nothing is kept for the next use, so that the sanitizers see each.
KEEP_NOTHING := -DPOOL_KEPT_BYTES=0 -DPOOL_KEPT_RECORDS=0 -DARENA_KEPT=0 -DH2_SPARE_STREAMS=0 -DSTREAM_QUEUE_KEPT=0
CC_asan := gcc
# Cheap to build, since `make test` builds it: -Og -g1 takes two thirds of what -O1 -g does, and reports still name lines; the
# tests' own code is not optimised; gold, where it is, links the many test programs in a third of the time.
CFLAGS_asan := -Og -g1 $(KEEP_NOTHING) -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS_tests_asan := -O0
LDFLAGS_asan := -fsanitize=address,undefined $(if $(shell command -v ld.gold),-fuse-ld=gold)
CC_fuzz := clang
CFLAGS_fuzz := -O1 -g $(KEEP_NOTHING) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
LDFLAGS_fuzz := -fsanitize=address,undefined

CC := $(CC_$(MODE))
CPPFLAGS := -I. -D_GNU_SOURCE -DEKSGATE_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
CFLAGS := -std=gnu17 $(WARNINGS) $(HARDENING) $(CFLAGS_$(MODE))
LDFLAGS := $(LINK_HARDENING) $(LDFLAGS_$(MODE))
# HTTP/2 as others speak it: the other end in tests, and the load of the bench.
TEST_PEERS := -lnghttp2
LDLIBS = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

# llhttp comes as sources from Debian's node-llhttp: compiled from where the package puts them, without our warnings.
LLHTTP_SOURCES := /usr/share/llhttp
LLHTTP_CPPFLAGS := -I/usr/share/include/llhttp -DLLHTTP_STRICT_MODE=1
LLHTTP := llhttp/llhttp.o llhttp/api.o llhttp/http.o

# --- what is linked into what -----------------------------------------------------------------------------------------

PROTO := proto/wire.o proto/json_text.o proto/shape.o proto/message.o proto/message_bodies.o proto/task.o
BASE := common/xmem.o common/pool.o common/arena.o common/buf.o common/mono.o common/gather.o common/log.o
AWS := common/aws_call.o common/aws_context.o common/aws_credentials.o common/aws_endpoint.o common/aws_environment.o \
	common/aws_error.o common/aws_files.o common/aws_ini.o common/aws_pace.o common/aws_profile.o common/aws_retry.o common/aws_sources.o \
	common/aws_sts.o common/aws_xml.o common/aws_chain.o common/aws_credentials_json.o common/aws_web_identity.o \
	common/aws_endpoint_config.o common/aws_process.o common/aws_words.o common/aws_sso.o common/aws_container.o common/aws_imds.o
LABELS := common/labels.o common/near_miss.o common/edit_distance.o common/pattern.o common/regex.o common/regex_compile.o common/regex_replace.o
KUBE_CLUSTER := common/kube_cluster.o common/kube_cluster_check.o common/json.o $(LABELS)
SETTINGS := common/settings.o common/settings_rows_teleport.o common/settings_rows_own.o common/settings_rows_proxy.o common/settings_rows_login.o common/settings_login.o \
	common/settings_rows_limits.o common/settings_teleport.o common/settings_matchers.o \
	common/settings_labels.o common/settings_accounts.o common/settings_principals.o common/settings_own.o common/edit_distance.o common/config.o common/config_types.o common/yaml.o common/aws_endpoint.o $(LABELS)
COMMON := $(BASE) common/loop.o common/zsock.o common/fetch.o $(SETTINGS) $(KUBE_CLUSTER) common/sigv4.o common/eks_token.o $(AWS) \
	common/metrics.o common/admin.o common/admin_client.o \
	common/notify.o common/render.o common/lock_file.o common/command_line.o common/worker.o

# Whom discovery acts as, and when it looks.
WHO := discoveryd/roster.o discoveryd/organization.o discoveryd/region_finder.o
CLOCKWORK := discoveryd/discovery.o discoveryd/discovery_passes.o discoveryd/discovery_view.o discoveryd/discovery_log.o
DISCOVERYD := discoveryd/main.o discoveryd/cli.o discoveryd/commands.o discoveryd/scan.o discoveryd/daemon.o \
	discoveryd/admin_routes.o discoveryd/aws_question.o discoveryd/aws_eks.o discoveryd/aws_account.o discoveryd/aws_tagging.o discoveryd/account.o \
	discoveryd/aws_ec2.o discoveryd/aws_organizations.o discoveryd/organization_walk.o $(WHO) \
	discoveryd/aws_access.o discoveryd/access_journal.o \
	discoveryd/access_tags.o discoveryd/access_texts.o discoveryd/access_policy.o discoveryd/access_plan.o discoveryd/access_words.o discoveryd/access_reports.o \
	discoveryd/access.o discoveryd/access_case.o discoveryd/access_step.o discoveryd/access_tasks.o discoveryd/access_bootstrap.o discoveryd/access_release.o discoveryd/access_show.o discoveryd/command_access.o \
	discoveryd/scope.o discoveryd/sweep.o discoveryd/tag_index.o discoveryd/describe_plan.o discoveryd/look_set.o \
	$(CLOCKWORK) discoveryd/discovery_metrics.o \
	discoveryd/naming.o discoveryd/candidate.o discoveryd/cluster_set.o discoveryd/reconcile.o \
	discoveryd/guard.o discoveryd/enrollment.o discoveryd/registry.o discoveryd/registry_sqlite.o \
	discoveryd/publisher.o discoveryd/publisher_roles.o discoveryd/publisher_session.o discoveryd/publisher_table.o \
	discoveryd/publisher_tasks.o discoveryd/publisher_inventory.o \
	discoveryd/explain.o discoveryd/explain_causes.o discoveryd/explain_text.o discoveryd/status_text.o \
	discoveryd/policy.o discoveryd/iam_policy.o discoveryd/check.o discoveryd/separation.o

H2 := kubeproxyd/http/h2.o kubeproxyd/http/h2_streams.o kubeproxyd/http/h2_receive.o kubeproxyd/http/h2_frames.o \
	kubeproxyd/http/h2_heads.o kubeproxyd/http/h2_rules.o kubeproxyd/http/h2_send.o kubeproxyd/http/h2_frame.o kubeproxyd/http/stream_ids.o
HPACK := kubeproxyd/http/hpack.o kubeproxyd/http/hpack_decode.o kubeproxyd/http/hpack_table.o kubeproxyd/http/huffman.o
HTTP := $(H2) $(HPACK) kubeproxyd/http/h2_fields.o kubeproxyd/http/fields.o kubeproxyd/http/field_traits.o kubeproxyd/http/head.o kubeproxyd/http/h1_rules.o kubeproxyd/http/h1_chunked.o \
	kubeproxyd/http/h1_reader.o kubeproxyd/http/status.o
EXCHANGE := kubeproxyd/exchange/exchange.o kubeproxyd/exchange/exchange_answer.o kubeproxyd/exchange/exchange_audit.o kubeproxyd/exchange/exchange_end.o \
	kubeproxyd/exchange/exchanges.o kubeproxyd/exchange/admission.o kubeproxyd/exchange/admission_body.o kubeproxyd/exchange/exchange_rules.o \
	kubeproxyd/exchange/caller.o kubeproxyd/exchange/caller_shared.o kubeproxyd/exchange/relay.o kubeproxyd/exchange/reply.o kubeproxyd/exchange/route.o \
	kubeproxyd/exchange/upgrade.o kubeproxyd/exchange/failure.o kubeproxyd/exchange/in_flight.o kubeproxyd/exchange/pace.o
DELETE_PARTS := kubeproxyd/exchange/delete_options.o kubeproxyd/exchange/delete_targets.o kubeproxyd/exchange/delete_answer.o
EXCHANGE += kubeproxyd/exchange/own_request.o kubeproxyd/exchange/delete_each.o $(DELETE_PARTS)
EXCHANGE += kubeproxyd/exchange/admission_filter.o kubeproxyd/exchange/exchange_filter.o kubeproxyd/exchange/spool.o kubeproxyd/exchange/user_api.o kubeproxyd/exchange/activity.o
EXCHANGE += kubeproxyd/exchange/exchange_session.o kubeproxyd/exchange/exchange_remote.o kubeproxyd/exchange/remote_asked.o
NET := kubeproxyd/net/tls_memory.o kubeproxyd/net/tls_socket.o kubeproxyd/net/tls_data.o kubeproxyd/net/holdings.o \
	kubeproxyd/net/address.o kubeproxyd/net/stream.o kubeproxyd/net/stream_open.o kubeproxyd/net/stream_transfer.o kubeproxyd/net/stream_io.o kubeproxyd/net/stream_queue.o kubeproxyd/net/tls.o kubeproxyd/net/tls_crl.o kubeproxyd/net/tls_client.o kubeproxyd/net/tls_names.o kubeproxyd/net/tls_resume.o kubeproxyd/net/tls_seal.o kubeproxyd/net/tls_asked_name.o kubeproxyd/net/tls_ticket_end.o \
	kubeproxyd/net/listener.o kubeproxyd/net/listeners.o kubeproxyd/net/resolver.o

DIRECTORY := kubeproxyd/directory/subscriber.o kubeproxyd/directory/subscriber_follow.o kubeproxyd/directory/directory.o \
	kubeproxyd/directory/directory_table.o kubeproxyd/directory/cache.o kubeproxyd/directory/cache_writer.o kubeproxyd/directory/renames.o \
	kubeproxyd/directory/alias_index.o \
	kubeproxyd/directory/cluster.o kubeproxyd/directory/token.o
RECORD := kubeproxyd/record/access_log.o kubeproxyd/record/audit.o kubeproxyd/record/audit_event.o kubeproxyd/record/audit_id.o \
	kubeproxyd/record/audit_merge.o kubeproxyd/record/audit_policy.o kubeproxyd/record/audit_sink.o kubeproxyd/record/journal.o kubeproxyd/record/json_line.o kubeproxyd/record/forwarded_ports.o kubeproxyd/record/spdy.o \
	kubeproxyd/record/websocket.o
RECORD += kubeproxyd/record/remote_command.o kubeproxyd/record/cast_writer.o kubeproxyd/record/recording_files.o \
	kubeproxyd/record/recording.o kubeproxyd/record/recordings.o kubeproxyd/record/recording_queue.o kubeproxyd/record/recorded_event.o
RECORD += kubeproxyd/record/cast_reader.o kubeproxyd/record/cast_file.o kubeproxyd/record/cast_pieces.o kubeproxyd/record/recording_task.o
PROTOBUF_FILTER := kubeproxyd/filter/carry.o kubeproxyd/filter/protobuf_filter.o kubeproxyd/filter/protobuf_list.o kubeproxyd/filter/protobuf_watch.o \
	kubeproxyd/filter/protobuf_object.o kubeproxyd/filter/protobuf_out.o
FILTER := $(PROTOBUF_FILTER) kubeproxyd/filter/filter.o kubeproxyd/filter/accept.o kubeproxyd/filter/gzip.o \
	kubeproxyd/filter/json_filter.o kubeproxyd/filter/json_facts.o kubeproxyd/filter/json_cursor.o kubeproxyd/filter/json_frame.o
BACK := kubeproxyd/back/dial.o kubeproxyd/back/upstream.o kubeproxyd/back/upstream_h1.o kubeproxyd/back/upstream_h2.o \
	kubeproxyd/back/upstream_h2_stream.o
FRONT := kubeproxyd/front/session.o kubeproxyd/front/strangers.o kubeproxyd/front/flood.o kubeproxyd/front/session_h1.o kubeproxyd/front/session_h2.o \
	kubeproxyd/front/session_h2_stream.o
PROBE := kubeproxyd/probe/apply.o kubeproxyd/probe/call.o kubeproxyd/probe/finding.o kubeproxyd/probe/look.o kubeproxyd/probe/own_principal.o \
	kubeproxyd/probe/prober.o kubeproxyd/probe/rbac_text.o kubeproxyd/probe/rights.o kubeproxyd/probe/tasks.o
KUBEPROXYD := $(PROBE) $(HTTP) $(NET) $(EXCHANGE) $(RECORD) $(FILTER) $(BACK) $(FRONT) kubeproxyd/main.o kubeproxyd/cli_audit.o kubeproxyd/cli_ask.o kubeproxyd/cli_rbac.o kubeproxyd/cli_can.o kubeproxyd/proxy.o \
	kubeproxyd/drain.o \
	kubeproxyd/proxy_admin_sessions.o kubeproxyd/cli_sessions.o kubeproxyd/session_list.o kubeproxyd/session_table.o kubeproxyd/cli_play.o kubeproxyd/player.o kubeproxyd/terminal.o \
	kubeproxyd/proxy_admin.o kubeproxyd/proxy_files.o kubeproxyd/cli_online.o $(DIRECTORY)
BODIES := kubeproxyd/policy/protobuf.o kubeproxyd/policy/object_name.o kubeproxyd/policy/access_review.o
POLICY := common/edit_distance.o kubeproxyd/http/fields.o kubeproxyd/http/field_traits.o kubeproxyd/policy/query.o kubeproxyd/policy/field_selector.o kubeproxyd/policy/path_policy.o \
	kubeproxyd/policy/request_info.o kubeproxyd/policy/principal.o kubeproxyd/policy/traits.o kubeproxyd/policy/document.o \
	kubeproxyd/policy/role.o kubeproxyd/policy/binding.o kubeproxyd/policy/policy.o kubeproxyd/policy/decide.o \
	kubeproxyd/policy/expression.o kubeproxyd/policy/expression_parse.o kubeproxyd/policy/template.o \
	kubeproxyd/policy/subject.o kubeproxyd/policy/options.o kubeproxyd/policy/grants.o kubeproxyd/policy/standing.o kubeproxyd/policy/decide_text.o \
	kubeproxyd/policy/verbs.o kubeproxyd/policy/vocabulary.o kubeproxyd/policy/kinds.o kubeproxyd/policy/matcher.o kubeproxyd/policy/resource_rule.o \
	kubeproxyd/policy/resource_rule_read.o kubeproxyd/policy/role_compile.o \
	kubeproxyd/policy/impersonation.o kubeproxyd/policy/decide_as.o kubeproxyd/policy/rules_review.o $(BODIES)
GATE := common/base64url.o kubeproxyd/http/fields_out.o kubeproxyd/gate/impersonate.o kubeproxyd/gate/act_as.o kubeproxyd/gate/headers.o \
	kubeproxyd/gate/headers_response.o kubeproxyd/gate/identity.o kubeproxyd/gate/identity_certificate.o
GATE += kubeproxyd/gate/credential.o kubeproxyd/gate/locks.o
LOGIN := kubeproxyd/gate/identity_resolve.o kubeproxyd/gate/token_cache.o kubeproxyd/gate/address_pace.o \
	kubeproxyd/gate/jwt.o kubeproxyd/gate/jwks.o kubeproxyd/gate/oidc_claims.o kubeproxyd/gate/oidc_keys.o \
	kubeproxyd/gate/oidc.o kubeproxyd/gate/iam_token.o kubeproxyd/gate/iam_caller.o kubeproxyd/gate/iam_mapping.o \
	kubeproxyd/gate/iam.o kubeproxyd/gate/iam_room.o kubeproxyd/gate/lock_watch.o
OFFLINE := kubeproxyd/pki.o kubeproxyd/new_file.o kubeproxyd/first_files.o kubeproxyd/client_certificate.o \
	kubeproxyd/exchange/kubeconfig.o kubeproxyd/directory/alias.o kubeproxyd/cli_common.o kubeproxyd/cli_init.o kubeproxyd/cli_cert.o \
	kubeproxyd/cli_lock.o kubeproxyd/cli_kubeconfig.o kubeproxyd/cli_request_info.o
KUBEPROXYD += kubeproxyd/accepting.o kubeproxyd/ticket_keys.o kubeproxyd/proxy_memory.o $(POLICY) $(GATE) $(LOGIN) $(OFFLINE)

BUSTAP := proto/bustap.o proto/bustap_follow.o proto/bustap_show.o proto/bustap_serve.o

# One line a unit test: the modules that it links besides tests/unit/NAME.o.
UNIT_TESTS := test_base test_metrics test_render test_admin test_notify test_log
test_base := $(BASE) common/loop.o
test_log := $(BASE)
UNIT_TESTS += test_pool test_arena test_gather
test_arena := $(BASE)
test_pool := $(BASE)
test_gather := $(BASE)
test_metrics := $(BASE) common/metrics.o
test_render := $(BASE) common/render.o
UNIT_TESTS += test_command_line
test_command_line := $(BASE) common/render.o common/edit_distance.o common/command_line.o
test_notify := $(BASE) common/loop.o common/notify.o
test_admin := $(BASE) common/loop.o common/admin.o common/admin_client.o common/metrics.o common/json.o common/lock_file.o

UNIT_TESTS += test_sigv4 test_aws_pace test_aws_tagging test_aws_endpoint test_fetch test_aws_call test_aws_profile \
	test_aws_credentials test_aws_chain test_aws_sources test_aws_eks test_token
test_sigv4 := $(BASE) common/sigv4.o
test_aws_pace := $(BASE) common/aws_pace.o
test_fetch := $(BASE) common/loop.o common/fetch.o tests/unit/fake_http.o
AWS_TEST := $(BASE) $(AWS) common/loop.o common/fetch.o common/json.o common/sigv4.o tests/unit/fake_http.o
test_aws_tagging := $(AWS_TEST) $(filter-out common/json.o,$(KUBE_CLUSTER)) discoveryd/aws_question.o discoveryd/aws_tagging.o
test_aws_endpoint := $(AWS_TEST)
test_aws_call := $(AWS_TEST)
test_aws_profile := $(AWS_TEST)
test_aws_credentials := $(AWS_TEST)
test_aws_chain := $(AWS_TEST)
test_aws_sources := $(AWS_TEST)
test_aws_eks := $(AWS_TEST) $(LABELS) discoveryd/aws_question.o discoveryd/aws_eks.o discoveryd/aws_account.o
test_token := $(AWS_TEST) common/eks_token.o kubeproxyd/directory/token.o

UNIT_TESTS += test_fields test_fields_out test_head test_h1_reader test_status
test_fields := common/xmem.o kubeproxyd/http/fields.o kubeproxyd/http/field_traits.o
test_fields_out := kubeproxyd/http/fields_out.o $(test_fields)
test_head := $(BASE) kubeproxyd/http/h1_rules.o kubeproxyd/http/head.o kubeproxyd/http/fields.o kubeproxyd/http/field_traits.o
test_h1_reader := $(BASE) $(HTTP) $(LLHTTP)
test_status := $(BASE) kubeproxyd/http/status.o

UNIT_TESTS += test_stream test_tls test_tls_authorities test_listener test_resolver test_stream_trickle test_stream_marks \
	test_stream_queue test_stream_bulk test_tls_socket test_tls_seal test_tls_tickets test_ticket_keys test_caller
STREAM_ENDS := tests/unit/stream_ends.o tests/unit/certificates.o
test_stream_queue := common/xmem.o kubeproxyd/net/stream_queue.o
test_tls_socket := $(BASE) kubeproxyd/net/tls_socket.o
test_stream := $(BASE) common/loop.o $(NET) $(STREAM_ENDS)
test_stream_trickle := $(test_stream)
test_stream_marks := $(test_stream)
test_stream_bulk := $(test_stream)
test_tls_seal := $(test_stream) tests/unit/resuming_client.o
test_tls_tickets := $(test_tls_seal)
test_caller := $(BASE) kubeproxyd/exchange/caller.o kubeproxyd/exchange/caller_shared.o
test_ticket_keys := $(BASE) common/base64url.o common/loop.o kubeproxyd/new_file.o kubeproxyd/ticket_keys.o
test_tls := $(BASE) common/loop.o $(NET) $(STREAM_ENDS)
test_tls_authorities := $(test_tls) tests/unit/resuming_client.o
test_listener := $(BASE) common/loop.o $(NET)
test_resolver := $(BASE) common/loop.o $(NET)

UNIT_TESTS += test_alias test_route test_pace test_relay test_exchange test_session_h1 test_sessions test_upstream \
	test_cluster test_audit_id test_audit_event test_audit_policy test_audit_sink \
	test_audit_merge test_exchange_audit test_exchange_tunnels test_exchange_failures test_exchange_steps
test_sessions := $(BASE) common/loop.o common/metrics.o kubeproxyd/front/session.o kubeproxyd/front/strangers.o
test_cluster := $(BASE) $(KUBE_CLUSTER) common/aws_endpoint.o kubeproxyd/directory/cluster.o
test_upstream := tests/unit/fake_streams.o $(BASE) common/loop.o common/metrics.o $(HTTP) $(LLHTTP) kubeproxyd/back/upstream.o \
	kubeproxyd/net/holdings.o kubeproxyd/net/stream_queue.o kubeproxyd/back/upstream_h1.o kubeproxyd/back/upstream_h2.o kubeproxyd/back/upstream_h2_stream.o \
	kubeproxyd/back/dial.o
test_session_h1 := tests/unit/session_neighbours.o $(BASE) common/loop.o $(HTTP) $(LLHTTP) kubeproxyd/exchange/reply.o kubeproxyd/front/session_h1.o
test_audit_id := kubeproxyd/record/audit_id.o
AUDIT_EVENT := kubeproxyd/record/audit_event.o kubeproxyd/record/json_line.o kubeproxyd/http/fields.o kubeproxyd/http/field_traits.o kubeproxyd/policy/query.o \
	kubeproxyd/policy/field_selector.o kubeproxyd/policy/path_policy.o kubeproxyd/policy/request_info.o
AUDIT_POLICY := kubeproxyd/record/audit_policy.o kubeproxyd/policy/document.o common/edit_distance.o common/yaml.o
test_audit_event := $(BASE) common/json.o $(AUDIT_EVENT)
UNIT_TESTS += test_audit_lines test_access_log
test_access_log := $(BASE) kubeproxyd/record/access_log.o
test_audit_lines := $(BASE) $(AUDIT_EVENT)
test_audit_policy := $(BASE) $(AUDIT_POLICY) $(filter-out kubeproxyd/record/%,$(AUDIT_EVENT))
UNIT_TESTS += test_cast_reader
test_cast_reader := $(BASE) common/json.o kubeproxyd/record/cast_reader.o
UNIT_TESTS += test_cast_file test_session_list
test_session_list = $(test_cast_file) common/render.o kubeproxyd/session_list.o kubeproxyd/session_table.o
test_cast_file := $(test_cast_reader) kubeproxyd/record/cast_file.o
test_audit_merge := $(BASE) common/json.o kubeproxyd/record/audit_merge.o
test_audit_sink := $(BASE) common/loop.o common/metrics.o kubeproxyd/record/audit_sink.o kubeproxyd/record/journal.o kubeproxyd/record/audit_id.o $(AUDIT_EVENT)
test_route := $(BASE) $(KUBE_CLUSTER) kubeproxyd/exchange/route.o
test_pace := kubeproxyd/exchange/pace.o
test_alias := $(BASE) kubeproxyd/directory/alias.o
test_relay := $(BASE) kubeproxyd/exchange/relay.o
test_exchange := kubeproxyd/net/holdings.o tests/unit/exchange_stage.o tests/unit/exchange_world.o $(BASE) common/loop.o common/metrics.o common/json.o $(filter-out %/user_api.o,$(EXCHANGE)) $(RECORD) $(FILTER) \
	kubeproxyd/policy/document.o common/edit_distance.o common/yaml.o kubeproxyd/http/fields.o kubeproxyd/http/field_traits.o kubeproxyd/http/head.o kubeproxyd/http/status.o \
	kubeproxyd/http/fields_out.o kubeproxyd/gate/headers.o kubeproxyd/gate/headers_response.o \
	kubeproxyd/gate/impersonate.o kubeproxyd/gate/act_as.o kubeproxyd/gate/credential.o kubeproxyd/gate/locks.o common/base64url.o \
	kubeproxyd/policy/query.o kubeproxyd/policy/field_selector.o \
	kubeproxyd/policy/path_policy.o kubeproxyd/policy/request_info.o kubeproxyd/policy/principal.o $(BODIES)
test_exchange += common/worker.o tests/unit/tunnel_bytes.o
test_exchange_audit := $(filter-out %exchange_stage.o,$(test_exchange))
test_exchange_tunnels := $(test_exchange)
test_exchange_failures := $(test_exchange)
test_exchange_steps := $(test_exchange)
UNIT_TESTS += test_exchange_remote test_remote_disk test_own_request test_delete_memory
test_delete_memory = $(test_exchange) tests/unit/protobuf_reference.o
test_own_request := $(test_exchange)
test_exchange_remote := $(test_exchange) tests/unit/remote_stage.o
test_remote_disk := $(test_exchange_remote) tests/unit/disk_hang.o

UNIT_TESTS += test_request_info test_policy test_rules test_restricted test_bodies test_act_as test_rules_review test_standing test_headers test_impersonate test_identity test_cli_cert
test_request_info := $(BASE) $(POLICY) $(LABELS) common/yaml.o common/json.o
test_policy := $(test_request_info)
UNIT_TESTS += test_role_options test_doubts
test_role_options := $(test_request_info)
test_doubts := $(test_request_info)
test_rules := $(test_request_info)
UNIT_TESTS += test_rules_compiled
test_rules_compiled := $(test_request_info)
$(BUILD)/tests/test_rules_compiled: private LDFLAGS += -Wl,--wrap=regex_compile
test_restricted := $(test_request_info)
test_bodies := $(test_request_info)
test_headers := $(BASE) $(POLICY) $(GATE) $(KUBE_CLUSTER) common/yaml.o kubeproxyd/http/fields.o kubeproxyd/http/field_traits.o kubeproxyd/http/head.o
test_impersonate := $(test_headers)
test_act_as := $(test_headers)
test_rules_review := $(test_request_info)
test_standing := $(test_request_info)
test_identity := $(test_headers) $(LOGIN) $(filter-out $(BASE) $(LABELS) common/yaml.o common/edit_distance.o,$(SETTINGS)) common/loop.o common/fetch.o \
	common/metrics.o common/sigv4.o kubeproxyd/pki.o tests/unit/fake_http.o
test_cli_cert := $(BASE) common/sigv4.o $(POLICY) $(GATE) $(OFFLINE) $(KUBE_CLUSTER) $(SETTINGS) common/command_line.o common/admin_client.o \
	common/lock_file.o common/render.o kubeproxyd/http/fields.o kubeproxyd/http/field_traits.o kubeproxyd/http/head.o

# Who asks: tokens, locks.
UNIT_TESTS += test_jwt test_oidc test_oidc_resolve test_iam test_locks test_lock_watch
test_locks := $(BASE) common/json.o kubeproxyd/gate/locks.o kubeproxyd/gate/identity.o kubeproxyd/policy/traits.o
test_lock_watch := $(test_locks) common/loop.o common/metrics.o kubeproxyd/gate/lock_watch.o
test_iam := $(BASE) $(LABELS) common/json.o common/base64url.o common/sigv4.o common/aws_endpoint.o kubeproxyd/gate/iam_token.o \
	kubeproxyd/gate/iam_caller.o kubeproxyd/gate/iam_mapping.o kubeproxyd/gate/identity.o kubeproxyd/gate/token_cache.o \
	kubeproxyd/gate/address_pace.o kubeproxyd/gate/iam_room.o kubeproxyd/policy/principal.o kubeproxyd/policy/traits.o
test_jwt := $(BASE) common/json.o common/base64url.o kubeproxyd/gate/credential.o kubeproxyd/gate/jwt.o kubeproxyd/http/fields.o kubeproxyd/http/field_traits.o
test_oidc := $(BASE) $(KUBE_CLUSTER) common/base64url.o kubeproxyd/gate/jwt.o kubeproxyd/gate/jwks.o kubeproxyd/gate/oidc_claims.o \
	kubeproxyd/gate/identity.o kubeproxyd/policy/principal.o kubeproxyd/policy/traits.o
test_oidc_resolve := $(test_oidc) kubeproxyd/gate/oidc.o kubeproxyd/gate/token_cache.o

UNIT_TESTS += test_protobuf_filter test_protobuf_filter_bad
FUZZ_TARGETS += fuzz_protobuf_filter
fuzz_protobuf_filter := $(BASE) kubeproxyd/policy/protobuf.o $(PROTOBUF_FILTER) tests/unit/protobuf_reference.o
test_protobuf_filter := $(fuzz_protobuf_filter) tests/unit/protobuf_stage.o
test_protobuf_filter_bad := $(test_protobuf_filter)

UNIT_TESTS += test_delete_each
test_delete_each := $(BASE) $(POLICY) $(LABELS) common/yaml.o common/json.o $(DELETE_PARTS) kubeproxyd/http/status.o tests/unit/protobuf_reference.o
FUZZ_TARGETS += fuzz_delete_each
fuzz_delete_each := $(filter-out tests/%,$(test_delete_each))

UNIT_TESTS += test_tunnel_readers
TUNNEL := $(BASE) kubeproxyd/record/forwarded_ports.o kubeproxyd/record/spdy.o kubeproxyd/record/websocket.o kubeproxyd/record/json_line.o
test_tunnel_readers := $(TUNNEL)
FUZZ_TARGETS += fuzz_tunnel
fuzz_tunnel = $(TUNNEL)

# What a restricted reader gets of an answer.
UNIT_TESTS += test_json_cursor test_json_filter test_exchange_filter test_accept test_filter_gzip
test_json_cursor := kubeproxyd/filter/json_cursor.o kubeproxyd/filter/json_frame.o
test_json_filter := $(BASE) $(FILTER) kubeproxyd/policy/protobuf.o
test_exchange_filter = $(test_exchange)
UNIT_TESTS += test_spool test_exchange_spool
test_spool := $(BASE) common/loop.o common/worker.o kubeproxyd/net/holdings.o kubeproxyd/exchange/spool.o tests/unit/worker_hang.o
test_exchange_spool = $(test_exchange) tests/unit/protobuf_reference.o tests/unit/worker_hang.o
test_accept := $(test_json_filter)
test_filter_gzip := $(test_json_filter)
UNIT_TESTS += test_wiping
test_wiping := $(test_json_filter)
FUZZ_TARGETS += fuzz_json_filter fuzz_filter_gzip fuzz_accept
fuzz_json_filter = $(test_json_filter)
fuzz_filter_gzip = $(test_json_filter)
fuzz_accept = $(test_json_filter)

# Recordings.
UNIT_TESTS += test_json_line test_remote_command test_remote_fill test_cast_writer test_cast_pieces test_recording test_recording_files test_worker
REMOTE := $(BASE) kubeproxyd/record/remote_command.o kubeproxyd/record/spdy.o kubeproxyd/record/websocket.o
CAST := $(REMOTE) kubeproxyd/record/cast_pieces.o kubeproxyd/record/cast_writer.o kubeproxyd/record/json_line.o common/json.o
test_remote_command := $(REMOTE) tests/unit/tunnel_bytes.o
test_remote_fill := $(test_remote_command)
test_cast_writer := $(CAST)
test_json_line := $(BASE) kubeproxyd/record/json_line.o
test_cast_pieces := $(BASE) kubeproxyd/record/cast_pieces.o
test_recording := $(CAST) common/loop.o common/metrics.o common/worker.o kubeproxyd/record/recording.o kubeproxyd/record/recordings.o \
	kubeproxyd/record/recording_files.o kubeproxyd/record/recording_queue.o kubeproxyd/record/recording_task.o kubeproxyd/record/audit_id.o tests/unit/disk_hang.o tests/unit/recording_stage.o
test_recording_files := $(test_recording)
test_worker := $(BASE) common/loop.o common/worker.o
FUZZ_TARGETS += fuzz_recorder fuzz_json_line
fuzz_json_line := $(BASE) common/json.o kubeproxyd/record/json_line.o
fuzz_recorder := $(CAST)

UNIT_TESTS += test_probe test_call
test_call := $(BASE) common/loop.o kubeproxyd/http/fields.o kubeproxyd/http/field_traits.o kubeproxyd/http/head.o kubeproxyd/probe/call.o
test_probe := $(AWS_TEST) $(POLICY) $(LABELS) common/yaml.o common/render.o \
	kubeproxyd/net/address.o kubeproxyd/probe/finding.o kubeproxyd/probe/own_principal.o kubeproxyd/probe/rbac_text.o \
	kubeproxyd/probe/rights.o

UNIT_TESTS += test_organization test_aws_accounts test_describe_plan test_enrollment test_naming test_reconcile test_registry test_registry_crash test_sweep test_scope test_explain
FIXTURE := $(BASE) $(KUBE_CLUSTER) common/loop.o common/metrics.o common/aws_error.o common/aws_xml.o common/aws_endpoint.o \
	tests/unit/discovery_fixture.o
RECONCILE := discoveryd/reconcile.o discoveryd/candidate.o discoveryd/naming.o discoveryd/cluster_set.o \
	discoveryd/guard.o discoveryd/registry.o discoveryd/registry_sqlite.o common/lock_file.o
SWEEP := discoveryd/sweep.o discoveryd/tag_index.o discoveryd/look_set.o discoveryd/discovery_metrics.o tests/unit/fake_eks.o
UNIT_TESTS += test_discovery_metrics test_iam_policy
test_iam_policy := $(BASE) $(SETTINGS) common/json.o discoveryd/policy.o discoveryd/roster.o
test_discovery_metrics := $(BASE) common/metrics.o common/aws_error.o common/aws_xml.o common/json.o discoveryd/discovery_metrics.o
test_describe_plan := $(FIXTURE) discoveryd/describe_plan.o discoveryd/look_set.o discoveryd/candidate.o discoveryd/naming.o
test_naming := $(BASE) $(KUBE_CLUSTER) discoveryd/naming.o
test_reconcile := $(FIXTURE) $(RECONCILE) discoveryd/look_set.o
test_registry := $(FIXTURE) $(RECONCILE) discoveryd/look_set.o
test_registry_crash := $(test_registry) tests/unit/fault_vfs.o
test_sweep := $(FIXTURE) $(SWEEP)
test_scope := $(FIXTURE) $(SWEEP) $(RECONCILE) discoveryd/scope.o discoveryd/account.o $(WHO) $(CLOCKWORK) \
	discoveryd/describe_plan.o discoveryd/organization_walk.o tests/unit/fake_organizations.o
test_organization := $(test_scope)
test_aws_accounts := $(BASE) $(AWS) common/loop.o common/fetch.o common/json.o common/sigv4.o discoveryd/aws_question.o discoveryd/aws_organizations.o discoveryd/aws_ec2.o
test_enrollment := $(test_scope) discoveryd/enrollment.o discoveryd/access_texts.o
test_explain := $(test_scope) discoveryd/explain.o discoveryd/explain_causes.o discoveryd/explain_text.o

UNIT_TESTS += test_access_plan test_access_policy test_access_journal test_aws_access
test_access_plan := discoveryd/access_plan.o
test_access_policy := $(BASE) $(KUBE_CLUSTER) discoveryd/access_policy.o discoveryd/access_tags.o
test_access_journal := $(FIXTURE) $(RECONCILE) discoveryd/look_set.o discoveryd/access_journal.o
test_aws_access := $(AWS_TEST) $(filter-out common/json.o,$(KUBE_CLUSTER)) discoveryd/aws_question.o discoveryd/aws_access.o

UNIT_TESTS += test_wire test_message
test_wire := proto/wire.o proto/json_text.o
test_message := $(PROTO)

UNIT_TESTS += test_zsock test_publisher test_publisher_gate test_publisher_tasks test_directory test_bus test_bustap
PUBLISHER := discoveryd/publisher.o discoveryd/publisher_roles.o discoveryd/publisher_session.o \
	discoveryd/publisher_table.o discoveryd/publisher_tasks.o discoveryd/publisher_inventory.o
SUBSCRIBER := $(filter-out %cluster.o %token.o,$(DIRECTORY))
BUS_TEST := $(BASE) $(PROTO) $(KUBE_CLUSTER) common/loop.o common/zsock.o common/metrics.o common/lock_file.o \
	tests/unit/bus_fixture.o
test_zsock := $(BUS_TEST)
AWS_CONTEXT := common/aws_context.o common/aws_pace.o common/aws_retry.o common/aws_endpoint_config.o common/aws_endpoint.o common/aws_files.o \
	common/aws_ini.o
test_publisher := $(BUS_TEST) $(PUBLISHER) $(AWS_CONTEXT) tests/unit/bus_stage.o
test_publisher_gate := $(test_publisher)
test_publisher_tasks := $(test_publisher)
test_directory := $(BUS_TEST) $(SUBSCRIBER) common/worker.o kubeproxyd/directory/alias.o tests/unit/bus_follower.o
test_bustap := $(test_directory)
test_bus := $(BUS_TEST) $(PUBLISHER) $(SUBSCRIBER) common/worker.o kubeproxyd/directory/alias.o $(AWS_CONTEXT) tests/unit/bus_chaos.o

UNIT_TESTS += test_json test_labels test_kube_cluster test_yaml test_settings test_settings_errors test_settings_login
test_json := $(BASE) common/json.o
test_labels := $(BASE) $(LABELS)
test_kube_cluster := $(BASE) $(KUBE_CLUSTER)
test_yaml := $(BASE) common/yaml.o
test_settings := $(BASE) $(SETTINGS)
test_settings_errors := $(BASE) $(SETTINGS)
test_settings_login := $(BASE) $(SETTINGS)

UNIT_TESTS += test_hpack test_h2_fields test_upstream_h1 test_upstream_h2 test_upstream_h2_failures test_upstream_h2_lives test_session_h2 test_session_h2_abuse test_session_h2_hostile
HPACK_TEST := $(BASE) $(HPACK)
UNIT_TESTS += test_huffman test_hpack_decode
test_hpack := $(HPACK_TEST)
test_huffman := $(HPACK_TEST)
test_hpack_decode := tests/unit/hpack_both.o $(HPACK_TEST)
test_h2_fields := $(HPACK_TEST) kubeproxyd/http/h2_fields.o kubeproxyd/http/fields.o kubeproxyd/http/field_traits.o kubeproxyd/http/head.o tests/unit/hpack_text.o
# The engine of HTTP/2 alone, with frames written by hand.
UNIT_TESTS += test_h2_frames test_h2_states test_h2_flow test_h2_heads test_h2_client test_h2_events test_h2_rules
H2_STAGE := $(HPACK_TEST) $(H2) kubeproxyd/http/field_traits.o tests/unit/hpack_text.o tests/unit/h2_script.o tests/unit/h2_stage.o
test_h2_frames := $(H2_STAGE) tests/unit/h2_rows.o
test_h2_states := $(test_h2_frames)
test_h2_flow := $(test_h2_frames)
test_h2_rules := kubeproxyd/http/h2_rules.o kubeproxyd/http/hpack_table.o kubeproxyd/http/field_traits.o common/xmem.o
test_h2_events := $(H2_STAGE)
test_h2_client := $(H2_STAGE)
test_h2_heads := $(test_h2_frames) tests/unit/h2_end.o
test_upstream_h1 := $(test_upstream)
test_upstream_h2 := tests/unit/upstream_h2_world.o tests/unit/h2_end.o tests/unit/fake_streams.o $(BASE) common/loop.o $(HTTP) $(LLHTTP) \
	kubeproxyd/back/dial.o kubeproxyd/back/upstream_h2.o kubeproxyd/back/upstream_h2_stream.o kubeproxyd/net/holdings.o kubeproxyd/net/stream_queue.o
test_upstream_h2_failures := $(test_upstream_h2)
test_upstream_h2_lives := $(test_upstream_h2)
SESSION_H2_TEST := tests/unit/session_h2_world.o $(BASE) common/loop.o $(HTTP) $(LLHTTP) kubeproxyd/exchange/reply.o \
	kubeproxyd/net/stream_queue.o kubeproxyd/net/holdings.o kubeproxyd/front/session_h2.o kubeproxyd/front/session_h2_stream.o kubeproxyd/front/flood.o
test_session_h2 := tests/unit/session_h2_talk.o tests/unit/h2_end.o $(SESSION_H2_TEST)
test_session_h2_abuse := $(test_session_h2)
test_session_h2_hostile := $(test_session_h2)

FUZZ_TARGETS += fuzz_message
fuzz_message := $(PROTO)
FUZZ_TARGETS += fuzz_aws_profile fuzz_aws_sources fuzz_aws_replies fuzz_yaml fuzz_kube_cluster fuzz_pattern
fuzz_yaml := $(BASE) $(SETTINGS)
fuzz_kube_cluster := $(BASE) $(KUBE_CLUSTER)
fuzz_pattern := $(BASE) $(LABELS)
fuzz_aws_profile := $(AWS_TEST)
fuzz_aws_replies := $(AWS_TEST) $(filter-out common/json.o,$(KUBE_CLUSTER)) discoveryd/aws_question.o discoveryd/aws_access.o discoveryd/aws_ec2.o discoveryd/aws_organizations.o discoveryd/aws_eks.o discoveryd/aws_account.o \
	discoveryd/aws_tagging.o
fuzz_aws_sources := $(AWS_TEST)

FUZZ_TARGETS += fuzz_h1_request fuzz_h1_response fuzz_h1_chunked
fuzz_h1_chunked := $(BASE) $(HTTP) $(LLHTTP)
fuzz_h1_request := tests/fuzz/h1.o $(BASE) $(HTTP) $(LLHTTP)
fuzz_h1_response := tests/fuzz/h1.o $(BASE) $(HTTP) $(LLHTTP)

FUZZ_TARGETS += fuzz_cast
fuzz_cast := $(test_cast_reader)

FUZZ_TARGETS += fuzz_upgrade
fuzz_upgrade := $(BASE) $(HTTP) $(LLHTTP) kubeproxyd/exchange/upgrade.o kubeproxyd/http/fields_out.o kubeproxyd/gate/headers_response.o

FUZZ_TARGETS += fuzz_hpack
fuzz_hpack := tests/unit/hpack_both.o $(HPACK_TEST)
FUZZ_TARGETS += fuzz_h2_session
fuzz_h2_session := $(SESSION_H2_TEST)
FUZZ_TARGETS += fuzz_h2_server fuzz_h2_client
fuzz_h2_server := $(H2_STAGE) tests/fuzz/h2_reference.o tests/fuzz/h2_duel.o
fuzz_h2_client := $(fuzz_h2_server)

FUZZ_TARGETS += fuzz_jwt fuzz_iam_token
fuzz_jwt := $(test_oidc)
fuzz_iam_token := $(test_iam) kubeproxyd/gate/credential.o kubeproxyd/http/fields.o kubeproxyd/http/field_traits.o

FUZZ_TARGETS += fuzz_request_info fuzz_role fuzz_bodies fuzz_expression
fuzz_bodies := $(test_headers)
fuzz_expression := $(test_policy)
fuzz_request_info := $(test_request_info)
fuzz_role := $(test_policy)

PROGRAMS := discoveryd kubeproxyd bustap

# `make V=1` shows the commands.
V ?= 0
quiet = $(if $(filter 1,$(V)),,@echo '  $(1)  $(subst $(BUILD)/,,$@)';)

# --- rules ------------------------------------------------------------------------------------------------------------

.PHONY: all demo test test-long tested-release tested-asan bench load decide lint fuzz install uninstall clean setup unit peers replay
.SECONDEXPANSION:
.SECONDARY:
.DELETE_ON_ERROR:

all: $(addprefix $(BUILD)/,$(PROGRAMS))

# Optimising across files takes as many processes as make may, not as many as there are processors (-flto=auto).
LTO_JOBS = $(or $(patsubst -j%,%,$(filter -j%,$(MAKEFLAGS))),1)
link = $(CC) $(CFLAGS) $(if $(findstring -flto,$(CFLAGS)),-flto=$(LTO_JOBS)) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LDLIBS)

$(BUILD)/discoveryd: $(addprefix $(OBJ)/,$(DISCOVERYD) $(COMMON) $(PROTO))
	$(call quiet,LD)$(link)
$(BUILD)/kubeproxyd: $(addprefix $(OBJ)/,$(KUBEPROXYD) $(COMMON) $(PROTO) $(LLHTTP))
	$(call quiet,LD)$(link)
$(BUILD)/bustap: $(addprefix $(OBJ)/,$(BUSTAP) $(COMMON) $(PROTO))
	$(call quiet,LD)$(link)

$(OBJ)/llhttp/%.o: $(LLHTTP_SOURCES)/%.c
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(LLHTTP_CPPFLAGS) $(filter-out -W%,$(CFLAGS)) -c -o $@ $<
$(OBJ)/kubeproxyd/http/h1_reader.o: CPPFLAGS += $(LLHTTP_CPPFLAGS)

$(OBJ)/tests/%.o: CFLAGS += $(CFLAGS_tests_$(MODE))
$(OBJ)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/%: $(OBJ)/tests/unit/%.o $$(addprefix $(OBJ)/,$$($$*))
	@mkdir -p $(@D)
	$(call quiet,LD)$(link) -lcmocka $(TEST_PEERS)

# Acts as a proxy by hand, for scenarios.
BUS_PEER := tests/sim/bus_peer.o $(BASE) $(PROTO) common/loop.o common/zsock.o
$(BUILD)/tests/bus_peer: $(addprefix $(OBJ)/,$(BUS_PEER))
	@mkdir -p $(@D)
	$(call quiet,LD)$(link)

# Stands between a daemon and its files: preloaded, so without a sanitizer of its own.
$(BUILD)/tests/faults.so: tests/sim/faults.c Makefile
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) -std=gnu17 $(WARNINGS) -D_GNU_SOURCE -O2 -g -fPIC -shared -o $@ $<

# What scenarios start besides the daemons, and below them.
peers: $(BUILD)/tests/bus_peer $(BUILD)/tests/faults.so
unit: $(addprefix $(BUILD)/tests/,$(UNIT_TESTS)) peers

# The load of `make bench`.
LOAD := tests/bench/load.o tests/bench/load_connection.o tests/bench/load_http.o common/xmem.o common/buf.o
$(BUILD)/bench/load: $(addprefix $(OBJ)/,$(LOAD))
	@mkdir -p $(@D)
	$(call quiet,LD)$(link) $(TEST_PEERS)
load: $(BUILD)/bench/load

# What a decision costs, another row of it.
$(BUILD)/bench/decide: $(addprefix $(OBJ)/,tests/bench/decide.o $(test_policy))
	@mkdir -p $(@D)
	$(call quiet,LD)$(link)
decide: $(BUILD)/bench/decide

$(BUILD)/fuzz/%: $(OBJ)/tests/fuzz/%.o $(if $(filter fuzz,$(MODE)),,$(OBJ)/tests/fuzz/replay.o) $$(addprefix $(OBJ)/,$$($$*))
	@mkdir -p $(@D)
	$(call quiet,LD)$(link) $(TEST_PEERS) $(if $(filter fuzz,$(MODE)),-fsanitize=fuzzer)

# --- everything a newcomer types --------------------------------------------------------------------------------------

# Installs what is missing, once per version of the set-up.
SETUP := build/.setup
setup: $(SETUP)
$(SETUP): packaging/setup.sh tests/package-lock.json
	packaging/setup.sh
	@mkdir -p $(@D) && touch $@

demo: $(SETUP)
	@$(MAKE) --no-print-directory -j2 MODE=release all
	node tests/demo/demo.mjs $(if $(ONCE),--once)

test: $(SETUP)
	@$(MAKE) --no-print-directory -j2 tested-release tested-asan
	tests/run.sh

test-long: $(SETUP)
	@$(MAKE) --no-print-directory -j2 tested-release tested-asan RELEASE_PEERS=peers
	tests/run.sh --long

# What tests run, both side by side: where one links, which is one process for long, the other compiles.
tested-release:
	@$(MAKE) --no-print-directory MODE=release all $(RELEASE_PEERS)
tested-asan:
	@$(MAKE) --no-print-directory MODE=asan all unit replay

bench: $(SETUP)
	@$(MAKE) --no-print-directory -j2 MODE=release all load decide
	node tests/bench/bench.mjs

# --- analysis ---------------------------------------------------------------------------------------------------------

# What is compiled is what is analysed; tests are not.
SOURCES := $(shell git ls-files 'common/*.c' 'proto/*.c' 'discoveryd/*.c' 'kubeproxyd/*.c' 2>/dev/null)

lint: $(SETUP)
	clang-format --dry-run --Werror $(shell git ls-files '*.c' '*.h')
	tests/check-layers.sh
	tests/check-sizes.sh
	cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr --std=c11 \
		--suppress=missingIncludeSystem --suppress=ctunullpointer --suppress='*:/usr/include/*' \
		-I. -D_GNU_SOURCE -DEKSGATE_VERSION='""' '-D__attribute__(x)=' \
		--include=/usr/include/bsd/sys/queue.h --include=/usr/include/bsd/sys/tree.h $(SOURCES)
	clang-tidy --quiet $(SOURCES) -- -std=gnu17 $(CPPFLAGS) $(LLHTTP_CPPFLAGS)

# Replays every corpus once, under the sanitizers (part of `make test`).
replay: $(addprefix $(BUILD)/fuzz/,$(FUZZ_TARGETS))

# Fuzzes each target for FUZZ_SECONDS; new inputs stay in build/corpus.
FUZZ_SECONDS ?= 60
fuzz: $(SETUP)
	@$(MAKE) --no-print-directory -j2 MODE=fuzz replay
	@for target in $(FUZZ_TARGETS); do \
		mkdir -p build/corpus/$$target && \
		build/fuzz/fuzz/$$target -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -timeout=10 -print_final_stats=1 \
			build/corpus/$$target tests/fuzz/corpus/$${target#fuzz_} || exit 1; \
	done

# --- installation -----------------------------------------------------------------------------------------------------

SYSTEMD := $(DESTDIR)$(PREFIX)/lib
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(SYSTEMD)/systemd/system $(SYSTEMD)/sysusers.d \
		$(SYSTEMD)/tmpfiles.d $(SYSTEMD)/sysctl.d $(DESTDIR)/etc/eksgate/roles.d $(DESTDIR)$(PREFIX)/share/doc/eksgate \
		$(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 0755 $(BUILD)/discoveryd $(BUILD)/kubeproxyd $(DESTDIR)$(PREFIX)/sbin/
	install -m 0755 $(BUILD)/bustap $(DESTDIR)$(PREFIX)/bin/
	install -m 0644 packaging/systemd/* $(SYSTEMD)/systemd/system/
	install -m 0644 packaging/sysusers.d/eksgate.conf $(SYSTEMD)/sysusers.d/
	install -m 0644 packaging/tmpfiles.d/eksgate.conf $(SYSTEMD)/tmpfiles.d/
	install -m 0644 packaging/sysctl.d/60-eksgate.conf $(SYSTEMD)/sysctl.d/
	install -d $(DESTDIR)/etc/logrotate.d
	install -m 0644 packaging/logrotate.d/eksgate $(DESTDIR)/etc/logrotate.d/
	install -m 0644 etc/eksgate.yaml $(DESTDIR)/etc/eksgate/eksgate.yaml.sample
	install -m 0644 etc/rbac.yaml etc/audit-policy.yaml etc/iam-discovery.json etc/iam-access.json etc/roles.d/*.yaml $(DESTDIR)$(PREFIX)/share/doc/eksgate/
	install -m 0644 README.md LICENSE proto/PROTOCOL.md proto/kube_cluster.schema.json $(DESTDIR)$(PREFIX)/share/doc/eksgate/
	install -m 0644 packaging/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 0644 packaging/man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 0644 packaging/man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8/

# What install laid, and nothing that was made since: configuration, keys, roles, state, logs and users stay.
uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,sbin/discoveryd sbin/kubeproxyd bin/bustap) \
		$(addprefix $(SYSTEMD)/systemd/system/,$(notdir $(wildcard packaging/systemd/*))) \
		$(SYSTEMD)/sysusers.d/eksgate.conf $(SYSTEMD)/tmpfiles.d/eksgate.conf $(SYSTEMD)/sysctl.d/60-eksgate.conf \
		$(DESTDIR)/etc/logrotate.d/eksgate $(DESTDIR)/etc/eksgate/eksgate.yaml.sample \
		$(foreach n,1 5 8,$(addprefix $(DESTDIR)$(PREFIX)/share/man/man$(n)/,$(notdir $(wildcard packaging/man/*.$(n)))))
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/eksgate

clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
