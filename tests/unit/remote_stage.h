/* The exchange of exchange_stage.h as an exec: its tunnel, its recording, what of it is kept and
 * told. */
#ifndef EKSGATE_TESTS_REMOTE_STAGE_H
#define EKSGATE_TESTS_REMOTE_STAGE_H

#include <stddef.h>

#include "common/buf.h"
#include "kubeproxyd/policy/options.h"
#include "tests/unit/exchange_stage.h"

struct audit_policy;
struct recordings;

#define EXEC "/clusters/prod/api/v1/namespaces/a/pods/p/exec?command=ls&stdout=1&tty=1"

extern char directory[64];
extern char *path; /* of the recordings, in it */
extern struct recordings *recordings;
extern struct buf bytes; /* what is said next */

int set_up_recordings(void **state);
int tear_down_recordings(void **state);
/* What waits for the disk is done. */
void settle(void);

void ask_exec(enum record_mode mode, const char *target, const char *protocol);
void switch_to(const char *protocol);
void open_exec(enum record_mode mode);
/* What was gathered in `bytes`. */
void server_sends(size_t len);
void client_sends(void);
void end_by_server(void);

/* The text of the only file, once it is on the disk; NULL: there is none. To be freed. */
char *kept(void);
/* Texts that are in it, then NULL; or NULL: there is none. */
void assert_kept(const char *const *wanted);
#define KEEPS(...) assert_kept((const char *const[]){__VA_ARGS__, NULL})
/* That a client reads `words` on its terminal, as an error, and a goodbye. */
void assert_told(const char *words);

void open_audit(struct audit_policy **policy);
/* What is on record at the end; to be freed. */
char *close_audit(struct audit_policy **policy);

#endif
